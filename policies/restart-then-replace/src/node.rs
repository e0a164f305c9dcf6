//! On the node: restart, reboot, hand over.

use rectifier_policy::prelude::*;

use crate::{Rule, SOON};

pub(crate) fn decide(episode: &Episode, view: &NodeView, rule: &Rule) -> Decision {
    let after = match restart(episode, view, rule) {
        Rung::Take(decision) => return decision,
        Rung::Past(why) => why,
    };
    if rule.reboot && episode.tried(&Remedy::Reboot) == 0 {
        return match view.reboot.closed_by() {
            None => Remedy::Reboot.because(after).settle(rule.settle_seconds),
            // The control plane may know a way that does not lead through this node.
            Some(rail) => Remedy::Escalate.because(format!("{after}; no reboot now: {rail}")),
        };
    }
    let reboot = if rule.reboot {
        "; a reboot did not help"
    } else {
        ""
    };
    Remedy::Escalate.because(format!("{after}{reboot}"))
}

/// A rung of the ladder: stand on it, or why it lies behind.
enum Rung {
    Take(Decision),
    Past(String),
}

fn restart(episode: &Episode, view: &NodeView, rule: &Rule) -> Rung {
    let Some(name) = &rule.unit else {
        return Rung::Past("no unit stands behind this condition".to_owned());
    };
    let restart = Remedy::restart(name);
    let tried = episode.tried(&restart);
    if tried >= rule.attempts {
        return Rung::Past(format!(
            "{name} was restarted {tried} of {} times",
            rule.attempts
        ));
    }
    let Some(unit) = view.unit(name) else {
        return Rung::Past(format!("{name} may not be touched on this node"));
    };
    let attempt = format!("attempt {} of {}", tried + 1, rule.attempts);
    if let Some(rail) = unit.gate.closed_by() {
        return Rung::Take(
            Remedy::Wait(SOON).because(format!("{attempt} to restart {name} must wait: {rail}")),
        );
    }
    // A guard rail refused it a moment ago; asking again at once would only be refused again.
    let refused = |attempt: &Attempt| attempt.outcome == Outcome::Refused && attempt.age < SOON;
    if let Some(attempt) = episode
        .last()
        .filter(|last| last.remedy == restart && refused(last))
    {
        let rail = &attempt.detail;
        return Rung::Take(
            Remedy::Wait(SOON - attempt.age).because(format!("a restart was refused: {rail}")),
        );
    }
    let state = &unit.active_state;
    Rung::Take(
        restart
            .because(format!("{name} is {state}: {attempt}"))
            .settle(rule.settle_seconds),
    )
}
