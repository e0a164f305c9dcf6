//! Which node is in which pool, and how many each pool has: kept as nodes and pools change, never counted anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::core::{Selector, SelectorExt};
use rectifier_api::RepairPool;
use rectifier_core::repair::NoRules;

/// A pool, with its selector parsed once.
#[derive(Clone)]
pub(super) struct Pool {
    pub(super) name: Arc<str>,
    pub(super) object: Arc<RepairPool>,
    /// One that cannot be parsed selects nothing: a typo must not put every node into a pool.
    selector: Option<Selector>,
}

impl Pool {
    pub(super) fn new(name: &str, object: RepairPool) -> Self {
        Self {
            name: name.into(),
            selector: Selector::try_from(object.spec.node_selector.clone()).ok(),
            object: Arc::new(object),
        }
    }

    fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.selector
            .as_ref()
            .is_some_and(|selector| selector.matches(labels))
    }
}

/// The one pool that selects a node with these labels.
pub(super) fn selecting<'a>(
    pools: impl Iterator<Item = &'a Pool>,
    labels: &BTreeMap<String, String>,
) -> Result<Arc<str>, NoRules> {
    let mut found = pools.filter(|pool| pool.selects(labels));
    match (found.next(), found.next()) {
        (None, _) => Err(NoRules::NoPool),
        (Some(pool), None) => Ok(pool.name.clone()),
        (Some(_), Some(_)) => Err(NoRules::TwoPools),
    }
}

/// Where a node is counted: its pool, and its zone in it; the empty zone is one, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) pool: Result<Arc<str>, NoRules>,
    pub(super) zone: Arc<str>,
}

/// Nodes by pool and zone.
#[derive(Default)]
pub(super) struct Members {
    counts: BTreeMap<Arc<str>, BTreeMap<Arc<str>, u32>>,
}

impl Members {
    pub(super) fn enter(&mut self, place: &Place) {
        if let Ok(pool) = &place.pool {
            let zones = self.counts.entry(pool.clone()).or_default();
            *zones.entry(place.zone.clone()).or_default() += 1;
        }
    }

    pub(super) fn leave(&mut self, place: &Place) {
        let Ok(pool) = &place.pool else {
            return;
        };
        let Some(zones) = self.counts.get_mut(pool) else {
            return;
        };
        if let Some(count) = zones.get_mut(&place.zone) {
            *count = count.saturating_sub(1);
        }
        zones.retain(|_, count| *count > 0);
        if zones.is_empty() {
            self.counts.remove(pool);
        }
    }

    /// The zones of that pool, and how many nodes each has.
    pub(super) fn zones(&self, pool: &str) -> impl Iterator<Item = (&Arc<str>, u32)> {
        let zones = self.counts.get(pool).into_iter().flatten();
        zones.map(|(zone, count)| (zone, *count))
    }

    /// Of that pool, and of that zone of it.
    pub(super) fn count(&self, pool: &str, zone: &str) -> (u32, u32) {
        let zones = self.counts.get(pool);
        let all = zones.map_or(0, |zones| zones.values().sum());
        let of_zone = zones.and_then(|zones| zones.get(zone)).copied();
        (all, of_zone.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_leaves_is_counted_no_more() {
        let place = |pool: &str, zone: &str| Place {
            pool: Ok(pool.into()),
            zone: zone.into(),
        };
        let mut members = Members::default();
        let places = [
            place("web", "az-1"),
            place("web", "az-2"),
            place("db", "az-1"),
        ];
        places.iter().for_each(|place| members.enter(place));
        members.enter(&Place {
            pool: Err(NoRules::NoPool),
            zone: "az-1".into(),
        });
        assert_eq!(members.count("web", "az-1"), (2, 1));
        places.iter().for_each(|place| members.leave(place));
        assert_eq!(members.count("web", "az-1"), (0, 0));
        assert!(members.counts.is_empty());
    }
}
