import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { ask } from "../testing.js";

const policy = new URL("../build/policy.wasm", import.meta.url);
const { observation } = JSON.parse(
  readFileSync(new URL("../../conformance/cases/node-every-field.json", import.meta.url), "utf8"),
);

/** The question with this message of the problem. */
const question = (settings = {}, message = "m") => ({
  apiVersion: "rectifier.dev/policy/v0.1",
  observation: { ...observation, episode: { ...observation.episode, problem: { ...observation.episode.problem, message } } },
  settings,
});

test("a decision stands on standard output, lines for the log on standard error", () => {
  const { code, stdout, stderr } = ask(policy, "decide", question({ seconds: 5 }));
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), { remedy: { wait: 5 }, reason: "m", notes: {} });
  assert.equal(stderr.split("\n")[0], "debug: it is asked");
});

test("settings that are usable are agreed to by saying nothing", () => {
  const { settings } = question();
  assert.deepEqual(ask(policy, "validate-settings", { settings }), { code: 0, stdout: "", stderr: "" });
});

test("settings that are not are answered with an error, whatever is asked", () => {
  const { code, stdout } = ask(policy, "validate-settings", { settings: { seconds: 61 } });
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), { error: "settings.seconds is 61: more than 60" });
  assert.match(ask(policy, "decide", question({ secs: 1 })).stdout, /there is no \\"secs\\"/);
});

test("a panic says its message in the log, and ends the program otherwise than well", () => {
  const { code, stdout, stderr } = ask(policy, "decide", question({ panic: "Ünexpected\n🛠" }));
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^error: Ünexpected 🛠 \(test\/policy\.ts:\d+:\d+\)$/m);
});

test("a question that breaks the contract has no answer", () => {
  const { code, stderr } = ask(policy, "decide", { observation: {} });
  assert.equal(code, 1);
  assert.match(stderr, /^error: the question breaks the contract: there is no id/);
});

test("long and strange texts come through", () => {
  for (const text of ["語\u{1F6E0}\u0000\u2028\"\\/\n".repeat(50_000), "x".repeat(1_000_000), ""]) {
    assert.equal(JSON.parse(ask(policy, "decide", question({}, text)).stdout).reason, text);
  }
  // Half of a pair has no UTF-8.
  assert.equal(JSON.parse(ask(policy, "decide", question({}, "a\ud800")).stdout).reason, "a\ufffd");
});

test("keys that nobody knows are ignored in the question", () => {
  const asked = { ...question(), later: { a: [1, { b: null }] } };
  assert.equal(ask(policy, "decide", asked).code, 0);
});
