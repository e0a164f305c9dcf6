// The contract's types, sdk/wit/policy.wit, with its words on each field, and the questions that every policy asks.
//
// They are written by hand; test/contract.test.js holds them against the contract. Names are the contract's in camelCase. A
// text that is absent is `null`, a number that is absent is -1.

import { Remedy } from "./answers";
import { Json } from "./json";

/** A question that breaks the contract ends the policy: there is nothing to answer to it. */
function broken(what: string): void {
  throw new Error("the question breaks the contract: " + what);
}

function must(from: Json, key: string): Json {
  const value = from.get(key);
  if (value === null) broken("there is no " + key);
  return value!;
}

function text(from: Json, key: string): string {
  const value = must(from, key);
  if (!value.isString) broken(key + " is no text");
  return value.text;
}

function textOrNull(from: Json, key: string): string | null {
  return from.get(key) === null ? null : text(from, key);
}

function whole(from: Json, key: string): i64 {
  const value = must(from, key);
  if (!value.isInteger || value.integer < 0) broken(key + " is no whole number");
  return value.integer;
}

function u32Of(from: Json, key: string): u32 {
  const value = whole(from, key);
  if (value > <i64>u32.MAX_VALUE) broken(key + " is too large");
  return <u32>value;
}

function flag(from: Json, key: string): bool {
  return must(from, key).text == "true";
}

function one(from: Json, key: string, names: string[]): i32 {
  const at = names.indexOf(text(from, key));
  if (at < 0) broken(key + " is " + text(from, key));
  return at;
}

function remedyOf(from: Json, key: string): Remedy {
  const remedy = Remedy.fromJson(must(from, key));
  if (remedy === null) broken("a remedy is " + must(from, key).toString());
  return remedy!;
}

function pairs(from: Json, key: string): Map<string, string> {
  const object = must(from, key);
  const all = new Map<string, string>();
  for (let at = 0; at < object.keys.length; at++) all.set(object.keys[at], object.items[at].text);
  return all;
}

/**
 * The status of a node condition as Kubernetes has it: `True`, `False`, `Unknown`. For a problem's condition `Yes` means that
 * the problem is there. `Unknown` is neither health nor illness.
 */
export enum Status {
  Yes,
  No,
  Unknown,
}

const STATUS: string[] = ["yes", "no", "unknown"];

/**
 * How far a view can be trusted: read within its source's interval; read, but longer ago; never read, or the source cannot be
 * reached. Lists of a view that is not `Fresh` say nothing by being empty.
 */
export enum Freshness {
  Fresh,
  Stale,
  Missing,
}

const FRESHNESS: string[] = ["fresh", "stale", "missing"];

/** What became of a remedy: always observed afterwards, never the return of a call. */
export enum Outcome {
  /** Under way, or within its settling time. */
  Running,
  /** The problem went away and stayed away for the settling time. (It may have come back since.) */
  Recovered,
  /** It was carried out, and the problem is still there. */
  NoEffect,
  /** It could not be carried out; `attempt.detail` says why. */
  Failed,
  /** A guard rail refused it; `attempt.detail` names it. Nothing was done. */
  Refused,
  /** The engine was away and cannot tell. */
  Unknown,
}

const OUTCOME: string[] = ["running", "recovered", "noEffect", "failed", "refused", "unknown"];

/** A moment in the time zone of the node's pool (UTC where the pool names none). */
export class Moment {
  /** Seconds since 1970-01-01T00:00Z. */
  readonly unixSeconds: u64;
  /** 1 (Monday) to 7 (Sunday). */
  readonly weekday: u8;
  /** 0 (midnight) to 1439. */
  readonly minuteOfDay: u16;

  constructor(from: Json) {
    this.unixSeconds = <u64>whole(from, "unixSeconds");
    this.weekday = <u8>whole(from, "weekday");
    this.minuteOfDay = <u16>whole(from, "minuteOfDay");
  }
}

/**
 * May the engine do it now? Advice against a closed gate is recorded as `Refused` and not carried out. A policy tests
 * `isOpen`, never the text.
 */
export class Gate {
  /** The guard rail that says no, for people; `null` if none does. */
  readonly closedBy: string | null;

  constructor(from: Json) {
    this.closedBy = from.isObject ? text(from, "closed") : null;
    if (!from.isObject && from.text != "open") broken("a gate is " + from.toString());
  }

  /** May it be done now? */
  get isOpen(): bool {
    return this.closedBy === null;
  }
}

