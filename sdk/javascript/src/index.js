// What a policy's author uses; index.d.ts says what each thing means.

export { Decision, PolicyError, Remedy } from "./answers.js";
export * as log from "./log.js";
export { Observation } from "./observation.js";
