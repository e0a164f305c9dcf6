// Types of the package rectifier-policy: those of the contract, sdk/wit/policy.wit, with its words on each field, and what
// this package adds to them. They are written by hand; test/contract.test.js holds them against the contract.
//
// Names are the contract's in camelCase; a list of pairs is an object; a case with a payload is an object with one key, one
// without is a string; what is absent is `undefined`.

/** A JSON document. */
export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

/**
 * A policy: a module that exports these. It is a pure function of what is seen and of the operator's settings; the same
 * file, observation and settings give the same decision. Nothing that it keeps is there at the next call.
 */
export interface Policy<Settings = {}> {
  /**
   * The settings that it has, each with its usual value: what the operator's sidecar says under `settings` is laid over
   * them. A key that is not here is refused, and so is a value of another kind (number, string, boolean, list, object)
   * than the usual one. Where the usual value is `undefined` or `null`, any kind is taken. Without `settings`, every key
   * is refused.
   *
   * Or a function that makes settings of the operator's document; what it throws refuses them.
   */
  readonly settings?: Settings | ((given: JsonObject) => Settings);
  /**
   * Are these settings usable? Asked once when the policy is loaded.
   *
   * @returns nothing if they are; else one line for the operator, naming the key. An error that is thrown refuses them, too.
   */
  readonly check?: (settings: Settings) => string | void;
  /**
   * What to do now?
   *
   * @throws An error says that nothing can be decided, and counts as a failure of the policy: the operator reads its type
   * and its message, of a {@link PolicyError} the message alone. For a problem that is somebody else's answer
   * {@link Remedy.decline}.
   */
  readonly decide: (seen: Observation, settings: Settings) => Decision;
}

/** Thrown on purpose: its message reaches the operator as it is. */
export class PolicyError extends Error {}

/** What a policy may advise. A remedy of the other site makes the whole answer invalid. */
export class Remedy {
  /** Not mine: the next less specific policy is asked. */
  static readonly decline: Remedy;
  /** Node: ask the control plane for the grant. Control plane: reboot out of band, or start it if it is shut off. */
  static readonly reboot: Remedy;
  /** Node: to the control plane. Control plane: to a person. */
  static readonly escalate: Remedy;
  /** Control plane only: a similar server, Ready, before this one is drained and deleted. */
  static readonly replace: Remedy;

  /** Nothing now; ask again after this time, or as soon as something changes. */
  static wait(seconds: Seconds): Remedy;
  /** Node only: restart a systemd unit, one of `NodeView.units`. */
  static restart(unit: string): Remedy;
  /** Node only: do something to a systemd unit, one of `NodeView.units`. */
  static unit(name: string, verb: UnitVerb): Remedy;
  /** Node only: run a fix, one of `NodeView.fixes`; each argument's name is one of its params. */
  static fix(name: string, args?: Readonly<Record<string, string>>): Remedy;

  /** Is it exactly the same? The arguments of a fix have no order. */
  equals(other: Remedy): boolean;
  /** This remedy, and why: one line for people. It stands in events and in the history. At most 1024 bytes. */
  because(reason: string): Decision;

  /** As the contract's JSON has it. */
  toJSON(): RemedyJson;
  /**
   * Of its JSON form: `"reboot"`, `{wait: 30}`, `{unit: {name: "kubelet.service", verb: "restart"}}`.
   *
   * @throws {TypeError} It is no remedy: what is wrong, and where.
   */
  static fromJSON(json: unknown): Remedy;

  private constructor();
}

/** A remedy and the reason for it. It is not changed: each method gives another one. */
export class Decision {
  readonly remedy: Remedy;
  readonly reason: string;
  /** How long to watch after the remedy before judging it. The engine's default if absent. */
  readonly settleSeconds?: Seconds;
  /** For the record only. */
  readonly notes: Readonly<Record<string, string>>;

  /** Watch for so many seconds after the remedy before judging it. */
  settle(seconds: Seconds): Decision;
  /**
   * Adds a note for the record.
   *
   * @throws {RangeError} There is one of this name.
   */
  note(name: string, value: string): Decision;
  /** Adds many. */
  noteAll(notes: Readonly<Record<string, string>>): Decision;

