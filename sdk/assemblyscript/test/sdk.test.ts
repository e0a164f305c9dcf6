// Tests of what an author uses; sdk.test.js plays them.

import { Decision, Json, Kind, Outcome, Remedy, SettingsReader, Status, UnitVerb } from "../assembly/index";
import { answer } from "../assembly/command";
import { observation, settings } from "../assembly/testing";
import { Observation } from "../assembly/types";

function same(one: string | null, other: string | null): void {
  if (one == other) return;
  throw new Error((one === null ? "null" : one) + " is not " + (other === null ? "null" : other));
}

function rewritten(text: string): string | null {
  const json = Json.parse(text);
  return json === null ? null : json.toString();
}

export function aDocumentIsWrittenAsItWasRead(): void {
  const texts = [
    "null", "true", "false", "0", "-0", "1.5e+3", "\"\"", "[]", "{}", "[[]]", "[{}]", "{\"a\":{}}",
    "[1,[2,[3,{\"a\":[4]}]],5]",
    "{\"a\":{\"b\":[1,{\"c\":2}],\"d\":3},\"e\":[]}", "\"\\\"\\\\\\u0000\\u001f\"", "\"\u{1F6E0} 語 é\"",
  ];
  for (let at = 0; at < texts.length; at++) {
    same(rewritten(texts[at]), texts[at]);
    same(rewritten(" \n\t\r" + texts[at] + " "), texts[at]);
  }
}

export function escapedCharactersAreRead(): void {
  same(rewritten("\"\\/\\b\\f\\n\\r\\t\\u00E9\\u8a9E\""), "\"/\\u0008\\u000c\\u000a\\u000d\\u0009é語\"");
}

export function aPairOfSurrogatesIsOneCharacterAndHalfOfOneIsKept(): void {
  same(Json.parse("\"\\ud83d\\uDEE0\"")!.text, "\u{1F6E0}");
  const half = Json.parse("\"a\\ud83d\"")!.text;
  assert(half.length == 2 && half.charCodeAt(1) == 0xd83d);
}

export function whatIsNoDocumentIsNone(): void {
  const texts = [
    "", " ", "nul", "True", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "{", "{\"a\"", "{\"a\":", "{\"a\":1",
    "{\"a\":1,", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "{1:1}", "{\"a\":1]", "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"",
    "\"\\u12g4\"", "\"\n\"", "1 2", "01", "-", "+1", ".5", "1.", "1e", "1e+", "0x10", "NaN", "[]]", "1\u0000",
  ];
  for (let at = 0; at < texts.length; at++) assert(Json.parse(texts[at]) === null, texts[at]);
}

export function wholeNumbersAreExact(): void {
  assert(Json.parse("9007199254740991")!.integer == 9007199254740991);
  assert(Json.parse("-9223372036854775808")!.integer == i64.MIN_VALUE);
  assert(Json.parse("9223372036854775807")!.integer == i64.MAX_VALUE);
  assert(!Json.parse("9223372036854775808")!.isInteger);
  assert(!Json.parse("1.0")!.isInteger && Json.parse("1.5")!.float == 1.5);
  same(rewritten("18446744073709551615"), "18446744073709551615");
  assert(!Json.parse("\"1\"")!.isInteger && isNaN(Json.parse("\"1\"")!.float));
}

export function howeverDeepItNestsItIsRead(): void {
  const depth = 100000;
  const text = "[".repeat(depth) + "]".repeat(depth);
  let json = Json.parse(text)!;
  let count = 1;
  while (json.items.length > 0) {
    json = json.items[0];
    count++;
  }
  assert(count == depth);
  assert(Json.parse("[".repeat(depth)) === null);
}

export function aLongTextIsReadInTimeThatGrowsWithItAlone(): void {
  const plain = "語".repeat(1000000);
  same(Json.parse("\"" + plain + "\"")!.text, plain);
  const lines = "\\n".repeat(1000000);
  const read = Json.parse("\"" + lines + "\"")!;
  assert(read.text.length == 1000000);
  assert(read.toString().length == 6000002);
}

