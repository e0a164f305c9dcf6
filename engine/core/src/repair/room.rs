//! The sick server goes before its replacement is made, where no host can take both and the pool says so: `TerminateFirst`.
//!
//! Everything that its replacement is made from, and measured by, is written down first: nobody can look it up afterwards.
//! Its pods leave by their budgets, as always. Until its end is begun a person, or a problem that goes away, calls all of it
//! off, and the node is as it was; from then on there is only forward, to a replacement.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::next::{Act, Next};
use super::owners::OwnerReady;
use super::record::Record;
use super::seen::{CloudView, NodeSeen, Rules, Seen};
use super::{Phase, call_off, called_off, committed, hands, history, power, replace, told};
use crate::clock::seconds_between;
use crate::name::NodeName;
use crate::policy::{Outcome, Seconds};
use crate::reason::Reason;

/// What is done when no host, or no quota, has room for a replacement beside the sick server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum NoCapacity {
    /// It is tried again, every few minutes. The sick node stays cordoned.
    #[default]
    Wait,
    /// The sick node is drained and its server deleted, so that its replacement finds room. Until that has joined, the cluster
    /// has one node less; and whoever else asks the cloud for a server in that moment may get the room.
    TerminateFirst,
}

/// The sick server goes before its replacement is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// When that was decided.
    pub since: Timestamp,
    /// When its end was begun: there is no way back from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When its host had said that it was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
    /// What its replacement is made from.
    pub kept: Kept,
}

/// What was read of the sick node and its server while they were there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// What a similar server needs, as JSON; written and read by the engine's cloud side alone.
    #[schemars(length(max = 65536))]
    pub server: String,
    /// What the node has and offers.
    pub node: Traits,
    /// Its CSI drivers.
    #[serde(default)]
    pub drivers: Vec<String>,
    /// The DaemonSets that have a pod on it, and on how many nodes such a pod was Ready here: on it, or on none.
    #[serde(default)]
    pub daemon_sets: Vec<OwnerReady>,
}

/// What of a node its replacement is given, and measured by.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Traits {
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its taints, as `key=value:Effect`.
    #[serde(default)]
    pub taints: Vec<String>,
    /// What pods may use of it, in thousandths.
    #[serde(default)]
    pub allocatable: BTreeMap<String, u64>,
    /// The same of all that it has.
    #[serde(default)]
    pub capacity: BTreeMap<String, u64>,
}

impl From<&NodeSeen> for Traits {
    fn from(node: &NodeSeen) -> Self {
        Self {
            labels: node.labels.clone(),
            taints: node.taints.clone(),
            allocatable: node.allocatable.clone(),
            capacity: node.capacity.clone(),
        }
    }
}

/// Another node of the pool whose server goes first, or has gone, and whose replacement is not there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    /// Which.
    pub node: NodeName,
    /// Its server's end was begun.
    pub is_away: bool,
    /// A person was asked: nothing is tried for it until they have spoken.
    pub is_a_persons: bool,
}

impl Short {
    fn words(&self) -> String {
        let node = &self.node;
        match self.is_away {
            true => {
                format!("the server of {node} has gone first, and its replacement is not there yet")
            }
            false => format!("that of {node} is about to"),
        }
    }
}

/// On which side of the point of no return a repair is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Everything can be taken back.
    Before,
    /// The same, while the sick node is drained so that its server can go first.
    MakingRoom,
    /// The sick server's end was begun. Its replacement has to be made.
    RoomMade,
    /// The replacement is adopted.
    Committed,
}

impl Side {
    /// There is only forward.
    pub fn is_past_return(self) -> bool {
        self.no_way_back().is_some()
    }

    /// Why there is only forward, if that is so.
    pub fn no_way_back(self) -> Option<&'static str> {
        match self {
            Side::Before | Side::MakingRoom => None,
            Side::RoomMade => Some("its server goes, or is gone"),
            Side::Committed => Some("its replacement is committed"),
        }
    }

    /// In words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Side::Before => "nothing is committed",
            Side::MakingRoom => "nothing is committed, and its server is still there",
            Side::RoomMade => "its server goes, or is gone: its replacement has to be made",
            Side::Committed => "after the commit",
        }
    }
}

