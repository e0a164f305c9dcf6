// The forms of the contract's types. A value has three: `wit`, as it passes the component's border; `json`, as cases and
// records have it; and the one that authors see, which is the JSON form with classes where questions are asked.
//
// A form is made of forms as a WIT type is made of types. `read` takes what came over the border, `write` makes what goes
// over it, `parse` takes JSON and refuses what is none of this type, naming the place. JSON is made by JSON.stringify.

/** What is wrong, and where. */
function refuse(place, what) {
  throw new TypeError(place ? `${place}: ${what}` : what);
}

function show(value) {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

const below = (place, name) => (place ? `${place}.${name}` : String(name));
const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

export const text = {
  read: (wit) => wit,
  // Half a surrogate pair has no UTF-8; what is left of it must not end the policy.
  write: (value) => value.toWellFormed(),
  parse: (json, place) =>
    typeof json === "string" ? json : refuse(place, `${show(json)} is no text`),
};

export const flag = {
  read: (wit) => wit,
  write: (value) => value,
  parse: (json, place) =>
    typeof json === "boolean" ? json : refuse(place, `${show(json)} is neither true nor false`),
};

/** A whole number from 0 to `most`. At the border other numbers would be bent into the range without a word. */
export function whole(most) {
  const parse = (json, place) => {
    if (!Number.isInteger(json) || json < 0 || json > most) {
      refuse(place, `${show(json)} is no whole number from 0 to ${most}`);
    }
    return json;
  };
  // A u64 may come as a BigInt.
  return { read: Number, write: (value) => parse(value, ""), parse };
}

/** In componentize-qjs, numbers from 2^31 on pass the border as the signed ones with the same bits. */
export const u32 = {
  ...whole(2 ** 32 - 1),
  read: (wit) => wit >>> 0,
  write: (value) => value | 0,
};

export function list(of) {
  return {
    read: (wit) => wit.map(of.read),
    write: (value) => value.map(of.write),
    parse: (json, place) =>
      Array.isArray(json)
        ? json.map((item, at) => of.parse(item, below(place, at)))
        : refuse(place, `${show(json)} is no list`),
  };
}

/** A list of pairs is an object. It has no prototype: a label may be called `constructor`. */
export const pairs = {
  read: (wit) => {
    const object = Object.create(null);
    for (const { name, value } of wit) object[name] = value;
    return object;
  },
  write: (object) =>
    Object.entries(object).map(([name, value]) => ({
      name: text.write(name),
      value: text.write(value),
    })),
  parse: (json, place) => {
    if (!isObject(json)) refuse(place, `${show(json)} is no object`);
    const object = Object.create(null);
    for (const [name, value] of Object.entries(json)) {
      object[name] = text.parse(value, below(place, name));
    }
    return object;
  },
};

/** One of these names, in camelCase. */
export function names(...all) {
  const ofWit = new Map(all.map((name) => [kebab(name), name]));
  return {
    names: all,
    read: (wit) => ofWit.get(wit),
    write: kebab,
    parse: (json, place) =>
      all.includes(json) ? json : refuse(place, `${show(json)} is none of ${all.join(", ")}`),
  };
}

/** Fields by name; a name that ends in `?` may be absent. Instances of `made`, if a class is given. */
export function record(fields, made = Object) {
  const parts = Object.entries(fields).map(([name, form]) => ({
    name: name.replace("?", ""),
    form,
    optional: name.endsWith("?"),
  }));
  const known = new Set(parts.map(({ name }) => name));
  return {
    fields,
    read: (wit) => {
      const value = new made();
      for (const { name, form } of parts) {
        // What is absent is null at the border.
        if (wit[name] != null) value[name] = form.read(wit[name]);
      }
      return value;
    },
    write: (value) =>
      Object.fromEntries(
        parts.map(({ name, form }) => [
          name,
          value[name] === undefined ? null : form.write(value[name]),
        ]),
      ),
    parse: (json, place) => {
      if (!isObject(json)) refuse(place, `${show(json)} is no object`);
      const unknown = Object.keys(json).find((name) => !known.has(name));
      if (unknown !== undefined) refuse(place, `the contract has no ${show(unknown)} here`);
      const value = new made();
      for (const { name, form, optional } of parts) {
        if (json[name] != null) value[name] = form.parse(json[name], below(place, name));
        else if (!optional) refuse(place, `${name} is missing`);
      }
      return value;
    },
  };
}

/** One of these cases: an object with one key, or a text where the case has nothing with it (`null` here). */
export function variant(cases) {
  const ofWit = new Map(Object.keys(cases).map((name) => [kebab(name), name]));
  const shape = Object.entries(cases)
    .map(([name, form]) => (form ? `{"${name}": …}` : `"${name}"`))
    .join(", ");
  return {
    cases,
    read: ({ tag, val }) => {
      const name = ofWit.get(tag);
      return cases[name] ? { [name]: cases[name].read(val) } : name;
    },
    write: (value) => {
      if (typeof value === "string") return { tag: kebab(value) };
      const [[name, inner]] = Object.entries(value);
      return { tag: kebab(name), val: cases[name].write(inner) };
    },
    parse: (json, place) => {
      if (typeof json === "string" && cases[json] === null) return json;
      const [name, ...more] = isObject(json) ? Object.keys(json) : [];
      if (name === undefined || more.length > 0 || !Object.hasOwn(cases, name) || !cases[name]) {
        refuse(place, `${show(json)} is none of ${shape}`);
      }
      return { [name]: cases[name].parse(json[name], below(place, name)) };
    },
  };
}

/** A form whose values are of a class with `of` (from the plain form) and `toJSON` (to it). */
export function wrapped(plain, made) {
  return {
    plain,
    read: (wit) => made.of(plain.read(wit)),
    write: (value) => plain.write(value.toJSON()),
    parse: (json, place) => (json instanceof made ? json : made.of(plain.parse(json, place))),
  };
}

/** A plain copy, as if it had been written and read. */
export const copy = (value) => JSON.parse(JSON.stringify(value));
