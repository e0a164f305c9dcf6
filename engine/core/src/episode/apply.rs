//! A verdict becomes memory and news. Nothing is told twice: only a change is news.

use super::guard::{self, Closed, after};
use super::handover;
use super::limits::Limits;
use super::memory::{AttemptRecord, Course, Episode, Memory, Wait};
use super::plan::{Begin, News};
use super::seen::Seen;
use super::verdict::{LONGEST, Verdict, asked, hold};
use crate::name::ConditionKind;
use crate::policy::{Decision, Outcome, PolicyRef, Remedy};
use crate::reason::Reason;
use crate::repair::Asks;

/// As many attempts as an episode keeps; the oldest refused ones go first. Twice what a policy may see.
const ATTEMPTS_KEPT: usize = 64;

/// Remembers what was decided on one episode. What is to be begun comes back, its attempt remembered.
pub(super) fn apply(
    memory: &mut Memory,
    kind: &ConditionKind,
    verdict: Verdict,
    seen: &Seen,
    limits: &Limits,
    tell: &mut dyn FnMut(News),
) -> Option<Begin> {
    let shut = guard::remedy(memory, memory.episodes.get(kind)?, seen, limits).is_err();
    let episode = memory.episodes.get_mut(kind)?;
    match verdict {
        Verdict::Hold(held) => {
            held_back(episode, held, tell);
            None
        }
        Verdict::Wait(seconds, held) => {
            episode.wait = Some(Wait {
                until: after(seen.now, seconds),
                policies: seen.policies,
                shut,
            });
            held_back(episode, held, tell);
            None
        }
        Verdict::Refuse(remedy, policy, held) => {
            episode.wait = Some(Wait {
                until: after(seen.now, limits.ask_again),
                policies: seen.policies,
                shut,
            });
            refuse(episode, remedy, policy, &held, seen);
            held_back(episode, held, tell);
            None
        }
        Verdict::Ask(asks, reason, detail) => {
            if episode.tried() > 0 && episode.asks() < Some(Asks::Reboot) {
                memory.failed.push(seen.now);
            }
            handover::ask(episode, asks);
            episode.stands = asked(asks);
            tell(News::Asked { asks, reason });
            if !detail.is_empty() {
                tell(News::Held { reason, detail });
            }
            None
        }
        Verdict::Draw(turn) => {
            episode.turn = Some(turn);
            // the policy is asked again when its gate is open
            episode.wait = Some(Wait {
                until: turn,
                policies: seen.policies,
                shut: false,
            });
            let until = format!("not before {turn}");
            held_back(episode, hold(Reason::SpreadOut, until), tell);
            None
        }
        Verdict::Begin(decision, policy) => {
            let begin = begin(kind, &decision.remedy)?;
            episode.wait = None;
            episode.stands = None;
            push(episode, attempt(&decision, Some(policy), seen, limits));
            memory.begins(seen.now);
            tell(News::Begun(format!(
                "{}: {}",
                decision.remedy, decision.reason
            )));
            Some(begin)
        }
    }
}

/// Told when it changes, and not at every pass.
fn held_back(episode: &mut Episode, held: Closed, tell: &mut dyn FnMut(News)) {
    if episode.stands != Some(held.reason) {
        episode.stands = Some(held.reason);
        tell(News::Held {
            reason: held.reason,
            detail: held.detail,
        });
    }
}

/// A refusal is an attempt that the policy should see; said again and again, it is one.
fn refuse(episode: &mut Episode, remedy: Remedy, policy: PolicyRef, held: &Closed, seen: &Seen) {
    let same = |last: &AttemptRecord| last.outcome() == Outcome::Refused && last.remedy == remedy;
    if episode.attempts.last().is_some_and(same) {
        return;
    }
    let course = Course::Ended {
        at: seen.now,
        outcome: Outcome::Refused,
    };
    let detail = format!("{}: {}", held.reason.text(), held.detail);
    push(
        episode,
        AttemptRecord {
            remedy,
            policy: Some(policy),
            began: seen.now,
            settle: 0,
            course,
            detail,
            boot: seen.boot.clone(),
            invocation: None,
            grant: None,
        },
    );
}

fn attempt(
    decision: &Decision,
    policy: Option<PolicyRef>,
    seen: &Seen,
    limits: &Limits,
) -> AttemptRecord {
    let invocation = match &decision.remedy {
        Remedy::Unit(call) => seen
            .units
            .get(&call.name)
            .map(|unit| unit.invocation.clone()),
        Remedy::Fix(_)
        | Remedy::Decline
        | Remedy::Wait(_)
        | Remedy::Reboot
        | Remedy::Escalate
        | Remedy::Replace => None,
    };
    AttemptRecord {
        remedy: decision.remedy.clone(),
        policy,
        began: seen.now,
        settle: decision.settle.unwrap_or(limits.settle).clamp(1, LONGEST),
        course: Course::Begun,
        detail: String::new(),
        boot: seen.boot.clone(),
        invocation,
        grant: None,
    }
}

fn begin(kind: &ConditionKind, remedy: &Remedy) -> Option<Begin> {
    match remedy {
        Remedy::Unit(call) => Some(Begin::Unit {
            problem: kind.clone(),
            call: call.clone(),
        }),
        Remedy::Fix(call) => Some(Begin::Fix {
            problem: kind.clone(),
            call: call.clone(),
        }),
        // A reboot begins by a grant (handover.rs); the others are nothing to begin.
        Remedy::Reboot | Remedy::Decline | Remedy::Wait(_) | Remedy::Escalate | Remedy::Replace => {
            None
        }
    }
}

/// Bounded: a refusal is forgotten first, then the oldest.
pub(super) fn push(episode: &mut Episode, attempt: AttemptRecord) {
    if episode.attempts.len() >= ATTEMPTS_KEPT {
        let refused = episode
            .attempts
            .iter()
            .position(|old| old.outcome() == Outcome::Refused);
        episode.attempts.remove(refused.unwrap_or(0));
    }
    episode.attempts.push(attempt);
}
