//! Has the replacement what the sick node has? A node that is Ready and lacks a volume driver, the network's agent or a
//! graphics card takes pods and cannot run them.
//!
//! The bar is what the sick node had when it was well, as far as its sickness leaves evidence of that. A DaemonSet's pod is
//! bound to it, Ready or not, for as long as the DaemonSet wants one there: these pods say what has to run, and a driver
//! that the sick node has lost comes with its DaemonSet's pod. Drivers are those that are registered there, and those whose
//! volumes are attached. Of what a plugin adds counts what the sick node has, not what it can still give.
//!
//! The bar is never one that nobody clears: a DaemonSet that is gone, or whose pod is Ready neither there nor on any node,
//! does not count; nor does one whose pods do not tolerate our taint, since they come only after the commit.

use std::collections::BTreeSet;

use super::drain::{Owner, PodSeen};
use super::owners::{OwnerReady, OwnerRef};
use super::room::Traits;
use super::seen::{NodeSeen, Rules};

/// What was read of both nodes beside their Node objects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fitness {
    /// The sick node's CSI drivers.
    pub drivers_had: BTreeSet<String>,
    /// The replacement's.
    pub drivers: BTreeSet<String>,
    /// The DaemonSets that have a pod on the sick node ([`daemons`]).
    pub daemons_had: Vec<OwnerReady>,
    /// The replacement's.
    pub pods: Vec<PodSeen>,
    /// Those of the DaemonSets that [`Fitness::daemons_lacking`] which are still there, and on how many nodes each is Ready.
    pub daemon_sets: Vec<(String, u32)>,
}

impl Fitness {
    /// The DaemonSets that have a pod on the sick node and no Ready one on the replacement; and whether that on the sick node
    /// is Ready.
    pub fn daemons_lacking(&self) -> Vec<(OwnerRef, bool)> {
        let had = self.daemons_had.iter();
        had.map(|had| (had.owner(), had.ready > 0))
            .filter(|(owner, _)| !has_ready(&self.pods, owner))
            .collect()
    }
}

/// The DaemonSets whose pods are on a node and would come to its replacement while it bears our taint, in order; with how
/// many of those are Ready there: one, or none.
pub fn daemons(pods: &[PodSeen]) -> Vec<OwnerReady> {
    let daemons = pods
        .iter()
        .filter(|pod| pod.owner == Owner::DaemonSet && pod.tolerates_provisional)
        .filter_map(|pod| pod.controller.as_ref());
    let mut owners: Vec<&OwnerRef> = daemons.collect();
    owners.sort();
    owners.dedup();
    let had = owners
        .into_iter()
        .map(|owner| OwnerReady::of(owner, u32::from(has_ready(pods, owner))));
    had.collect()
}

fn has_ready(pods: &[PodSeen], owner: &OwnerRef) -> bool {
    pods.iter()
        .filter(|pod| pod.ready && pod.leaving.is_none())
        .filter_map(|pod| pod.controller.as_ref())
        .any(|own| own.uid == owner.uid)
}

/// What the replacement lacks, by name, of that which is read beside the Node objects.
pub(super) fn lacking(fitness: &Fitness) -> Option<String> {
    if let Some(driver) = fitness.drivers_had.difference(&fitness.drivers).next() {
        return Some(format!("it lacks the CSI driver {driver}"));
    }
    let counts = |(owner, was_ready): &(OwnerRef, bool)| {
        let mut sets = fitness.daemon_sets.iter();
        let there = sets.find(|(uid, _)| *uid == owner.uid);
        there.is_some_and(|(_, ready)| *was_ready || *ready > 0)
    };
    let mut lacking = fitness.daemons_lacking().into_iter();
    let (owner, _) = lacking.find(counts)?;
    Some(format!(
        "it lacks a Ready pod of the DaemonSet {}/{}",
        owner.namespace, owner.name
    ))
}

/// The same, by the Node objects alone.
pub(super) fn of_node(old: Option<&Traits>, new: &NodeSeen, rules: &Rules) -> Option<String> {
    if let Some(taint) = new.taints.iter().find(|taint| starts_up(old, taint, rules)) {
        return Some(format!("it bears the taint {taint}"));
    }
    if new.network_unavailable {
        return Some("its condition NetworkUnavailable is True".to_owned());
    }
    let old = old?;
    let names = old.allocatable.keys().chain(old.capacity.keys());
    let names: BTreeSet<&String> = names.collect();
    names.into_iter().find_map(|name| {
        let least = least(old, name)?;
        let has = new.allocatable.get(name).copied().unwrap_or(0);
        (has < least).then(|| {
            let (has, least) = (amount(has), amount(least));
            format!("its allocatable {name} is {has}, less than {least}")
        })
    })
}

/// Thousandths, as an amount.
fn amount(thousandths: u64) -> String {
    match (thousandths / 1000, thousandths % 1000) {
        (whole, 0) => whole.to_string(),
        (whole, rest) => format!("{whole}.{rest:03}"),
    }
}

/// Memory may be so much less, in a hundredth, or [`MEMORY_AT_LEAST`]: what a kernel keeps for itself differs from version to
/// version and from host to host, and a similar server boots the image as it is today.
const MEMORY_PERCENT: u64 = 2;
/// 64 MiB, in thousandths of a byte.
const MEMORY_AT_LEAST: u64 = 64 * 1024 * 1024 * 1000;

/// How much of it the replacement must have; `None`: that does not matter.
fn least(old: &Traits, name: &str) -> Option<u64> {
    let allocatable = old.allocatable.get(name).copied().unwrap_or(0);
    match name {
        "cpu" | "pods" => Some(allocatable),
        "memory" => {
            let less = (allocatable / 100 * MEMORY_PERCENT).max(MEMORY_AT_LEAST);
            Some(allocatable.saturating_sub(less))
        }
        // What a plugin adds is named after its domain. One that has died offers nothing, and what there is stays known.
        _ if name.contains('/') => {
            Some(allocatable.max(old.capacity.get(name).copied().unwrap_or(0)))
        }
        // Disk space depends on what lies there; volumes per driver are the drivers' affair.
        _ => None,
    }
}

/// The taint says that something has not finished yet: Kubernetes' and the cloud's own always do; another does if the sick
/// node has it not, and neither we nor the pool say that it may be there.
fn starts_up(old: Option<&Traits>, taint: &str, rules: &Rules) -> bool {
    let key = key(taint);
    if taint.ends_with(":PreferNoSchedule") || key.starts_with("rectifier.dev/") {
        return false;
    }
    if rules.ignore_taints.iter().any(|ignored| ignored == key) {
        return false;
    }
    let always = key.starts_with("node.kubernetes.io/")
        || key.starts_with("node.cloudprovider.kubernetes.io/")
        // what a network's or a driver's agent takes away when it runs, and sets again when it does not
        || key.ends_with("not-ready")
        || key.ends_with("uninitialized");
    let has = |old: &Traits| old.taints.iter().any(|own| self::key(own) == key);
    always || !old.is_some_and(has)
}

fn key(taint: &str) -> &str {
    taint.split([':', '=']).next().unwrap_or_default()
}
