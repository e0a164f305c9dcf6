//! A person says what is to be done to a node. No policy is asked then, and no other rung follows: whoever asked is told how it went,
//! and says what is next. All else holds as it always does: who keeps the node, what a replacement would lose, the stop switch.

use super::judge::{replace, start, touchable};
use super::next::Next;
use super::record::{Rung, Tried};
use super::seen::{Rules, Seen};
use super::{Phase, RequestedBy, history};
use crate::reason::Reason;

/// Is what is decided now, or is under way, what a person wants? A rung that a policy began before they said so is the policy's still.
pub(super) fn is_it(seen: &Seen) -> bool {
    let judged = [Phase::HealingInNode, Phase::Judging, Phase::NeedsHuman];
    let theirs = seen.request.requested_by == RequestedBy::Operator;
    seen.request.wants.is_some_and(|rung| {
        theirs || judged.contains(&seen.record.phase) || seen.record.rung == Some(rung)
    })
}

/// Did a person look at the node, and ask for what is done?
pub(super) fn by_a_person(seen: &Seen) -> bool {
    seen.request.requested_by == RequestedBy::Operator || is_it(seen)
}

/// They want another rung than the one that is under way: it is looked at again before the node is given back.
pub(super) fn wants_another(seen: &Seen) -> bool {
    seen.request
        .wants
        .is_some_and(|rung| seen.record.rung != Some(rung))
}

/// The rung that was asked for; or, when that is over, a person.
pub(super) fn follow(seen: &Seen, rules: &Rules, rung: Rung) -> Next {
    if let Some(tried) = tried(seen, rung) {
        let hint = match (rung, tried.reason) {
            (Rung::Reboot, Reason::GrantExpired) => {
                ": its engine did not take the offer; the cloud can reboot it (HardReboot)"
            }
            _ => "",
        };
        let back = format!("kubectl uncordon {} gives the node back", seen.request.node);
        let words = format!("{rung:?} was asked for, and ended so{hint}; {back}");
        return Next::enter(seen, Phase::NeedsHuman, tried.reason, words);
    }
    let why = &seen.request.problem.message;
    match rung {
        Rung::Replace => replace(seen, rules, why),
        Rung::Reboot => start(seen, rules, rung, why),
        Rung::HardReboot => match touchable(seen) {
            Ok(_) => start(seen, rules, rung, why),
            Err(next) => *next,
        },
    }
}

/// This repair's last try at it since a person asked for another one. Of replacements there are several, and their number has a limit
/// of its own.
fn tried(seen: &Seen, rung: Rung) -> Option<&Tried> {
    let mut tried = seen.record.tried.iter().rev();
    tried.find(|tried| rung != Rung::Replace && tried.rung == rung && history::counts(seen, tried))
}