  /** As the contract's JSON has it. */
  toJSON(): JsonObject;

  private constructor();
}

/** Lines for the operator's log. They are bounded, cut, and never change what is decided. */
export declare namespace log {
  /** For the policy's author. */
  function debug(message: string): void;
  /** For whoever reads the story of a repair. */
  function info(message: string): void;
  /** Somebody should look at it today. */
  function warn(message: string): void;
  /** Something is wrong; the engine writes it as a warning. */
  function error(message: string): void;
}

/** A duration or an age in whole seconds. An age is never negative: a clock that was set back gives 0. */
export type Seconds = number;

/**
 * The status of a node condition as Kubernetes has it: `True`, `False`, `Unknown`. For a problem's condition `yes`
 * means that the problem is there. `unknown` is neither health nor illness.
 */
export type Status = "yes" | "no" | "unknown";

/**
 * How far a view can be trusted: read within its source's interval; read, but longer ago; never read, or the
 * source cannot be reached. Lists of a view that is not `fresh` say nothing by being empty.
 */
export type Freshness = "fresh" | "stale" | "missing";

/** A moment in the time zone of the node's pool (UTC where the pool names none). */
export interface Moment {
  /** Seconds since 1970-01-01T00:00Z; exact up to 2^53 - 1. */
  readonly unixSeconds: number;
  /** 1 (Monday) to 7 (Sunday). */
  readonly weekday: number;
  /** 0 (midnight) to 1439. */
  readonly minuteOfDay: number;
}

/**
 * May the engine do it now? `closed` carries the guard rail that says no, for people: a policy tests the case,
 * never the text. Advice against a closed gate is recorded as `refused` and not carried out.
 */
export interface Gate {
  /** May it be done now? */
  readonly isOpen: boolean;
  /** The guard rail that says no, for people; absent if none does. */
  readonly closedBy?: string;
  /** As the contract's JSON has it. */
  toJSON(): "open" | { readonly closed: string };
}

/** A node condition. */
export interface Condition {
  /** Its type, e.g. `KernelDeadlock`. */
  readonly kind: string;
  readonly status: Status;
  /** Machine-readable cause as its source gives it, e.g. `DockerHung`. May be empty. */
  readonly reason: string;
  /** Text for people as its source gives it. May be empty, and may have been cut by the source. */
  readonly message: string;
  /**
   * For how long the engine has seen it with this status. Not the source's own transition time, which moves when
   * the source restarts.
   */
  readonly held: Seconds;
  /**
   * Who reported it: `npd` (read on the node), `node-status` (read at the API server); or who told the node engine, which
   * makes conditions by the operator's rules: `npd-counter`, `systemd`.
   */
  readonly source: string;
}

/** Events on this node that bear one reason, as Node Problem Detector counts them. */
export interface EventCount {
  /** E.g. `OOMKilling`. */
  readonly reason: string;
  /** The message of the last one; empty where it is only counted. */
  readonly message: string;
  /** How many there were in the window; at least 1. */
  readonly count: number;
  /** Over how long they were counted. */
  readonly window: Seconds;
  /** How long ago the last one was seen; at most `window`. */
  readonly lastSeen: Seconds;
}

/** What became of a remedy: always observed afterwards, never the return of a call. */
export type Outcome =
  /** Under way, or within its settling time. */
  | "running"
  /** The problem went away and stayed away for the settling time. (It may have come back since.) */
  | "recovered"
  /** It was carried out, and the problem is still there. */
  | "noEffect"
  /** It could not be carried out; `attempt.detail` says why. */
  | "failed"
  /** A guard rail refused it; `attempt.detail` names it. Nothing was done. */
  | "refused"
  /** The engine was away and cannot tell. */
  | "unknown";

/** One remedy that was tried in an episode. */
export interface Attempt {
  readonly remedy: Remedy;
  /** How long ago it began. */
  readonly age: Seconds;
  readonly outcome: Outcome;
  /** More for people: the result of systemd's job, the guard rail. May be empty. */
  readonly detail: string;
}

