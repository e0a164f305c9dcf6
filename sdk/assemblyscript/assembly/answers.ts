// Short ways to answer.

import { Json } from "./json";

/** What to do to a systemd unit. */
export enum UnitVerb {
  /** systemd's `RestartUnit`. */
  Restart,
  /** `StartUnit`. */
  Start,
  /** `StopUnit`, and when that is done `StartUnit`. */
  StopStart,
  /** `ResetFailedUnit`, then `StartUnit`. */
  ResetFailed,
}

const VERBS: string[] = ["restart", "start", "stopStart", "resetFailed"];

/** Which remedy it is. */
export enum RemedyKind {
  Decline,
  Wait,
  Unit,
  Fix,
  Reboot,
  Escalate,
  Replace,
}

const KINDS: string[] = ["decline", "wait", "unit", "fix", "reboot", "escalate", "replace"];

/** What a policy may advise. A remedy of the other site makes the whole answer invalid. */
export class Remedy {
  private constructor(
    readonly kind: RemedyKind,
    /** Of `Wait`; else 0. */
    readonly seconds: u32 = 0,
    /** Of `Unit` and `Fix`; else empty. */
    readonly name: string = "",
    /** Of `Unit`. */
    readonly verb: UnitVerb = UnitVerb.Restart,
    /** Of `Fix`; else empty. */
    readonly args: Map<string, string> = new Map<string, string>(),
  ) {}

  /** Not mine: the next less specific policy is asked. */
  static decline(): Remedy {
    return new Remedy(RemedyKind.Decline);
  }

  /** Nothing now; ask again after so many seconds, or as soon as something changes. */
  static wait(seconds: u32): Remedy {
    return new Remedy(RemedyKind.Wait, seconds);
  }

  /** Node only: restart a systemd unit, one of `NodeView.units`. */
  static restart(unit: string): Remedy {
    return Remedy.unit(unit, UnitVerb.Restart);
  }

  /** Node only: do something to a systemd unit, one of `NodeView.units`. */
  static unit(name: string, verb: UnitVerb): Remedy {
    return new Remedy(RemedyKind.Unit, 0, name, verb);
  }

  /** Node only: run a fix, one of `NodeView.fixes`; each argument's name is one of its params. */
  static fix(name: string, args: Map<string, string> = new Map<string, string>()): Remedy {
    return new Remedy(RemedyKind.Fix, 0, name, UnitVerb.Restart, args);
  }

  /** Node: ask the control plane for the grant. Control plane: reboot out of band, or start it if it is shut off. */
  static reboot(): Remedy {
    return new Remedy(RemedyKind.Reboot);
  }

  /** Node: to the control plane. Control plane: to a person. */
  static escalate(): Remedy {
    return new Remedy(RemedyKind.Escalate);
  }

  /** Control plane only: a similar server, Ready, before this one is drained and deleted. */
  static replace(): Remedy {
    return new Remedy(RemedyKind.Replace);
  }

  /** Is it exactly the same? The arguments of a fix have no order. */
  equals(other: Remedy): bool {
    if (this.kind != other.kind || this.seconds != other.seconds || this.verb != other.verb) return false;
    if (this.name != other.name || this.args.size != other.args.size) return false;
    const names = this.args.keys();
    for (let at = 0; at < names.length; at++) {
      const name = names[at];
      if (!other.args.has(name) || other.args.get(name) != this.args.get(name)) return false;
    }
    return true;
  }

  /** This remedy, and why: one line for people. It stands in events and in the history. At most 1024 bytes. */
  because(reason: string): Decision {
    return new Decision(this, reason);
  }

