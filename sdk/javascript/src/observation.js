// What a policy sees, and the questions that every policy asks.

import { DecisionForm, FixCall, Remedy, RemedyForm, UnitCall } from "./answers.js";
import { copy, flag, list, names, pairs, record, text, u32, variant, whole, wrapped } from "./forms.js";

export class Gate {
  #form;

  constructor(form) {
    this.#form = form;
    Object.freeze(this);
  }

  static of(form) {
    return new Gate(form);
  }

  get isOpen() {
    return this.#form === "open";
  }

  get closedBy() {
    return this.#form.closed;
  }

  toJSON() {
    return this.#form;
  }
}

export class Episode {
  tried(remedy) {
    return this.attemptsAt(remedy).filter(({ outcome }) => outcome !== "refused").length;
  }

  attemptsAt(remedy) {
    return this.attempts.filter((attempt) => attempt.remedy.equals(remedy));
  }

  get running() {
    return this.attempts.find(({ outcome }) => outcome === "running");
  }

  get last() {
    return this.attempts[0];
  }
}

export class NodeView {
  unit(name) {
    return this.units.find((unit) => unit.name === name);
  }

  fix(name) {
    return this.fixes.find((fix) => fix.name === name);
  }
}

export class Observation {
  get problem() {
    return this.episode.problem.kind;
  }

  get problemIsThere() {
    return this.episode.problem.status === "yes";
  }

  get isFresh() {
    return (this.onNode ?? this.inControlPlane).freshness === "fresh";
  }

  get onNode() {
    return this.site.node;
  }

  get inControlPlane() {
    return this.site.controlPlane;
  }

  condition(kind) {
    return this.conditions.find((condition) => condition.kind === kind);
  }

  label(name) {
    return this.node.labels[name];
  }

  fact(name) {
    return this.facts[name];
  }

  toJSON() {
    return copy({ ...this });
  }

  static fromJSON(json) {
    return forms.Observation.parse(json, "");
  }
}

const Status = names("yes", "no", "unknown");
const Freshness = names("fresh", "stale", "missing");
const GateForm = wrapped(variant({ open: null, closed: text }), Gate);

const Moment = record({
  unixSeconds: whole(Number.MAX_SAFE_INTEGER),
  weekday: whole(7),
  minuteOfDay: whole(1439),
});

const Condition = record({
  kind: text,
  status: Status,
  reason: text,
  message: text,
  held: u32,
  source: text,
});

const EventCount = record({
  reason: text,
  message: text,
  count: u32,
  window: u32,
  lastSeen: u32,
});

const Attempt = record({
  remedy: wrapped(RemedyForm, Remedy),
  age: u32,
  outcome: names("running", "recovered", "noEffect", "failed", "refused", "unknown"),
  detail: text,
});

const EpisodeForm = record(
  { problem: Condition, age: u32, recurrences: u32, attempts: list(Attempt) },
  Episode,
);

const Node = record({
  name: text,
  "pool?": text,
  zone: text,
  labels: pairs,
  ready: Status,
  unschedulable: flag,
  "uptime?": u32,
  pods: u32,
});

const Unit = record({
  name: text,
  activeState: text,
  subState: text,
  restarts: u32,
  held: u32,
  gate: GateForm,
});

const Fix = record({ name: text, params: list(text), gate: GateForm });

const NodeViewForm = record(
  { units: list(Unit), fixes: list(Fix), reboot: GateForm, freshness: Freshness },
  NodeView,
);

const Group = record({ nodes: u32, sick: u32, repairing: u32 });

const Server = record({
  status: text,
  "task?": text,
  "fault?": text,
  age: u32,
  provenDead: flag,
});

const ClusterView = record({
  pool: Group,
  zone: Group,
  sameProblem: Group,
  "server?": Server,
  requestedBy: text,
  reboot: GateForm,
  replace: GateForm,
  freshness: Freshness,
});

const Site = variant({ node: NodeViewForm, controlPlane: ClusterView });

const ObservationForm = record(
  {
    id: text,
    now: Moment,
    node: Node,
    site: Site,
    episode: EpisodeForm,
    otherEpisodes: list(EpisodeForm),
    conditions: list(Condition),
    events: list(EventCount),
    facts: pairs,
  },
  Observation,
);

/** By the contract's names, for the glue and for the test that holds them against the contract. */
export const forms = {
  Attempt,
  ClusterView,
  Condition,
  Decision: DecisionForm,
  Episode: EpisodeForm,
  EventCount,
  Fix,
  FixCall,
  Gate: GateForm,
  Group,
  Moment,
  Node,
  NodeView: NodeViewForm,
  Observation: ObservationForm,
  Remedy: RemedyForm,
  Server,
  Site,
  Unit,
  UnitCall,
};
