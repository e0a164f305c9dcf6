//! What was told of this node, in words: kept in the journal, so that it can be read without an API server, after a restart and
//! after a boot. It is for people; nothing is decided by it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rectifier_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// So many are kept. Arbitrary: a problem that is healed tells four, so that a node that is ill ten times a day is remembered for
/// a fortnight.
pub(crate) const KEPT: usize = 500;

/// One thing that was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// Of which problem.
    pub problem: String,
    /// In one word, as the Event's reason.
    pub reason: String,
    /// In a sentence.
    pub text: String,
    /// It is no good news.
    pub warns: bool,
}

/// What was told lately, the newest last. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct History(Arc<Mutex<VecDeque<Told>>>);

impl History {
    /// All of it, the newest last.
    pub fn all(&self) -> Vec<Told> {
        self.kept().iter().cloned().collect()
    }

    pub(crate) fn add(&self, told: impl IntoIterator<Item = Told>) {
        let mut kept = self.kept();
        kept.extend(told);
        let more = kept.len().saturating_sub(KEPT);
        kept.drain(..more);
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