/** A node condition. */
export class Condition {
  /** Its type, e.g. `KernelDeadlock`. */
  readonly kind: string;
  readonly status: Status;
  /** Machine-readable cause as its source gives it, e.g. `DockerHung`. May be empty. */
  readonly reason: string;
  /** Text for people as its source gives it. May be empty, and may have been cut by the source. */
  readonly message: string;
  /**
   * For how many seconds the engine has seen it with this status. Not the source's own transition time, which moves when the
   * source restarts.
   */
  readonly held: u32;
  /**
   * Who reported it: `npd` (read on the node), `node-status` (read at the API server); or who told the node engine, which makes
   * conditions by the operator's rules: `npd-counter`, `systemd`.
   */
  readonly source: string;

  constructor(from: Json) {
    this.kind = text(from, "kind");
    this.status = <Status>one(from, "status", STATUS);
    this.reason = text(from, "reason");
    this.message = text(from, "message");
    this.held = u32Of(from, "held");
    this.source = text(from, "source");
  }
}

/** Events on this node that bear one reason, as Node Problem Detector counts them. */
export class EventCount {
  /** E.g. `OOMKilling`. */
  readonly reason: string;
  /** The message of the last one; empty where it is only counted. */
  readonly message: string;
  /** How many there were in the window; at least 1. */
  readonly count: u32;
  /** Over how many seconds they were counted. */
  readonly window: u32;
  /** How many seconds ago the last one was seen; at most `window`. */
  readonly lastSeen: u32;

  constructor(from: Json) {
    this.reason = text(from, "reason");
    this.message = text(from, "message");
    this.count = u32Of(from, "count");
    this.window = u32Of(from, "window");
    this.lastSeen = u32Of(from, "lastSeen");
  }
}

/** One remedy that was tried in an episode. */
export class Attempt {
  readonly remedy: Remedy;
  /** How many seconds ago it began. */
  readonly age: u32;
  readonly outcome: Outcome;
  /** More for people: the result of systemd's job, the guard rail. May be empty. */
  readonly detail: string;

  constructor(from: Json) {
    this.remedy = remedyOf(from, "remedy");
    this.age = u32Of(from, "age");
    this.outcome = <Outcome>one(from, "outcome", OUTCOME);
    this.detail = text(from, "detail");
  }
}

/** One problem from its first sight until it has been gone for a quiet time. */
export class Episode {
  /** The problem as it stands now; its status may be `No` while the quiet time runs. */
  readonly problem: Condition;
  /** Seconds since its first sight. */
  readonly age: u32;
  /** How often it went away and came back within this episode. */
  readonly recurrences: u32;
  /** Of both engines, as far as this site knows them. Newest first, at most 32. */
  readonly attempts: Attempt[];

  constructor(from: Json) {
    this.problem = new Condition(must(from, "problem"));
    this.age = u32Of(from, "age");
    this.recurrences = u32Of(from, "recurrences");
    this.attempts = must(from, "attempts").items.map<Attempt>((item) => new Attempt(item));
  }

  /** How often exactly this was carried out in this episode, or begun. What was refused was not. */
  tried(remedy: Remedy): i32 {
    let count = 0;
    const attempts = this.attemptsAt(remedy);
    for (let at = 0; at < attempts.length; at++) {
      if (attempts[at].outcome != Outcome.Refused) count++;
    }
    return count;
  }

  /** All attempts at exactly this remedy, the newest first. */
  attemptsAt(remedy: Remedy): Attempt[] {
    const found: Attempt[] = [];
    for (let at = 0; at < this.attempts.length; at++) {
      if (this.attempts[at].remedy.equals(remedy)) found.push(this.attempts[at]);
    }
    return found;
  }

  /** The remedy that is under way, if one is. */
  get running(): Attempt | null {
    for (let at = 0; at < this.attempts.length; at++) {
      if (this.attempts[at].outcome == Outcome.Running) return this.attempts[at];
    }
    return null;
  }

  /** The newest attempt. */
  get last(): Attempt | null {
    return this.attempts.length > 0 ? this.attempts[0] : null;
  }
}

/** The node that has the problem. */
export class Node {
  readonly name: string;
  /** The repair pool that selects it. `null` if none does, or if this site cannot know it. */
  readonly pool: string | null;
  /** Its label `topology.kubernetes.io/zone`; empty if it has none. */
  readonly zone: string;
  readonly labels: Map<string, string>;
  /** Its condition `Ready`. */
  readonly ready: Status;
  /** Is it cordoned, by whomever? */
  readonly unschedulable: bool;
  /** Seconds since its boot. -1 where this site cannot know it. */
  readonly uptime: i64;
  /** Pods bound to it; 0 where this site does not count them. */
  readonly pods: u32;

