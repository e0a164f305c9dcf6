//! The policy that ships: restart the unit behind the problem; if that does not help reboot the node, if it may; then
//! have it replaced.
//!
//! ```text
//!  on the node              restart the unit ──► (reboot) ──► escalate
//!  in the control plane                          (reboot) ──► replace ──► escalate, to a person
//! ```
//!
//! It climbs and never comes down within one episode: what was tried and did not last is not tried more often than the
//! settings say, however often the problem came back meanwhile.

mod control_plane;
mod node;
mod settings;

use rectifier_policy::prelude::*;

pub use settings::{Rule, Settings};

/// Look again when something may have changed by itself. Every change of what is observed asks the policy anyway.
const SOON: u32 = 30;

/// The policy.
pub struct RestartThenReplace;

impl Policy for RestartThenReplace {
    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        settings.check()
    }

    fn decide(seen: &Observation, settings: &Settings) -> Answer {
        let problem = seen.problem();
        let Some(rule) = settings.rule(problem) else {
            return Ok(Remedy::Decline.because(format!("no rule for {problem}")));
        };
        // Unknown is no illness, and a stale view no ground for an act.
        if !seen.problem_is_there() {
            return Ok(Remedy::Wait(SOON)
                .because(format!("{problem} is not reported as there at present")));
        }
        if !seen.is_fresh() {
            return Ok(Remedy::Wait(SOON).because("what is known here is not fresh"));
        }
        if let Some(attempt) = seen.episode.running() {
            let left = rule.settle_seconds.saturating_sub(attempt.age).max(1);
            return Ok(Remedy::Wait(left).because("a remedy is still under way"));
        }
        Ok(match &seen.site {
            Site::Node(view) => node::decide(&seen.episode, view, rule),
            Site::ControlPlane(view) => control_plane::decide(&seen.episode, view, rule),
        })
    }
}

policy! {
    RestartThenReplace,
    name: "restart-then-replace",
    handles: [{
        conditions: ["KubeletUnhealthy", "ContainerRuntimeUnhealthy"],
        sites: ["node", "control-plane"],
    }, {
        // the control plane's own: the node itself is not to be heard of then
        conditions: ["NotReady"],
        sites: ["control-plane"],
    }],
    needs: { units: "all" },
}

#[cfg(test)]
mod tests;
