//! Reads of our own beside the watch: both tell of the same nodes, and may cross on their way.

use std::sync::Arc;

use jiff::Timestamp;
use rectifier_core::name::NodeName;

use super::{Cluster, State};
use crate::slim::SlimNode;

/// How a node was known before it was read. What the watch told while the answer was under way is newer than the answer, or
/// may be: then the watch is right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Before {
    /// Its UID, and how often the watch has told of it.
    known: Option<(Arc<str>, u32)>,
    /// How many nodes had been forgotten: one that was not known may have come and gone.
    forgotten: u64,
}

impl State {
    fn before(&self, node: &NodeName) -> Before {
        let kept = self.nodes.get(node);
        Before {
            known: kept.map(|kept| (kept.uid.clone(), kept.told)),
            forgotten: if kept.is_some() { 0 } else { self.forgotten },
        }
    }
}

impl Cluster {
    /// To be asked before a node is read.
    pub(crate) fn before(&self, node: &NodeName) -> Before {
        self.state().before(node)
    }

    /// Takes a node as a read of our own showed it, unless the watch has spoken since.
    pub(crate) fn read(&self, node: &SlimNode, before: &Before, now: Timestamp) {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let Ok(name) = NodeName::parse(name) else {
            return;
        };
        let mut state = self.state();
        if state.before(&name) != *before {
            return;
        }
        if let Some((name, true)) = state.see(node, now) {
            state.fresh.insert(name);
        }
    }

    /// A read of our own found none of this name: the watch, which has not told it yet, would have what rests on it done again
    /// and again. Not one that was made since.
    pub(crate) fn is_absent(&self, node: &NodeName, before: &Before) {
        let mut state = self.state();
        let uid = |known: &Option<(Arc<str>, u32)>| known.as_ref().map(|(uid, _)| uid.clone());
        let now = state.before(node);
        if now.known.is_none() || uid(&now.known) != uid(&before.known) {
            return;
        }
        state.forget(node);
        drop(state);
        self.has_changed();
    }
}
