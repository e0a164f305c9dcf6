import assert from "node:assert/strict";
import { test } from "node:test";

import { Remedy } from "../src/index.js";
import { observation } from "../src/testing.js";

const restart = Remedy.restart("a.service");

test("an observation answers what every policy asks", () => {
  const seen = observation({
    node: { labels: { constructor: "no", zone: "z" } },
    episode: { problem: { kind: "KubeletUnhealthy" } },
    conditions: [{ kind: "DiskBadBlock" }],
    facts: { agent: "silent" },
  });
  assert.equal(seen.problem, "KubeletUnhealthy");
  assert.equal(seen.problemIsThere, true);
  assert.equal(seen.isFresh, true);
  assert.equal(seen.inControlPlane, undefined);
  assert.equal(seen.condition("DiskBadBlock").status, "no");
  assert.equal(seen.condition("Other"), undefined);
  assert.equal(seen.label("zone"), "z");
  assert.equal(seen.label("toString"), undefined);
  assert.equal(seen.fact("agent"), "silent");
});

test("a problem of which nobody knows is not there", () => {
  for (const status of ["no", "unknown"]) {
    assert.equal(observation({ episode: { problem: { status } } }).problemIsThere, false);
  }
});

test("a view that was read long ago is not fresh, at either site", () => {
  assert.equal(observation({ site: { node: { freshness: "stale" } } }).isFresh, false);
  const seen = observation({ site: { controlPlane: { freshness: "missing" } } });
  assert.equal(seen.isFresh, false);
  assert.equal(seen.onNode, undefined);
  assert.equal(seen.inControlPlane.requestedBy, "node-engine");
});

test("what was refused was not tried", () => {
  const { episode } = observation({
    episode: {
      attempts: [
        { remedy: restart, outcome: "running" },
        { remedy: restart, outcome: "refused" },
        { remedy: Remedy.restart("b.service") },
        { remedy: restart, age: 90 },
      ],
    },
  });
  assert.equal(episode.tried(restart), 2);
  assert.equal(episode.attemptsAt(restart).length, 3);
  assert.equal(episode.running, episode.attempts[0]);
  assert.equal(episode.last.outcome, "running");
  assert.equal(observation().episode.last, undefined);
});

test("the arguments of a fix have no order", () => {
  assert.ok(Remedy.fix("f", { a: "1", b: "2" }).equals(Remedy.fix("f", { b: "2", a: "1" })));
  assert.ok(!Remedy.fix("f", { a: "1" }).equals(Remedy.fix("f", { a: "2" })));
  assert.ok(!Remedy.wait(1).equals(Remedy.wait(2)));
});

test("a gate is open, or says what closes it", () => {
  const view = observation({
    site: { node: { units: [{ name: "a.service", gate: { closed: "a window" } }], fixes: [{ name: "f" }] } },
  }).onNode;
  assert.equal(view.unit("a.service").gate.isOpen, false);
  assert.equal(view.unit("a.service").gate.closedBy, "a window");
  assert.equal(view.unit("b.service"), undefined);
  assert.equal(view.fix("f").gate.isOpen, true);
  assert.equal(view.fix("f").gate.closedBy, undefined);
});

test("an observation that breaks the contract is refused where it does", () => {
  for (const [differences, message] of [
    [{ node: { pods: -1 } }, /^node\.pods: -1 is no whole number/],
    [{ node: { podz: 1 } }, /^node: the contract has no "podz"/],
    [{ node: { zone: null } }, /^node: zone is missing/],
    [{ site: { node: { reboot: "shut" } } }, /^site\.node\.reboot: "shut" is none of "open", {"closed": …}/],
    [{ episode: { attempts: [{ remedy: "rebot" }] } }, /^episode\.attempts\.0\.remedy: "rebot"/],
  ]) {
    assert.throws(() => observation(differences), { name: "TypeError", message });
  }
});
