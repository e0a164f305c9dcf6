// JSON documents as trees.
//
// The libraries for AssemblyScript end the program at a document that is not as they expect: the language has no exceptions.
// A policy has to answer instead, so this reader says `null`. It reads without recursion, however deep a document nests, in
// time that grows with the text alone. A number stays the text that it was written as, however large.

/** What a document is. */
export enum Kind {
  Null,
  Boolean,
  Number,
  String,
  List,
  Object,
}

/** A JSON document. */
export class Json {
  /** Of a string its characters, of a number its digits as they were written; `true` or `false`; else empty. */
  readonly text: string;
  readonly kind: Kind;
  /** Of an object, in their order; else empty. */
  readonly keys: string[] = [];
  /** Of a list its items, of an object the values of `keys`; else empty. */
  readonly items: Json[] = [];

  private constructor(kind: Kind, text: string = "") {
    this.kind = kind;
    this.text = text;
  }

  static nothing(): Json {
    return new Json(Kind.Null);
  }

  static boolean(value: bool): Json {
    return new Json(Kind.Boolean, value ? "true" : "false");
  }

  static integer(value: i64): Json {
    return new Json(Kind.Number, value.toString());
  }

  /** Of a number as JSON writes it. */
  static number(written: string): Json {
    return new Json(Kind.Number, written);
  }

  static string(value: string): Json {
    return new Json(Kind.String, value);
  }

  static list(): Json {
    return new Json(Kind.List);
  }

  static object(): Json {
    return new Json(Kind.Object);
  }

  /** What this text says; `null` if it is no JSON document. */
  static parse(text: string): Json | null {
    return new Reader(text).document();
  }

  /** Is it `null`? */
  get isNothing(): bool {
    return this.kind == Kind.Null;
  }

  get isString(): bool {
    return this.kind == Kind.String;
  }

  get isObject(): bool {
    return this.kind == Kind.Object;
  }

  get isList(): bool {
    return this.kind == Kind.List;
  }

  /** Is it a whole number that an `i64` holds? */
  get isInteger(): bool {
    if (this.kind != Kind.Number) return false;
    const digits = this.text.startsWith("-") ? this.text.length - 1 : this.text.length;
    for (let at = this.text.length - digits; at < this.text.length; at++) {
      const unit = this.text.charCodeAt(at);
      if (unit < 0x30 || unit > 0x39) return false;
    }
    return digits < 19 || (digits == 19 && I64.parseInt(this.text).toString() == this.text);
  }

  /** Its value as a whole number; 0 if it `isInteger` not. */
  get integer(): i64 {
    return this.isInteger ? I64.parseInt(this.text) : 0;
  }

  /** Its value as a number; NaN if it is none. */
  get float(): f64 {
    return this.kind == Kind.Number ? parseFloat(this.text) : NaN;
  }

  /** What this object has under the key; `null` if it has nothing, or is no object. */
  get(key: string): Json | null {
    const at = this.keys.indexOf(key);
    return at < 0 ? null : this.items[at];
  }

  /** Sets what this object has under the key. */
  set(key: string, value: Json): this {
    const at = this.keys.indexOf(key);
    if (at >= 0) {
      this.items[at] = value;
    } else {
      this.keys.push(key);
      this.items.push(value);
    }
    return this;
  }

  /** Adds an item to this list. */
  push(item: Json): this {
    this.items.push(item);
    return this;
  }

  /** Adds a value that the key has not got yet, without looking. */
  append(key: string, value: Json): void {
    this.keys.push(key);
    this.items.push(value);
  }

  /** The document as text, without spaces. */
  toString(): string {
    const out = new Text();
    write(this, out);
    return out.toString();
  }
}

/** Text that grows at its end. */
class Text {
  private units: StaticArray<u16> = new StaticArray<u16>(64);
  private length: i32 = 0;

  private reserve(more: i32): void {
    const needed = this.length + more;
    if (needed <= this.units.length) return;
    const units = new StaticArray<u16>(max(needed, 2 * this.units.length));
    memory.copy(changetype<usize>(units), changetype<usize>(this.units), <usize>this.length << 1);
    this.units = units;
  }

