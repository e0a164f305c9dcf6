// What a policy's author uses.

export { Decision, Remedy, RemedyKind, UnitVerb } from "./answers";
export { run } from "./command";
export { Json, Kind } from "./json";
export { debug, error, info, warn } from "./log";
export { SettingsReader } from "./settings";
export {
  Attempt,
  ClusterView,
  Condition,
  Episode,
  EventCount,
  Fix,
  Freshness,
  Gate,
  Group,
  Moment,
  Node,
  NodeView,
  Observation,
  Outcome,
  Server,
  Status,
  Unit,
} from "./types";
