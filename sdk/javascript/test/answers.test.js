import assert from "node:assert/strict";
import { test } from "node:test";

import { Remedy } from "../src/index.js";

test("a remedy is read as it is written", () => {
  for (const written of [
    "decline",
    "reboot",
    "escalate",
    "replace",
    { wait: 30 },
    { unit: { name: "kubelet.service", verb: "stopStart" } },
  ]) {
    assert.deepEqual(Remedy.fromJSON(written).toJSON(), written);
  }
  const fix = { fix: { name: "vacuum", args: { size: "1G" } } };
  assert.equal(JSON.stringify(Remedy.fromJSON(fix)), JSON.stringify(fix));
  assert.equal(JSON.stringify(Remedy.fromJSON({ fix: { name: "f" } })), '{"fix":{"name":"f","args":{}}}');
});

test("what is no remedy is refused by name", () => {
  for (const [written, message] of [
    ["rebot", /rebot/],
    [{ unit: { name: "a.service", verb: "kill" } }, /unit\.verb: "kill"/],
    [{ unit: { name: "a.service", verb: "start", force: true } }, /force/],
    [{ wait: -1 }, /-1/],
    [{ wait: 1, reboot: 2 }, /wait/],
    [{ toString: 1 }, /toString/],
    ["wait", /wait/],
    [null, /null/],
  ]) {
    assert.throws(() => Remedy.fromJSON(written), { name: "TypeError", message });
  }
});

test("an answer is a remedy, why, how long to watch, and notes", () => {
  const decision = Remedy.restart("a.service").because("it failed").settle(30).note("a", "1").note("b", "2");
  assert.equal(
    JSON.stringify(decision),
    '{"remedy":{"unit":{"name":"a.service","verb":"restart"}},"reason":"it failed","settle":30,"notes":{"a":"1","b":"2"}}',
  );
});

test("numbers that the contract would bend are refused", () => {
  for (const seconds of [-1, 1.5, 2 ** 32, NaN, "30"]) {
    assert.throws(() => Remedy.wait(seconds), TypeError);
    assert.throws(() => Remedy.reboot.because("r").settle(seconds), TypeError);
  }
});

test("a note's name is used once", () => {
  assert.throws(() => Remedy.decline.because("").note("a", "1").note("a", "2"), RangeError);
});