  constructor(from: Json) {
    this.name = text(from, "name");
    this.pool = textOrNull(from, "pool");
    this.zone = text(from, "zone");
    this.labels = pairs(from, "labels");
    this.ready = <Status>one(from, "ready", STATUS);
    this.unschedulable = flag(from, "unschedulable");
    this.uptime = from.get("uptime") === null ? -1 : whole(from, "uptime");
    this.pods = u32Of(from, "pods");
  }
}

/** A systemd unit that the operator allows policies to touch. */
export class Unit {
  /** With its suffix, e.g. `containerd.service`. */
  readonly name: string;
  /** systemd's `ActiveState`: `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`, … */
  readonly activeState: string;
  /** systemd's `SubState`, e.g. `running`, `dead`, `auto-restart`. */
  readonly subState: string;
  /** systemd's `NRestarts`: how often systemd itself restarted it. 0 for what is no service. */
  readonly restarts: u32;
  /** For how many seconds it has been in this active state. */
  readonly held: u32;
  /** May it be touched now? */
  readonly gate: Gate;

  constructor(from: Json) {
    this.name = text(from, "name");
    this.activeState = text(from, "activeState");
    this.subState = text(from, "subState");
    this.restarts = u32Of(from, "restarts");
    this.held = u32Of(from, "held");
    this.gate = new Gate(must(from, "gate"));
  }
}

/** A fix: a command that the operator's configuration declares by name. */
export class Fix {
  readonly name: string;
  /** The names of the parameters that it takes. */
  readonly params: string[];
  /** May it be run now? */
  readonly gate: Gate;

  constructor(from: Json) {
    this.name = text(from, "name");
    this.params = must(from, "params").items.map<string>((item) => item.text);
    this.gate = new Gate(must(from, "gate"));
  }
}

/** What only the engine on the node sees. */
export class NodeView {
  /** Those that the operator allows and that the policy's metadata need. A unit that is not here may not be touched. */
  readonly units: Unit[];
  /** Those that the operator declares and that the policy's metadata need. */
  readonly fixes: Fix[];
  /** May a reboot be asked for now? */
  readonly reboot: Gate;
  /** Of this view. If `Missing`, the lists are empty and the gate is closed. */
  readonly freshness: Freshness;

  constructor(from: Json) {
    this.units = must(from, "units").items.map<Unit>((item) => new Unit(item));
    this.fixes = must(from, "fixes").items.map<Fix>((item) => new Fix(item));
    this.reboot = new Gate(must(from, "reboot"));
    this.freshness = <Freshness>one(from, "freshness", FRESHNESS);
  }

  /** The unit of this name, if the operator allows it and the metadata need it. */
  unit(name: string): Unit | null {
    for (let at = 0; at < this.units.length; at++) {
      if (this.units[at].name == name) return this.units[at];
    }
    return null;
  }

  /** The fix of this name, likewise. */
  fix(name: string): Fix | null {
    for (let at = 0; at < this.fixes.length; at++) {
      if (this.fixes[at].name == name) return this.fixes[at];
    }
    return null;
  }
}

/** Nodes of one group, counted. `sick` and `repairing` overlap. */
export class Group {
  readonly nodes: u32;
  /** With an open problem. */
  readonly sick: u32;
  /** In a repair of the control plane's. */
  readonly repairing: u32;

  constructor(from: Json) {
    this.nodes = u32Of(from, "nodes");
    this.sick = u32Of(from, "sick");
    this.repairing = u32Of(from, "repairing");
  }
}

/** The node's server, as the cloud tells it. */
export class Server {
  /** Nova's status, e.g. `ACTIVE`, `SHUTOFF`, `ERROR`. No status is proof of life or of death. */
  readonly status: string;
  /** Nova's task state, e.g. `rebooting`. `null` if no task runs. */
  readonly task: string | null;
  /** Nova's fault message. `null` if it reports none. */
  readonly fault: string | null;
  /** Seconds since its creation. */
  readonly age: u32;
  /** The machine certainly runs no more, by the engine's own rule. */
  readonly provenDead: bool;

  constructor(from: Json) {
    this.status = text(from, "status");
    this.task = textOrNull(from, "task");
    this.fault = textOrNull(from, "fault");
    this.age = u32Of(from, "age");
    this.provenDead = flag(from, "provenDead");
  }
}

