// For a policy's own tests: observations in few words. `testing.js` plays the functions that a test file exports.

import { Json } from "./json";
import { SettingsReader } from "./settings";
import { Observation } from "./types";

/**
 * A healthy node's observation with these differences, in the contract's JSON form: fresh views, open gates, a problem that is
 * there for a minute. Objects are merged; `null` takes away; lists stand instead of what was there, and their items, too, say
 * only what matters. `"site": "controlPlane"` is short for a view of which nothing is said.
 */
export function observation(differences: string = "{}"): Observation {
  const said = parsed(differences);
  const site = said.get("site");
  const inCluster =
    site !== null && (site.get("controlPlane") !== null || (site.isString && site.text != "node"));
  if (site !== null && site.isString) said.set("site", Json.object());
  const whole = merged(merged(parsed(USUAL), parsed(inCluster ? AT_CONTROL_PLANE : AT_NODE)), said);
  const episode = whole.get("episode")!;
  if (whole.get("conditions") === null) whole.set("conditions", Json.list().push(episode.get("problem")!));
  complete(whole, "conditions", '{"status": "no", "reason": "", "message": "", "held": 60, "source": "npd"}');
  complete(whole, "events", '{"message": "", "count": 1, "window": 3600, "lastSeen": 0}');
  complete(whole, "otherEpisodes", `{"problem": ${PROBLEM}, "age": 60, "recurrences": 0, "attempts": []}`);
  complete(episode, "attempts", ATTEMPT);
  const others = whole.get("otherEpisodes")!.items;
  for (let at = 0; at < others.length; at++) complete(others[at], "attempts", ATTEMPT);
  const node = whole.get("site")!.get("node");
  if (node !== null) {
    const units = node.get("units")!.items;
    for (let at = 0; at < units.length; at++) sayState(units[at]);
    complete(node, "units", '{"restarts": 0, "held": 60, "gate": "open"}');
    complete(node, "fixes", '{"params": [], "gate": "open"}');
  }
  return new Observation(whole);
}

/** What the operator's sidecar says under `settings`. */
export function settings(json: string): SettingsReader {
  return new SettingsReader(parsed(json));
}

const PROBLEM = '{"kind": "Problem", "status": "yes", "reason": "", "message": "", "held": 60, "source": "npd"}';
const ATTEMPT = '{"age": 60, "outcome": "noEffect", "detail": ""}';

const USUAL = `{
  "id": "observation-1",
  "now": {"unixSeconds": 1800000000, "weekday": 5, "minuteOfDay": 480},
  "node": {"name": "node-1", "zone": "", "labels": {}, "ready": "yes", "unschedulable": false},
  "episode": {"problem": ${PROBLEM}, "age": 60, "recurrences": 0, "attempts": []},
  "otherEpisodes": [],
  "events": [],
  "facts": {}
}`;

const AT_NODE = `{
  "node": {"uptime": 86400, "pods": 0},
  "site": {"node": {"units": [], "fixes": [], "reboot": "open", "freshness": "fresh"}}
}`;

const AT_CONTROL_PLANE = `{
  "node": {"pool": "workers", "pods": 10},
  "episode": {"problem": {"source": "node-status"}},
  "site": {"controlPlane": {
    "pool": {"nodes": 5, "sick": 1, "repairing": 1},
    "zone": {"nodes": 5, "sick": 1, "repairing": 1},
    "sameProblem": {"nodes": 1, "sick": 1, "repairing": 1},
    "server": {"status": "ACTIVE", "age": 86400, "provenDead": false},
    "requestedBy": "node-engine",
    "reboot": "open",
    "replace": "open",
    "freshness": "fresh"
  }},
  "facts": {"agent": "present"}
}`;

function parsed(text: string): Json {
  const json = Json.parse(text);
  if (json === null) throw new Error("no JSON: " + text);
  return json;
}

/** A closed gate and a remedy are objects with one key: they stand instead of what was there, as that is no object. */
function merged(base: Json, differences: Json): Json {
  if (!base.isObject || !differences.isObject) return differences;
  const all = Json.object();
  for (let at = 0; at < base.keys.length; at++) {
    if (differences.get(base.keys[at]) === null) all.append(base.keys[at], base.items[at]);
  }
  for (let at = 0; at < differences.keys.length; at++) {
    const key = differences.keys[at];
    const value = differences.items[at];
    if (value.isNothing) continue;
    const under = base.get(key);
    all.append(key, under === null ? value : merged(under, value));
  }
  return all;
}

/** Whatever the items of the list do not say. */
function complete(holder: Json, key: string, usual: string): void {
  const list = holder.get(key)!;
  for (let at = 0; at < list.items.length; at++) list.items[at] = merged(parsed(usual), list.items[at]);
}

function sayState(unit: Json): void {
  const said = unit.get("activeState");
  const active = said === null ? "active" : said.text;
  unit.set("activeState", Json.string(active));
  const below = active == "active" ? "running" : active == "inactive" ? "dead" : active;
  if (unit.get("subState") === null) unit.set("subState", Json.string(below));
}
