//! What holds every step, whichever phase decided it: the pool's mode, its breaker and evidence that is no longer told, before
//! the commit, and a deadline for the phases that wait for others.

use super::drain::LastResort;
use super::next::Next;
use super::room::Side;
use super::seen::{CloudSeen, Rules, Seen};
use super::{Phase, age, hands, told};
use crate::policy::Seconds;
use crate::reason::Reason;

/// The step as it may be taken now.
pub(super) fn hold(seen: &Seen, next: Next) -> Next {
    let next = match hands::held(seen, &next) {
        // what is halted is not late
        Some(held) => held,
        None => overdue(seen, told::hold(seen, frozen(seen, next))),
    };
    let next = hands::keep_words(seen, hands::keep_time(seen, next));
    hands::say_too_late(seen, next)
}

/// Stays where it is before its commit.
fn frozen(seen: &Seen, next: Next) -> Next {
    let intrusive = next.act.as_ref().is_some_and(|act| act.is_intrusive());
    match hands::frozen(seen) {
        Some((reason, words)) if intrusive || next.grants(&seen.record) => {
            Next::wait(seen, reason, words)
        }
        Some(_) | None => next,
    }
}

/// A phase that should have ended by now is shown to a person, with the words of what holds it.
fn overdue(seen: &Seen, next: Next) -> Next {
    let phase = seen.record.phase;
    let waits = next.record.phase == phase && next.reason != Reason::PoolObserves;
    // An outage of the cloud ends without a person's help; nothing is lost by waiting for it.
    let outage = matches!(seen.cloud, CloudSeen::Unavailable(_));
    let Ok(rules) = &seen.pool else {
        return next;
    };
    let late = limit(phase, seen.record.side(), rules)
        .is_some_and(|limit| age(seen).min(seen.watched) >= limit);
    if !waits || outage || !late {
        return next;
    }
    let state = format!(
        "{phase:?} for {} s: {}",
        age(seen),
        next.record.message.as_str()
    );
    // Its host does not stop the machine, or does not say so.
    let reason = match next.reason {
        Reason::Stopping | Reason::HostUnreachable => Reason::HostUnreachable,
        _ => Reason::Overdue,
    };
    Next::enter(seen, Phase::NeedsHuman, reason, state)
}

/// How long a phase may take that depends on people's budgets, on the cloud or on the replacement. The other phases have
/// deadlines of their own, or nothing in them can be late.
fn limit(phase: Phase, side: Side, rules: &Rules) -> Option<Seconds> {
    match phase {
        Phase::RebootDraining => Some(rules.drain_within),
        // Pods that are deleted as a last resort have their grace, too.
        Phase::Draining => Some(match rules.last_resort {
            LastResort::Ask => rules.drain_within,
            LastResort::Delete if !side.is_past_return() => rules.drain_within,
            LastResort::Delete => rules.drain_within.saturating_add(rules.join),
        }),
        Phase::Stopping => Some(rules.power),
        // It ends by itself, unless the replacement is lost meanwhile, or a pod has come that does not leave.
        Phase::AwaitingOwners => {
            let awaited = rules.owners.max(rules.balancers);
            Some(awaited.saturating_add(rules.join))
        }
        Phase::Committed | Phase::Detaching | Phase::DeletingServer | Phase::DeletingNode => {
            Some(rules.join)
        }
        Phase::HealingInNode
        | Phase::Judging
        | Phase::Cordoning
        | Phase::GrantOffered
        | Phase::Rebooting
        | Phase::HardRebooting
        | Phase::Settling
        | Phase::Uncordoning
        | Phase::CreatingPorts
        | Phase::CreatingServer
        | Phase::Joining
        | Phase::Discarding
        | Phase::RollingBack
        | Phase::NeedsHuman
        | Phase::Recovered
        | Phase::Replaced
        | Phase::Cancelled => None,
    }
}
