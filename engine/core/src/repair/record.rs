//! What is written down about a repair. The `NodeRepair` object's spec and status are these types, so that the
//! decision, its file for a replay and what an operator reads are one and the same.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::drain::Progress;
use super::evidence::Evidence;
use super::owners::OwnerReady;
use super::phase::Phase;
use super::room::Room;
use crate::policy::Outcome;
use crate::reason::Reason;

/// How much the node's engine asks for. It only moves upwards.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum Asks {
    /// To be left alone while it heals.
    #[default]
    InNode,
    /// For a reboot.
    Reboot,
    /// For the control plane's judgement.
    Escalate,
}

/// The problem that the repair is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The node condition's type, e.g. `KernelDeadlock`.
    #[schemars(length(min = 1, max = 316))]
    pub kind: String,
    /// The condition's reason.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub reason: String,
    /// The condition's message.
    #[serde(default)]
    #[schemars(length(max = 4096))]
    pub message: String,
    /// When it was first seen.
    pub since: Timestamp,
    /// Who told the node's engine of it, if that made it a problem itself: `npd-counter`, `systemd`. No condition of the Node
    /// tells it then, and the node engine's word is all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub source: Option<String>,
}

/// What the repair is for, and how much of it is asked. Written by the node's engine, or by the control plane
/// when that is silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The node's name.
    pub node: String,
    /// The node object's UID: a node of the same name that joined later is another node.
    pub node_uid: String,
    /// The problem.
    pub problem: Problem,
    /// How much is asked.
    pub asks: Asks,
    /// Until when the node's engine wants to be left alone.
    pub deadline: Option<Timestamp>,
    /// The node's engine healed it.
    pub withdrawn: bool,
    /// The grant that the node's engine accepted.
    pub accepted_grant: Option<String>,
    /// Who opened it.
    pub requested_by: RequestedBy,
    /// A person's mark that asks for another try; a new mark is a new try.
    pub retry: Option<String>,
    /// The server that a person says is off for good, by its id.
    pub confirmed_dead: Option<String>,
    /// What a person wants done to the node, whatever its policies say.
    pub wants: Option<Rung>,
}

impl Request {
    /// Did a person look at the node, and ask for this?
    pub fn is_a_persons(&self) -> bool {
        self.requested_by == RequestedBy::Operator || self.wants.is_some()
    }
}

/// Who opened a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum RequestedBy {
    /// The node's engine.
    #[default]
    NodeEngine,
    /// The control plane, from the node's conditions: no agent answered.
    Conditions,
    /// A person.
    Operator,
}

/// A permission to reboot once, for one boot of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Unique; accepted by naming it in `spec.acceptedGrant`.
    pub id: String,
    /// The boot that may be ended.
    pub boot_id: String,
    /// The node that may be rebooted.
    pub node_uid: String,
    /// Not accepted until then: void.
    pub until: Timestamp,
}

/// What the repair is doing to the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Rung {
    /// A reboot from inside, by a grant.
    Reboot,
    /// A start or a hard reboot by the cloud.
    HardReboot,
    /// A new server.
    Replace,
}

/// A rung that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// Which.
    pub rung: Rung,
    /// When it began.
    pub since: Timestamp,
    /// What became of it.
    #[schemars(with = "String")]
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
}

/// The replacement that is being made. Everything needed to find its effects again is written before it is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replacement {
    /// Counts from 1; each attempt has ports and a tag of its own.
    pub attempt: u32,
    /// The server's and the node's name.
    pub name: String,
    /// The tag that its server bears, and the prefix of its ports' names.
    pub tag: String,
    /// Its availability zone, if it is not the sick server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub zone: Option<String>,
    /// How many ports it gets. Written before the first is made, so that all of them are found again by their names.
    #[serde(default)]
    pub ports_wanted: u32,
    /// When the making of its ports was last asked for. Written before it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports_at: Option<Timestamp>,
    /// Its ports' ids.
    #[serde(default)]
    pub ports: Vec<String>,
    /// When its creation was last posted. Written before the post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posted_at: Option<Timestamp>,
    /// The server's id, once it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
    /// Its node's UID, once it was seen Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_uid: Option<String>,
}

