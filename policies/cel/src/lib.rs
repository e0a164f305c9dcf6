//! Rules in the operator's settings, in the Common Expression Language: for whoever wants a policy and compiles nothing.
//!
//! The first rule whose `when` is true, and whose remedy was not tried as often as it may be, says what is done. What it sees is
//! the contract's observation, in its JSON form. Rules are asked only about a problem that is there, by fresh eyes, and while no remedy
//! is under way: what every policy would have to write first stands here, once.

mod expression;
mod settings;

use rectifier_policy::prelude::*;

pub use settings::{Rule, Settings};

/// The policy.
pub struct Cel;

impl Policy for Cel {
    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        settings.check()
    }

    fn decide(seen: &Observation, settings: &Settings) -> Answer {
        if let Some(wait) = seen.not_now() {
            return Ok(wait);
        }
        let sight = expression::Sight::of(seen);
        for (at, rule) in settings.rules.iter().enumerate() {
            let place = settings::place(at);
            let remedy = rule
                .remedy()
                .map_err(|why| format!("{place}.then: {why}"))?;
            let tried = seen.episode.tried(&remedy);
            if rule.at_most.is_some_and(|most| tried >= most) {
                continue;
            }
            let holds = expression::holds(&rule.when, &sight);
            if !holds.map_err(|why| format!("{place}.when: {why}"))? {
                continue;
            }
            let why = rule.because.as_deref().unwrap_or(&rule.when);
            let decision = remedy.because(format!("rule {}: {why}", at + 1));
            return Ok(match rule.settle {
                Some(seconds) => decision.settle(seconds),
                None => decision,
            });
        }
        Ok(Remedy::Decline.because(format!("no rule holds for {}", seen.problem())))
    }
}

policy! {
    Cel,
    name: "cel",
    handles: [{ conditions: ["*"], sites: ["node", "control-plane"] }],
    needs: { units: "all", fixes: "all", facts: "all" },
}

#[cfg(test)]
mod tests;