  unit(unit: u16): void {
    this.reserve(1);
    this.units[this.length++] = unit;
  }

  add(text: string): void {
    this.slice(text, 0, text.length);
  }

  slice(text: string, from: i32, to: i32): void {
    if (from == to) return; // between two escapes there is often nothing, and a copy has its price
    this.reserve(to - from);
    const target = changetype<usize>(this.units) + (<usize>this.length << 1);
    memory.copy(target, changetype<usize>(text) + (<usize>from << 1), <usize>(to - from) << 1);
    this.length += to - from;
  }

  toString(): string {
    return String.UTF16.decodeUnsafe(changetype<usize>(this.units), <usize>this.length << 1);
  }
}

// @ts-ignore: decorator
@inline
function unitAt(text: string, at: i32): u16 {
  return load<u16>(changetype<usize>(text) + (<usize>at << 1));
}

const QUOTE: u16 = 0x22;
const BACKSLASH: u16 = 0x5c;
const COMMA: u16 = 0x2c;
const COLON: u16 = 0x3a;
const OPEN_LIST: u16 = 0x5b;
const CLOSE_LIST: u16 = 0x5d;
const OPEN_OBJECT: u16 = 0x7b;
const CLOSE_OBJECT: u16 = 0x7d;

function closeOf(holder: Json): u16 {
  return holder.isObject ? CLOSE_OBJECT : CLOSE_LIST;
}

function write(value: Json, out: Text): void {
  if (value.kind == Kind.Null) {
    out.add("null");
  } else if (value.kind == Kind.String) {
    writeString(value.text, out);
  } else if (value.kind == Kind.List || value.kind == Kind.Object) {
    const isObject = value.isObject;
    out.unit(isObject ? OPEN_OBJECT : OPEN_LIST);
    for (let at = 0; at < value.items.length; at++) {
      if (at > 0) out.unit(COMMA);
      if (isObject) {
        writeString(value.keys[at], out);
        out.unit(COLON);
      }
      write(value.items[at], out);
    }
    out.unit(closeOf(value));
  } else {
    out.add(value.text);
  }
}

function writeString(text: string, out: Text): void {
  out.unit(QUOTE);
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = unitAt(text, at);
    if (unit >= 0x20 && unit != QUOTE && unit != BACKSLASH) continue;
    out.slice(text, from, at);
    from = at + 1;
    out.unit(BACKSLASH);
    if (unit >= 0x20) {
      out.unit(unit);
    } else {
      out.add("u00");
      out.add(unit < 0x10 ? "0" : "1");
      out.add((unit & 0xf).toString(16));
    }
  }
  out.slice(text, from, text.length);
  out.unit(QUOTE);
}

class Reader {
  private at: i32 = 0;

  constructor(private text: string) {}

  document(): Json | null {
    const value = this.value();
    return this.next() == 0 && this.at == this.text.length ? value : null;
  }

  private value(): Json | null {
    // The lists and objects that are open, the innermost last, and the key of each one in what holds it.
    const open: Json[] = [];
    const keys: string[] = [];
    let key = "";
    let value: Json | null = null;
    do {
      const first = this.next();
      if (first == OPEN_LIST || first == OPEN_OBJECT) {
        this.at++;
        const opened = first == OPEN_OBJECT ? Json.object() : Json.list();
        if (this.next() != closeOf(opened)) {
          open.push(opened);
          keys.push(key);
          if (opened.isObject) {
            if (!this.key()) return null;
            key = this.read;
          }
          continue;
        }
        this.at++;
        value = opened;
      } else if (first == QUOTE) {
        if (!this.string()) return null;
        value = Json.string(this.read);
      } else {
        value = this.word();
      }
      // It is read: what holds it goes on, or ends and is a value itself.
      while (open.length > 0) {
        if (value === null) return null;
        const holder = open[open.length - 1];
        if (holder.isObject) holder.append(key, value);
        else holder.push(value);
        const after = this.next();
        this.at++;
        if (after == COMMA) {
          if (holder.isObject) {
            if (!this.key()) return null;
            key = this.read;
          }
          break;
        }
        if (after != closeOf(holder)) return null;
        value = holder;
        open.pop();
        key = keys.pop();
      }
    } while (open.length > 0);
    return value;
  }