export function anObservationAnswersWhatEveryPolicyAsks(): void {
  const seen = observation(`{
    "node": {"labels": {"zone": "z"}, "uptime": null, "pool": "p"},
    "episode": {"problem": {"kind": "KubeletUnhealthy"}},
    "conditions": [{"kind": "DiskBadBlock"}],
    "facts": {"agent": "silent"}
  }`);
  same(seen.problem, "KubeletUnhealthy");
  assert(seen.problemIsThere && seen.isFresh);
  assert(seen.inControlPlane === null);
  assert(seen.condition("DiskBadBlock")!.status == Status.No);
  assert(seen.condition("Other") === null);
  same(seen.label("zone"), "z");
  assert(seen.label("other") === null);
  same(seen.fact("agent"), "silent");
  assert(seen.fact("other") === null);
  assert(seen.node.uptime == -1);
  same(seen.node.pool, "p");
  assert(seen.now.unixSeconds == 1800000000);
}

export function aProblemOfWhichNobodyKnowsIsNotThere(): void {
  assert(!observation('{"episode": {"problem": {"status": "no"}}}').problemIsThere);
  assert(!observation('{"episode": {"problem": {"status": "unknown"}}}').problemIsThere);
}

export function aViewThatWasReadLongAgoIsNotFreshAtEitherSite(): void {
  assert(!observation('{"site": {"node": {"freshness": "stale"}}}').isFresh);
  const seen = observation('{"site": {"controlPlane": {"freshness": "missing", "server": null}}}');
  assert(!seen.isFresh && seen.onNode === null);
  assert(seen.inControlPlane!.server === null);
  same(seen.inControlPlane!.requestedBy, "node-engine");
  same(observation('{"site": "controlPlane"}').inControlPlane!.server!.status, "ACTIVE");
}

export function whatWasRefusedWasNotTried(): void {
  const restart = '{"remedy": {"unit": {"name": "a.service", "verb": "restart"}}, "outcome": ';
  const other = '{"remedy": {"unit": {"name": "b.service", "verb": "restart"}}}';
  const seen = observation(
    `{"episode": {"attempts": [${restart}"running"}, ${restart}"refused"}, ${other}, ${restart}"noEffect"}]}}`,
  );
  const remedy = Remedy.restart("a.service");
  assert(seen.episode.tried(remedy) == 2);
  assert(seen.episode.attemptsAt(remedy).length == 3);
  assert(seen.episode.running === seen.episode.attempts[0]);
  assert(seen.episode.last!.outcome == Outcome.Running);
  assert(observation().episode.last === null && observation().episode.running === null);
}

export function aGateIsOpenOrSaysWhatClosesIt(): void {
  const view = observation(
    '{"site": {"node": {"units": [{"name": "a.service", "gate": {"closed": "a window"}}], "fixes": [{"name": "f"}]}}}',
  ).onNode!;
  assert(!view.unit("a.service")!.gate.isOpen);
  same(view.unit("a.service")!.gate.closedBy, "a window");
  same(view.unit("a.service")!.subState, "running");
  assert(view.unit("b.service") === null);
  assert(view.fix("f")!.gate.isOpen && view.fix("f")!.gate.closedBy === null);
  assert(view.fix("g") === null && view.reboot.isOpen);
}

export function aUnitIsThereOnlyWhereTheNodeAsks(): void {
  const seen = observation('{"site": {"node": {"units": [{"name": "a.service"}], "fixes": [{"name": "f"}]}}}');
  assert(seen.unit("a.service") !== null && seen.unit("b.service") === null && seen.fix("f") !== null);
  const elsewhere = observation('{"site": "controlPlane"}');
  assert(elsewhere.unit("a.service") === null && elsewhere.fix("f") === null);
}

export function aRemedyIsReadAsItIsWritten(): void {
  const texts = [
    '"decline"', '"reboot"', '"escalate"', '"replace"', '{"wait":4294967295}',
    '{"unit":{"name":"a.service","verb":"stopStart"}}',
    '{"unit":{"name":"a.service","verb":"resetFailed"}}', '{"fix":{"name":"vacuum","args":{"size":"1G"}}}',
  ];
  for (let at = 0; at < texts.length; at++) {
    const remedy = Remedy.fromJson(Json.parse(texts[at])!)!;
    same(remedy.toJson().toString(), texts[at]);
    assert(remedy.equals(Remedy.fromJson(Json.parse(texts[at])!)!));
  }
  same(Remedy.fromJson(Json.parse('{"fix":{"name":"f"}}')!)!.toJson().toString(), '{"fix":{"name":"f","args":{}}}');
}

