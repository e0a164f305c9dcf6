//! In the control plane: reboot out of band, replace, ask a person.

use rectifier_policy::prelude::*;

use crate::{Rule, SOON};

/// Failed replacements of one node before a person is asked. After three within a day the engine asks one, too, whatever a
/// policy says.
const REPLACEMENTS: usize = 3;

pub(crate) fn decide(episode: &Episode, view: &ClusterView, rule: &Rule) -> Decision {
    let dead = view
        .server
        .as_ref()
        .is_some_and(|server| server.proven_dead);
    // A closed gate here is no reason to wait: if nothing may be done now, the gate of the next rung says so, too.
    let may_reboot = rule.reboot && !dead && view.server.is_some() && view.reboot.is_open();
    if may_reboot && episode.tried(&Remedy::Reboot) == 0 {
        return Remedy::Reboot
            .because("the node could not heal itself; it was not rebooted yet")
            .settle(rule.settle_seconds);
    }
    let failed = episode
        .attempts_at(&Remedy::Replace)
        .filter(|attempt| attempt.outcome == Outcome::Failed);
    let failed = failed.count();
    if failed >= REPLACEMENTS {
        return Remedy::Escalate.because(format!("{failed} replacements failed"));
    }
    match view.replace.closed_by() {
        None if dead => Remedy::Replace.because("the server is dead"),
        None => Remedy::Replace.because("nothing less has healed the node"),
        Some(rail) if episode.age < rule.patience_seconds => {
            Remedy::Wait(SOON).because(format!("the replacement must wait: {rail}"))
        }
        Some(rail) => {
            let waited = episode.age;
            Remedy::Escalate.because(format!("no replacement was allowed for {waited} s: {rail}"))
        }
    }
}
