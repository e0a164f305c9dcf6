// What of JavaScript's globals reaches outside. A component of a policy has no clock and no source of randomness: asking
// for one would end it. So the clock stands at the observation's moment, random numbers follow from the observation's id,
// and console.log writes to the operator's log.

import * as log from "./log.js";

/** Puts them there; the function that it returns says what time it is and what random numbers follow from. */
export function world(globals) {
  let now = 0;
  let state = 0;

  globals.Date = new Proxy(globals.Date, {
    construct: (date, args, made) => Reflect.construct(date, args.length > 0 ? args : [now], made),
    apply: (date) => String(new date(now)),
    get: (date, name) => (name === "now" ? () => now : date[name]),
  });
  // mulberry32: small, and good enough to spread a delay
  globals.Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  delete globals.performance;
  const line = (write) => (...words) => write(words.map(shown).join(" "));
  globals.console = {
    debug: line(log.debug),
    log: line(log.info),
    info: line(log.info),
    warn: line(log.warn),
    error: line(log.error),
  };

  return (unixSeconds, seed) => {
    now = unixSeconds * 1000;
    state = 0x811c9dc5; // FNV-1a
    for (let at = 0; at < seed.length; at += 1) {
      state = Math.imul(state ^ seed.charCodeAt(at), 0x01000193);
    }
  };
}

function shown(word) {
  if (typeof word === "string") return word;
  if (word instanceof Error) return `${word.name}: ${word.message}`;
  try {
    return JSON.stringify(word) ?? String(word);
  } catch {
    return Object.prototype.toString.call(word); // it holds itself, or a BigInt
  }
}
