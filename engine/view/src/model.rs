//! Nodes by zone, repairs as ladders, and what was said, in the order in which it was.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{self, Event as CoreEvent, Pod};
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use rectifier_api::{NodeRepair, PROVISIONAL_TAINT, RepairPool};
use rectifier_core::budget::State;
use serde::Serialize;

/// What a model is made of.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// All nodes.
    pub nodes: Vec<v1::Node>,
    /// All pools.
    pub pools: Vec<RepairPool>,
    /// All repairs, open and archived.
    pub repairs: Vec<NodeRepair>,
    /// All pods.
    pub pods: Vec<Pod>,
    /// Events of the node engines.
    pub events: Vec<Event>,
    /// Events of the controller.
    pub core_events: Vec<CoreEvent>,
}

/// The cluster as people see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// When it was so.
    pub at: Timestamp,
    /// By name.
    pub pools: Vec<Pool>,
    /// By name.
    pub zones: Vec<Zone>,
    /// The open ones first, then the newest.
    pub repairs: Vec<Repair>,
    /// The oldest first.
    pub story: Vec<Line>,
}

/// A pool, and whether repairs may begin in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// How many nodes it has.
    pub nodes: u32,
    /// Its breaker.
    pub breaker: State,
    /// By which rule, with which numbers against which limits, and what ends it; empty: nothing holds it.
    pub message: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// When that changes at the soonest.
    pub looks_again: Option<Timestamp>,
}

/// A zone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Zone {
    /// Empty if its nodes have none.
    pub name: String,
    /// By name.
    pub nodes: Vec<Node>,
}

/// How a node is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Ready, and nothing is wrong.
    Well,
    /// It has joined and is not committed yet.
    New,
    /// It has a problem, or is not Ready.
    Sick,
    /// Its problem is being repaired.
    Repairing,
    /// Nobody hears its kubelet.
    Unheard,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its name.
    pub name: String,
    /// In one word.
    pub health: Health,
    /// No new pods come to it.
    pub is_cordoned: bool,
    /// Pods on it.
    pub pods: usize,
    /// What is wrong with it: conditions with their messages.
    pub problems: BTreeMap<String, String>,
    /// Why something is, or is not, done about it: the last that was said of it, if something is wrong.
    pub why: Option<String>,
}

/// A repair.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// Of this node.
    pub node: String,
    /// Of this problem.
    pub problem: String,
    /// Where it stands.
    pub phase: String,
    /// It has not ended.
    pub is_open: bool,
    /// A person has to look at it.
    pub needs_human: bool,
    /// Why it stands there, in a line.
    pub message: String,
    /// The node that takes the place of this one.
    pub replacement: Option<String>,
    /// Its phases so far.
    pub steps: Vec<Step>,
}

/// A phase that a repair was, or is, in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Which.
    pub phase: String,
    /// When it was entered.
    pub at: Timestamp,
    /// How long it lasted, or has lasted, in seconds.
    pub seconds: u32,
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaker {
    /// Whoever breaks and mends: a person, or a demonstration.
    Person,
    /// The engine of a node.
    NodeEngine,
    /// The control plane's engine.
    Controller,
}

/// A line of the story.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// Its place among what was said in the same second: some clocks here have no finer hand.
    #[serde(skip)]
    pub order: u64,
    /// Who says it.
    pub who: Speaker,
    /// About which node.
    pub node: String,
    /// In one word, for programs.
    pub reason: String,
    /// For people.
    pub text: String,
    /// Somebody should look at it.
    pub warns: bool,
}

impl Model {
    /// What these objects show at this moment. `said` is what a person did.
    pub fn new(at: Timestamp, objects: &Objects, said: &[Line]) -> Self {
        let story = story(objects, said);
        let repairs = repairs(at, &objects.repairs);
        let mut zones: BTreeMap<String, Vec<Node>> = BTreeMap::new();
        for node in &objects.nodes {
            let zone = node.labels().get("topology.kubernetes.io/zone");
            let shown = shown(node, objects, &repairs, &story);
            zones
                .entry(zone.cloned().unwrap_or_default())
                .or_default()
                .push(shown);
        }
        let zones = zones.into_iter().map(|(name, mut nodes)| {
            nodes.sort_by(|a, b| natural(&a.name).cmp(&natural(&b.name)));
            Zone { name, nodes }
        });
        Self {
            at,
            pools: pools(&objects.pools),
            zones: zones.collect(),
            repairs,
            story,
        }
    }

    /// All nodes, whatever their zone.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.zones.iter().flat_map(|zone| &zone.nodes)
    }
}

/// `worker-2` before `worker-10`.
fn natural(name: &str) -> (&str, u64, &str) {
    let text = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    (text, name[text.len()..].parse().unwrap_or(0), name)
}

