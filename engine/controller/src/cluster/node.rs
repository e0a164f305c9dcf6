//! One node as it is kept: its words are shared with all others.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use rectifier_core::acknowledged::{ACKNOWLEDGED, Acknowledged};
use rectifier_core::clock::seconds_between;
use rectifier_core::name::{ConditionKind, ServerId};
use rectifier_core::policy::{Seconds, Status};
use rectifier_core::repair::told::{self, Told, is_detectors};
use rectifier_core::standing::{NOT_READY, is_problem};

use super::NodeFacts;
use super::held::Held;
use super::members::Place;
use super::words::Words;
use crate::observe::node::server_of;
use crate::slim::SlimNode;

const ZONE: &str = "topology.kubernetes.io/zone";
/// A kubelet says that it is not ready when it registers, and nothing else before it is: by this much two clocks may differ.
const AT_FIRST: Seconds = 60;

/// A node, kept slim.
pub(super) struct Kept {
    pub(super) uid: Arc<str>,
    labels: Box<[(Arc<str>, Arc<str>)]>,
    conditions: Box<[Held]>,
    /// Of what decisions read, but from the API server itself: whether it changed is all that is asked here.
    rest: u64,
    /// When it joined.
    created: Option<Timestamp>,
    /// Its boot.
    boot: u64,
    /// The server that it says it is; 0: none.
    server: u64,
    pub(super) place: Place,
    /// The list that named it last.
    pub(super) listed: u64,
    /// How often the watch has told of it.
    pub(super) told: u32,
}

impl Kept {
    pub(super) fn new(
        node: &SlimNode,
        before: Option<&Kept>,
        words: &mut Words,
        now: Timestamp,
        pool: Result<Arc<str>, rectifier_core::repair::NoRules>,
    ) -> Self {
        let boot = hash(&node.status.node_info.boot_id);
        // a boot is a break in whatever was so before it
        let same_boot = before.filter(|before| before.boot == boot);
        let annotations = node.metadata.annotations.as_ref();
        let acknowledged = annotations.and_then(|all| all.get(ACKNOWLEDGED));
        let acknowledged = acknowledged.map(|text| Acknowledged::read(text, now).0);
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
                let old = same_boot.and_then(|before| before.condition(kind));
                let covers =
                    |known: &Acknowledged| known.covers(kind, condition.last_transition_time);
                let seen_to = status == Status::Yes && acknowledged.as_ref().is_some_and(covers);
                Held::new((kind, status, seen_to, condition), old, words, now)
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
            created: node.metadata.creation_timestamp.as_ref().map(|time| time.0),
            boot,
            server: node
                .spec
                .provider_id
                .as_deref()
                .and_then(server_of)
                .map_or(0, |server| hash(server.as_str())),
            place: Place { pool, zone },
            listed: before.map_or(0, |before| before.listed),
            told: before.map_or(0, |before| before.told),
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

    /// What it is worth as evidence, if the node has it.
    pub(super) fn told(&self, kind: &str, now: Timestamp) -> Option<Told> {
        let held = self.condition(kind)?;
        Some(Told {
            status: held.status,
            held: seconds_between(held.since, now),
            unheard: held.unheard(now),
            spell: held.spell,
            is_reset: self.is_reset(held),
        })
    }

    fn is_reset(&self, own: &Held) -> bool {
        let (Some(transition), true) = (own.transition(), is_detectors(&own.kind)) else {
            return false;
        };
        let others = self.conditions.iter();
        let others = others.filter(|other| is_detectors(&other.kind) && other.kind != own.kind);
        let transitions = others.filter_map(|other| other.transition_beside(own));
        let says_no = own.status == Status::No && !own.seen_to;
        says_no && told::is_reset(transition, transitions)
    }

    pub(super) fn is_sick(&self) -> bool {
        self.problems().next().is_some()
    }

    /// Has it joined within so long, and never been ready since? It is no sick node yet, but a new one.
    pub(super) fn is_new(&self, within: Seconds, now: Timestamp) -> bool {
        let Some(created) = self.created else {
            return false;
        };
        let turned = self.condition("Ready").and_then(Held::transition);
        seconds_between(created, now) < within
            && created <= now
            && turned.is_none_or(|at| seconds_between(created, at) <= AT_FIRST)
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = &str> {
        self.conditions
            .iter()
            .filter(|held| is_problem(&held.kind, held.status))
            .map(|held| &*held.kind)
    }

    /// Which of its conditions have turned ill, or well. A detector's that is reported for the first time has turned, too; many
    /// nodes that become Ready together are no detector's doing, but a network that is back, or a pool that grows.
    pub(super) fn turned<'a>(
        &'a self,
        before: &'a Kept,
    ) -> impl Iterator<Item = (&'a Arc<str>, bool)> {
        self.conditions.iter().filter_map(|held| {
            let by_detector = is_detectors(&held.kind);
            let earlier = before.condition(&held.kind);
            // a person's word is no turn
            let is_same = |earlier: &&Held| earlier.reports_as(held);
            if earlier
                .filter(is_same)
                .is_some_and(|earlier| earlier.seen_to != held.seen_to)
            {
                return None;
            }
            let was = match earlier {
                Some(before) => is_problem(&held.kind, before.status),
                None if by_detector => false,
                None => return None,
            };
            let is = is_problem(&held.kind, held.status);
            (was != is && (is || by_detector)).then_some((&held.kind, is))
        })
    }

    /// Is anything that a decision reads another than before?
    pub(super) fn differs(&self, before: &Kept) -> bool {
        let pairs = || self.conditions.iter().zip(&before.conditions);
        self.uid != before.uid
            || self.labels != before.labels
            || self.conditions.len() != before.conditions.len()
            || pairs().any(|(own, before)| !own.says_as(before))
            || self.rest != before.rest
            || self.place != before.place
    }

    pub(super) fn is_server(&self, server: &ServerId) -> bool {
        self.server == hash(server.as_str())
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
        let sight = |held: &Held| Some((ConditionKind::parse(&*held.kind).ok()?, held.sight()));
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

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn rest(node: &SlimNode) -> u64 {
    let mut hasher = DefaultHasher::new();
    node.metadata.annotations.hash(&mut hasher);
    node.spec.unschedulable.hash(&mut hasher);
    node.spec.provider_id.hash(&mut hasher);
    node.spec.taints.hash(&mut hasher);
    node.status.node_info.boot_id.hash(&mut hasher);
    node.status.volumes_attached.hash(&mut hasher);
    node.status.addresses.hash(&mut hasher);
    for (name, quantity) in node.status.allocatable.iter().chain(&node.status.capacity) {
        (name, &quantity.0).hash(&mut hasher);
    }
    hasher.finish()
}