impl Replacement {
    /// The name of this attempt's port of that number, from 0: no other port has it.
    pub fn port_name(&self, number: u32) -> String {
        format!("{}-{number}", self.tag)
    }
}

/// What the cloud is asked to do to the sick machine's power, and what is needed to find its effect again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Power {
    /// The newest action on the server before ours: what is newer may be ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The boot that ends by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// When it was last asked for. Written before it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posted_at: Option<Timestamp>,
}

/// What the node's Lease has shown, while its Ready is Unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// Its last renewal, by the node's own clock; absent if there is no Lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed: Option<String>,
    /// Since when it has shown no other, by ours.
    pub since: Timestamp,
}

/// How a person steers a repair.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Hand {
    /// Opened it.
    Ask,
    /// Said what is to be done, whatever the policies say.
    Want,
    /// Let a rung begin.
    Approve,
    /// Ended it.
    Reject,
    /// Asked for another try.
    Retry,
    /// Said that a machine is off for good.
    ConfirmDead,
}

/// What a person said to a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// How.
    pub hand: Hand,
    /// The rung, the reason, the mark or the server, in their words.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub words: String,
    /// Who, as the API server knows them; absent if they did not sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub by: Option<String>,
    /// When it was first read.
    pub at: Timestamp,
}

/// One step of the story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// The phase that was entered.
    pub phase: Phase,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// What was seen.
    #[serde(default)]
    pub detail: String,
}

/// The policy's answer that the repair follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The policy's name.
    pub policy: String,
    /// The digest of its file.
    pub digest: String,
    /// The remedy, in words.
    pub remedy: String,
    /// Its reason.
    pub reason: String,
    /// When it was first given, or followed.
    pub at: Timestamp,
}

impl Verdict {
    /// The same answer, whenever it was given.
    pub(super) fn says_as(&self, other: &Self) -> bool {
        let Self {
            policy,
            digest,
            remedy,
            reason,
            at: _,
        } = self;
        (policy, digest, remedy, reason)
            == (&other.policy, &other.digest, &other.remedy, &other.reason)
    }
}

/// Where the repair stands, and everything that is needed to go on after a crash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Where it stands.
    #[serde(default)]
    pub phase: Phase,
    /// Why it stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// One line for people.
    #[serde(default)]
    pub message: String,
    /// When the phase was entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The term of the leader that wrote last.
    #[serde(default)]
    pub term: i64,
    /// The `metadata.generation` of the spec that this was decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The same in the standard form: `Progressing`, `Stalled` and `Succeeded`.
    #[serde(default)]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,
    /// The pool by whose rules the first intrusive step was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pool: Option<String>,
    /// Since when a pause or the stop switch halts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted_at: Option<Timestamp>,
    /// When it was last let go on: its deadlines count from then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_at: Option<Timestamp>,
    /// What is being done to the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<Rung>,
    /// What was tried.
    #[serde(default)]
    pub tried: Vec<Tried>,
    /// The open or accepted grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// The sick node's server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
    /// The sick server's ports, recorded before it is deleted: a port outlives its server.
    #[serde(default)]
    pub server_ports: Vec<String>,
    /// What the cloud was asked to do to its power.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<Power>,
    /// Whether a node that is not heard renews its Lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<Silence>,
    /// What proves that the sick machine is off, and writes nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// The replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<Replacement>,
    /// The sick server goes first, or has gone: no host could take its replacement beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<Room>,
    /// When the replacement was committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Timestamp>,
    /// How far the present drain has come, or the last one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Progress>,
    /// Who made the pods of the sick node, and how many Ready ones each had when the drain began; at most 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub owners: Option<Vec<OwnerReady>>,
    /// The person's mark that was last followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub retried: Option<String>,
    /// When that was: what was tried before does not count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_at: Option<Timestamp>,
    /// What people said to it, oldest first; at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub said: Vec<Said>,
    /// Until when the policy wants to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_until: Option<Timestamp>,
    /// The policy's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What was kept of the sick server before it was destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The story so far, oldest first.
    #[serde(default)]
    pub steps: Vec<StepRecord>,
    /// More for people; never read.
    #[serde(default)]
    pub notes: BTreeMap<String, String>,
}