fn shown(node: &v1::Node, objects: &Objects, repairs: &[Repair], story: &[Line]) -> Node {
    let name = node.name_any();
    let conditions = node.status.iter().flat_map(|status| &status.conditions);
    let mut ready = "Unknown";
    let mut problems = BTreeMap::new();
    for condition in conditions.flatten() {
        let message = condition.message.clone().unwrap_or_default();
        match (condition.type_.as_str(), condition.status.as_str()) {
            ("Ready", status) => {
                ready = status;
                if status != "True" {
                    problems.insert("NotReady".to_owned(), message);
                }
            }
            (kind, "True") => drop(problems.insert(kind.to_owned(), message)),
            _ => {}
        }
    }
    let spec = node.spec.clone().unwrap_or_default();
    let is_new = spec
        .taints
        .iter()
        .flatten()
        .any(|taint| taint.key == PROVISIONAL_TAINT);
    let is_repaired = repairs
        .iter()
        .any(|repair| repair.is_open && repair.node == name);
    let health = match () {
        () if ready == "Unknown" => Health::Unheard,
        () if is_repaired => Health::Repairing,
        () if !problems.is_empty() => Health::Sick,
        () if is_new => Health::New,
        () => Health::Well,
    };
    let on_it = |pod: &&Pod| {
        let bound = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        bound == Some(name.as_str())
    };
    let last = story
        .iter()
        .rev()
        .find(|line| line.node == name && line.who != Speaker::Person);
    let why = last
        .filter(|_| !matches!(health, Health::Well | Health::New))
        .map(|line| line.text.clone());
    Node {
        health,
        is_cordoned: spec.unschedulable == Some(true),
        pods: objects.pods.iter().filter(on_it).count(),
        problems,
        why,
        name,
    }
}

fn pools(all: &[RepairPool]) -> Vec<Pool> {
    let shown = all.iter().map(|pool| {
        let status = pool.status.as_ref();
        let breaker = status.and_then(|status| status.breaker.clone());
        let breaker = breaker.unwrap_or_default();
        Pool {
            name: pool.name_any(),
            nodes: status.map_or(0, |status| status.nodes),
            breaker: breaker.state,
            message: breaker.message,
            since: breaker.since,
            looks_again: breaker.looks_again,
        }
    });
    let mut shown: Vec<Pool> = shown.collect();
    shown.sort_by(|a, b| a.name.cmp(&b.name));
    shown
}

fn repairs(at: Timestamp, all: &[NodeRepair]) -> Vec<Repair> {
    let mut shown: Vec<(bool, Timestamp, Repair)> = all
        .iter()
        .map(|repair| {
            let record = repair.status.clone().unwrap_or_default();
            let is_open = !record.phase.is_final();
            let ends = record.steps.iter().skip(1).map(|step| step.at);
            let last = if is_open { Some(at) } else { record.since };
            let ends = ends.chain(last);
            let steps = record.steps.iter().zip(ends).map(|(step, end)| Step {
                phase: format!("{:?}", step.phase),
                at: step.at,
                seconds: seconds(step.at, end),
            });
            let shown = Repair {
                node: repair.spec.node_name.clone(),
                problem: repair.spec.problem.kind.to_string(),
                phase: format!("{:?}", record.phase),
                is_open,
                needs_human: format!("{:?}", record.phase) == "NeedsHuman",
                message: match (&record.reason, record.message.is_empty()) {
                    (Some(reason), true) => reason.text().to_owned(),
                    _ => record.message.clone(),
                },
                replacement: record
                    .replacement
                    .as_ref()
                    .map(|replacement| replacement.name.clone()),
                steps: steps.collect(),
            };
            let since = record.since.unwrap_or(Timestamp::UNIX_EPOCH);
            (is_open, since, shown)
        })
        .collect();
    shown.sort_by(|(a_open, a, _), (b_open, b, _)| (b_open, b).cmp(&(a_open, a)));
    shown.into_iter().map(|(_, _, repair)| repair).collect()
}

fn seconds(from: Timestamp, to: Timestamp) -> u32 {
    rectifier_core::clock::seconds_between(from, to)
}

fn story(objects: &Objects, said: &[Line]) -> Vec<Line> {
    // An API server keeps one store for both groups' Events, and gives each of them in both: by name it is one.
    let mut known = BTreeSet::new();
    let mut lines: Vec<Line> = said.to_vec();
    for event in &objects.events {
        let Some(regarding) = event.regarding.as_ref().filter(|_| is_ours(event)) else {
            continue;
        };
        let Some(at) = event.event_time.as_ref().map(|time| time.0) else {
            continue;
        };
        known.insert(event.name_any());
        lines.push(Line {
            at,
            order: order(event),
            who: Speaker::NodeEngine,
            node: regarding.name.clone().unwrap_or_default(),
            reason: event.reason.clone().unwrap_or_default(),
            text: event.note.clone().unwrap_or_default(),
            warns: event.type_.as_deref() == Some("Warning"),
        });
    }
    for event in &objects.core_events {
        let component = event
            .source
            .as_ref()
            .and_then(|source| source.component.as_deref());
        let at = event.first_timestamp.as_ref().map(|time| time.0);
        let (Some(at), true) = (at, component == Some("rectifier-controller")) else {
            continue;
        };
        if !known.insert(event.name_any()) {
            continue;
        }
        lines.push(Line {
            at,
            order: order(event),
            who: Speaker::Controller,
            node: event.involved_object.name.clone().unwrap_or_default(),
            reason: event.reason.clone().unwrap_or_default(),
            text: event.message.clone().unwrap_or_default(),
            warns: event.type_.as_deref() == Some("Warning"),
        });
    }
    lines.sort();
    lines
}

/// A version is opaque; that of an object which never changes is a number that grows, wherever it was looked at. It decides
/// nothing but what is shown first.
fn order(event: &impl ResourceExt) -> u64 {
    let version = event.resource_version();
    version
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
}

fn is_ours(event: &Event) -> bool {
    let controller = event.reporting_controller.as_deref();
    controller.is_some_and(|controller| controller.starts_with("rectifier.dev/"))
}
