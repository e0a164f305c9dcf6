// What is written by hand here is held against the contract.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { Observation } from "../src/index.js";
import { forms } from "../src/observation.js";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
const pascal = (name) => camel(`-${name}`);

/** Records, variants and enums of the interface `types`: their kind, and the names in them. */
function contract() {
  const wit = read("../../wit/policy.wit").replaceAll(/\/\/\/.*/g, "");
  const types = wit.slice(wit.indexOf("interface types"), wit.indexOf("interface log"));
  const found = new Map();
  for (const [, kind, name, body] of types.matchAll(/(record|variant|enum) ([\w-]+) \{([^}]*)\}/g)) {
    const items = body.split(",").map((item) => item.trim()).filter(Boolean);
    const fields = items.map((item) => {
      const [, field] = /^([\w-]+)/.exec(item);
      return camel(field) + (/: option</.test(item) ? "?" : "");
    });
    found.set(pascal(name), { kind, fields });
  }
  found.delete("Pair"); // a list of pairs is an object
  return found;
}

test("every record and variant of the contract has its form, field by field", () => {
  for (const [name, { kind, fields }] of contract()) {
    if (kind === "enum") continue;
    const form = forms[name]?.plain ?? forms[name];
    assert.ok(form, `${name} has no form`);
    assert.deepEqual(Object.keys(form.fields ?? form.cases), fields, name);
  }
});

test("every enum of the contract is read with all its names", () => {
  const enums = JSON.stringify(forms, (key, value) => value?.names ?? value?.plain ?? value?.fields ?? value?.cases ?? value);
  for (const [name, { kind, fields }] of contract()) {
    if (kind === "enum") assert.ok(enums.includes(JSON.stringify(fields)), name);
  }
});

test("the types say the same", () => {
  const types = read("../src/index.d.ts").replaceAll(/\/\*\*[^]*?\*\//g, "");
  for (const [name, { kind, fields }] of contract()) {
    if (kind === "enum") {
      const [said] = new RegExp(`export type ${name} =[^;]*;`).exec(types);
      assert.deepEqual([...said.matchAll(/"(\w+)"/g)].map(([, word]) => word), fields, name);
    } else if (kind === "record" && name !== "Decision") {
      const [said] = new RegExp(`export (interface|class) ${name} \\{[^}]*\n\\}`).exec(types);
      for (const field of fields) assert.ok(said.includes(`  readonly ${field}: `), `${name}.${field}`);
    }
  }
});

for (const file of readdirSync(new URL("../../conformance/cases", import.meta.url))) {
  test(`what is seen comes over the border as it is: ${file}`, () => {
    const { observation } = JSON.parse(read(`../../conformance/cases/${file}`));
    const parsed = Observation.fromJSON(observation);
    assert.deepEqual(parsed.toJSON(), observation);
    const crossed = forms.Observation.read(forms.Observation.write(parsed));
    assert.deepEqual(crossed.toJSON(), observation);
  });
}
