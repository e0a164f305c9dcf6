//! What became of a remedy: observed, never taken from a call's return.

use super::limits::Limits;
use super::memory::{AttemptRecord, Course, Episode, Sight};
use super::plan::News;
use super::seen::Seen;
use crate::clock::seconds_between;
use crate::policy::{Outcome, Remedy, Seconds, Status};

/// An unreported condition is waited for so many settling times: a node that has just booted needs a moment until its
/// NPD speaks. Arbitrary.
const PATIENCE: u32 = 3;

/// Follows the running attempt, if there is one.
pub(super) fn follow(
    episode: &mut Episode,
    seen: &Seen,
    limits: &Limits,
    tell: &mut dyn FnMut(News),
) {
    let sight = episode.sight.clone();
    let kind = episode.problem.kind.clone();
    let mut reported = seen.conditions.iter();
    let reported = reported.find(|condition| condition.kind.as_str() == kind);
    let tells_after = reported.map_or(0, |condition| condition.tells_after);
    // what is away for another reason than the remedy has not been cured by it
    let doubt = match reported.is_some_and(|condition| condition.seen_to) {
        true => Some("a person has acknowledged it"),
        false => sight.reset.then_some("its detector was restarted"),
    };
    let Some(attempt) = episode
        .attempts
        .iter_mut()
        .find(|attempt| attempt.is_running())
    else {
        return;
    };
    if attempt.course == Course::Begun {
        let ended = seen
            .ended
            .as_ref()
            .filter(|ended| ended.problem.as_str() == kind);
        match ended.map(|ended| &ended.result) {
            Some(Ok(detail)) => settle(attempt, seen, detail),
            Some(Err(detail)) => end(attempt, seen, Outcome::Failed, detail),
            None => find_out(attempt, seen, limits),
        }
    }
    if let Course::Settling { since } = attempt.course
        && let Some((outcome, detail)) = judge(attempt, since, (&sight, tells_after, doubt), seen)
    {
        end(attempt, seen, outcome, &detail);
    }
    if let Course::Ended { outcome, .. } = attempt.course {
        tell(News::Outcome {
            remedy: attempt.remedy.to_string(),
            outcome,
            detail: attempt.detail.clone(),
        });
    }
}

fn settle(attempt: &mut AttemptRecord, seen: &Seen, detail: &str) {
    attempt.course = Course::Settling { since: seen.now };
    attempt.detail = detail.to_owned();
}

fn end(attempt: &mut AttemptRecord, seen: &Seen, outcome: Outcome, detail: &str) {
    attempt.course = Course::Ended {
        at: seen.now,
        outcome,
    };
    attempt.detail = detail.to_owned();
}

/// An attempt that was begun, and of which nobody here knows the end: this process may have been killed in the midst of
/// it. The world tells how far it came, or it stays unknown.
fn find_out(attempt: &mut AttemptRecord, seen: &Seen, limits: &Limits) {
    let Some(boot) = &seen.boot else { return };
    let same_boot = attempt.boot.as_ref() == Some(boot);
    match &attempt.remedy {
        Remedy::Reboot if !same_boot => settle(attempt, seen, "a new boot was seen"),
        Remedy::Reboot => {
            // The shutdown may be under way. It is never called for a second time: the grant is used up.
            if seconds_between(attempt.began, seen.now) >= limits.reboot_within {
                end(
                    attempt,
                    seen,
                    Outcome::Failed,
                    "no new boot was seen in time",
                );
            }
        }
        Remedy::Unit(_) | Remedy::Fix(_) if seen.carrying_out => {}
        Remedy::Unit(_) | Remedy::Fix(_) if !same_boot => {
            end(
                attempt,
                seen,
                Outcome::Unknown,
                "the node was booted in the midst of it",
            );
        }
        Remedy::Unit(call) => match seen.units.get(&call.name) {
            None => {}
            Some(unit) if unit.busy => {}
            Some(unit)
                if attempt
                    .invocation
                    .as_ref()
                    .is_some_and(|before| *before != unit.invocation) =>
            {
                settle(
                    attempt,
                    seen,
                    "found started again after the engine's own restart",
                );
            }
            Some(_) => end(
                attempt,
                seen,
                Outcome::Unknown,
                "the engine was restarted in the midst of it",
            ),
        },
        Remedy::Fix(_) => end(
            attempt,
            seen,
            Outcome::Unknown,
            "the engine was restarted in the midst of it",
        ),
        // None of these is ever begun; a journal that holds one was not written by this engine.
        Remedy::Decline | Remedy::Wait(_) | Remedy::Escalate | Remedy::Replace => {
            end(attempt, seen, Outcome::Unknown, "no remedy of a node");
        }
    }
}

fn judge(
    attempt: &AttemptRecord,
    since: jiff::Timestamp,
    (sight, tells_after, doubt): (&Sight, Seconds, Option<&str>),
    seen: &Seen,
) -> Option<(Outcome, String)> {
    let watched = seconds_between(since, seen.now);
    match sight.status {
        Status::Yes => (watched >= attempt.settle).then(|| {
            (
                Outcome::NoEffect,
                format!("still there after {watched} s: {}", sight.reason),
            )
        }),
        Status::No => {
            let gone = seconds_between(sight.since.max(since), seen.now);
            if gone < attempt.settle.max(tells_after) {
                return None;
            }
            if let Some(why) = doubt {
                return Some((Outcome::Unknown, why.to_owned()));
            }
            Some(match failed_unit(attempt, seen) {
                Some(unit) => (
                    Outcome::NoEffect,
                    format!("the condition is gone, but {unit} has failed"),
                ),
                None => (Outcome::Recovered, format!("gone for {gone} s")),
            })
        }
        Status::Unknown => (watched >= attempt.settle.saturating_mul(PATIENCE))
            .then(|| (Outcome::Unknown, "the condition is not reported".to_owned())),
    }
}

/// A unit that is merely inactive may have done its work; only `failed` speaks against a recovery.
fn failed_unit(attempt: &AttemptRecord, seen: &Seen) -> Option<String> {
    let Remedy::Unit(call) = &attempt.remedy else {
        return None;
    };
    let unit = seen.units.get(&call.name)?;
    (unit.active_state == "failed").then(|| call.name.to_string())
}
