//! What the watches tell, reduced to the few facts that decisions read, and since when each has been so.
//!
//! `lastTransitionTime` is written by whoever reports a condition, and some report it wrong; so "for how long" counts
//! from our own first sight. A restart of ours begins that count anew: it can only make us wait longer. What else the reporters'
//! own times tell is in `rectifier_core::repair::told`.
//!
//! Thousands of nodes are here, and nearly all of them are well: what is asked often is kept as it changes (which nodes are
//! sick, which pool each is in, how many each pool has), and nothing walks over all of them but a change of the pools.

mod archived;
mod described;
mod held;
mod lacks;
mod listed;
mod look;
mod made;
mod members;
mod memory;
mod node;
mod read;
mod storm;
mod turns;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rectifier_api::{NodeRepair, RepairPool, repair_name};
use rectifier_core::clock::seconds_between;
use rectifier_core::name::{ConditionKind, NodeName, ServerId};
use rectifier_core::policy::{Seconds, Status};
use rectifier_core::reason::Reason;
use rectifier_core::repair::drain::HeldBack;
use rectifier_core::repair::told::Spell;
use rectifier_core::repair::{self, Flight, Lineage, NoRules, ProblemSeen, Tried};
use tokio::sync::Notify;

pub(crate) use self::archived::Archived;
use self::described::Described;
pub(crate) use self::lacks::Asked;
use self::lacks::Lacks;
use self::listed::Listed;
pub use self::look::Sick;
use self::made::Made;
use self::members::{Members, Pool, selecting};
use self::node::Kept;
use self::storm::Storms;
pub(crate) use self::storm::{Answers, Weather, pace};
use self::turns::Turns;
use self::words::Words;
use crate::slim::{SlimNode, SlimRepair};

/// One condition as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) status: Status,
    pub(crate) reason: String,
    pub(crate) message: String,
    /// Since when we have seen this status without a break.
    pub(crate) since: Timestamp,
    /// How it has come and gone.
    pub(crate) spell: Spell,
}

/// What is kept of a node, for whoever looks at it closer.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeFacts {
    pub(crate) uid: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) conditions: BTreeMap<ConditionKind, Sight>,
}

/// A kind of object that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Node,
    Pool,
    Repair,
}

impl Kind {
    /// The name in metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Kind::Node => "node",
            Kind::Pool => "repairpool",
            Kind::Repair => "noderepair",
        }
    }
}

/// An open repair, as far as others than itself are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) uid: String,
    pub(crate) flight: Flight,
    pub(crate) reason: Option<Reason>,
    pub(crate) tried: Vec<Tried>,
    /// What takes its node's place.
    pub(crate) made: Option<Made>,
}

impl Open {
    /// Of one that was just opened, or that the watch has not shown yet.
    pub(crate) fn new(repair: &NodeRepair) -> Self {
        let record = repair.status.clone().unwrap_or_default();
        Self {
            uid: repair.metadata.uid.clone().unwrap_or_default(),
            flight: Flight::of(&record),
            reason: record.reason,
            tried: record.tried,
            made: Made::new(repair),
        }
    }

    /// Of a repair that bears its node's name.
    pub(crate) fn of(repair: &SlimRepair) -> Self {
        Self {
            uid: repair.metadata.uid.clone().unwrap_or_default(),
            flight: repair.status.flight(),
            reason: repair.status.reason,
            tried: repair.status.tried.clone(),
            made: Made::of(repair),
        }
    }
}

#[derive(Default)]
struct State {
    nodes: BTreeMap<NodeName, Kept>,
    /// Of those, the ones that have a problem.
    sick: BTreeSet<NodeName>,
    /// A read of our own showed something new; the watch, which tells the same later, must not take it for old.
    fresh: BTreeSet<NodeName>,
    /// Counts the nodes that went away.
    forgotten: u64,
    members: Members,
    words: Words,
    /// Counts the lists of nodes.
    list: u64,
    is_listing: bool,
    /// A list of nodes has ended.
    nodes_complete: bool,
    pools: Listed<String, Pool>,
    repairs: Listed<NodeName, Open>,
    /// Repairs that are over, by their names.
    archived: Listed<String, Archived>,
    turns: Turns,
    storms: Storms,
    held_back: BTreeMap<NodeName, Vec<HeldBack>>,
    /// Of which attempt, by its tag, and in which words.
    used_up: BTreeMap<NodeName, (String, String)>,
    lacks: Lacks,
    described: Described,
    held: BTreeMap<NodeName, Reason>,
    told: BTreeMap<NodeName, BTreeMap<(Reason, String), Timestamp>>,
    heard: BTreeMap<Kind, Timestamp>,
}

