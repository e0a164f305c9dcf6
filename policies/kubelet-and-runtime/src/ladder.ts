// Remedies from mild to grave, climbed and never descended within one episode.

import { type Decision, type Gate, type Observation, Remedy } from "rectifier-policy";

/** Seconds after which something may have changed by itself. */
export const SOON = 30;

export interface Rung {
  readonly remedy: Remedy;
  /** As people call it. */
  readonly what: string;
  /** How often in one episode. */
  readonly times: number;
  /** May it be done now? A text says why it is not offered at all. */
  readonly gate: Gate | string;
  /** Is a closed gate waited for? If not, the next rung is as good. */
  readonly patient?: boolean;
  /** Before the second time; twice as long before each one after it. */
  readonly rest?: number;
}

/** What is done now: the lowest rung that does not lie behind, or `escalate`. */
export function climb({ episode }: Observation, patience: number, rungs: readonly Rung[]): Decision {
  const behind: string[] = [];
  const highest = rungs.findLastIndex(({ remedy }) => episode.tried(remedy) > 0);
  for (const [at, { remedy, what, times, gate, patient, rest = 0 }] of rungs.entries()) {
    const tried = episode.tried(remedy);
    const wait = (seconds: number, why: string) => Remedy.wait(seconds).because(`${what} ${why}`);
    if (tried >= times) {
      behind.push(`${what}: tried ${tried} of ${times} times`);
    } else if (at < highest) {
      behind.push(`${what}: more than that was tried already`);
    } else if (typeof gate === "string") {
      behind.push(`${what}: ${gate}`);
    } else if (!gate.isOpen && patient && episode.age < patience) {
      return wait(SOON, `must wait: ${gate.closedBy}`);
    } else if (!gate.isOpen) {
      behind.push(`${what}: not now: ${gate.closedBy}`);
    } else {
      const last = episode.attemptsAt(remedy)[0];
      // What a guard rail refused a moment ago it would refuse again.
      const pause = last?.outcome === "refused" ? SOON : rest * 2 ** Math.max(0, tried - 1);
      if (last && last.age < pause) return wait(pause - last.age, "rests after the last time");
      const before = behind.length > 0 ? `; before it ${behind.at(-1)}` : "";
      return remedy.because(`${what}: attempt ${tried + 1} of ${times}${before}`);
    }
  }
  return Remedy.escalate.because(behind.join("; ") || "nothing else may be tried");
}
