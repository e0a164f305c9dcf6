//! The policy for whoever begins: for any condition one ladder, from mild to grave, which the settings fill in.
//!
//! ```text
//!  on the node             restart unit by unit ──► fixes ──► reboot ──► escalate
//!  in the control plane                              reboot by the cloud ──► replace ──► a person
//! ```
//!
//! It climbs and never comes down within one episode.

mod settings;

use rectifier_policy::prelude::*;

pub use settings::{Fix, Settings, Steps};

/// Replacements of one node before a person is asked. After three failed ones within a day the engine asks one, too, whatever a policy says.
const REPLACEMENTS: usize = 3;

/// The policy.
pub struct DefaultLadder;

impl Policy for DefaultLadder {
    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        settings.check()
    }

    fn decide(seen: &Observation, settings: &Settings) -> Answer {
        let problem = seen.problem();
        if let Some(wait) = seen.not_now() {
            return Ok(wait);
        }
        let Some(steps) = settings.steps(problem) else {
            let why = format!("no ladder names {problem}: somebody has to say what helps");
            return Ok(Remedy::Escalate.because(why));
        };
        let rung = |remedy| Rung::of(remedy).settling(settings.settle_seconds);
        let ladder = match &seen.site {
            Site::Node(_) => {
                let units = steps.units.iter().map(|unit| {
                    rung(Remedy::restart(unit))
                        .times(steps.attempts)
                        .resting(settings.rest_seconds)
                });
                let fixes = steps.fixes.iter().map(|fix| {
                    let args = fix.args.iter();
                    let args = args.map(|(name, value)| (name.as_str(), value.as_str()));
                    rung(Remedy::run_fix(&fix.name, args))
                });
                units.chain(fixes).fold(seen.ladder(), Ladder::rung)
            }
            Site::ControlPlane(_) => seen.ladder(),
        };
        let reboots = steps.reboot && boots(seen);
        Ok(ladder
            .rung(rung(Remedy::Reboot).times(usize::from(reboots)))
            .rung(
                rung(Remedy::Replace)
                    .times(
                        REPLACEMENTS
                            * usize::from(steps.replace && seen.in_control_plane().is_some()),
                    )
                    .patient(settings.patience_seconds),
            )
            .or(Remedy::Escalate))
    }
}

/// Is there a machine that can boot? Not if it is certainly dead, or if nobody is certain which one it is.
fn boots(seen: &Observation) -> bool {
    match &seen.site {
        Site::Node(_) => true,
        Site::ControlPlane(view) => view
            .server
            .as_ref()
            .is_some_and(|server| !server.proven_dead),
    }
}

policy! {
    DefaultLadder,
    name: "default-ladder",
    handles: [{ conditions: ["*"], sites: ["node", "control-plane"] }],
    needs: { units: "all", fixes: "all" },
}

#[cfg(test)]
mod tests;
