//! The conformance policy in Rust, as a component: `sdk/conformance/README.md` says what it must answer.

mod answer;
mod lines;

use answer::Settings;
use rectifier_policy::prelude::*;

struct Conformance;

impl Policy for Conformance {
    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        settings.check()
    }

    fn decide(seen: &Observation, settings: &Settings) -> Answer {
        let mut decision = settings.decision()?;
        for (place, value) in lines::of_observation(seen) {
            decision = decision.note(place, value);
        }
        Ok(decision)
    }
}

policy! {
    Conformance,
    name: "conformance-rust",
    handles: [{ conditions: ["*"], sites: ["node", "control-plane"] }],
    needs: { units: "all", fixes: "all", facts: "all" },
}
