// The component's exports. The build adds the two lines that name the policy and the engine's log: index.js and all that
// it takes can be used without a component.

import { DecisionForm, PolicyError } from "./answers.js";
import { connect, debug } from "./log.js";
import { forms } from "./observation.js";
import { ask, checkSettings } from "./policy.js";
import { world } from "./world.js";

/** The interface `decider` of this policy, whose log lines go to `write`. */
export function component(policy, write) {
  connect(write);
  const at = world(globalThis);
  return {
    validateSettings: (settings) =>
      answering(() => {
        at(0, "");
        checkSettings(policy, JSON.parse(settings));
      }),
    decide: (observation, settings) =>
      answering(() => {
        const seen = forms.Observation.read(observation);
        at(seen.now.unixSeconds, seen.id);
        return DecisionForm.write(ask(policy, seen, JSON.parse(settings)).toJSON());
      }),
  };
}

/** The border takes a text for an error; anything else would lose its type. */
function answering(work) {
  try {
    return work();
  } catch (error) {
    throw told(error).toWellFormed();
  }
}

function told(error) {
  if (error instanceof PolicyError) return error.message;
  if (error instanceof Error) {
    const said = `${error.name}: ${error.message}`;
    debug(`${said}\n${error.stack}`);
    return said;
  }
  if (typeof error === "string") return error;
  return `what was thrown is no Error: ${Object.prototype.toString.call(error)}`;
}