export function whatIsNoRemedyIsNone(): void {
  const texts = [
    '"rebot"', '"wait"', '{"wait":-1}', '{"wait":4294967296}', '{"wait":1.5}', '{"wait":1,"reboot":2}',
    '{"reboot":1}', "null", "{}", "[]",
    '{"unit":{"name":"a.service","verb":"kill"}}', '{"unit":{"name":"a.service","verb":"start","force":true}}',
    '{"unit":{"verb":"start"}}', '{"fix":{"name":"f","args":{"a":1}}}', '{"fix":{"name":"f","arg":{}}}', '{"fix":"f"}',
  ];
  for (let at = 0; at < texts.length; at++) assert(Remedy.fromJson(Json.parse(texts[at])!) === null, texts[at]);
}

export function theArgumentsOfAFixHaveNoOrder(): void {
  const one = Remedy.fromJson(Json.parse('{"fix":{"name":"f","args":{"a":"1","b":"2"}}}')!)!;
  const other = Remedy.fromJson(Json.parse('{"fix":{"name":"f","args":{"b":"2","a":"1"}}}')!)!;
  assert(one.equals(other));
  assert(!one.equals(Remedy.fix("f")));
  assert(!Remedy.wait(1).equals(Remedy.wait(2)) && !Remedy.reboot().equals(Remedy.escalate()));
  assert(!Remedy.restart("a").equals(Remedy.unit("a", UnitVerb.Start)));
}

export function anAnswerIsARemedyWhyHowLongToWatchAndNotes(): void {
  same(
    Remedy.restart("a.service").because("it failed").settle(30).note("a", "1").toJson().toString(),
    '{"remedy":{"unit":{"name":"a.service","verb":"restart"}},"reason":"it failed","settle":30,"notes":{"a":"1"}}',
  );
  same(Remedy.decline().because("").toJson().toString(), '{"remedy":"decline","reason":"","notes":{}}');
  same(Decision.error("no idea").toJson().toString(), '{"error":"no idea"}');
}

export function settingsAreReadWithTheirUsualValues(): void {
  const from = settings('{"seconds": 5, "unit": "a.service", "dry": true, "units": ["a"], "share": 0.5, "nothing": null}');
  assert(from.integer("seconds", 1, 1, 10) == 5);
  assert(from.integer("attempts", 3) == 3);
  same(from.string("unit", ""), "a.service");
  assert(from.boolean("dry", false));
  assert(from.strings("units", []).length == 1);
  assert(from.float("share", 0) == 0.5);
  assert(from.any("nothing") === null);
  assert(from.refused === null);
}

export function settingsThatMakeNoSenseAreRefusedByTheirKey(): void {
  let from = settings('{"attempts": "2"}');
  from.integer("attempts", 1);
  same(from.refused, 'settings.attempts is "2": no whole number');
  from = settings('{"attempts": 0}');
  from.integer("attempts", 1, 1);
  same(from.refused, "settings.attempts is 0: less than 1");
  from = settings('{"units": ["a", 1]}');
  from.strings("units", []);
  same(from.refused, "settings.units.1 is 1: no text");
  from = settings('{"atempts": 1}');
  from.integer("attempts", 1);
  same(from.refused, 'settings: there is no "atempts" (there are: attempts)');
}

function readSeconds(from: SettingsReader): i64 {
  return from.integer("seconds", 1, 0, 60);
}

function waitFor(seen: Observation, seconds: i64): Decision {
  return Remedy.wait(<u32>seconds).because(seen.problem);
}

function answered(verb: string, given: string): string {
  const question = Json.object().set("settings", Json.parse(given)!).set("observation", observation().json);
  return answer<i64>(question, verb, readSeconds, waitFor);
}

export function aQuestionIsAnsweredAndNothingIsConsentToSettings(): void {
  same(answered("decide", '{"seconds": 5}'), '{"remedy":{"wait":5},"reason":"Problem","notes":{}}');
  same(answered("validate-settings", "{}"), "");
  same(answered("validate-settings", '{"seconds": 61}'), '{"error":"settings.seconds is 61: more than 60"}');
  same(answered("decide", '{"second": 1}'), '{"error":"settings: there is no \\"second\\" (there are: seconds)"}');
}

export function aKindIsKept(): void {
  assert(Json.parse("{}")!.kind == Kind.Object && Json.parse("[]")!.kind == Kind.List);
}