/** One problem from its first sight until it has been gone for a quiet time. */
export interface Episode {
  /** The problem as it stands now; its status may be `no` while the quiet time runs. */
  readonly problem: Condition;
  /** Since its first sight. */
  readonly age: Seconds;
  /** How often it went away and came back within this episode. */
  readonly recurrences: number;
  /** Of both engines, as far as this site knows them. Newest first, at most 32. */
  readonly attempts: readonly Attempt[];

  /** How often exactly this was carried out in this episode, or begun. What was refused was not. */
  tried(remedy: Remedy): number;
  /** All attempts at exactly this remedy, the newest first. */
  attemptsAt(remedy: Remedy): readonly Attempt[];
  /** The remedy that is under way, if one is. */
  readonly running?: Attempt;
  /** The newest attempt. */
  readonly last?: Attempt;
}

/** The node that has the problem. */
export interface Node {
  readonly name: string;
  /** The repair pool that selects it. Absent if none does, or if this site cannot know it. */
  readonly pool?: string;
  /** Its label `topology.kubernetes.io/zone`; empty if it has none. */
  readonly zone: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Its condition `Ready`. */
  readonly ready: Status;
  /** Is it cordoned, by whomever? */
  readonly unschedulable: boolean;
  /** Since its boot. Absent where this site cannot know it. */
  readonly uptime?: Seconds;
  /** Pods bound to it; 0 where this site does not count them. */
  readonly pods: number;
}

/** A systemd unit that the operator allows policies to touch. */
export interface Unit {
  /** With its suffix, e.g. `containerd.service`. */
  readonly name: string;
  /** systemd's `ActiveState`: `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`, … */
  readonly activeState: string;
  /** systemd's `SubState`, e.g. `running`, `dead`, `auto-restart`. */
  readonly subState: string;
  /** systemd's `NRestarts`: how often systemd itself restarted it. 0 for what is no service. */
  readonly restarts: number;
  /** For how long it has been in this active state. */
  readonly held: Seconds;
  /** May it be touched now? */
  readonly gate: Gate;
}

/** A fix: a command that the operator's configuration declares by name. */
export interface Fix {
  readonly name: string;
  /** The names of the parameters that it takes. */
  readonly params: readonly string[];
  /** May it be run now? */
  readonly gate: Gate;
}

/** What only the engine on the node sees. */
export interface NodeView {
  /** Those that the operator allows and that the policy's metadata need. A unit that is not here may not be touched. */
  readonly units: readonly Unit[];
  /** Those that the operator declares and that the policy's metadata need. */
  readonly fixes: readonly Fix[];
  /** May a reboot be asked for now? */
  readonly reboot: Gate;
  /** Of this view. If `missing`, the lists are empty and the gate is closed. */
  readonly freshness: Freshness;

  /** The unit of this name, if the operator allows it and the metadata need it. */
  unit(name: string): Unit | undefined;
  /** The fix of this name, likewise. */
  fix(name: string): Fix | undefined;
}

/** Nodes of one group, counted. `sick` and `repairing` overlap. */
export interface Group {
  readonly nodes: number;
  /** With an open problem. */
  readonly sick: number;
  /** In a repair of the control plane's. */
  readonly repairing: number;
}

/** The node's server, as the cloud tells it. */
export interface Server {
  /** Nova's status, e.g. `ACTIVE`, `SHUTOFF`, `ERROR`. No status is proof of life or of death. */
  readonly status: string;
  /** Nova's task state, e.g. `rebooting`. Absent if no task runs. */
  readonly task?: string;
  /** Nova's fault message. Absent if it reports none. */
  readonly fault?: string;
  /** Since its creation. */
  readonly age: Seconds;
  /** The machine certainly runs no more, by the engine's own rule. */
  readonly provenDead: boolean;
}

