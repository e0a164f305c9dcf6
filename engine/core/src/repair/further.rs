//! What is read only because the rest of a look makes it necessary: [`super::needs`] knows the phase alone, and what would
//! cost many requests at every look is needed at few.

use std::collections::BTreeMap;

use super::drain::PodSeen;
use super::fitness::Fitness;
use super::likeness::Lack;
use super::next::Next;
use super::owners::{OwnerRef, OwnerSeen};
use super::room::{self, Kept};
use super::seen::Seen;
use super::{Phase, attempts, cleanup, committed, guests, judge, preflight, replace};
use crate::reason::Reason;

/// What is to be read yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Further {
    /// The sick node's pods with their volumes, as `Seen::pods`.
    pub losses: bool,
    /// What a similar server would not have: `More::lacks`.
    pub likeness: bool,
    /// How many Ready pods these have, and how many they want: `More::owners`.
    pub owners: Option<Vec<OwnerRef>>,
    /// What both nodes have beside their Node objects.
    pub fitness: bool,
    /// The replacement's pods.
    pub guests: bool,
    /// What keeps pods out of these zones: `More::bound`.
    pub zones: Vec<String>,
    /// The next attempt's name: `More::name`.
    pub name: bool,
    /// What a replacement is made from when the sick server is gone: `More::kept`.
    pub kept: bool,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct More {
    /// What a server similar to the sick one would not have; or why the cloud does not say.
    pub lacks: Option<Result<Vec<Lack>, String>>,
    /// Those who make the node's pods, without those that are gone, or of which it is not known how many they have.
    pub owners: Option<Vec<OwnerSeen>>,
    /// What both nodes have beside their Node objects.
    pub fitness: Option<Fitness>,
    /// The pods bound to the replacement's node.
    pub guests: Option<Vec<PodSeen>>,
    /// By zone, the pods that a volume keeps out of it, each with its volume, in words.
    pub bound: Option<BTreeMap<String, Vec<String>>>,
    /// A name that no Node and no server has; or why the pool's template gives none.
    pub name: Option<Result<String, String>>,
    /// What a replacement is made from when the sick server is gone; or why that cannot be read.
    pub kept: Option<Result<Kept, String>>,
}

/// What is to be read yet, by what was seen. What is read may make more necessary.
pub fn further(seen: &Seen) -> Further {
    let preflight = preflight::is_due(seen);
    Further {
        losses: preflight && seen.pods.is_none(),
        likeness: preflight && seen.more.lacks.is_none(),
        owners: owners(seen),
        fitness: seen.record.phase == Phase::Joining
            && seen.more.fitness.is_none()
            && replace::joining(seen).reason == Reason::Comparing,
        guests: guests::are_due(seen),
        zones: zones(seen),
        name: seen.more.name.is_none()
            && begins(seen).is_some_and(|next| next.reason == Reason::Naming),
        kept: room::is_due(seen),
    }
}

/// What the phases say from which an attempt begins.
fn begins(seen: &Seen) -> Option<Next> {
    match seen.record.phase {
        Phase::Cordoning => Some(judge::cordoning(seen)),
        Phase::Discarding => Some(cleanup::discarding(seen)),
        Phase::DeletingServer => Some(committed::deleting_server(seen)),
        _ => None,
    }
}

fn zones(seen: &Seen) -> Vec<String> {
    let is_due = seen.record.phase == Phase::Discarding
        && seen.more.bound.is_none()
        && cleanup::discarding(seen).reason == Reason::NoHost;
    match is_due {
        true => attempts::further_zones(seen).to_vec(),
        false => Vec::new(),
    }
}

fn owners(seen: &Seen) -> Option<Vec<OwnerRef>> {
    match (seen.record.phase, &seen.record.owners) {
        (Phase::Draining, None) => {
            let pods = seen.pods.iter().flatten().filter(|pod| !pod.finished);
            let mut owners: Vec<OwnerRef> = pods.filter_map(|pod| pod.controller.clone()).collect();
            owners.sort();
            owners.dedup();
            Some(owners)
        }
        (Phase::AwaitingOwners, recorded) => {
            let recorded = recorded.iter().flatten();
            Some(recorded.map(|had| had.owner()).collect())
        }
        (_, _) => None,
    }
}