/// The cluster as the watches show it.
#[derive(Default)]
pub(crate) struct Cluster {
    state: Mutex<State>,
    changed: Notify,
    asking: AtomicUsize,
}

/// What was told of a node is told again after this: Events are kept for an hour, unless the API server is told otherwise.
pub(crate) const TELL_AGAIN: Seconds = 3600;

impl State {
    fn selecting(&self, labels: &BTreeMap<String, String>) -> Result<Arc<str>, NoRules> {
        selecting(self.pools.whole.values(), labels)
    }

    /// Which pool each node is in, anew: the pools are others.
    fn place_all(&mut self) {
        let State {
            nodes,
            members,
            pools,
            ..
        } = self;
        for kept in nodes.values_mut() {
            let pool = selecting(pools.whole.values(), &kept.labels());
            if pool != kept.place.pool {
                members.leave(&kept.place);
                kept.place.pool = pool;
                members.enter(&kept.place);
            }
        }
    }

    fn see(&mut self, node: &SlimNode, now: Timestamp) -> Option<(NodeName, bool)> {
        let name = NodeName::parse(node.metadata.name.clone()?).ok()?;
        let labels = node.metadata.labels.as_ref();
        let before = self.nodes.remove(&name);
        let pool = match &before {
            Some(before) if before.has_labels(labels) => before.place.pool.clone(),
            Some(_) | None => self.selecting(labels.unwrap_or(&BTreeMap::new())),
        };
        let mut kept = Kept::new(node, before.as_ref(), &mut self.words, now, pool);
        kept.listed = match self.is_listing {
            true => self.list,
            false => kept.listed,
        };
        let differs = before.as_ref().is_none_or(|before| kept.differs(before));
        if let Some(before) = &before {
            self.members.leave(&before.place);
            if let Ok(pool) = &kept.place.pool {
                for (kind, ill) in kept.turned(before) {
                    self.storms.turned((&name, pool), kind, ill, now);
                }
            }
        }
        self.members.enter(&kept.place);
        match kept.is_sick() {
            true => self.sick.insert(name.clone()),
            false => self.sick.remove(&name),
        };
        self.nodes.insert(name.clone(), kept);
        Some((name, differs))
    }

    fn forget(&mut self, node: &NodeName) {
        if let Some(kept) = self.nodes.remove(node) {
            self.members.leave(&kept.place);
        }
        self.forgotten += 1;
        self.sick.remove(node);
        self.fresh.remove(node);
        self.held_back.remove(node);
        self.used_up.remove(node);
        self.lacks.forget(node);
        self.described.forget(node);
        self.held.remove(node);
        self.told.remove(node);
    }
}

impl Cluster {
    fn state(&self) -> MutexGuard<'_, State> {
        // a panic elsewhere leaves plain data behind, which the next event overwrites
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has every watch told everything once? Before that nothing can be decided: what was not named yet is not absent.
    pub(crate) fn is_complete(&self) -> bool {
        let state = self.state();
        state.nodes_complete && state.pools.complete && state.repairs.complete
    }

    /// A watch has spoken.
    pub(crate) fn heard(&self, kind: Kind, now: Timestamp) {
        self.state().heard.insert(kind, now);
    }

    /// How long ago each watch has spoken last.
    pub(crate) fn ages(&self, now: Timestamp) -> Vec<(Kind, Seconds)> {
        let state = self.state();
        let age = |(kind, at): (&Kind, &Timestamp)| (*kind, seconds_between(*at, now));
        state.heard.iter().map(age).collect()
    }