  /** As the contract's JSON has it. */
  toJson(): Json {
    const kind = KINDS[this.kind];
    if (this.kind == RemedyKind.Wait) return Json.object().set(kind, Json.integer(this.seconds));
    const call = Json.object().set("name", Json.string(this.name));
    if (this.kind == RemedyKind.Unit) {
      return Json.object().set(kind, call.set("verb", Json.string(VERBS[this.verb])));
    }
    if (this.kind == RemedyKind.Fix) return Json.object().set(kind, call.set("args", ofPairs(this.args)));
    return Json.string(kind);
  }

  /** Of its JSON form: `"reboot"`, `{"wait": 30}`. `null` if it is no remedy. */
  static fromJson(json: Json): Remedy | null {
    const hasMore = json.isObject && json.keys.length == 1;
    const kind = KINDS.indexOf(hasMore ? json.keys[0] : json.isString ? json.text : "");
    const isCall = kind == RemedyKind.Unit || kind == RemedyKind.Fix;
    if (kind < 0 || hasMore != (isCall || kind == RemedyKind.Wait)) return null;
    if (!hasMore) return new Remedy(<RemedyKind>kind);
    const payload = json.items[0];
    if (kind == RemedyKind.Wait) {
      if (!payload.isInteger || payload.integer < 0 || payload.integer > <i64>u32.MAX_VALUE) return null;
      return Remedy.wait(<u32>payload.integer);
    }
    const name = payload.get("name");
    if (name === null || !name.isString) return null;
    return kind == RemedyKind.Unit ? unitOf(name.text, payload) : fixOf(name.text, payload);
  }
}

function unitOf(name: string, json: Json): Remedy | null {
  const verb = json.get("verb");
  if (verb === null || !verb.isString || json.keys.length != 2) return null;
  const at = VERBS.indexOf(verb.text);
  return at < 0 ? null : Remedy.unit(name, <UnitVerb>at);
}

function fixOf(name: string, json: Json): Remedy | null {
  const given = json.get("args");
  if (given === null) return json.keys.length == 1 ? Remedy.fix(name) : null;
  if (!given.isObject || json.keys.length != 2) return null;
  const args = new Map<string, string>();
  for (let at = 0; at < given.keys.length; at++) {
    if (!given.items[at].isString) return null;
    args.set(given.keys[at], given.items[at].text);
  }
  return Remedy.fix(name, args);
}

function ofPairs(pairs: Map<string, string>): Json {
  const object = Json.object();
  const names = pairs.keys();
  for (let at = 0; at < names.length; at++) object.append(names[at], Json.string(pairs.get(names[at])));
  return object;
}

/** A remedy and the reason for it; or why none can be decided at all. */
export class Decision {
  /** How many seconds to watch after the remedy before judging it; -1 for the engine's default. */
  settleSeconds: i64 = -1;
  /** For the record only. */
  readonly notes: Map<string, string> = new Map<string, string>();

  constructor(
    readonly remedy: Remedy,
    readonly reason: string,
    /** Why nothing can be decided; `null` if it is decided. */
    readonly failure: string | null = null,
  ) {}

  /**
   * Nothing can be decided, for this reason: one line for the operator. It counts as a failure of the policy; for a problem that
   * is somebody else's answer `Remedy.decline()`.
   */
  static error(why: string): Decision {
    return new Decision(Remedy.decline(), "", why);
  }

  /** Watch for so many seconds after the remedy before judging it. */
  settle(seconds: u32): this {
    this.settleSeconds = seconds;
    return this;
  }

  /** Adds a note for the record. A name may be used once: of two the latter stays. */
  note(name: string, value: string): this {
    this.notes.set(name, value);
    return this;
  }

  /** The answer, `sdk/schema/v0.1/answer.json`. */
  toJson(): Json {
    const failure = this.failure;
    if (failure !== null) return Json.object().set("error", Json.string(failure));
    const answer = Json.object().set("remedy", this.remedy.toJson()).set("reason", Json.string(this.reason));
    if (this.settleSeconds >= 0) answer.set("settle", Json.integer(this.settleSeconds));
    return answer.set("notes", ofPairs(this.notes));
  }
}
