//! Before anything is touched: what on this node would be lost, or could never leave it; and what of its server would a
//! similar one not have? A node that is half drained when that shows is worse than one that is sick.

use super::drain::{self, PodSeen};
use super::eviction::listed;
use super::likeness::{self, Lack};
use super::next::Next;
use super::seen::{Rules, Seen};
use super::{Phase, judge};
use crate::reason::Reason;

/// A person, naming what the pool does not allow to be lost; `None` if there is nothing of it. It is looked at anew at each
/// try.
pub(super) fn refuse(seen: &Seen, rules: &Rules) -> Option<Next> {
    let (Some(pods), Some(lacks)) = (&seen.pods, &seen.more.lacks) else {
        return Some(Next::wait(seen, Reason::Preflight, ""));
    };
    let lacks = match lacks {
        Ok(lacks) => lacks,
        Err(why) => return Some(Next::wait(seen, Reason::CloudUnavailable, why)),
    };
    let forbidden = drain::plan(pods, rules.drain).forbidden;
    let pods = forbidden.iter().map(|pod| word(pod, rules));
    let lacks = likeness::forbidden(lacks, rules, seen.node.as_ref());
    let words: Vec<String> = lacks.map(Lack::to_string).chain(pods).collect();
    if words.is_empty() {
        return None;
    }
    Some(Next::enter(
        seen,
        Phase::NeedsHuman,
        Reason::PreflightRefused,
        format!("{}: {}", words.len(), listed(&words, words.len())),
    ))
}

fn word(pod: &PodSeen, rules: &Rules) -> String {
    let why = drain::forbids(pod, rules.drain).unwrap_or_default();
    format!("{} ({why})", pod.full_name())
}

/// Is a replacement decided on, but for this look?
pub(super) fn is_due(seen: &Seen) -> bool {
    seen.record.phase == Phase::Judging && judge::judging(seen).reason == Reason::Preflight
}
