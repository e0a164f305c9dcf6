// Short ways to answer.

import { names, pairs, record, text, u32, variant } from "./forms.js";

export const UnitCall = record({
  name: text,
  verb: names("restart", "start", "stopStart", "resetFailed"),
});
export const FixCall = record({ name: text, args: pairs });
export const RemedyForm = variant({
  decline: null,
  wait: u32,
  unit: UnitCall,
  fix: FixCall,
  reboot: null,
  escalate: null,
  replace: null,
});

export const DecisionForm = record({
  remedy: RemedyForm,
  reason: text,
  "settle?": u32,
  notes: pairs,
});

export class PolicyError extends Error {
  name = "PolicyError";
}

export class Remedy {
  #form;

  constructor(form) {
    this.#form = form;
    Object.freeze(this);
  }

  /** Of the form that `RemedyForm` has read already. */
  static of(form) {
    return new Remedy(form);
  }

  static fromJSON(json) {
    // A fix's arguments may be left out.
    if (typeof json?.fix === "object" && json.fix !== null && json.fix.args === undefined) {
      json = { ...json, fix: { ...json.fix, args: {} } };
    }
    return new Remedy(RemedyForm.parse(json, ""));
  }

  static decline = Remedy.of("decline");
  static reboot = Remedy.of("reboot");
  static escalate = Remedy.of("escalate");
  static replace = Remedy.of("replace");

  static wait(seconds) {
    return Remedy.fromJSON({ wait: seconds });
  }

  static restart(unit) {
    return Remedy.unit(unit, "restart");
  }

  static unit(name, verb) {
    return Remedy.fromJSON({ unit: { name, verb } });
  }

  static fix(name, args = {}) {
    return Remedy.fromJSON({ fix: { name, args } });
  }

  equals(other) {
    return canonical(this.#form) === canonical(other.toJSON());
  }

  because(reason) {
    return new Decision(this, text.parse(reason, "reason"));
  }

  toJSON() {
    return this.#form;
  }
}

/** The arguments of a fix have no order. */
function canonical(form) {
  const args = form.fix && Object.entries(form.fix.args).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(args ? [form.fix.name, args] : form);
}

export class Decision {
  constructor(remedy, reason, settleSeconds = undefined, notes = Object.create(null)) {
    this.remedy = remedy;
    this.reason = reason;
    this.settleSeconds = settleSeconds;
    this.notes = notes;
    Object.freeze(this);
  }

  settle(seconds) {
    return new Decision(this.remedy, this.reason, u32.parse(seconds, "settle"), this.notes);
  }

  note(name, value) {
    return this.noteAll({ [name]: value });
  }

  noteAll(notes) {
    const all = Object.assign(Object.create(null), this.notes);
    for (const [name, value] of Object.entries(notes)) {
      if (name in all) throw new RangeError(`there is a note ${JSON.stringify(name)} already`);
      all[name] = text.parse(value, `note ${name}`);
    }
    return new Decision(this.remedy, this.reason, this.settleSeconds, all);
  }

  toJSON() {
    const { remedy, reason, settleSeconds, notes } = this;
    return {
      remedy: remedy.toJSON(),
      reason,
      ...(settleSeconds === undefined ? {} : { settle: settleSeconds }),
      notes,
    };
  }
}
