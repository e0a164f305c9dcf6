// A policy is a module: `decide`, and if it wants `check` and `settings`. Here it is asked.

import { Decision, PolicyError } from "./answers.js";

const kindOf = (value) =>
  value === null ? "null" : Array.isArray(value) ? "list" : typeof value;

/** What the policy is given: the operator's settings over those that it declares, or what its function made of them. */
export function readSettings({ settings: declared = {} }, given) {
  if (typeof declared === "function") return declared(given);
  for (const [key, value] of Object.entries(given)) {
    // A misspelt key must not be ignored.
    if (!Object.hasOwn(declared, key)) {
      const known = Object.keys(declared).join(", ") || "none";
      throw new PolicyError(`settings: there is no ${JSON.stringify(key)} (there are: ${known})`);
    }
    const wanted = kindOf(declared[key]);
    // Where the policy says no value, it looks at what it gets itself.
    if (wanted !== "undefined" && wanted !== "null" && wanted !== kindOf(value)) {
      throw new PolicyError(`settings.${key}: ${JSON.stringify(value)} is no ${wanted}`);
    }
  }
  return { ...declared, ...given };
}

/** Throws what is wrong with these settings. */
export function checkSettings(policy, given) {
  const settings = readSettings(policy, given);
  const wrong = policy.check?.(settings);
  if (wrong !== undefined && wrong !== null) throw new PolicyError(String(wrong));
}

/** What it decides. */
export function ask(policy, seen, given) {
  const decision = policy.decide(seen, readSettings(policy, given));
  if (decision instanceof Decision) return decision;
  const what = decision instanceof Promise ? "a promise (it cannot be async)" : kindOf(decision);
  throw new PolicyError(`decide returned ${what}, no decision: Remedy.….because("…") makes one`);
}
