//! Before anything is touched: what on this node would be lost, or could never leave it? A node that is half drained when
//! that shows is worse than one that is sick.

use super::drain::{self, PodSeen};
use super::eviction::listed;
use super::next::Next;
use super::seen::{Rules, Seen};
use super::{Phase, judge};
use crate::reason::Reason;

/// A person, naming what the pool does not allow to be lost; `None` if there is nothing of it. It is looked at anew at each
/// try.
pub(super) fn refuse(seen: &Seen, rules: &Rules) -> Option<Next> {
    let Some(pods) = &seen.pods else {
        return Some(Next::wait(seen, Reason::Preflight, ""));
    };
    let forbidden = drain::plan(pods, rules.drain).forbidden;
    if forbidden.is_empty() {
        return None;
    }
    let words: Vec<String> = forbidden.iter().map(|pod| word(pod, rules)).collect();
    let detail = format!("{}: {}", forbidden.len(), listed(&words, words.len()));
    Some(Next::enter(
        seen,
        Phase::NeedsHuman,
        Reason::PreflightRefused,
        detail,
    ))
}

fn word(pod: &PodSeen, rules: &Rules) -> String {
    let why = drain::forbids(pod, rules.drain).unwrap_or_default();
    format!("{} ({why})", pod.full_name())
}

/// Is a replacement decided on, but for this look?
pub(super) fn is_due(seen: &Seen) -> bool {
    seen.record.phase == Phase::Judging
        && seen.pods.is_none()
        && judge::judging(seen).reason == Reason::Preflight
}
