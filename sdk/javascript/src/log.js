// Lines for the operator's log. In a component they go to the engine, in tests to standard error.

let write = (level, message) => console.error(`${level}: ${message}`);

/** Sends them elsewhere. */
export function connect(to) {
  write = to;
}

const line = (level) => (message) => write(level, String(message).toWellFormed());

export const debug = line("debug");
export const info = line("info");
export const warn = line("warn");
export const error = line("error");