    /// Takes a node as the watch told it; its name, and whether it has to be looked at: something that decisions read is
    /// new, and it is sick, or in repair, or was.
    pub(crate) fn see(&self, node: &SlimNode, now: Timestamp) -> Option<(NodeName, bool)> {
        let mut state = self.state();
        let name = NodeName::parse(node.metadata.name.clone()?).ok()?;
        let was_sick = state.sick.contains(&name);
        let (_, differs) = state.see(node, now)?;
        if let Some(kept) = state.nodes.get_mut(&name) {
            kept.told = kept.told.wrapping_add(1);
        }
        let is_news = state.fresh.remove(&name) || differs;
        let concerns = was_sick || state.sick.contains(&name);
        let concerns = concerns || state.repairs.whole.contains_key(&name);
        drop(state);
        if is_news {
            self.has_changed();
        }
        Some((name, is_news && concerns))
    }

    pub(crate) fn forget(&self, node: &NodeName) {
        self.state().forget(node);
        self.has_changed();
    }

    /// A full list of nodes begins: what it does not name is gone when it ends.
    pub(crate) fn nodes_begin(&self) {
        let mut state = self.state();
        state.list += 1;
        state.is_listing = true;
    }

    /// What it did not name, and is forgotten.
    pub(crate) fn nodes_end(&self) -> Vec<NodeName> {
        let mut state = self.state();
        if !std::mem::take(&mut state.is_listing) {
            return Vec::new();
        }
        state.nodes_complete = true;
        let list = state.list;
        let gone = state.nodes.iter().filter(|(_, kept)| kept.listed != list);
        let gone: Vec<NodeName> = gone.map(|(name, _)| name.clone()).collect();
        gone.iter().for_each(|name| state.forget(name));
        gone
    }

    /// A full list of pools begins.
    pub(crate) fn pools_begin(&self) {
        self.state().pools.begins();
    }

    /// It is whole, and replaces what was known.
    pub(crate) fn pools_end(&self) {
        let mut state = self.state();
        state.pools.ends();
        state.place_all();
        drop(state);
        self.has_changed();
    }

    /// A full list of repairs begins.
    pub(crate) fn repairs_begin(&self) {
        let mut state = self.state();
        state.repairs.begins();
        state.archived.begins();
    }

    /// It is whole, and replaces what was known. The nodes whose repair it does not name any more.
    pub(crate) fn repairs_end(&self) -> Vec<NodeName> {
        let mut state = self.state();
        state.archived.ends();
        let gone = state.repairs.ends();
        drop(state);
        self.has_changed();
        gone
    }

    /// Whether there is more in it than another status.
    pub(crate) fn see_pool(&self, name: String, pool: Option<RepairPool>) -> bool {
        let mut state = self.state();
        let rules = |pool: &RepairPool| (pool.spec.clone(), pool.metadata.annotations.clone());
        let before = state.pools.whole.get(&name).map(|pool| rules(&pool.object));
        let is_new = before != pool.as_ref().map(rules);
        let pool = pool.map(|pool| Pool::new(&name, pool));
        state.pools.set(name, pool);
        // a list that is under way counts when it is whole
        if is_new && !state.pools.is_listing() {
            state.place_all();
        }
        drop(state);
        self.has_changed();
        is_new
    }

    /// All pools, in the order of their names.
    pub(crate) fn pools(&self) -> Vec<RepairPool> {
        let state = self.state();
        let all = state.pools.whole.values();
        all.map(|pool| RepairPool::clone(&pool.object)).collect()
    }

    pub(crate) fn see_archived(&self, name: String, kept: Option<Archived>) {
        self.state().archived.set(name, kept);
    }

    /// A copy that was just made: it counts before the watch tells of it.
    pub(crate) fn has_archived(&self, name: String, kept: Archived) {
        self.state().archived.add(name, kept);
    }

