// The WASI command around a policy: one document on standard input, one on standard output, an exit code.

import { fd_write } from "@assemblyscript/wasi-shim/assembly/bindings/wasi_snapshot_preview1";

import { Decision } from "./answers";
import { Json } from "./json";
import { SettingsReader } from "./settings";
import { Observation } from "./types";

/**
 * Answers the question: `read` makes the policy's own settings, `decide` decides by them.
 *
 * To be called once, from the program's first file.
 */
export function run<Settings>(
  read: (from: SettingsReader) => Settings,
  decide: (seen: Observation, settings: Settings) => Decision,
): void {
  const question = Json.parse(String.UTF8.decode(input()));
  if (question === null) throw new Error("the question is no JSON document");
  write(1, answer<Settings>(question, process.argv[1], read, decide));
}

/** What stands on standard output: nothing is consent to settings. */
export function answer<Settings>(
  question: Json,
  verb: string,
  read: (from: SettingsReader) => Settings,
  decide: (seen: Observation, settings: Settings) => Decision,
): string {
  const given = question.get("settings");
  const reader = new SettingsReader(given === null ? Json.object() : given);
  const settings = read(reader);
  const refused = reader.refused;
  if (refused !== null) return Decision.error(refused).toJson().toString();
  if (verb == "validate-settings") return "";
  const observation = question.get("observation");
  if (observation === null) throw new Error("the question has no observation");
  return decide(new Observation(observation), settings).toJson().toString();
}

/** All of standard input. */
function input(): ArrayBuffer {
  let all = new ArrayBuffer(1 << 16);
  let length = 0;
  let read = process.stdin.read(all);
  while (read > 0) {
    length += read;
    if (length == all.byteLength) {
      const more = new ArrayBuffer(2 * length);
      memory.copy(changetype<usize>(more), changetype<usize>(all), length);
      all = more;
    }
    read = process.stdin.read(all, length);
  }
  return all.slice(0, length);
}

/** All of the text, however much is taken at once. What has no UTF-8 becomes U+FFFD. */
export function write(file: u32, text: string): void {
  const bytes = String.UTF8.encode(text, false, String.UTF8.ErrorMode.REPLACE);
  const vector = memory.data(12); // where, how much; and how much was taken
  let done = 0;
  while (done < bytes.byteLength) {
    store<u32>(vector, <u32>changetype<usize>(bytes) + done);
    store<u32>(vector, bytes.byteLength - done, 4);
    if (fd_write(file, vector, 1, vector + 8) != 0) return;
    done += load<u32>(vector, 8);
  }
}

/**
 * What `throw` and a failed `assert` do: the message goes to the log as an error, and the exit code says that there is no answer.
 * `policy.json` names it.
 */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const what = message === null ? "it failed" : message;
  const where = file === null ? "" : ` (${file}:${line}:${column})`;
  write(2, "error: " + what.replaceAll("\n", " ") + where + "\n");
  process.exit(1);
}
