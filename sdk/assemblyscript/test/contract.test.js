// What is written by hand here is held against the contract.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
const pascal = (name) => camel(`-${name}`);

const wit = read("../../wit/policy.wit").replaceAll(/\/\/\/.*/g, "");
const contract = [...wit.slice(0, wit.indexOf("interface log")).matchAll(/(record|enum) ([\w-]+) \{([^}]*)\}/g)]
  .map(([, kind, name, body]) => ({
    kind,
    name: pascal(name),
    items: body.split(",").map((item) => item.trim()).filter(Boolean),
  }))
  // Lists of pairs are maps; what an author says is a Remedy with names of its own.
  .filter(({ name }) => !["Pair", "UnitCall", "FixCall", "Decision"].includes(name));
const source = read("../assembly/types.ts") + read("../assembly/answers.ts");
const code = source.replaceAll(/\/\*\*[^]*?\*\//g, "");

/** How a type of the contract is written. */
function typeOf(wit, name) {
  const inner = /^(list|option)<(.*)>$/.exec(wit);
  if (wit === "list<pair>") return "Map<string, string>";
  if (inner?.[1] === "list") return `${typeOf(inner[2], name)}[]`;
  if (inner?.[2] === "seconds") return "i64";
  if (inner) return `${typeOf(inner[2], name)} | null`;
  if (["string", "bool", "u8", "u16", "u32", "u64"].includes(wit)) return wit;
  return wit === "seconds" ? "u32" : pascal(wit);
}

for (const { kind, name, items } of contract) {
  test(`the ${kind} ${name} is the contract's`, () => {
    const body = new RegExp(`export (class|enum) ${name} \\{([^]*?)\n\\}`).exec(code)?.[2];
    assert.ok(body, "it is not there");
    if (kind === "enum") {
      assert.deepEqual(body.split(",").map((item) => item.trim()).filter(Boolean), items.map(pascal));
      return;
    }
    for (const item of items) {
      const [, field, type] = /^([\w-]+): (.*)$/.exec(item);
      if (type === "site") continue; // `onNode` and `inControlPlane`
      assert.ok(body.includes(`  readonly ${camel(field)}: ${typeOf(type)};`), item);
      assert.match(body, new RegExp(`this\\.${camel(field)} =[^;]*"${camel(field)}"`), item);
    }
  });
}

test("enums are read by the contract's names", () => {
  for (const { kind, items } of contract) {
    if (kind === "enum") assert.ok(code.includes(JSON.stringify(items.map(camel)).replaceAll(",", ", ")), items.join());
  }
});
