#!/usr/bin/env node
// Makes a component of a policy in JavaScript or TypeScript: checks its types where there is a tsconfig.json, bundles it
// with this package into one file, and joins that with QuickJS. The tools are the project's own, in the versions that its
// lock file pins: componentize-qjs, esbuild, typescript.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const USAGE = "usage: rectifier-policy-build [--out FILE] [FOLDER]";

class Failure extends Error {}

try {
  await main();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function main() {
  const { values, positionals } = read();
  const folder = resolve(positionals[0] ?? ".");
  const out = resolve(values.out ?? join(folder, "build/policy.wasm"));
  const source = join(folder, sourceOf(folder));
  if (existsSync(join(folder, "tsconfig.json"))) checkTypes(folder);
  const bundle = await bundled(folder, source);
  const { componentize } = await tool(folder, "componentize-qjs");
  const made = componentize({
    witPath: wit(),
    jsSource: bundle,
    world: "policy",
    stubWasi: true, // a policy has no world around it; src/world.js says what stands for it
    sync: true,
  });
  const { component } = await made.catch((error) => {
    throw new Failure(error.message);
  });
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, component);
}

function read() {
  try {
    const read = parseArgs({ options: { out: { type: "string" } }, allowPositionals: true });
    if (read.positionals.length <= 1) return read;
  } catch {
    // told below
  }
  throw new Failure(USAGE);
}

function sourceOf(folder) {
  const manifest = join(folder, "package.json");
  if (!existsSync(manifest)) throw new Failure(`there is no package.json in ${folder}`);
  const { main } = JSON.parse(readFileSync(manifest, "utf8"));
  if (typeof main !== "string") throw new Failure(`${manifest} does not say in "main" where the policy is`);
  return main;
}

function checkTypes(folder) {
  const manifest = where(folder, "typescript/package.json");
  const { bin } = JSON.parse(readFileSync(manifest, "utf8"));
  const checked = spawnSync(process.execPath, [join(dirname(manifest), bin.tsc), "--noEmit", "-p", "."], {
    cwd: folder,
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (checked.status !== 0) throw new Failure("tsc says above what is wrong");
}

async function bundled(folder, source) {
  const { build } = await tool(folder, "esbuild");
  const [, name, version] = /^package (\S+)@(\S+);$/m.exec(
    readFileSync(join(wit(), "policy.wit"), "utf8"),
  );
  const entry = `
    import log from "${name}/log@${version}";
    import { component } from "rectifier-policy/component";
    import * as policy from ${JSON.stringify(source)};
    import { decide } from ${JSON.stringify(source)}; // missing, it is an error now and not when it is asked
    export const decider = component({ ...policy, decide }, log.write);
  `;
  try {
    const { outputFiles } = await build({
      stdin: { contents: entry, resolveDir: folder, sourcefile: "component.js" },
      absWorkingDir: folder,
      bundle: true,
      write: false,
      format: "esm",
      target: "es2023",
      external: [`${name}/*`],
      charset: "utf8",
      legalComments: "none",
      // without the comments that name files: the bundle is the same wherever it is made; names stay for stack traces
      minifySyntax: true,
      minifyWhitespace: true,
      logLevel: "warning",
    });
    return outputFiles[0].text;
  } catch (error) {
    if (error.errors) throw new Failure("esbuild says above what is wrong");
    throw error;
  }
}

/** The contract: packed with this package, or beside it in a checkout. */
function wit() {
  const here = dirname(fileURLToPath(import.meta.url));
  const found = [join(here, "wit"), join(here, "../wit")].find((folder) => existsSync(folder));
  if (!found || !readdirSync(found).includes("policy.wit")) {
    throw new Failure(`there is no wit/policy.wit in ${here} nor beside it`);
  }
  return found;
}

function where(folder, file) {
  try {
    return createRequire(join(folder, "package.json")).resolve(file);
  } catch {
    throw new Failure(`${file.split("/")[0]} is not installed in ${folder}: npm install`);
  }
}

/** What the project has installed, not what lies beside this file. */
async function tool(folder, name) {
  const loaded = await import(pathToFileURL(where(folder, name)).href);
  return loaded.default?.build || loaded.default?.componentize ? loaded.default : loaded;
}