impl Record {
    /// On which side of the point of no return it is.
    pub fn side(&self) -> Side {
        match (self.committed_at, &self.room) {
            (Some(_), _) => Side::Committed,
            (None, Some(room)) if room.ended_at.is_some() => Side::RoomMade,
            (None, Some(_)) => Side::MakingRoom,
            (None, None) => Side::Before,
        }
    }

    /// Why there is only forward, if that is so. Where nothing but the room of a server that went first is left, and a person was
    /// asked, they may do without a replacement.
    pub fn no_way_back(&self) -> Option<&'static str> {
        match may_be_given_up(self) {
            true => None,
            false => self.side().no_way_back(),
        }
    }

    /// What its node has; or had, once its end is begun.
    pub fn traits(&self, node: Option<&NodeSeen>) -> Option<Traits> {
        let kept = self.kept().map(|kept| kept.node.clone());
        kept.or_else(|| node.map(Traits::from))
    }

    /// The sick server's end is begun: what can no longer be looked up is what was kept.
    pub fn kept(&self) -> Option<&Kept> {
        let room = self.room.as_ref()?;
        room.ended_at.map(|_| &room.kept)
    }
}

fn goes_first(rules: &Rules) -> bool {
    rules.no_capacity == NoCapacity::TerminateFirst
}

/// No host can take a replacement: the sick server goes first, if the pool says so; or why it does not. What would not make a
/// server is no reason to end one: while the pool's replacements fail, or one of this node's has failed for another reason, it
/// stays.
pub(super) fn make(seen: &Seen) -> Result<Next, String> {
    let may = seen.pool.as_ref().is_ok_and(goes_first);
    if !may || seen.record.side() != Side::Before {
        return Err(String::new());
    }
    let short = || seen.hands.short.as_ref().map(Short::words);
    if let Some(words) = seen.hands.no_creates.clone().or_else(short) {
        return Err(format!("its server does not go first: {words}"));
    }
    if history::failed_replacements(seen) > 0 {
        let why = "its server does not go first: a replacement of it has failed, and not for want of room";
        return Err(why.to_owned());
    }
    match &seen.more.kept {
        Some(Ok(kept)) => {
            let room = Room {
                since: seen.now,
                ended_at: None,
                gone_at: None,
                kept: kept.clone(),
            };
            Ok(
                Next::enter(seen, Phase::Draining, Reason::MakingRoom, "").with(|record| {
                    record.room = Some(room);
                    record.drain = None;
                    record.owners = None;
                }),
            )
        }
        Some(Err(why)) => Err(format!("its server does not go first: {why}")),
        None => Ok(Next::wait(seen, Reason::MakingRoom, "")),
    }
}

/// What each step checks that takes something off the sick node: is it still wanted, and is the replacement still there? While
/// there is none yet it can be called off.
pub(super) fn go_on(seen: &Seen) -> Result<&CloudView, Box<Next>> {
    match seen.record.side() {
        Side::MakingRoom => {
            if let Some(reason) = called_off(seen) {
                return Err(Box::new(call_off(seen, reason)));
            }
            let rules = match &seen.pool {
                Ok(rules) => rules,
                Err(none) => return Err(Box::new(Next::wait(seen, Reason::from(*none), ""))),
            };
            if !(goes_first(rules) && rules.provisions) {
                return Err(Box::new(keep(seen)));
            }
        }
        Side::Before | Side::RoomMade | Side::Committed => {}
    }
    let view = replace::fresh(seen)?;
    match committed::lost(seen, view) {
        Some(why) => Err(Box::new(Next::wait(seen, Reason::ReplacementLost, why))),
        None => Ok(view),
    }
}