/** What only the control plane sees. */
export interface ClusterView {
  /** The node's pool, the node itself included. */
  readonly pool: Group;
  /** Its zone within the pool, likewise. */
  readonly zone: Group;
  /** The nodes of the pool that have the same kind of problem, the node itself included. */
  readonly sameProblem: Group;
  /** Absent if the cloud could not be asked, or if it is not certain which server the node is. */
  readonly server?: Server;
  /**
   * Who asked for the repair: `node-engine`; `conditions` (nobody: the control plane saw the condition itself);
   * else a person's user name.
   */
  readonly requestedBy: string;
  /** May it be rebooted now? */
  readonly reboot: Gate;
  /** May it be replaced now? */
  readonly replace: Gate;
  /** Of this view. If `missing`, the groups count nothing and both gates are closed. */
  readonly freshness: Freshness;
}

/** Where the policy is asked. */
export type Site = { readonly node: NodeView } | { readonly controlPlane: ClusterView };

/** All that one decision may rest on, at one moment. */
export class Observation {
  /** Unique for this asking; random numbers are seeded from it. Not to be parsed. */
  readonly id: string;
  readonly now: Moment;
  readonly node: Node;
  readonly site: Site;
  /** The problem to decide on. */
  readonly episode: Episode;
  /** Other open problems of this node. */
  readonly otherEpisodes: readonly Episode[];
  /** All conditions of the node as this site sees them, the healthy ones too. */
  readonly conditions: readonly Condition[];
  /** Recent events about the node; empty where this site does not read them. */
  readonly events: readonly EventCount[];
  /**
   * The only open field: more about the node, by names listed in `sdk/facts.md`, as far as the policy's metadata
   * need them. A name is never given a second meaning; one that cannot be told now is absent.
   */
  readonly facts: Readonly<Record<string, string>>;

  /** The kind of problem to decide on. */
  readonly problem: string;
  /** Is the problem there? Not if it is gone, and not if nobody knows. */
  readonly problemIsThere: boolean;
  /** Can the site's own view be trusted? */
  readonly isFresh: boolean;
  /** What the node's engine sees, if it is the one that asks. */
  readonly onNode?: NodeView;
  /** What the control plane sees, if it is the one that asks. */
  readonly inControlPlane?: ClusterView;
  /** The condition of this kind. */
  condition(kind: string): Condition | undefined;
  /** The value of the node's label. */
  label(name: string): string | undefined;
  /** The fact of this name, if it can be told and the metadata need it. */
  fact(name: string): string | undefined;

  /** As `sdk/schema/v0.1/question.json` has it: a plain copy. */
  toJSON(): JsonObject;
  /**
   * Of its JSON form, the whole of it: `rectifier policy run --print-observation` prints one.
   *
   * @throws {TypeError} It is no observation: what is wrong, and where.
   */
  static fromJSON(json: unknown): Observation;

  private constructor();
}

export type UnitVerb =
  /** systemd's `RestartUnit`. */
  | "restart"
  /** `StartUnit`. */
  | "start"
  /** `StopUnit`, and when that is done `StartUnit`. */
  | "stopStart"
  /** `ResetFailedUnit`, then `StartUnit`. */
  | "resetFailed";

/** Something to do to a unit. Its name is one of `node-view.units`. */
export interface UnitCall {
  readonly name: string;
  readonly verb: UnitVerb;
}

/** A fix to run. Its name is one of `node-view.fixes`; each argument's name one of that fix's params. */
export interface FixCall {
  readonly name: string;
  readonly args: Readonly<Record<string, string>>;
}

/** What a policy may advise. A remedy of the other site makes the whole answer invalid. */
export type RemedyJson =
  /** Not mine: the next less specific policy is asked. */
  | "decline"
  /** Nothing now; ask again after this time, or as soon as something changes. */
  | { readonly wait: Seconds }
  /** Node only. */
  | { readonly unit: UnitCall }
  /** Node only. */
  | { readonly fix: FixCall }
  /** Node: ask the control plane for the grant. Control plane: reboot out of band, or start it if it is shut off. */
  | "reboot"
  /** Node: to the control plane. Control plane: to a person. */
  | "escalate"
  /** Control plane only: a similar server, Ready, before this one is drained and deleted. */
  | "replace";
