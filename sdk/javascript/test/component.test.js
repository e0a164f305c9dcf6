import assert from "node:assert/strict";
import { test } from "node:test";

import { component } from "../src/component.js";
import { PolicyError, Remedy } from "../src/index.js";
import { forms } from "../src/observation.js";
import { checkSettings, decide, observation } from "../src/testing.js";

const seen = forms.Observation.write(observation());

/** What the exports of this policy answer. The globals are this test's own again afterwards. */
function ask(policy, settings = {}) {
  const { Date, console, performance } = globalThis;
  const { random } = Math;
  const lines = [];
  const answered = (call) => {
    try {
      return { answer: call() };
    } catch (error) {
      return { error };
    }
  };
  try {
    const exported = component(policy, (level, line) => lines.push(`${level}: ${line}`));
    return {
      checked: answered(() => exported.validateSettings(JSON.stringify(settings))),
      decided: answered(() => exported.decide(seen, JSON.stringify(settings))),
      lines,
    };
  } finally {
    Object.assign(globalThis, { Date, console, performance });
    Math.random = random;
  }
}

test("a decision goes over the border in the contract's form", () => {
  const policy = {
    decide: () => Remedy.fix("f", { a: "1" }).because("why \ud800").settle(2 ** 32 - 1).note("n", "v"),
  };
  const { answer } = ask(policy).decided;
  assert.deepEqual(answer, {
    remedy: { tag: "fix", val: { name: "f", args: [{ name: "a", value: "1" }] } },
    reason: "why \ufffd",
    settle: -1, // the same bits: see forms.js
    notes: [{ name: "n", value: "v" }],
  });
});

test("an error says its type and its message, one that is thrown on purpose the message alone", () => {
  const thrown = (error) => ask({ decide: () => { throw error; } }).decided.error;
  assert.equal(thrown(new RangeError("too far")), "RangeError: too far");
  assert.equal(thrown(new PolicyError("no idea")), "no idea");
  assert.equal(thrown("a text"), "a text");
  assert.equal(thrown({ a: 1 }), "what was thrown is no Error: [object Object]");
});

test("what is no decision is an error", () => {
  assert.match(ask({ decide: () => undefined }).decided.error, /decide returned undefined, no decision/);
  assert.match(ask({ decide: async () => Remedy.reboot.because("") }).decided.error, /a promise/);
});

test("settings are laid over the usual ones, and what is not known is refused", () => {
  const policy = {
    settings: { attempts: 1, units: [], any: undefined },
    check: ({ attempts }) => (attempts < 1 ? "settings.attempts is too small" : undefined),
    decide: (_, { attempts, any }) => Remedy.wait(attempts).because(String(any)),
  };
  assert.equal(ask(policy).decided.answer.remedy.val, 1);
  assert.equal(ask(policy, { attempts: 2, any: [1] }).decided.answer.reason, "1");
  for (const [settings, message] of [
    [{ atempts: 2 }, 'settings: there is no "atempts" (there are: attempts, units, any)'],
    [{ attempts: "2" }, 'settings.attempts: "2" is no number'],
    [{ units: {} }, "settings.units: {} is no list"],
    [{ attempts: 0 }, "settings.attempts is too small"],
  ]) {
    assert.equal(ask(policy, settings).checked.error, message);
  }
  assert.deepEqual(ask(policy).checked, { answer: undefined });
  assert.match(ask({ decide() {} }, { a: 1 }).checked.error, /there is no "a" \(there are: none\)/);
});

test("a function may read the settings instead", () => {
  const policy = {
    settings: ({ seconds }) => {
      if (typeof seconds !== "number") throw new PolicyError("settings.seconds is missing");
      return seconds;
    },
    decide: (_, seconds) => Remedy.wait(seconds).because(""),
  };
  assert.equal(ask(policy, { seconds: 5 }).decided.answer.remedy.val, 5);
  assert.equal(ask(policy).checked.error, "settings.seconds is missing");
});

test("the clock stands at the observation's moment, and chance follows from its id", () => {
  const policy = {
    decide: () => Remedy.decline.because([Date.now(), +new Date(), Math.random(), Math.random()].join()),
  };
  const { reason } = ask(policy).decided.answer;
  const [now, date, one, other] = reason.split(",").map(Number);
  assert.equal(now, 1_800_000_000_000);
  assert.equal(date, now);
  assert.notEqual(one, other);
  assert.ok(one >= 0 && one < 1);
  assert.equal(ask(policy).decided.answer.reason, reason);
});

test("lines go to the operator's log with their level", () => {
  const { lines } = ask({
    decide: () => {
      console.log("it is", { a: 1 });
      console.warn(10n);
      return Remedy.decline.because("");
    },
  });
  assert.deepEqual(lines, ['info: it is {"a":1}', "warn: [object BigInt]"]);
});

test("a policy's own tests ask it as the engine does", () => {
  const policy = { settings: { seconds: 1 }, decide: (_, { seconds }) => Remedy.wait(seconds).because("") };
  assert.deepEqual(decide(policy, observation(), { seconds: 2 }).remedy.toJSON(), { wait: 2 });
  assert.throws(() => checkSettings(policy, { second: 2 }), PolicyError);
});
