// The kubelet and the container runtime depend on each other: a kubelet is unhealthy because its runtime is. So the runtime
// is healed first, and what is restarted again and again already is not restarted once more.
//
//   KubeletUnhealthy           wait for an ill runtime ──► restart the kubelet ──────────► reboot ──► escalate
//                              └─► nothing has helped the runtime ───────────────────────┘
//   ContainerRuntimeUnhealthy  restart the runtime ──► the fix, if the settings name one ──► reboot ──► escalate
//   Frequent…Restart           wait whether it passes ───────────────────────────────────► reboot ──► escalate
//   in the control plane       reboot by the cloud, if the node did not boot ──► replace ──► a person

import { type ClusterView, type Decision, type NodeView, type Observation, Remedy } from "rectifier-policy";

import { SOON, type Rung, climb } from "./ladder.ts";
import { type Settings, read as settings } from "./settings.ts";

export { settings };

const KUBELET = "KubeletUnhealthy";
const RUNTIME = "ContainerRuntimeUnhealthy";
/** Node Problem Detector's names: five starts within 20 minutes. */
const FREQUENT = ["FrequentKubeletRestart", "FrequentContainerdRestart", "FrequentDockerRestart"];

/** Replacements of one node before a person is asked. After three failed ones the engine asks one, too. */
const REPLACEMENTS = 3;

export function decide(seen: Observation, settings: Settings): Decision {
  const { problem, episode } = seen;
  if (![KUBELET, RUNTIME, ...FREQUENT].includes(problem)) {
    return Remedy.decline.because(`${problem} is neither the kubelet's nor the runtime's`);
  }
  // Gone, unknown or not fresh is no ground to act.
  const wait = (why: string, seconds = SOON) => Remedy.wait(seconds).because(why);
  if (!seen.problemIsThere) return wait(`${problem} is not reported as there at present`);
  if (!seen.isFresh) return wait("what is known here is not fresh");
  if (episode.running) return wait("a remedy is still under way");

  // One more restart is what there is too much of. Counted by the episode's age: if it comes back, it did not pass.
  const rest = settings.settleSeconds - episode.age;
  if (FREQUENT.includes(problem) && rest > 0) return wait("a restart would not help; it may pass by itself", rest);

  const { onNode, inControlPlane } = seen;
  if (!onNode) return climb(seen, settings.patienceSeconds, inControlPlane ? inTheCluster(inControlPlane, settings) : []);
  const rungs = onTheNode(problem, onNode, settings);
  const ill = problem === KUBELET && runtimeIsIll(seen, onNode, settings.units.runtime);
  // A node has one repair for all its problems. If it is the kubelet's, what the runtime asks for is not heard.
  if (ill && nothingHelpedTheRuntime(seen, onNode, settings)) {
    return climb(seen, settings.patienceSeconds, rungs.map(onlyTheBoot));
  }
  const left = settings.waitForRuntimeSeconds - episode.age;
  if (ill && left > 0) return wait(`the kubelet waits for its runtime: ${ill}`, Math.min(SOON, left));
  return climb(seen, settings.patienceSeconds, rungs);
}

/** Why the kubelet's trouble is the runtime's, if it is. A unit that is not shown says nothing. */
function runtimeIsIll(seen: Observation, view: NodeView, name: string): string | undefined {
  const told = [...seen.conditions, ...seen.otherEpisodes.map((other) => other.problem)];
  if (told.some(({ kind, status }) => kind === RUNTIME && status === "yes")) return `${RUNTIME} is there, too`;
  const state = view.unit(name)?.activeState ?? "active";
  return ["active", "reloading"].includes(state) ? undefined : `${name} is ${state}`;
}

/** Has its own episode come to the boot? */
function nothingHelpedTheRuntime(seen: Observation, view: NodeView, settings: Settings): boolean {
  const own = seen.otherEpisodes.find((other) => other.problem.kind === RUNTIME);
  const milder = onTheNode(RUNTIME, view, settings).filter(({ remedy }) => !remedy.equals(Remedy.reboot));
  const isBehind = ({ remedy, times, gate }: Rung) => typeof gate === "string" || own!.tried(remedy) >= times;
  return own !== undefined && !own.running && milder.every(isBehind);
}

function onlyTheBoot(rung: Rung): Rung {
  return rung.remedy.equals(Remedy.reboot) ? rung : { ...rung, gate: "nothing has helped its runtime" };
}

function onTheNode(problem: string, view: NodeView, { units, fix, attempts, restSeconds, reboot }: Settings): Rung[] {
  const rungs: Rung[] = [];
  if (!FREQUENT.includes(problem)) {
    const name = problem === KUBELET ? units.kubelet : units.runtime;
    const gate = view.unit(name)?.gate ?? "may not be touched on this node";
    rungs.push({ remedy: Remedy.restart(name), what: name, times: attempts, gate, patient: true, rest: restSeconds });
  }
  if (problem === RUNTIME && fix) {
    const gate = view.fix(fix.name)?.gate ?? "is not declared on this node";
    rungs.push({ remedy: Remedy.fix(fix.name, fix.args), what: `fix ${fix.name}`, times: 1, gate, patient: true });
  }
  return [...rungs, booting(reboot || "is not in the settings", view)];
}

function inTheCluster(view: ClusterView, { reboot }: Settings): Rung[] {
  const { server } = view;
  let boots: true | string = reboot || "is not in the settings";
  if (server?.provenDead) boots = "the server is dead";
  if (!server) boots = "it is not certain which server it is";
  const replace = { remedy: Remedy.replace, what: "a replacement", times: REPLACEMENTS, gate: view.replace, patient: true };
  return [booting(boots, view), replace];
}

/** Once, at whichever site. A closed gate is not waited for: where no boot may be asked for, the next level may know better. */
function booting(may: true | string, { reboot }: NodeView | ClusterView): Rung {
  return { remedy: Remedy.reboot, what: "a reboot", times: 1, gate: may === true ? reboot : may };
}
