// The operator's settings, as a policy reads them.

import { Json, Kind } from "./json";

/**
 * What the operator's sidecar says under `settings`. A policy reads all its keys here, each with its usual value. What is no
 * value of that kind is refused, and so is a key that was not read: a misspelt one must not be ignored.
 */
export class SettingsReader {
  private readonly read: string[] = [];
  private refusal: string | null = null;

  constructor(readonly json: Json) {}

  /** Refuses the settings for this reason: one line for the operator, naming the key. The first one counts. */
  refuse(why: string): void {
    if (this.refusal === null) this.refusal = why;
  }

  /** The document under the key, whatever it is; `null` if there is none. */
  any(key: string): Json | null {
    this.read.push(key);
    const value = this.json.get(key);
    return value !== null && value.isNothing ? null : value;
  }

  /** A whole number from `least` to `most`. */
  integer(key: string, usual: i64, least: i64 = i64.MIN_VALUE, most: i64 = i64.MAX_VALUE): i64 {
    const value = this.any(key);
    if (value === null) return usual;
    if (!value.isInteger) {
      this.wrong(key, value, "no whole number");
      return usual;
    }
    if (value.integer < least) this.wrong(key, value, "less than " + least.toString());
    if (value.integer > most) this.wrong(key, value, "more than " + most.toString());
    return value.integer;
  }

  /** A number. */
  float(key: string, usual: f64): f64 {
    const value = this.any(key);
    if (value === null) return usual;
    if (value.kind != Kind.Number) this.wrong(key, value, "no number");
    return value.float;
  }

  /** A text. */
  string(key: string, usual: string): string {
    const value = this.any(key);
    if (value === null) return usual;
    if (!value.isString) this.wrong(key, value, "no text");
    return value.text;
  }

  /** `true` or `false`. */
  boolean(key: string, usual: bool): bool {
    const value = this.any(key);
    if (value === null) return usual;
    if (value.kind != Kind.Boolean) this.wrong(key, value, "neither true nor false");
    return value.text == "true";
  }

  /** A list of texts. */
  strings(key: string, usual: string[]): string[] {
    const value = this.any(key);
    if (value === null) return usual;
    if (!value.isList) this.wrong(key, value, "no list");
    const all: string[] = [];
    for (let at = 0; at < value.items.length; at++) {
      const item = value.items[at];
      if (!item.isString) this.wrong(key + "." + at.toString(), item, "no text");
      all.push(item.text);
    }
    return all;
  }

  private wrong(key: string, value: Json, what: string): void {
    // not what is in it: that may be nested as deep as its author likes
    let said = value.isList ? "a list" : value.isObject ? "an object" : value.toString();
    if (said.length > 80) said = said.substring(0, 80) + "…";
    this.refuse("settings." + key + " is " + said + ": " + what);
  }

  /** Why they are refused, once all keys were read; `null` if they are usable. */
  get refused(): string | null {
    for (let at = 0; at < this.json.keys.length; at++) {
      const key = this.json.keys[at];
      if (this.read.indexOf(key) < 0) {
        const known = this.read.length > 0 ? this.read.join(", ") : "none";
        this.refuse("settings: there is no " + Json.string(key).toString() + " (there are: " + known + ")");
      }
    }
    return this.refusal;
  }
}
