//! What a policy sees.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Remedy, Seconds, SiteKind};
use crate::name::{ConditionKind, FixName, NodeName, PoolName, UnitName};

/// Kubernetes' True, False, Unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// `True`: for a problem's condition, the problem is there.
    Yes,
    /// `False`.
    No,
    /// `Unknown`: neither health nor illness.
    Unknown,
}

/// How far what was seen can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Freshness {
    /// Read within its source's interval.
    Fresh,
    /// Read, but longer ago than the source's interval.
    Stale,
    /// Never read, or the source is unreachable.
    Missing,
}

/// A moment in the pool's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// Seconds since 1970-01-01T00:00Z.
    pub unix_seconds: u64,
    /// 1 (Monday) to 7.
    pub weekday: u8,
    /// 0 to 1439.
    pub minute_of_day: u16,
}

/// May the engine do it now?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Gate {
    /// Yes.
    Open,
    /// No, and the guard rail that says so.
    Closed(String),
}

/// A node condition or a unit's state, as a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The condition's type.
    pub kind: ConditionKind,
    /// Its status.
    pub status: Status,
    /// Machine-readable cause, as the source gives it.
    pub reason: String,
    /// Text for people, as the source gives it.
    pub message: String,
    /// For how long we have seen it with this status.
    pub held: Seconds,
    /// Who reported it: `npd`, `node-status`; or who told the node engine, which makes conditions by the operator's rules:
    /// `npd-counter`, `systemd`.
    pub source: String,
}

/// Events of one reason on this node, as Node Problem Detector counts them, over a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventCount {
    /// The events' reason, e.g. `OOMKilling`.
    pub reason: String,
    /// The last one's message; empty where it is only counted.
    pub message: String,
    /// How many.
    pub count: u32,
    /// Over how long.
    pub window: Seconds,
    /// How long ago the last one was seen.
    pub last_seen: Seconds,
}

/// What became of a remedy. Observed, never taken from a call's return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Under way, or settling.
    Running,
    /// The problem went away, and stayed away for the settling time.
    Recovered,
    /// Carried out; the problem is still there.
    NoEffect,
    /// It could not be carried out.
    Failed,
    /// A guard rail refused it.
    Refused,
    /// We were away and cannot tell.
    Unknown,
}

/// One remedy that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// What was tried.
    pub remedy: Remedy,
    /// How long ago it began.
    pub age: Seconds,
    /// What became of it.
    pub outcome: Outcome,
    /// More for people: the job's result, the guard rail.
    pub detail: String,
}

/// One problem from its first sight until it is gone, as a policy sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Episode")]
pub struct EpisodeView {
    /// The problem as it stands now.
    pub problem: Condition,
    /// Since its first sight.
    pub age: Seconds,
    /// How often it went away and came back within this episode.
    pub recurrences: u32,
    /// Newest first, at most 32.
    pub attempts: Vec<Attempt>,
}

/// The node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Node")]
pub struct NodeFacts {
    /// Its name.
    pub name: NodeName,
    /// The pool that it belongs to; absent if none, or if the site cannot know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolName>,
    /// `topology.kubernetes.io/zone`, or empty.
    pub zone: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The condition Ready.
    pub ready: Status,
    /// Cordoned?
    pub unschedulable: bool,
    /// Since its boot, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime: Option<Seconds>,
    /// Pods bound to it; 0 where the site does not count them.
    pub pods: u32,
}

/// A systemd unit that the operator allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    /// Its name.
    pub name: UnitName,
    /// `ActiveState` (org.freedesktop.systemd1).
    pub active_state: String,
    /// `SubState`.
    pub sub_state: String,
    /// `NRestarts`: restarts by systemd itself.
    pub restarts: u32,
    /// For how long it has been in this state.
    pub held: Seconds,
    /// May it be touched now?
    pub gate: Gate,
}

/// A fix that the operator declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// Its name.
    pub name: FixName,
    /// The parameters that it takes.
    pub params: Vec<String>,
    /// May it be run now?
    pub gate: Gate,
}

/// What only the node's own engine sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    /// The allowed units that the policy named in `needs`, or all.
    pub units: Vec<Unit>,
    /// The declared fixes.
    pub fixes: Vec<Fix>,
    /// May a reboot be asked for?
    pub reboot: Gate,
    /// Of this view.
    pub freshness: Freshness,
}

/// Nodes of one kind, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// All.
    pub nodes: u32,
    /// With a problem.
    pub sick: u32,
    /// In a repair.
    pub repairing: u32,
}

/// The node's server, as the cloud tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Server")]
pub struct ServerView {
    /// Nova's status.
    pub status: String,
    /// Nova's task state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Nova's fault message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Since its creation.
    pub age: Seconds,
    /// By the rule of the engine, never by a status alone.
    pub proven_dead: bool,
}

/// What only the control plane sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterView {
    /// The node's pool.
    pub pool: Group,
    /// Its zone within the pool.
    pub zone: Group,
    /// Those with the same problem.
    pub same_problem: Group,
    /// Its server, if the cloud could be asked and it is certain which it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerView>,
    /// Who asked for the repair: `node-engine`, `conditions`, or a person.
    pub requested_by: String,
    /// May it be rebooted now?
    pub reboot: Gate,
    /// May it be replaced now?
    pub replace: Gate,
    /// Of this view.
    pub freshness: Freshness,
}

/// Where the policy is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Site {
    /// By the node's engine.
    Node(NodeView),
    /// By the control plane's.
    ControlPlane(ClusterView),
}

impl Site {
    /// Which engine asks.
    pub fn kind(&self) -> SiteKind {
        match self {
            Site::Node(_) => SiteKind::Node,
            Site::ControlPlane(_) => SiteKind::ControlPlane,
        }
    }
}

/// All that one decision may rest on, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// Unique; a policy's random numbers are seeded from it.
    pub id: String,
    /// When it was made.
    pub now: Moment,
    /// The node.
    pub node: NodeFacts,
    /// Where it is asked, and what is seen there.
    pub site: Site,
    /// The problem to decide on.
    pub episode: EpisodeView,
    /// Other problems of this node.
    pub other_episodes: Vec<EpisodeView>,
    /// All conditions of the node, healthy ones too.
    pub conditions: Vec<Condition>,
    /// Events, counted.
    pub events: Vec<EventCount>,
    /// The open field; names are listed in `sdk/facts.md`.
    pub facts: BTreeMap<String, String>,
}