/// The pool does not let it go first any more: it waits for room as it did before. One that we have asked to stop is started again.
fn keep(seen: &Seen) -> Next {
    if power::has_stopped(&seen.record) {
        return call_off(seen, Reason::KeptServer);
    }
    Next::enter(seen, Phase::Discarding, Reason::KeptServer, "").with(|record| record.room = None)
}

/// The pods have left, and its server may go: from here there is no way back. Load balancers are told first, since that, too,
/// is not taken back.
pub(super) fn end(seen: &Seen) -> Option<Next> {
    if seen.record.side() != Side::MakingRoom {
        return None;
    }
    // it may be gone for good: then nothing has to be replaced
    let next = told::away(seen).or_else(|| hold(seen)).unwrap_or_else(|| {
        Next::act(seen, Act::LeaveBalancers, Reason::MakingRoom)
            .with(|record| ended(record, seen.now))
    });
    Some(next)
}

/// Why the line is not crossed now: somebody holds what is before it, or no replacement would be made.
pub(super) fn hold(seen: &Seen) -> Option<Next> {
    if seen.record.side() != Side::MakingRoom {
        return None;
    }
    let (reason, words) = hands::halted(seen)
        .or_else(|| hands::frozen(seen))
        .or_else(|| {
            let creates = seen.hands.no_creates.clone();
            let creates = creates.map(|words| (Reason::CreatesStopped, words));
            let away = seen.hands.short.as_ref().filter(|other| other.is_away);
            creates.or_else(|| Some((Reason::MakingRoom, away?.words())))
        })?;
    Some(Next::wait(seen, reason, words))
}

/// There is no way back any more.
pub(super) fn ended(record: &mut Record, now: Timestamp) {
    if let Some(room) = &mut record.room {
        room.ended_at = room.ended_at.or(Some(now));
    }
}

/// The room that there is in its pool is for the replacement of another node, whose server has gone.
pub(super) fn is_anothers(seen: &Seen) -> Option<String> {
    let other = seen.hands.short.as_ref()?;
    let is_kept = seen.record.side() == Side::Before && other.is_away && !other.is_a_persons;
    is_kept.then(|| other.words())
}

/// An hour: so long somebody else's servers may fill the room, before a person is asked. As long as one that rests holds its pool's
/// turn.
const LONG: Seconds = 3600;

/// The server has gone first long ago, and there is still no room for its replacement.
pub(super) fn is_long_without(seen: &Seen) -> bool {
    let room = seen.record.room.as_ref();
    let gone = room.and_then(|room| {
        room.gone_at
            .max(seen.record.retried_at.filter(|_| room.gone_at.is_some()))
    });
    gone.is_some_and(|gone| seconds_between(gone, seen.now) >= LONG)
}

/// The same, and it has stood in this phase for as long, or comes from one in which it had.
pub(super) fn stands_long_without(seen: &Seen) -> bool {
    let given_up = seen.record.tried.last();
    let given_up = given_up.is_some_and(|tried| tried.outcome == Outcome::Refused);
    is_long_without(seen) && (given_up || super::age(seen) >= LONG)
}

/// Its server is gone, nothing is made in its place, and a person was asked: they may do without.
pub(super) fn may_be_given_up(record: &Record) -> bool {
    let gone = record.room.as_ref().and_then(|room| room.gone_at);
    record.phase == Phase::NeedsHuman && gone.is_some() && record.committed_at.is_none()
}

/// It is over: what was kept is of no use any more.
pub(super) fn forget(next: Next) -> Next {
    match next.record.phase.is_final() {
        true => next.with(|record| {
            if let Some(room) = &mut record.room {
                room.kept = Kept::default();
            }
        }),
        false => next,
    }
}

/// Are they to be read that the replacement is made from?
pub(super) fn is_due(seen: &Seen) -> bool {
    seen.record.phase == Phase::Discarding
        && seen.more.kept.is_none()
        && super::cleanup::discarding(seen).reason == Reason::MakingRoom
}
