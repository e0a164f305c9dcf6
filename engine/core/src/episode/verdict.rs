//! What a policy says is followed only where the guard rails let it.

use jiff::Timestamp;

use super::guard::{self, Closed};
use super::limits::Limits;
use super::memory::{Episode, Memory};
use super::seen::Seen;
use crate::clock::seconds_between;
use crate::name::ConditionKind;
use crate::policy::{Advice, Decision, OnFailure, PolicyRef, Remedy};
use crate::reason::Reason;
use crate::repair::Asks;

/// A policy's wait and settling time are cut to this: an hour, so that a slip of its author is not a week of silence.
pub(super) const LONGEST: u32 = 3600;

/// What is to be done about one episode.
pub(super) enum Verdict {
    /// Nothing, for the reason given.
    Hold(Closed),
    /// Look again after so many seconds, or when a policy changes.
    Wait(u32, Closed),
    /// The advice is not one that may be followed.
    Refuse(Remedy, PolicyRef, Closed),
    /// Carry it out.
    Begin(Decision, PolicyRef),
    /// Carry it out at that time: every node may be about to.
    Draw(Timestamp),
    /// Ask the control plane.
    Ask(Asks, Reason, String),
}

pub(super) fn hold(reason: Reason, detail: impl Into<String>) -> Closed {
    Closed {
        reason,
        detail: detail.into(),
    }
}

/// What an episode waits for, once so much was asked.
pub(super) fn asked(asks: Asks) -> Option<Reason> {
    match asks {
        Asks::InNode => None,
        Asks::Reboot => Some(Reason::RebootAsked),
        Asks::Escalate => Some(Reason::Escalated),
    }
}

/// Weighs the advice on one episode.
pub(super) fn weigh(
    memory: &Memory,
    kind: &ConditionKind,
    seen: &Seen,
    advice: &Advice,
    limits: &Limits,
) -> Verdict {
    let Some(episode) = memory.episodes.get(kind) else {
        return Verdict::Hold(hold(Reason::NoPolicy, ""));
    };
    if let Some((since, why)) = seen.unwritable.as_ref().filter(|_| episode.forgotten)
        && seconds_between(*since, seen.now) < limits.settle
    {
        // in a moment it may be known after all
        return Verdict::Hold(hold(Reason::JournalUnwritable, why));
    }
    if episode.forgotten {
        return Verdict::Ask(Asks::Escalate, Reason::JournalLost, String::new());
    }
    match advice {
        Advice::None => Verdict::Wait(limits.ask_again, hold(Reason::NoPolicy, "")),
        Advice::Unavailable {
            policy,
            class,
            message,
            on_failure,
        } => {
            let detail = format!("{} ({}): {message}", policy.name, class.label());
            match on_failure {
                OnFailure::Wait => {
                    Verdict::Wait(limits.ask_again, hold(Reason::PolicyFailed, detail))
                }
                OnFailure::Escalate => Verdict::Ask(Asks::Escalate, Reason::PolicyFailed, detail),
            }
        }
        Advice::Decided { policy, decision } => {
            follow(memory, (kind, episode), seen, policy, decision, limits)
        }
    }
}

fn follow(
    memory: &Memory,
    (kind, episode): (&ConditionKind, &Episode),
    seen: &Seen,
    policy: &PolicyRef,
    decision: &Decision,
    limits: &Limits,
) -> Verdict {
    let allowed = match &decision.remedy {
        Remedy::Unit(call) => guard::unit(call, limits),
        Remedy::Fix(call) => guard::fix(call, limits),
        Remedy::Decline => return Verdict::Wait(limits.ask_again, hold(Reason::NoPolicy, "")),
        // Nothing is left to wait for: a policy that waits for its gate to open would wait for ever. What the whole node may not
        // do any more is no reason to make much of a problem that has just come, and may go by itself.
        Remedy::Wait(_)
            if let Err(held) = guard::not_used_up(memory, episode, seen, limits)
                && ([Reason::RemediesUsedUp, Reason::JournalUnwritable].contains(&held.reason)
                    || seconds_between(episode.problem.since, seen.now) >= limits.heal_within) =>
        {
            return Verdict::Ask(Asks::Escalate, held.reason, held.detail);
        }
        Remedy::Wait(seconds) => {
            return Verdict::Wait(
                (*seconds).clamp(1, LONGEST),
                hold(Reason::PolicyWaits, &decision.reason),
            );
        }
        Remedy::Escalate => {
            return Verdict::Ask(
                Asks::Escalate,
                Reason::PolicyDecided,
                decision.reason.clone(),
            );
        }
        Remedy::Reboot => {
            return match guard::reboot(episode, seen) {
                Ok(()) => {
                    Verdict::Ask(Asks::Reboot, Reason::PolicyDecided, decision.reason.clone())
                }
                // One reboot for one problem: if it did not help, another will not.
                Err(held) if held.reason == Reason::RebootedAlready => {
                    Verdict::Ask(Asks::Escalate, held.reason, held.detail)
                }
                Err(held) => Verdict::Wait(limits.ask_again, held),
            };
        }
        Remedy::Replace => {
            let held = hold(Reason::RemedyNotForSite, "replace");
            return Verdict::Refuse(decision.remedy.clone(), policy.clone(), held);
        }
    };
    if let Err(held) = allowed {
        return Verdict::Refuse(decision.remedy.clone(), policy.clone(), held);
    }
    let remedy = &decision.remedy;
    let may = guard::remedy(memory, episode, seen, limits)
        .and_then(|()| guard::turn(episode, remedy, seen, limits))
        .and_then(|()| guard::idle(remedy, seen));
    match (may, guard::not_used_up(memory, episode, seen, limits)) {
        (Ok(()), _) => match guard::draw(kind, episode, remedy, seen, limits) {
            Some(turn) => Verdict::Draw(turn),
            None => Verdict::Begin(decision.clone(), policy.clone()),
        },
        // What may be tried is tried: the next level is asked, whatever the policy would still try.
        (Err(held), Err(spent)) if held == spent => {
            Verdict::Ask(Asks::Escalate, spent.reason, spent.detail)
        }
        (Err(held), _) => Verdict::Hold(held),
    }
}
