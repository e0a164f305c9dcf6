//! Of two problems of which one causes the other the cause is healed first: a remedy for what follows from it would be tried in vain,
//! and be counted.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::limits::Limits;
use super::memory::{Episode, Memory};
use super::seen::Seen;
use crate::clock::seconds_between;
use crate::name::ConditionKind;
use crate::policy::Status;
use crate::repair::Asks;

/// By problem, those that it causes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Causes(BTreeMap<ConditionKind, BTreeSet<ConditionKind>>);

/// A kubelet cannot be well without its runtime. What else follows from what is each operator's to say.
impl Default for Causes {
    fn default() -> Self {
        let usual = [("ContainerRuntimeUnhealthy", "KubeletUnhealthy")];
        let parsed = usual.iter().filter_map(|(cause, effect)| {
            let effect = ConditionKind::parse(*effect).ok()?;
            Some((ConditionKind::parse(*cause).ok()?, [effect].into()))
        });
        Self(parsed.collect())
    }
}

impl Causes {
    /// One that would cause itself, if there is one.
    pub fn circle(&self) -> Option<&ConditionKind> {
        self.0.keys().find(|kind| self.lead(kind, kind))
    }

    /// Does one cause the other, itself or by others between them?
    fn lead(&self, cause: &ConditionKind, effect: &ConditionKind) -> bool {
        let (mut from, mut known) = (vec![cause], BTreeSet::new());
        while let Some(kind) = from.pop() {
            for next in self.0.get(kind).into_iter().flatten() {
                if next == effect {
                    return true;
                }
                if known.insert(next) {
                    from.push(next);
                }
            }
        }
        false
    }
}

/// The open problem that causes this one: until it is gone for its quiet time, the other is given time to follow. For half of the
/// time in which a node is to be healed, and no longer: the cause may never heal, and the other half is for remedies of this one's
/// own. One that is not reported causes nothing, and what the control plane was asked about is not healed here any more.
pub(super) fn cause<'a>(
    memory: &'a Memory,
    kind: &ConditionKind,
    episode: &Episode,
    seen: &Seen,
    limits: &Limits,
) -> Option<&'a ConditionKind> {
    if seconds_between(episode.problem.since, seen.now) >= limits.heal_within / 2 {
        return None;
    }
    let mut others = memory.episodes.iter();
    let found = others.find(|(other, its)| {
        its.sight.status != Status::Unknown
            && its.asks().is_none_or(|asks| asks == Asks::InNode)
            && limits.causes.lead(other, kind)
    });
    found.map(|(other, _)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(all: &[(&str, &[&str])]) -> Causes {
        let kind = |text: &&str| ConditionKind::parse(*text).unwrap();
        let all = all.iter();
        Causes(
            all.map(|(cause, effects)| (kind(cause), effects.iter().map(kind).collect()))
                .collect(),
        )
    }

    #[test]
    fn what_follows_from_what_follows_is_caused_too_and_a_circle_is_found() {
        let kind = |text: &str| ConditionKind::parse(text).unwrap();
        let line = causes(&[("a", &["b"]), ("b", &["c", "d"])]);
        assert!(line.lead(&kind("a"), &kind("d")) && line.lead(&kind("b"), &kind("c")));
        assert!(!line.lead(&kind("d"), &kind("a")) && !line.lead(&kind("a"), &kind("a")));
        assert_eq!(line.circle(), None);
        let circle = causes(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
        assert_eq!(circle.circle(), Some(&kind("b")), "and an end is found");
        assert_eq!(causes(&[("a", &["a"])]).circle(), Some(&kind("a")));
        assert_eq!(Causes::default().circle(), None);
        assert_eq!(Causes::default().0.len(), 1);
    }
}
