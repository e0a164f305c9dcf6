//! What is remembered of a node between two looks at it, and is nowhere else: none of it survives the process, and nothing
//! that must is here.

use jiff::Timestamp;
use rectifier_cloud::Server;
use rectifier_core::clock::seconds_between;
use rectifier_core::name::NodeName;
use rectifier_core::reason::Reason;
use rectifier_core::repair::Lack;
use rectifier_core::repair::drain::{HeldBack, PodSeen};

use super::described::Asking;
use super::{Asked, Cluster, TELL_AGAIN};

impl Cluster {
    /// Why the last look opened no repair of this node although its pool and a policy are there, if something else did.
    pub(crate) fn hold(&self, node: &NodeName, why: Option<Reason>) {
        let mut state = self.state();
        match why {
            Some(why) => state.held.insert(node.clone(), why),
            None => state.held.remove(node),
        };
    }

    /// Keeps what the API server said of the pods that it now refused to evict, in a repair of this node. Of those that were not
    /// asked for it keeps what it said before.
    pub(crate) fn hold_back(&self, node: &NodeName, asked: &[PodSeen], refused: Vec<HeldBack>) {
        let mut state = self.state();
        let held = state.held_back.entry(node.clone()).or_default();
        held.retain(|held| asked.iter().all(|pod| pod.uid != held.pod));
        held.extend(refused);
    }

    /// Forgets what it said of pods that are not there any more.
    pub(crate) fn let_go(&self, node: &NodeName, pods: &[PodSeen]) {
        let mut state = self.state();
        if let Some(held) = state.held_back.get_mut(node) {
            held.retain(|held| pods.iter().any(|pod| pod.uid == held.pod));
        }
    }

    /// See [`Self::hold_back`].
    pub(crate) fn held_back(&self, node: &NodeName) -> Vec<HeldBack> {
        let state = self.state();
        state.held_back.get(node).cloned().unwrap_or_default()
    }

    /// Keeps what the cloud said when a quota or a subnet left no room for this attempt, known by its tag; or that it has.
    pub(crate) fn use_up(&self, node: &NodeName, tag: &str, words: Option<String>) {
        let mut state = self.state();
        match words {
            Some(words) => drop(state.used_up.insert(node.clone(), (tag.to_owned(), words))),
            None => drop(state.used_up.remove(node)),
        }
    }

    /// See [`Self::use_up`].
    pub(crate) fn used_up(&self, node: &NodeName, tag: &str) -> Option<String> {
        let state = self.state();
        let (of, words) = state.used_up.get(node)?;
        (of == tag).then(|| words.clone())
    }

    /// What a similar server would lack, if it was looked at a short while ago.
    pub(crate) fn lacks(
        &self,
        node: &NodeName,
        asked: &Asked,
        now: Timestamp,
    ) -> Option<Vec<Lack>> {
        self.state().lacks.known(node, asked, now)
    }

    /// See [`Self::lacks`].
    pub(crate) fn keep_lacks(
        &self,
        node: &NodeName,
        asked: Asked,
        lacks: Vec<Lack>,
        now: Timestamp,
    ) {
        self.state().lacks.keep(node, asked, lacks, now);
    }

    /// Keeps what the cloud said of a node's server, for the next look at it, if that comes at once.
    pub(crate) fn describe(&self, node: &NodeName, server: Server, now: Timestamp) {
        self.state().described.keep(node, server, now);
    }

    /// Lets so many ask at a time what they will need later.
    pub(crate) fn may_ask_ahead(&self, at_a_time: usize) -> Option<Asking<'_>> {
        Asking::begin(&self.asking, at_a_time)
    }

    /// See [`Self::describe`].
    pub(crate) fn is_described(&self, node: &NodeName, now: Timestamp) -> bool {
        self.state().described.holds(node, now)
    }

    /// See [`Self::describe`].
    pub(crate) fn take_described(&self, node: &NodeName, now: Timestamp) -> Option<Server> {
        self.state().described.take(node, now)
    }

    /// Is this news about the node, which has no repair that would remember what was told? If so, it is told now.
    pub(crate) fn is_news(
        &self,
        node: &NodeName,
        reason: Reason,
        detail: &str,
        now: Timestamp,
    ) -> bool {
        let mut state = self.state();
        let told = state.told.entry(node.clone()).or_default();
        told.retain(|_, at| seconds_between(*at, now) < TELL_AGAIN);
        let words = (reason, detail.to_owned());
        let known = told.contains_key(&words);
        told.entry(words).or_insert(now);
        !known
    }

    /// It could not be told after all: the next time it is news again.
    pub(crate) fn was_not_told(&self, node: &NodeName, reason: Reason, detail: &str) {
        if let Some(told) = self.state().told.get_mut(node) {
            told.remove(&(reason, detail.to_owned()));
        }
    }
}
