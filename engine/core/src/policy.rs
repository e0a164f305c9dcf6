//! The contract with the policies: what one sees ([`Observation`]) and what it may answer ([`Decision`]).
//!
//! These are the newest version's types; `policy-host` converts released versions to them at its door. A policy's
//! answer is advice: the guard rails stand in [`crate::episode`] and [`crate::repair`], and none of them asks a policy.
//! The field reference for authors is `sdk/wit/policy.wit`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::{ConditionKind, FixName, NodeName, PolicyName, PoolName, UnitName};

/// A duration or an age, in whole seconds.
pub type Seconds = u32;

/// Kubernetes' True, False, Unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Gate {
    /// Yes.
    Open,
    /// No, and the guard rail that says so.
    Closed(String),
}

/// A node condition or a unit's state, as a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Who reported it: `npd`, `node-status`.
    pub source: String,
}

/// Events of one reason on this node, counted over a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventCount {
    /// The events' reason, e.g. `OOMKilling`.
    pub reason: String,
    /// The last one's message.
    pub message: String,
    /// How many.
    pub count: u32,
    /// Over how long.
    pub window: Seconds,
    /// How long ago the last one was seen.
    pub last_seen: Seconds,
}

/// What became of a remedy. Observed, never taken from a call's return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeFacts {
    /// Its name.
    pub name: NodeName,
    /// The pool that it belongs to; absent if none, or if the site cannot know it.
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
    pub uptime: Option<Seconds>,
    /// Pods bound to it; 0 where the site does not count them.
    pub pods: u32,
}

/// A systemd unit that the operator allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerView {
    /// Nova's status.
    pub status: String,
    /// Nova's task state.
    pub task: Option<String>,
    /// Nova's fault message.
    pub fault: Option<String>,
    /// Since its creation.
    pub age: Seconds,
    /// By the rule of the engine, never by a status alone.
    pub proven_dead: bool,
}

/// What only the control plane sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterView {
    /// The node's pool.
    pub pool: Group,
    /// Its zone within the pool.
    pub zone: Group,
    /// Those with the same problem.
    pub same_problem: Group,
    /// Its server, if the cloud could be asked and it is certain which it is.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Site {
    /// By the node's engine.
    Node(NodeView),
    /// By the control plane's.
    ControlPlane(ClusterView),
}

/// Which engine asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SiteKind {
    /// The node's.
    Node,
    /// The control plane's.
    ControlPlane,
}

impl SiteKind {
    /// The name in metadata, metric labels and messages.
    pub fn label(self) -> &'static str {
        match self {
            SiteKind::Node => "node",
            SiteKind::ControlPlane => "control-plane",
        }
    }
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// What to do to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnitVerb {
    /// `RestartUnit`.
    Restart,
    /// `StartUnit`.
    Start,
    /// `StopUnit`, then `StartUnit`.
    StopStart,
    /// `ResetFailedUnit`, then `StartUnit`.
    ResetFailed,
}

/// A verb and its unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitCall {
    /// The unit.
    pub name: UnitName,
    /// What to do to it.
    pub verb: UnitVerb,
}

/// A fix and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FixCall {
    /// The fix.
    pub name: FixName,
    /// By parameter.
    pub args: BTreeMap<String, String>,
}

/// What a policy may advise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Remedy {
    /// Not mine: the next less specific policy is asked.
    Decline,
    /// Nothing now; look again then.
    Wait(Seconds),
    /// Node only.
    Unit(UnitCall),
    /// Node only.
    Fix(FixCall),
    /// Node: asks for the grant. Control plane: out of band, or a start if the server is shut off.
    Reboot,
    /// Node: to the control plane. Control plane: to a human.
    Escalate,
    /// Control plane only.
    Replace,
}

impl Remedy {
    /// For messages and metric labels: the remedy without its arguments.
    pub fn label(&self) -> &'static str {
        match self {
            Remedy::Decline => "decline",
            Remedy::Wait(_) => "wait",
            Remedy::Unit(_) => "unit",
            Remedy::Fix(_) => "fix",
            Remedy::Reboot => "reboot",
            Remedy::Escalate => "escalate",
            Remedy::Replace => "replace",
        }
    }
}

impl std::fmt::Display for Remedy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Remedy::Unit(call) => {
                let verb = match call.verb {
                    UnitVerb::Restart => "restart",
                    UnitVerb::Start => "start",
                    UnitVerb::StopStart => "stop and start",
                    UnitVerb::ResetFailed => "reset and start",
                };
                write!(f, "{verb} {}", call.name)
            }
            Remedy::Fix(call) => write!(f, "run fix {}", call.name),
            Remedy::Wait(seconds) => write!(f, "wait {seconds} s"),
            Remedy::Decline | Remedy::Reboot | Remedy::Escalate | Remedy::Replace => {
                f.write_str(self.label())
            }
        }
    }
}

/// A policy's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decision {
    /// What to do.
    pub remedy: Remedy,
    /// Why, for people.
    pub reason: String,
    /// How long to watch after the remedy; the site's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Seconds>,
    /// For the record.
    #[serde(default)]
    pub notes: BTreeMap<String, String>,
}

/// Which policy, to the byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRef {
    /// The name in its metadata.
    pub name: PolicyName,
    /// `sha256:` and the hex digest of the module's file.
    pub digest: String,
}

/// Why a policy gave no usable answer. Each is a metric label and a status reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// The file could not be read, or is no policy.
    Load,
    /// It does not compile.
    Compile,
    /// It imports what a policy may not have, or exports too little.
    Link,
    /// Its settings were refused by it.
    Settings,
    /// It trapped.
    Trap,
    /// It ran longer than its deadline.
    Timeout,
    /// It asked for more memory than its limit.
    Oom,
    /// It recursed too deep.
    Stack,
    /// It called exit.
    Exit,
    /// Its answer breaks the contract.
    InvalidOutput,
    /// It answered an error of its own.
    GuestError,
    /// It failed too often and is not asked for a while.
    BreakerOpen,
}

impl FailureClass {
    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            FailureClass::Load => "load",
            FailureClass::Compile => "compile",
            FailureClass::Link => "link",
            FailureClass::Settings => "settings",
            FailureClass::Trap => "trap",
            FailureClass::Timeout => "timeout",
            FailureClass::Oom => "oom",
            FailureClass::Stack => "stack",
            FailureClass::Exit => "exit",
            FailureClass::InvalidOutput => "invalid-output",
            FailureClass::GuestError => "guest-error",
            FailureClass::BreakerOpen => "breaker-open",
        }
    }
}

/// What to do when a policy fails. Never an intrusive remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// Look again later.
    #[default]
    Wait,
    /// Ask the next level for its judgement.
    Escalate,
}

/// What the policies of one site said of one observation. A failure is advice too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Advice {
    /// A policy answered.
    Decided {
        /// Who.
        policy: PolicyRef,
        /// What.
        decision: Decision,
    },
    /// The policy that should have answered could not.
    Unavailable {
        /// Who.
        policy: PolicyRef,
        /// How it failed.
        class: FailureClass,
        /// Names file, digest, limit and what to do.
        message: String,
        /// What the operator wants then.
        on_failure: OnFailure,
    },
    /// No policy handles this condition at this site, or all declined.
    None,
}
