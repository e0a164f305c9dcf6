//! All that a pass saw, at one moment. A part that is missing or stale is a value, never a default.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::name::{BootId, ConditionKind, NodeName, Uid, UnitName};
use crate::policy::{EventCount, Freshness, Seconds, Status};
use crate::repair::{Asks, Grant, Phase, Rung};

/// One node condition, as its source reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCondition {
    /// Its type.
    pub kind: ConditionKind,
    /// Its status.
    pub status: Status,
    /// Machine-readable cause.
    pub reason: String,
    /// Text for people.
    pub message: String,
    /// When the source says that it changed: another time with the same status means that we missed something.
    pub transition: Option<Timestamp>,
    /// For so many seconds its absence must be watched before that means anything; 0 for what is a state.
    pub tells_after: Seconds,
    /// It is reported True, and a person has acknowledged that: it counts as False.
    pub seen_to: bool,
    /// `npd` or `node-status`; of what the engine tells by itself `npd-counter` or `systemd`.
    pub source: String,
}

/// A systemd unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitSeen {
    /// `ActiveState`.
    pub active_state: String,
    /// `SubState`.
    pub sub_state: String,
    /// `NRestarts`; 0 for what is no service.
    pub restarts: u32,
    /// `StateChangeTimestamp`.
    pub since: Option<Timestamp>,
    /// `InvocationID` in hex: another one means that the unit was started again. Empty if it never ran.
    pub invocation: String,
    /// A job is queued or running for it.
    pub busy: bool,
}

/// The node's own object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSeen {
    /// Its UID.
    pub uid: Uid,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The condition Ready.
    pub ready: Status,
    /// Cordoned.
    pub unschedulable: bool,
    /// A person paused it, for this reason.
    pub paused: Option<String>,
    /// What a person has acknowledged of it.
    pub acknowledged: Option<String>,
    /// A person's mark: with each new value the engine may try again what it may not try any more.
    pub retry: Option<String>,
}

/// The node's `NodeRepair`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairSeen {
    /// The object's UID.
    pub uid: String,
    /// Its `resourceVersion`: what a write swaps against.
    pub version: String,
    /// `spec.nodeUid`.
    pub node_uid: String,
    /// `spec.problem.kind`.
    pub problem: String,
    /// A person, or the control plane, opened it.
    pub of_others: bool,
    /// `spec.asks`.
    pub asks: Asks,
    /// `spec.deadline`.
    pub deadline: Option<Timestamp>,
    /// `spec.withdrawn`.
    pub withdrawn: bool,
    /// `spec.acceptedGrant`.
    pub accepted_grant: Option<String>,
    /// `status.phase`.
    pub phase: Phase,
    /// By its status there is only forward: its healing does not end the repair.
    pub past_return: bool,
    /// `status.grant`.
    pub grant: Option<Grant>,
    /// What a person wants done to the node (`spec.wants`, or the annotation): its healing does not end the repair.
    pub wants: Option<Rung>,
}

/// Something that is watched at the API server, and how far it can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched<T> {
    /// As last seen; `None` is "does not exist" if fresh, and nothing at all if missing.
    pub value: Option<T>,
    /// Of the value.
    pub freshness: Freshness,
}

impl<T> Default for Watched<T> {
    fn default() -> Self {
        Self {
            value: None,
            freshness: Freshness::Missing,
        }
    }
}

/// A remedy of this process came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Of which episode.
    pub problem: ConditionKind,
    /// What systemd said: the job's result, or why it could not be carried out.
    pub result: Result<String, String>,
}

/// All that one pass saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub now: Timestamp,
    /// Whose engine this is.
    pub name: NodeName,
    /// The present boot, if it could be read.
    pub boot: Option<BootId>,
    /// Since when the node's userspace runs, if systemd could be asked.
    pub booted: Option<Timestamp>,
    /// It is on its way down.
    pub goes_down: bool,
    /// Who inhibits a shutdown, and why; asked while a reboot is offered that can wait for them.
    pub inhibitor: Option<String>,
    /// The conditions that are reported *now*. One that is not listed is neither true nor false.
    pub conditions: Vec<SeenCondition>,
    /// What happened lately, by Node Problem Detector's count.
    pub events: Vec<EventCount>,
    /// Is Node Problem Detector's report among them?
    pub npd: Freshness,
    /// The allowed units, as far as they were read.
    pub units: BTreeMap<UnitName, UnitSeen>,
    /// Of the units: missing if systemd could not be asked.
    pub systemd: Freshness,
    /// The node's own object.
    pub node: Watched<NodeSeen>,
    /// The node's repair.
    pub repair: Watched<RepairSeen>,
    /// The kinds, of those seen and of those remembered, that a policy handles on a node.
    pub handled: BTreeSet<ConditionKind>,
    /// The problems that the engine makes itself, by its configuration.
    pub made: BTreeSet<ConditionKind>,
    /// Counts the changes of the policies.
    pub policies: u64,
    /// The stop switch is set, and says this. One that was seen holds while the API server is away, also over a restart; one
    /// that was never seen does not: a node heals itself during an outage, too.
    pub stop: Option<String>,
    /// Whether it was heard of since the engine began: else it is not known whether it is set.
    pub stop_heard: bool,
    /// Since when the journal cannot be written, and why; none if it can.
    pub unwritable: Option<(Timestamp, String)>,
    /// A remedy of this process is under way.
    pub carrying_out: bool,
    /// One has just ended.
    pub ended: Option<Ended>,
}

impl Seen {
    /// The condition of this type, if it is reported now.
    pub fn condition(&self, kind: &ConditionKind) -> Option<&SeenCondition> {
        self.conditions
            .iter()
            .find(|condition| condition.kind == *kind)
    }
}
