// A whole command for command.test.js.

import { Decision, Observation, Remedy, SettingsReader, debug, error, run } from "../assembly/index";

class Settings {
  constructor(
    readonly seconds: u32,
    readonly panic: string,
  ) {}
}

function read(from: SettingsReader): Settings {
  return new Settings(<u32>from.integer("seconds", 30, 0, 60), from.string("panic", ""));
}

function decide(seen: Observation, settings: Settings): Decision {
  debug("it is\nasked");
  if (settings.panic != "") throw new Error(settings.panic);
  if (!seen.isFresh) error("not fresh: 語");
  return Remedy.wait(settings.seconds).because(seen.episode.problem.message);
}

run<Settings>(read, decide);
