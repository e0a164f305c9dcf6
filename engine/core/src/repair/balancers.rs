//! Load balancers send nothing new to a node whose pods leave it for good: the label that cloud providers heed is put on it right
//! after the commit, and its server is not deleted before they had time for that. It needs no taking back: the Node goes.

use super::next::{Act, Next};
use super::seen::{Rules, Seen};
use super::{Phase, sick_node};
use crate::clock::seconds_between;
use crate::reason::Reason;

/// Kubernetes' own label, whatever its value.
pub const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// The node is still one that they use.
pub(super) fn leave(seen: &Seen) -> Option<Next> {
    let node = sick_node(seen)?;
    let is_used = !node.labels.contains_key(EXCLUDED);
    let reason = match seen.record.committed_at {
        Some(_) => Reason::Committed,
        None => Reason::MakingRoom,
    };
    is_used.then(|| Next::act(seen, Act::LeaveBalancers, reason))
}

/// They have not had their time yet, which began with the drain.
pub(super) fn awaited(seen: &Seen, rules: &Rules) -> Option<Next> {
    // a Node that is gone is nobody's any more
    sick_node(seen)?.labels.get(EXCLUDED)?;
    let mut steps = seen.record.steps.iter();
    let drained = steps.find(|step| step.phase == Phase::Draining)?.at;
    // of one that goes first they are told when that is certain
    let ended = seen.record.room.as_ref().and_then(|room| room.ended_at);
    let told = ended.map_or(drained, |ended| ended.max(drained));
    let words = || format!("they have {} s since they were told", rules.balancers);
    (seconds_between(told, seen.now) < rules.balancers)
        .then(|| Next::wait(seen, Reason::LeavingBalancers, words()))
}
