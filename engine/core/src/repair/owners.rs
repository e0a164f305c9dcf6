//! Whoever made the pods of a node: how many of theirs were Ready when the drain began, and whether they are so again
//! before the sick server goes.
//!
//! Whose counts lag behind (a controller manager that is down) may pass for whole at once: this is a courtesy to workloads
//! that start slowly, not a guard. What guards pods are their budgets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::committed::delete;
use super::eviction::{evict, listed};
use super::next::Next;
use super::room::Side;
use super::seen::Seen;
use super::{age, balancers, room, sick_node};
use crate::reason::Reason;

/// So many are written down.
pub const RECORDED: usize = 64;

/// An object that makes pods.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerRef {
    /// Its namespace.
    pub namespace: String,
    /// Its API group and version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID: one of that name that was made later is another.
    pub uid: String,
}

/// An object that makes pods, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerSeen {
    /// Which.
    pub owner: OwnerRef,
    /// So many pods of its are Ready.
    pub ready: u32,
    /// So many it wants.
    pub wanted: u32,
}

/// What is written down of one when the drain begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReady {
    /// Its namespace.
    pub namespace: String,
    /// Its API group and version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// So many pods of its were Ready.
    pub ready: u32,
}

impl OwnerReady {
    /// So many pods of this one's are Ready.
    pub fn of(owner: &OwnerRef, ready: u32) -> Self {
        let OwnerRef {
            namespace,
            api_version,
            kind,
            name,
            uid,
        } = owner.clone();
        Self {
            namespace,
            api_version,
            kind,
            name,
            uid,
            ready,
        }
    }

    /// Which it is.
    pub fn owner(&self) -> OwnerRef {
        OwnerRef {
            namespace: self.namespace.clone(),
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
        }
    }
}

/// What the record is to hold: what it holds, or, when the drain begins, what is seen now. `None` if that was not read.
pub(super) fn to_record(seen: &Seen) -> Option<Vec<OwnerReady>> {
    if let Some(recorded) = &seen.record.owners {
        return Some(recorded.clone());
    }
    let mut owners = seen.more.owners.clone()?;
    owners.sort();
    owners.dedup_by(|a, b| a.owner.uid == b.owner.uid);
    owners.truncate(RECORDED);
    let record = owners
        .iter()
        .map(|seen| OwnerReady::of(&seen.owner, seen.ready));
    Some(record.collect())
}

/// Those that have fewer Ready pods than they had, in words. One that is gone, or wants fewer, is not waited for.
fn short(recorded: &[OwnerReady], now: &[OwnerSeen]) -> Vec<String> {
    recorded
        .iter()
        .filter_map(|had| {
            let now = now.iter().find(|now| now.owner.uid == had.uid)?;
            let wanted = had.ready.min(now.wanted);
            (now.ready < wanted).then(|| {
                let OwnerReady {
                    namespace,
                    kind,
                    name,
                    ..
                } = had;
                format!(
                    "{kind} {namespace}/{name} has {} of {wanted} Ready",
                    now.ready
                )
            })
        })
        .collect()
}

/// The pods have left, and are made anew elsewhere. It waits for that, but not for ever: a workload that does not come up
/// does not do so for want of the sick server.
pub(super) fn awaiting(seen: &Seen) -> Next {
    let view = match room::go_on(seen) {
        Ok(view) => view,
        Err(next) => return *next,
    };
    let rules = match &seen.pool {
        Ok(rules) => rules,
        Err(none) => return Next::wait(seen, Reason::from(*none), ""),
    };
    // A pod that came meanwhile leaves like the others.
    if sick_node(seen).is_some()
        && let Some(next) = evict(seen)
    {
        return next;
    }
    // of one that goes first they are told when its end is certain, whatever became of the first word
    if seen.record.side() == Side::RoomMade
        && let Some(next) = balancers::leave(seen)
    {
        return next;
    }
    if let Some(next) = balancers::awaited(seen, rules) {
        return next;
    }
    let Some(now) = &seen.more.owners else {
        return Next::wait(seen, Reason::AwaitingOwners, "they were not read");
    };
    let short = short(seen.record.owners.as_deref().unwrap_or_default(), now);
    let next = room::end(seen).unwrap_or_else(|| delete(seen, view));
    if short.is_empty() {
        return next;
    }
    let words = listed(&short, short.len());
    if age(seen) < rules.owners {
        return Next::wait(seen, Reason::AwaitingOwners, words);
    }
    let note = format!("not waited for any longer after {} s: {words}", age(seen));
    next.with(|record| {
        // what is held here says it once
        record.notes.entry("owners".to_owned()).or_insert(note);
    })
}
