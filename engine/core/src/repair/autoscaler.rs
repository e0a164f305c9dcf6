//! The cluster autoscaler takes neither node away while a repair is at work on them: a sick node that is drained looks to it like
//! one that nobody needs, and so does a replacement that has no pods yet. Both bear its own annotation meanwhile, and beside it
//! the repair that set it: what somebody else set stays.

use std::collections::BTreeMap;

use super::next::{Act, Next};
use super::seen::{NodeSeen, Seen};
use super::sick_node;
use crate::reason::Reason;

/// The autoscaler's annotation; it heeds `"true"`.
pub const SCALE_DOWN_DISABLED: &str = "cluster-autoscaler.kubernetes.io/scale-down-disabled";

/// Whose it is: the UID of a repair.
pub const SCALE_DOWN_HELD_BY: &str = "rectifier.dev/scale-down-held-by";

const YES: &str = "true";

/// Annotations to be written; `None` takes one away.
pub type Annotations = BTreeMap<&'static str, Option<String>>;

/// What holds a node with these annotations for a repair: nothing, if somebody has said whether it may go. What another repair
/// holds is taken over: that one may be about to let go of it, or be no more.
pub fn hold(annotations: &BTreeMap<String, String>, repair: &str) -> Annotations {
    let mut held = Annotations::new();
    let is_said = annotations.contains_key(SCALE_DOWN_DISABLED);
    if !is_said || annotations.contains_key(SCALE_DOWN_HELD_BY) {
        held.insert(SCALE_DOWN_HELD_BY, Some(repair.to_owned()));
    }
    if !is_said {
        held.insert(SCALE_DOWN_DISABLED, Some(YES.to_owned()));
    }
    held
}

/// What takes that back. What somebody changed since is theirs.
pub fn let_go(annotations: &BTreeMap<String, String>, repair: &str) -> Annotations {
    let is = |key: &str, value: &str| annotations.get(key).is_some_and(|is| is == value);
    let mut taken = Annotations::new();
    if is(SCALE_DOWN_HELD_BY, repair) {
        taken.insert(SCALE_DOWN_HELD_BY, None);
        if is(SCALE_DOWN_DISABLED, YES) {
            taken.insert(SCALE_DOWN_DISABLED, None);
        }
    }
    taken
}

/// No repair ends while the node that it leaves in place is held, whoever took the cordon away.
pub(super) fn before_the_end(seen: &Seen, next: Next) -> Next {
    if seen.record.phase.is_final() || !next.record.phase.is_final() {
        return next;
    }
    leave(seen, sick_node(seen), Reason::LettingScaleDown).unwrap_or(next)
}

/// The node is still held by this repair, which has no use for that any more.
pub(super) fn leave(seen: &Seen, node: Option<&NodeSeen>, reason: Reason) -> Option<Next> {
    let node = node?;
    let is_held = !let_go(&node.annotations, seen.repair_uid.as_str()).is_empty();
    let act = || Act::LetScaleDown {
        node: node.name.clone(),
        uid: node.uid.clone(),
    };
    is_held.then(|| Next::act(seen, act(), reason))
}
