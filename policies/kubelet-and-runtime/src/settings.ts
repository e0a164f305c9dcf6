// What the operator may set. Whatever does not fit is refused, with its key and what is right.

import { type Json, type JsonObject, PolicyError } from "rectifier-policy";

const NUMBERS = {
  /** Restarts of the unit in one episode. One may have come too early, hence 2. */
  attempts: { usual: 2, least: 1, most: 10 },
  /** Before the unit is restarted a second time; twice as long before each restart after it. */
  restSeconds: { usual: 60, least: 0, most: 3600 },
  /**
   * How old the kubelet's problem gets while the runtime is ill, before it is seen to alone. 300: two restarts of the
   * runtime, each watched for the engine's 60 s, and as long again for what comes between.
   */
  waitForRuntimeSeconds: { usual: 300, least: 0, most: 86_400 },
  /**
   * How old a Frequent… condition gets before anything is done. 480: Node Problem Detector looks anew every 300 s, and
   * after 600 s (`limits.healWithin`) the control plane would take over.
   */
  settleSeconds: { usual: 480, least: 0, most: 86_400 },
  /** How old a problem gets while a guard rail holds a remedy back, before the next one is tried. */
  patienceSeconds: { usual: 86_400, least: 0, most: 604_800 },
};

export interface Fix {
  readonly name: string;
  readonly args: Readonly<Record<string, string>>;
}

export type Settings = Readonly<Record<keyof typeof NUMBERS, number>> & {
  readonly units: { readonly kubelet: string; readonly runtime: string };
  readonly fix?: Fix;
  readonly reboot: boolean;
};

/** @throws {PolicyError} It names the key that is wrong. */
export function read(given: JsonObject): Settings {
  const known = object(given, "settings", [...Object.keys(NUMBERS), "units", "fix", "reboot"]);
  const number = (key: keyof typeof NUMBERS) => {
    const { usual, least, most } = NUMBERS[key];
    const { [key]: value = usual } = known;
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    throw wrong(`settings.${key}`, value, `a whole number from ${least} to ${most}`);
  };
  const { reboot = true, units = {}, fix: named = null } = known;
  if (typeof reboot !== "boolean") throw wrong("settings.reboot", reboot, "true or false");
  const { kubelet = "kubelet.service", runtime = "containerd.service" } = object(units, "settings.units", ["kubelet", "runtime"]);
  return {
    attempts: number("attempts"),
    restSeconds: number("restSeconds"),
    waitForRuntimeSeconds: number("waitForRuntimeSeconds"),
    settleSeconds: number("settleSeconds"),
    patienceSeconds: number("patienceSeconds"),
    units: {
      kubelet: unit(kubelet, "settings.units.kubelet"),
      runtime: unit(runtime, "settings.units.runtime"),
    },
    fix: fix(named),
    reboot,
  };
}

function unit(name: Json, place: string): string {
  if (typeof name === "string" && /^[^\s/]+\.[a-z]+$/.test(name)) return name;
  throw wrong(place, name, "a unit's name with its suffix, as containerd.service");
}

function fix(given: Json): Fix | undefined {
  if (given === null) return undefined;
  const { name = null, args: said = {} } = object(given, "settings.fix", ["name", "args"]);
  if (typeof name !== "string" || name === "") {
    throw wrong("settings.fix.name", name, "the name of a fix in the node engine's configuration");
  }
  const args: Record<string, string> = {};
  for (const [key, value] of Object.entries(object(said, "settings.fix.args"))) {
    if (typeof value !== "string") throw wrong(`settings.fix.args.${key}`, value, "a text");
    args[key] = value;
  }
  return { name, args };
}

function object(value: Json, place: string, keys?: readonly string[]): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(place, value, "an object");
  const unknown = Object.keys(value).find((key) => keys && !keys.includes(key));
  if (unknown === undefined) return value;
  throw new PolicyError(`${place}: there is no ${JSON.stringify(unknown)} (there are: ${keys?.join(", ")})`);
}

function wrong(place: string, value: Json, right: string): PolicyError {
  return new PolicyError(`${place} is ${JSON.stringify(value)}: it must be ${right}`);
}
