// The conformance policy in AssemblyScript, as a WASI command: sdk/conformance/README.md says what it must answer.

import { Decision, Json, Observation, Remedy, SettingsReader, run } from "rectifier-policy-assemblyscript";

/** The answer that is wanted, in the contract's JSON form, or in which way there is to be none. */
class Settings {
  remedy: Json | null = null;
  reason: string = "";
  settle: i64 = -1;
  /** It cannot decide, and says this. */
  error: string = "";
  /** It throws this. */
  panic: string | null = null;
  /** It never ends. */
  loop: bool = false;
  /** It takes memory until there is none. */
  allocate: bool = false;
}

function read(from: SettingsReader): Settings {
  const settings = new Settings();
  settings.remedy = from.any("remedy");
  settings.reason = from.string("reason", "");
  settings.settle = from.integer("settle", -1, 0, u32.MAX_VALUE);
  settings.error = from.string("error", "");
  const panic = from.any("panic");
  settings.panic = panic === null ? null : panic.text;
  settings.loop = from.boolean("loop", false);
  settings.allocate = from.boolean("allocate", false);
  const refuse = from.string("refuse", "");
  if (refuse != "") from.refuse(refuse);
  return settings;
}

function decide(seen: Observation, wanted: Settings): Decision {
  if (wanted.error != "") return Decision.error(wanted.error);
  const panic = wanted.panic;
  if (panic !== null) throw new Error(panic);
  while (wanted.loop);
  if (wanted.allocate) allocate();
  const json = wanted.remedy;
  if (json === null) return Decision.error("no remedy in the settings");
  const remedy = Remedy.fromJson(json);
  if (remedy === null) return Decision.error("no remedy: " + json.toString());
  const decision = remedy.because(wanted.reason);
  if (wanted.settle >= 0) decision.settle(<u32>wanted.settle);
  lines(decision, "", seen.json);
  return decision;
}

/** Every value as a line: the names of the contract's JSON form joined by dots, and the value as text. */
function lines(decision: Decision, place: string, value: Json): void {
  if (!value.isObject && !value.isList) {
    decision.note(place, value.text);
    return;
  }
  // A list that is empty is told apart from one that is not there.
  if (value.items.length == 0) decision.note(place, value.isList ? "[]" : "{}");
  for (let at = 0; at < value.items.length; at++) {
    const name = value.isList ? at.toString() : value.keys[at];
    lines(decision, place == "" ? name : place + "." + name, value.items[at]);
  }
}

const taken: StaticArray<u8>[] = [];

function allocate(): void {
  for (;;) taken.push(new StaticArray<u8>(1 << 20));
}

run<Settings>(read, decide);
