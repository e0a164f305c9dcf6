// Lines for the operator's log. They are bounded, cut, and never change what is decided.

import { write } from "./command";

/** For the policy's author. */
export function debug(message: string): void {
  line("debug: ", message);
}

/** For whoever reads the story of a repair. */
export function info(message: string): void {
  line("info: ", message);
}

/** Somebody should look at it today. */
export function warn(message: string): void {
  line("warn: ", message);
}

/** Something is wrong; the engine writes it as a warning. */
export function error(message: string): void {
  line("error: ", message);
}

/** One message is one line. */
function line(level: string, message: string): void {
  write(2, level + message.replaceAll("\n", " ") + "\n");
}