/** What only the control plane sees. */
export class ClusterView {
  /** The node's pool, the node itself included. */
  readonly pool: Group;
  /** Its zone within the pool, likewise. */
  readonly zone: Group;
  /** The nodes of the pool that have the same kind of problem, the node itself included. */
  readonly sameProblem: Group;
  /** `null` if the cloud could not be asked, or if it is not certain which server the node is. */
  readonly server: Server | null;
  /**
   * Who asked for the repair: `node-engine`; `conditions` (nobody: the control plane saw the condition itself); else a person's
   * user name.
   */
  readonly requestedBy: string;
  /** May it be rebooted now? */
  readonly reboot: Gate;
  /** May it be replaced now? */
  readonly replace: Gate;
  /** Of this view. If `Missing`, the groups count nothing and both gates are closed. */
  readonly freshness: Freshness;

  constructor(from: Json) {
    this.pool = new Group(must(from, "pool"));
    this.zone = new Group(must(from, "zone"));
    this.sameProblem = new Group(must(from, "sameProblem"));
    this.server = from.get("server") === null ? null : new Server(must(from, "server"));
    this.requestedBy = text(from, "requestedBy");
    this.reboot = new Gate(must(from, "reboot"));
    this.replace = new Gate(must(from, "replace"));
    this.freshness = <Freshness>one(from, "freshness", FRESHNESS);
  }
}

/** All that one decision may rest on, at one moment. */
export class Observation {
  /** Unique for this asking; random numbers are seeded from it. Not to be parsed. */
  readonly id: string;
  readonly now: Moment;
  readonly node: Node;
  /** What the node's engine sees, if it is the one that asks. */
  readonly onNode: NodeView | null;
  /** What the control plane sees, if it is the one that asks. */
  readonly inControlPlane: ClusterView | null;
  /** The problem to decide on. */
  readonly episode: Episode;
  /** Other open problems of this node. */
  readonly otherEpisodes: Episode[];
  /** All conditions of the node as this site sees them, the healthy ones too. */
  readonly conditions: Condition[];
  /** Recent events about the node; empty where this site does not read them. */
  readonly events: EventCount[];
  /**
   * The only open field: more about the node, by names listed in `sdk/facts.md`, as far as the policy's metadata need them. A
   * name is never given a second meaning; one that cannot be told now is absent.
   */
  readonly facts: Map<string, string>;

  /** Of its JSON form, `sdk/schema/v0.1/question.json`. */
  constructor(
    /** What it was made of. */
    readonly json: Json,
  ) {
    this.id = text(json, "id");
    this.now = new Moment(must(json, "now"));
    this.node = new Node(must(json, "node"));
    const node = must(json, "site").get("node");
    this.onNode = node === null ? null : new NodeView(node);
    this.inControlPlane =
      node === null ? new ClusterView(must(must(json, "site"), "controlPlane")) : null;
    this.episode = new Episode(must(json, "episode"));
    this.otherEpisodes = must(json, "otherEpisodes").items.map<Episode>((item) => new Episode(item));
    this.conditions = must(json, "conditions").items.map<Condition>((item) => new Condition(item));
    this.events = must(json, "events").items.map<EventCount>((item) => new EventCount(item));
    this.facts = pairs(json, "facts");
  }

  /** The kind of problem to decide on. */
  get problem(): string {
    return this.episode.problem.kind;
  }

  /** Is the problem there? Not if it is gone, and not if nobody knows. */
  get problemIsThere(): bool {
    return this.episode.problem.status == Status.Yes;
  }

  /** Can the site's own view be trusted? */
  get isFresh(): bool {
    const node = this.onNode;
    if (node !== null) return node.freshness == Freshness.Fresh;
    return this.inControlPlane!.freshness == Freshness.Fresh;
  }

  /** The unit of this name, if the node's engine asks and it may be touched: `onNode.unit`. */
  unit(name: string): Unit | null {
    const node = this.onNode;
    if (node === null) return null;
    return node.unit(name);
  }

  /** The fix of this name, likewise. */
  fix(name: string): Fix | null {
    const node = this.onNode;
    if (node === null) return null;
    return node.fix(name);
  }

  /** The condition of this kind. */
  condition(kind: string): Condition | null {
    for (let at = 0; at < this.conditions.length; at++) {
      if (this.conditions[at].kind == kind) return this.conditions[at];
    }
    return null;
  }

  /** The value of the node's label. */
  label(name: string): string | null {
    return this.node.labels.has(name) ? this.node.labels.get(name) : null;
  }

  /** The fact of this name, if it can be told and the metadata need it. */
  fact(name: string): string | null {
    return this.facts.has(name) ? this.facts.get(name) : null;
  }
}
