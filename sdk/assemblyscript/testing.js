// Plays compiled AssemblyScript under Node: a policy's own tests, and policies as the engine runs them.

import { readFileSync } from "node:fs";
import { test } from "node:test";

/** `proc_exit` ends the program. */
class Exit {
  constructor(code) {
    this.code = code;
  }
}

/**
 * Each function that this compiled file exports is a test; its name, `aGateIsOpenOrShut`, is a sentence. It fails by `assert` or
 * `throw`. Each has a memory of its own.
 *
 * @param {string | URL} file
 */
export function play(file) {
  const module = new WebAssembly.Module(readFileSync(file));
  const names = WebAssembly.Module.exports(module)
    .filter(({ kind, name }) => kind === "function" && /^[a-z]/.test(name))
    .map(({ name }) => name);
  for (const name of names) {
    const sentence = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    test(sentence, () => {
      const { code, stderr } = started(module, { name });
      if (code !== 0) throw new Error(stderr.replace(/^error: /, ""));
    });
  }
}

/**
 * Runs a policy's compiled file as the engine does.
 *
 * @param {string | URL} file
 * @param {"decide" | "validate-settings"} verb
 * @param {object} question what stands on standard input
 * @returns {{ code: number, stdout: string, stderr: string }}
 */
export function ask(file, verb, question) {
  const module = new WebAssembly.Module(readFileSync(file));
  return started(module, { arguments: ["policy", verb], stdin: JSON.stringify(question) });
}

/** Runs the whole, and then the export of this name. */
function started(module, { name, arguments: words = ["test"], stdin = "" }) {
  const { imports, seen, connect } = wasi(words, stdin);
  const instance = new WebAssembly.Instance(module, imports);
  connect(instance.exports.memory);
  let code = 0;
  try {
    instance.exports._start();
    if (name) instance.exports[name]();
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    code = error.code;
  }
  const text = (file) => Buffer.concat(seen[file]).toString("utf8");
  return { code, stdout: text(1), stderr: text(2) };
}

/** As much of WASI as AssemblyScript's shim asks for; the clock stands, and random bytes are zero but one. */
function wasi(words, stdin) {
  const seen = { 1: [], 2: [] };
  const args = words.map((word) => Buffer.from(`${word}\0`));
  let input = Buffer.from(stdin);
  let memory;
  const bytes = () => Buffer.from(memory.buffer);
  const view = () => new DataView(memory.buffer);

  const buffers = (vectors, count) =>
    Array.from({ length: count }, (_, at) => {
      const start = view().getUint32(vectors + 8 * at, true);
      return bytes().subarray(start, start + view().getUint32(vectors + 8 * at + 4, true));
    });
  const sizes = (all) => (count, size) => {
    view().setUint32(count, all.length, true);
    view().setUint32(size, Buffer.concat(all).length, true);
    return 0;
  };
  const get = (all) => (pointers, start) => {
    for (const [at, one] of all.entries()) {
      view().setUint32(pointers + 4 * at, start, true);
      one.copy(bytes(), start);
      start += one.length;
    }
    return 0;
  };
  const preview1 = {
    args_sizes_get: sizes(args),
    args_get: get(args),
    environ_sizes_get: sizes([]),
    environ_get: get([]),
    fd_read: (_, vectors, count, read) => {
      let done = 0;
      for (const buffer of buffers(vectors, count)) {
        const taken = input.copy(buffer);
        input = input.subarray(taken);
        done += taken;
      }
      view().setUint32(read, done, true);
      return 0;
    },
    fd_write: (file, vectors, count, written) => {
      const all = Buffer.concat(buffers(vectors, count));
      seen[file].push(all);
      view().setUint32(written, all.length, true);
      return 0;
    },
    fd_close: () => 0,
    proc_exit: (code) => {
      throw new Exit(code);
    },
    clock_time_get: (_clock, _precision, time) => {
      view().setBigUint64(time, 0n, true);
      return 0;
    },
    random_get: (start, length) => {
      bytes().fill(0, start, start + length);
      bytes()[start] = 1;
      return 0;
    },
  };
  return {
    seen,
    imports: { wasi_snapshot_preview1: preview1 },
    connect: (exported) => {
      memory = exported;
    },
  };
}
