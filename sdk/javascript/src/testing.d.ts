// For a policy's own tests: observations in few words, and asking as the engine asks.

import type { Decision, Observation, Policy } from "./index.js";

/**
 * A healthy node's observation with these differences, in the contract's JSON form: fresh views, open gates, a problem that
 * is there for a minute. Objects are merged; `null` takes away; lists stand instead of what was there, and their items,
 * too, say only what matters. `site: "controlPlane"` is short for a view of which nothing is said.
 *
 * @throws {TypeError} It is no observation: what is wrong, and where.
 */
export function observation(differences?: { readonly [key: string]: unknown }): Observation;

/**
 * What the policy decides, settings being what the operator's sidecar says under that name.
 *
 * @throws what the policy throws, and what is wrong with the settings.
 */
export function decide<Settings>(
  policy: Policy<Settings>,
  seen: Observation,
  settings?: object,
): Decision;

/**
 * As when the policy is loaded.
 *
 * @throws what is wrong with the settings.
 */
export function checkSettings<Settings>(policy: Policy<Settings>, settings: object): void;
