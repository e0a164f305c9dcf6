// What is quicker to say in code than in cases/: npm test

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Remedy } from "rectifier-policy";
import { checkSettings, decide, observation } from "rectifier-policy/testing";

import * as policy from "../src/policy.ts";

const KINDS = [
  "KubeletUnhealthy",
  "ContainerRuntimeUnhealthy",
  "FrequentKubeletRestart",
  "FrequentContainerdRestart",
  "FrequentDockerRestart",
];

const units = ["kubelet.service", "containerd.service"].map((name) => ({ name }));

/** What is decided from the first sight on if nothing ever helps, by site; waits left out. */
function story(kind: string, site: object, settings: object = {}): unknown[] {
  const attempts: { remedy: Remedy; age: number }[] = [];
  for (let age = 60; age < 5000; age += 600) {
    const seen = observation({ site, episode: { problem: { kind }, age, attempts: [...attempts].reverse() } });
    const { remedy } = decide(policy, seen, settings);
    if (remedy.equals(Remedy.escalate)) return [...attempts.map((attempt) => attempt.remedy.toJSON()), "escalate"];
    if (!("wait" in Object(remedy.toJSON()))) attempts.push({ remedy, age: 600 });
  }
  return ["it never ends"];
}

test("by default no problem has more than three remedies on the node, as the engine allows, and each is handed over", () => {
  for (const kind of KINDS) {
    const remedies = story(kind, { node: { units } });
    assert.ok(remedies.length <= 4, `${kind}: ${JSON.stringify(remedies)}`);
    assert.deepEqual(remedies.slice(-2), ["reboot", "escalate"], kind);
  }
});

test("no restart is tried for what is restarted too often", () => {
  for (const kind of KINDS.filter((kind) => kind.startsWith("Frequent"))) {
    assert.deepEqual(story(kind, { node: { units } }), ["reboot", "escalate"]);
  }
});

test("in the control plane every problem ends with a person", () => {
  for (const kind of KINDS) {
    const remedies = story(kind, { controlPlane: {} });
    assert.deepEqual(remedies, ["reboot", "replace", "replace", "replace", "escalate"], kind);
  }
});

test("nothing intrusive is done while a remedy runs, whatever the problem", () => {
  for (const kind of KINDS) {
    for (const site of [{ node: { units } }, { controlPlane: {} }]) {
      const attempts = [{ remedy: "reboot", outcome: "running" }];
      const seen = observation({ site, episode: { problem: { kind }, age: 9000, attempts } });
      assert.ok(decide(policy, seen).remedy.equals(Remedy.wait(30)), kind);
    }
  }
});

test("the shipped sidecar says what holds without one", () => {
  const said = readFileSync("kubelet-and-runtime.yaml", "utf8");
  const { units, fix, ...others } = policy.settings({});
  for (const [key, value] of [...Object.entries(others), ...Object.entries(units)]) {
    assert.match(said, new RegExp(`\\b${key}: ${value}\\b`));
  }
  assert.equal(fix, undefined);
  assert.match(said, /\n  # fix:/);
});

test("settings that do not fit are refused by their key", () => {
  for (const [settings, message] of [
    [{ attempts: 1.5 }, /settings\.attempts is 1\.5: .* from 1 to 10/],
    [{ restSeconds: 3601 }, /settings\.restSeconds/],
    [{ patienceSeconds: null }, /settings\.patienceSeconds is null/],
    [{ units: [] }, /settings\.units is \[\]: it must be an object/],
    [{ units: { runtime: "a b.service" } }, /settings\.units\.runtime/],
    [{ fix: "shims" }, /settings\.fix is "shims"/],
    [{ fix: { name: "shims", arguments: {} } }, /there is no "arguments"/],
  ] as const) {
    assert.throws(() => checkSettings(policy, settings), message);
  }
});
