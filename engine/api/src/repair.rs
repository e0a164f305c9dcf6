//! `NodeRepair`: one object tells the story of one repair, on both levels.
#![expect(
    unreachable_pub,
    reason = "kube's derive repeats the struct in a private module"
)]

use jiff::Timestamp;

use kube::{CustomResource, KubeSchema};
use rectifier_core::name::NodeName;
use rectifier_core::repair::{Asks, Problem, Record, Request, RequestedBy, Rung};
use serde::{Deserialize, Serialize};

/// The repair of one node. Its name, NODE.repair, is the lock: the API server itself allows one per node.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "rectifier.dev",
    version = "v1alpha1",
    kind = "NodeRepair",
    shortname = "nr",
    category = "rectifier",
    status = "Record",
    selectable = ".spec.nodeName",
    derive = "PartialEq",
    doc = "The repair of one node, by both engines. Its name, NODE.repair, is the lock: the API server itself allows one per node. What is over is kept as NODE.repair.TIME. A person's words are annotations: `rectifier.dev/approve` (the rung that its message names), `rectifier.dev/reject` (with the reason: ends it for a day), `rectifier.dev/retry` (any new value: another try), `rectifier.dev/wants` (`Reboot`, `HardReboot` or `Replace`: that is done, whatever the policies say). Deleted before its replacement is committed, it takes everything back and goes; after that a deletion is refused.",
    printcolumn = r#"{"name":"Node","type":"string","jsonPath":".spec.nodeName"}"#,
    printcolumn = r#"{"name":"Problem","type":"string","jsonPath":".spec.problem.kind"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.reason"}"#,
    printcolumn = r#"{"name":"Replacement","type":"string","jsonPath":".status.replacement.name"}"#,
    printcolumn = r#"{"name":"Pool","type":"string","jsonPath":".status.pool","priority":1}"#,
    printcolumn = r#"{"name":"Asks","type":"string","jsonPath":".spec.asks","priority":1}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.message","priority":1}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.nodeName == oldSelf.nodeName && self.nodeUid == oldSelf.nodeUid && self.requestedBy == oldSelf.requestedBy")
        .message("nodeName, nodeUid and requestedBy are immutable"),
    validation = Rule::new("self.problem == oldSelf.problem || (self.requestedBy == 'NodeEngine' && oldSelf.asks == 'InNode' && self.asks != 'InNode')")
        .message("problem only becomes a graver one: while no more than InNode was asked, with more that is asked"),
    validation = Rule::new("has(self.wants) == has(oldSelf.wants) && (!has(self.wants) || self.wants == oldSelf.wants) && has(self.by) == has(oldSelf.by) && (!has(self.by) || self.by == oldSelf.by)")
        .message("wants and by are immutable"),
    validation = Rule::new("!has(self.wants) || (self.requestedBy == 'Operator' && self.asks == 'Escalate')")
        .message("only a person says what is to be done: wants needs requestedBy: Operator and asks: Escalate"),
    validation = Rule::new("self.asks == oldSelf.asks || self.asks == 'Escalate' || (self.asks == 'Reboot' && oldSelf.asks == 'InNode')")
        .message("asks only moves upwards: InNode, Reboot, Escalate"),
    validation = Rule::new("!has(oldSelf.deadline) || (has(self.deadline) && self.deadline >= oldSelf.deadline)")
        .message("deadline only moves later"),
    validation = Rule::new("self.withdrawn || !oldSelf.withdrawn").message("withdrawn cannot be taken back")
)]
pub struct NodeRepairSpec {
    /// The node to repair.
    #[schemars(length(min = 1, max = 253))]
    pub node_name: String,
    /// The UID of its Node object: a node of that name that joins later is another node.
    #[schemars(length(min = 1, max = 64))]
    pub node_uid: String,
    /// The problem that is to go away: the repair is over when it has. As long as nothing but healing in the node was asked, another
    /// one of the node, for which more is asked, can take its place.
    pub problem: Problem,
    /// How much the node's engine asks for: to be left alone while it heals (`InNode`), for a reboot, or for the control plane's
    /// judgement. It only moves upwards.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub asks: Asks,
    /// Until when the node's engine wants to be left alone; after it the control plane judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The node's engine healed it: the repair ends without the control plane. It cannot be taken back.
    #[serde(default)]
    pub withdrawn: bool,
    /// The id of the grant that the node's engine accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub accepted_grant: Option<String>,
    /// Who opened it: the node's engine, the control plane because of the node's conditions, or a person.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub requested_by: RequestedBy,
    /// What a person wants done to the node, whatever its policies say; no other rung follows. Without it the policies judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub wants: Option<Rung>,
    /// The person who opened it: their name at the API server, which lets nobody give another's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub by: Option<String>,
}

/// The name of the one active repair of a node.
pub fn repair_name(node: &NodeName) -> String {
    format!("{node}.repair")
}

impl NodeRepairSpec {
    /// The same, as `core` decides on it.
    pub fn request(&self) -> Request {
        Request {
            node: self.node_name.clone(),
            node_uid: self.node_uid.clone(),
            problem: self.problem.clone(),
            asks: self.asks,
            deadline: self.deadline,
            withdrawn: self.withdrawn,
            accepted_grant: self.accepted_grant.clone(),
            requested_by: self.requested_by,
            // marks on the object, not part of what is asked for
            retry: None,
            confirmed_dead: None,
            wants: self.wants,
        }
    }
}
