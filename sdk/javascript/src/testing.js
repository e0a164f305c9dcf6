// For a policy's own tests: observations in few words, and asking as the engine asks.

import { Observation } from "./observation.js";
import * as policies from "./policy.js";

/** What the policy decides. */
export function decide(policy, seen, settings = {}) {
  return policies.ask(policy, seen, settings);
}

/** Throws what is wrong with these settings, as when the policy is loaded. */
export function checkSettings(policy, settings) {
  policies.checkSettings(policy, settings);
}

/** A healthy node's observation with these differences. */
export function observation(differences = {}) {
  const { site = { node: {} }, ...others } = differences;
  const inCluster = site === "controlPlane" || site === "control-plane" || site.controlPlane !== undefined;
  const said = typeof site === "string" ? (inCluster ? { controlPlane: {} } : { node: {} }) : site;
  const whole = [inCluster ? atControlPlane : atNode, { ...others, site: said }].reduce(merge, usual());
  if (!differences.conditions) whole.conditions = [whole.episode.problem];
  complete(whole);
  return Observation.fromJSON(whole);
}

const problem = { status: "yes", reason: "", message: "", held: 60, source: "npd" };

const usual = () => ({
  id: "observation-1",
  now: { unixSeconds: 1_800_000_000, weekday: 5, minuteOfDay: 480 },
  node: { name: "node-1", zone: "", labels: {}, ready: "yes", unschedulable: false },
  episode: { problem: { kind: "Problem", ...problem }, age: 60, recurrences: 0, attempts: [] },
  otherEpisodes: [],
  events: [],
  facts: {},
});

const atNode = {
  node: { uptime: 86_400, pods: 0 },
  site: { node: { units: [], fixes: [], reboot: "open", freshness: "fresh" } },
};

const atControlPlane = {
  node: { pool: "workers", pods: 10 },
  episode: { problem: { source: "node-status" } },
  site: {
    controlPlane: {
      pool: { nodes: 5, sick: 1, repairing: 1 },
      zone: { nodes: 5, sick: 1, repairing: 1 },
      sameProblem: { nodes: 1, sick: 1, repairing: 1 },
      server: { status: "ACTIVE", age: 86_400, provenDead: false },
      requestedBy: "node-engine",
      reboot: "open",
      replace: "open",
      freshness: "fresh",
    },
  },
  facts: { agent: "present" },
};

const isObject = (value) =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** `null` takes away; a list, or a case with its payload, stands instead of what was there. */
function merge(base, differences) {
  if (!isObject(base) || !isObject(differences)) return differences;
  const merged = { ...base };
  for (const [name, value] of Object.entries(differences)) {
    if (value === null) delete merged[name];
    else if (value !== undefined) merged[name] = merge(merged[name], value);
  }
  return merged;
}

/** Whatever the items of lists do not say. */
function complete(whole) {
  const episode = (usually) => {
    usually.attempts = usually.attempts.map((attempt) => ({
      age: 60,
      outcome: "noEffect",
      detail: "",
      ...attempt,
    }));
    return usually;
  };
  const { node } = whole.site;
  if (node) {
    node.units = node.units.map(({ activeState = "active", ...unit }) => ({
      activeState,
      subState: { active: "running", inactive: "dead" }[activeState] ?? activeState,
      restarts: 0,
      held: 60,
      gate: "open",
      ...unit,
    }));
    node.fixes = node.fixes.map((fix) => ({ params: [], gate: "open", ...fix }));
  }
  episode(whole.episode);
  whole.otherEpisodes = whole.otherEpisodes.map((other) =>
    episode({ age: 60, recurrences: 0, attempts: [], ...other, problem: { ...problem, ...other.problem } }),
  );
  whole.conditions = whole.conditions.map((other) => ({ ...problem, status: "no", ...other }));
  whole.events = whole.events.map((event) => ({
    message: "",
    count: 1,
    window: 3600,
    lastSeen: 0,
    ...event,
  }));
}
