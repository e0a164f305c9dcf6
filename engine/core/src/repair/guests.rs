//! Pods that got onto a replacement which is taken back: they tolerate its taint. Before the commit nothing of ours may
//! lose a pod below its budget, so these leave by eviction, and as long as one may not leave nothing is deleted: that waits
//! without an end, and says for what.

use super::Phase;
use super::drain::{self, DrainRules, Plan};
use super::eviction::held;
use super::next::{Act, Next};
use super::seen::{CloudSeen, CloudView, NodeSeen, Seen};
use crate::reason::Reason;

/// The next step of their leaving, or `None` when the replacement may be removed.
pub(super) fn leave(seen: &Seen, view: &CloudView) -> Option<Next> {
    let node = host(view)?;
    let Some(pods) = &seen.more.guests else {
        return Some(Next::wait(
            seen,
            Reason::RollingBack,
            "its pods were not read",
        ));
    };
    // Without a pool nothing is allowed that could lose anything.
    let rules = seen
        .pool
        .as_ref()
        .map_or(DrainRules::default(), |rules| rules.drain);
    let plan = drain::plan(pods, rules);
    // Who was evicted within his budget and has had his grace is not ended by a dead kubelet, but by the server's end.
    if plan.is_only_waiting_in_vain(seen.now) {
        return None;
    }
    // Else who is evicted could come straight back.
    if !node.unschedulable {
        let act = Act::CordonReplacement(node.uid.clone());
        return Some(Next::act(seen, act, Reason::RollingBack));
    }
    let (reason, detail) = words(&plan, seen);
    let next = Next::wait(seen, reason, detail);
    let due = plan.due(&seen.held_back, seen.now);
    Some(if due.is_empty() {
        next
    } else {
        next.then(Act::EvictFromReplacement(due))
    })
}

fn words(plan: &Plan, seen: &Seen) -> (Reason, String) {
    match held(plan, seen) {
        (Reason::Evicting, detail) => (Reason::Evicting, detail),
        (why, detail) => (Reason::RollbackHeld, format!("{why}: {detail}")),
    }
}

/// The Node on which such pods can be: one whose server is still there.
fn host(view: &CloudView) -> Option<&NodeSeen> {
    let node = view.replacement_node.as_ref()?;
    (!view.replacements.is_empty()).then_some(node)
}

/// Are they to be read?
pub(super) fn are_due(seen: &Seen) -> bool {
    let CloudSeen::Fresh(view) = &seen.cloud else {
        return false;
    };
    matches!(seen.record.phase, Phase::RollingBack | Phase::Discarding) && host(view).is_some()
}