  /** What `string` and `key` have read. */
  private read: string = "";

  /** The next character that is no space, without going past it; 0 at the end. */
  private next(): u16 {
    while (this.at < this.text.length) {
      const unit = unitAt(this.text, this.at);
      if (unit != 0x20 && unit != 0x0a && unit != 0x0d && unit != 0x09) return unit;
      this.at++;
    }
    return 0;
  }

  private key(): bool {
    if (this.next() != QUOTE || !this.string() || this.next() != COLON) return false;
    this.at++;
    return true;
  }

  private string(): bool {
    const text = this.text;
    let from = ++this.at;
    let out: Text | null = null;
    while (this.at < text.length) {
      const unit = unitAt(text, this.at);
      if (unit == QUOTE) {
        if (out === null) {
          this.read = text.substring(from, this.at);
        } else {
          out.slice(text, from, this.at);
          this.read = out.toString();
        }
        this.at++;
        return true;
      }
      if (unit < 0x20) return false;
      if (unit != BACKSLASH) {
        this.at++;
        continue;
      }
      if (out === null) out = new Text();
      out.slice(text, from, this.at);
      const escaped = this.escaped();
      if (escaped < 0) return false;
      out.unit(<u16>escaped);
      from = this.at;
    }
    return false;
  }

  /** The code unit that is escaped here; -1 if none is. A pair of surrogates is two of them. */
  private escaped(): i32 {
    const text = this.text;
    if (this.at + 1 >= text.length) return -1;
    const letter = unitAt(text, this.at + 1);
    this.at += 2;
    switch (letter) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f: return letter;
      case 0x62: return 0x08;
      case 0x66: return 0x0c;
      case 0x6e: return 0x0a;
      case 0x72: return 0x0d;
      case 0x74: return 0x09;
      case 0x75: break;
      default: return -1;
    }
    if (this.at + 4 > text.length) return -1;
    let unit = 0;
    for (const end = this.at + 4; this.at < end; this.at++) {
      const digit = <i32>unitAt(text, this.at);
      const letter = digit | 0x20;
      if (digit >= 0x30 && digit <= 0x39) unit = (unit << 4) + digit - 0x30;
      else if (letter >= 0x61 && letter <= 0x66) unit = (unit << 4) + letter - 0x57;
      else return -1;
    }
    return unit;
  }

  /** A number, `true`, `false` or `null`. */
  private word(): Json | null {
    const from = this.at;
    while (this.at < this.text.length) {
      const unit = unitAt(this.text, this.at);
      const letter = unit | 0x20;
      const isDigit = unit >= 0x30 && unit <= 0x39;
      const isSign = unit == 0x2b || unit == 0x2d || unit == 0x2e;
      if (!isDigit && !isSign && (letter < 0x61 || letter > 0x7a)) break;
      this.at++;
    }
    const word = this.text.substring(from, this.at);
    if (word == "null") return Json.nothing();
    if (word == "true") return Json.boolean(true);
    if (word == "false") return Json.boolean(false);
    return isNumber(word) ? Json.number(word) : null;
  }
}

/** `-`, digits without a leading zero, `.` and digits, `e` and digits. */
function isNumber(word: string): bool {
  let at = word.startsWith("-") ? 1 : 0;
  const whole = digits(word, at);
  if (whole == at || (whole > at + 1 && unitAt(word, at) == 0x30)) return false;
  at = whole;
  if (at < word.length && unitAt(word, at) == 0x2e) {
    const end = digits(word, at + 1);
    if (end == at + 1) return false;
    at = end;
  }
  if (at < word.length && (unitAt(word, at) | 0x20) == 0x65) {
    at++;
    if (at < word.length && (unitAt(word, at) == 0x2b || unitAt(word, at) == 0x2d)) at++;
    const end = digits(word, at);
    if (end == at) return false;
    at = end;
  }
  return at == word.length;
}

/** Where the digits end that begin here. */
function digits(word: string, at: i32): i32 {
  while (at < word.length && unitAt(word, at) >= 0x30 && unitAt(word, at) <= 0x39) at++;
  return at;
}