    /// The repairs of this node, or of another that had its name, that are over; `None` if not all of them may be known here.
    ///
    /// `open` is the UID of the one that is open as the API server has it, if any is. A copy is there before the repair of which
    /// it is one is gone, and the watch tells everything in its order: where it shows the same as open, it has told of all that
    /// were before.
    pub(crate) fn stories(
        &self,
        node: &NodeName,
        open: Option<&str>,
    ) -> Option<Vec<repair::Archived>> {
        let state = self.state();
        let shown = state.repairs.whole.get(node);
        if shown.map(|shown| shown.uid.as_str()) != open {
            return None;
        }
        let first = format!("{}.", repair_name(node));
        let copies = state.archived.whole.range(first.clone()..);
        let own = copies
            .take_while(|(name, _)| name.starts_with(&first))
            .filter(|(_, kept)| kept.node == node.as_str());
        Some(own.map(|(_, kept)| kept.story.clone()).collect())
    }

    /// Does the watch show an open repair of this node?
    pub(crate) fn is_open(&self, node: &NodeName) -> bool {
        self.state().repairs.whole.contains_key(node)
    }

    /// One that was just opened: it counts before the watch tells of it.
    pub(crate) fn has_opened(&self, node: NodeName, open: Open) {
        self.state().repairs.add(node, open);
        self.has_changed();
    }

    /// The repairs that are over.
    pub(crate) fn archived(&self) -> Vec<(String, Archived)> {
        let state = self.state();
        let all = state.archived.whole.iter();
        all.map(|(name, kept)| (name.clone(), kept.clone()))
            .collect()
    }

    /// The repair by which this node came to be, the last if there are more.
    pub(crate) fn lineage(&self, node: &NodeName, server: Option<&ServerId>) -> Option<Lineage> {
        let state = self.state();
        let archived = state.archived.whole.values().map(|kept| &kept.made);
        let open = state.repairs.whole.values().map(|open| &open.made);
        let all = archived.chain(open).flatten();
        let made = all.filter_map(|made| made.lineage(node, server));
        made.max_by_key(|made| made.committed)
    }

    /// The nodes whose repairs are in flight.
    pub(crate) fn in_flight(&self, now: Timestamp) -> Vec<NodeName> {
        let state = self.state();
        let all = state.repairs.whole.iter();
        let own = all.filter(|(_, open)| open.flight.counts(now));
        own.map(|(node, _)| node.clone()).collect()
    }

    /// Something was told that a pool's status may rest on.
    pub(crate) fn has_changed(&self) {
        self.changed.notify_one();
    }

    /// Waits until something is.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// All nodes with their facts.
    pub(crate) fn nodes(&self) -> Vec<(NodeName, NodeFacts)> {
        let state = self.state();
        let all = state.nodes.iter();
        all.map(|(name, kept)| (name.clone(), kept.facts()))
            .collect()
    }

    /// The node's open repair, or that it has none.
    pub(crate) fn see_repair(&self, node: NodeName, open: Option<Open>) {
        self.state().repairs.set(node, open);
        self.has_changed();
    }

    /// Another Node that says that it is this server.
    pub(crate) fn twin(&self, node: &NodeName, server: &ServerId) -> Option<NodeName> {
        let state = self.state();
        let mut others = state.nodes.iter().filter(|(name, _)| *name != node);
        others
            .find(|(_, kept)| kept.is_server(server))
            .map(|(name, _)| name.clone())
    }

    pub(crate) fn facts(&self, node: &NodeName) -> Option<NodeFacts> {
        self.state().nodes.get(node).map(Kept::facts)
    }

    /// What a problem's condition on this node is worth as evidence.
    pub(crate) fn problem(&self, node: &NodeName, kind: &str, now: Timestamp) -> ProblemSeen {
        let state = self.state();
        let kept = state.nodes.get(node);
        ProblemSeen::of(kept.and_then(|kept| kept.told(kind, now)))
    }

    /// For how long a condition has been seen with its present status.
    pub(crate) fn held(
        &self,
        node: &NodeName,
        kind: &str,
        now: Timestamp,
    ) -> Option<(Status, Seconds)> {
        let (status, since) = self.state().nodes.get(node)?.held(kind)?;
        Some((status, seconds_between(since, now)))
    }
}
