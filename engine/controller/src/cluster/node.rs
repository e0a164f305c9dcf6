//! One node as it is kept: its words are shared with all others.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use rectifier_core::name::ConditionKind;
use rectifier_core::policy::Status;
use rectifier_core::standing::{NOT_READY, is_problem};

use super::members::Place;
use super::words::Words;
use super::{NodeFacts, Sight};
use crate::slim::SlimNode;

const ZONE: &str = "topology.kubernetes.io/zone";

/// A node, kept slim.
pub(super) struct Kept {
    uid: Arc<str>,
    labels: Box<[(Arc<str>, Arc<str>)]>,
    conditions: Box<[Held]>,
    /// Of what decisions read, but from the API server itself: whether it changed is all that is asked here.
    rest: u64,
    pub(super) place: Place,
    /// The list that named it last.
    pub(super) listed: u64,
}

/// One condition.
#[derive(Clone, PartialEq, Eq)]
struct Held {
    kind: Arc<str>,
    status: Status,
    reason: Arc<str>,
    message: Arc<str>,
    since: Timestamp,
}

impl Kept {
    pub(super) fn new(
        node: &SlimNode,
        before: Option<&Kept>,
        words: &mut Words,
        now: Timestamp,
        pool: Result<Arc<str>, rectifier_core::repair::NoRules>,
    ) -> Self {
        let mut conditions: Vec<Held> = node
            .status
            .conditions
            .iter()
            .filter(|condition| ConditionKind::parse(&*condition.kind).is_ok())
            // a detector's condition of that name is not ours
            .filter(|condition| condition.kind != NOT_READY)
            .flat_map(|condition| {
                let said = status(&condition.status);
                // False, and not to be heard of, are both an illness, and one
                let ill = match said {
                    Status::Yes => Status::No,
                    Status::No | Status::Unknown => Status::Yes,
                };
                let ours = (condition.kind == "Ready").then_some((NOT_READY, ill, condition));
                [(condition.kind.as_str(), said, condition)]
                    .into_iter()
                    .chain(ours)
            })
            .map(|(kind, status, condition)| {
                let old = before.and_then(|before| before.condition(kind));
                Held {
                    kind: words.keep(kind),
                    status,
                    reason: words.keep(&condition.reason),
                    message: words.keep(&condition.message),
                    since: match old {
                        Some(old) if old.status == status => old.since,
                        Some(_) | None => now,
                    },
                }
            })
            .collect();
        // whoever patches the list may make two of one type: the last one counts
        conditions.reverse();
        conditions.sort_by(|a, b| a.kind.cmp(&b.kind));
        conditions.dedup_by(|later, first| later.kind == first.kind);
        let labels = node.metadata.labels.iter().flatten();
        let labels: Vec<_> = labels
            .map(|(key, value)| (words.keep(key), words.keep(value)))
            .collect();
        let zone = labels.iter().find(|(key, _)| &**key == ZONE);
        let zone = zone.map_or_else(|| words.keep(""), |(_, zone)| zone.clone());
        let uid = node.metadata.uid.as_deref().unwrap_or_default();
        Self {
            uid: match before {
                Some(before) if &*before.uid == uid => before.uid.clone(),
                Some(_) | None => uid.into(),
            },
            labels: labels.into(),
            conditions: conditions.into(),
            rest: rest(node),
            place: Place { pool, zone },
            listed: before.map_or(0, |before| before.listed),
        }
    }

    fn condition(&self, kind: &str) -> Option<&Held> {
        self.conditions.iter().find(|held| &*held.kind == kind)
    }

    /// Its status, and since when we have seen it.
    pub(super) fn held(&self, kind: &str) -> Option<(Status, Timestamp)> {
        let held = self.condition(kind)?;
        Some((held.status, held.since))
    }

    pub(super) fn is_sick(&self) -> bool {
        self.problems().next().is_some()
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = &str> {
        self.conditions
            .iter()
            .filter(|held| is_problem(&held.kind, held.status))
            .map(|held| &*held.kind)
    }

    /// Is anything that a decision reads another than before?
    pub(super) fn differs(&self, before: &Kept) -> bool {
        self.uid != before.uid
            || self.labels != before.labels
            || self.conditions != before.conditions
            || self.rest != before.rest
            || self.place != before.place
    }

    pub(super) fn has_labels(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        let own = self.labels.iter().map(|(key, value)| (&**key, &**value));
        let others = labels.into_iter().flatten();
        own.eq(others.map(|(key, value)| (key.as_str(), value.as_str())))
    }

    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let owned = |(key, value): &(Arc<str>, Arc<str>)| (key.to_string(), value.to_string());
        self.labels.iter().map(owned).collect()
    }

    pub(super) fn facts(&self) -> NodeFacts {
        let sight = |held: &Held| {
            let sight = Sight {
                status: held.status,
                reason: held.reason.to_string(),
                message: held.message.to_string(),
                since: held.since,
            };
            Some((ConditionKind::parse(&*held.kind).ok()?, sight))
        };
        NodeFacts {
            uid: self.uid.to_string(),
            labels: self.labels(),
            conditions: self.conditions.iter().filter_map(sight).collect(),
        }
    }
}

fn status(text: &str) -> Status {
    match text {
        "True" => Status::Yes,
        "False" => Status::No,
        // the API allows nothing else, and what we do not know is unknown
        _ => Status::Unknown,
    }
}

fn rest(node: &SlimNode) -> u64 {
    let mut hasher = DefaultHasher::new();
    node.metadata.annotations.hash(&mut hasher);
    node.spec.unschedulable.hash(&mut hasher);
    node.spec.provider_id.hash(&mut hasher);
    node.spec.taints.hash(&mut hasher);
    node.status.node_info.boot_id.hash(&mut hasher);
    node.status.volumes_attached.hash(&mut hasher);
    for (name, quantity) in node.status.allocatable.iter().chain(&node.status.capacity) {
        (name, &quantity.0).hash(&mut hasher);
    }
    hasher.finish()
}
