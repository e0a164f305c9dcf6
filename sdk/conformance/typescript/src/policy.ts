// The conformance policy in TypeScript, as a component: sdk/conformance/README.md says what it must answer.

import { type Decision, type Json, type Observation, PolicyError, Remedy } from "rectifier-policy";

/** The answer that is wanted, in the contract's JSON form, or in which way there is to be none. */
interface Settings {
  readonly remedy?: Json;
  readonly reason: string;
  readonly settle?: number;
  /** It cannot decide, and says this. */
  readonly error: string;
  /** Its settings are refused, for this reason. */
  readonly refuse: string;
  /** It throws what nobody expected. */
  readonly panic?: string;
  /** It never ends. */
  readonly loop: boolean;
  /** It takes memory until there is none. */
  readonly allocate: boolean;
}

export const settings: Settings = {
  remedy: undefined,
  reason: "",
  settle: undefined,
  error: "",
  refuse: "",
  panic: undefined,
  loop: false,
  allocate: false,
};

export function check({ refuse }: Settings): string | undefined {
  return refuse || undefined;
}

export function decide(seen: Observation, wanted: Settings): Decision {
  if (wanted.error) throw new PolicyError(wanted.error);
  if (wanted.panic !== undefined) throw new Error(wanted.panic);
  while (wanted.loop);
  if (wanted.allocate) allocate();
  if (wanted.remedy === undefined) throw new PolicyError("no remedy in the settings");
  const decision = Remedy.fromJSON(wanted.remedy).because(wanted.reason).noteAll(lines(seen.toJSON()));
  return wanted.settle === undefined ? decision : decision.settle(wanted.settle);
}

/** Every value as a line: the names of the contract's JSON form joined by dots, and the value as text. */
function lines(value: Json): Record<string, string> {
  const all: Record<string, string> = {};
  put(value, "");
  return all;

  function put(value: Json, place: string): void {
    if (typeof value !== "object" || value === null) {
      all[place] = String(value);
      return;
    }
    const inner = Object.entries(value);
    // A list that is empty is told apart from one that is not there.
    if (inner.length === 0) all[place] = Array.isArray(value) ? "[]" : "{}";
    for (const [name, below] of inner) put(below, place ? `${place}.${name}` : name);
  }
}

function allocate(): never {
  const taken: Uint8Array[] = [];
  for (;;) taken.push(new Uint8Array(1 << 20).fill(1));
}
