//! What one decision rests on: a single, immutable look at the world, stamped with its time. What could not be
//! read is a value of its own, never an empty list.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;

use super::drain::{DrainRules, HeldBack, LastResort, PodSeen};
use super::evidence::EvidenceSeen;
use super::further::More;
use super::hands::Hands;
use super::history::{Archived, Lineage};
use super::likeness::Part;
use super::owner::NodeOwner;
use super::record::{Record, Request};
use super::room::NoCapacity;
use super::told::Doubt;
use crate::name::{BootId, NodeName, PortId, ServerId, Uid};
use crate::policy::{Advice, Seconds, Status};
use crate::reason::Reason;

/// A look at everything that a repair's next step depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// When.
    pub now: Timestamp,
    /// The repair's own UID: the root of all names that it gives.
    pub repair_uid: Uid,
    /// What is asked.
    pub request: Request,
    /// Where it stands.
    pub record: Record,
    /// What people and others say of it and of its node.
    pub hands: Hands,
    /// The pool's rules, or why there are none.
    pub pool: Result<Rules, NoRules>,
    /// The sick node.
    pub node: Option<NodeSeen>,
    /// The problem.
    pub problem: ProblemSeen,
    /// The last renewal that the node's Lease shows; read only while its Ready is Unknown.
    pub heartbeat: Option<String>,
    /// The pods bound to the node; read only in the phases that [`super::needs`] them.
    pub pods: Option<Vec<PodSeen>>,
    /// What the API server said of the pods that it last refused to evict.
    pub held_back: Vec<HeldBack>,
    /// The cloud's words when it last made nothing for the present attempt, as a quota or a subnet is used up.
    pub used_up: Option<String>,
    /// Earlier repairs of the node; read only in the phases that [`super::needs`] them.
    pub archive: Vec<Archived>,
    /// The repair that made the node; looked up where the archive is read.
    pub lineage: Option<Lineage>,
    /// For how long this engine has watched without a break: no step is overdue for a time in which nobody was there
    /// to take it.
    pub watched: Seconds,
    /// The cloud's side; read only in the phases that [`super::needs`] it.
    pub cloud: CloudSeen,
    /// What was kept of the sick server; read only in the phases that [`super::needs`] it.
    pub evidence: EvidenceSeen,
    /// The operator took away what answered for this kind of problem in the control plane.
    pub withdrawn: bool,
    /// What the policies say; asked only when [`super::needs`] says so.
    pub advice: Option<Advice>,
    /// What was read because all of this made it necessary: [`super::further()`].
    pub more: More,
}

/// Why no rules apply to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRules {
    /// No pool selects it.
    NoPool,
    /// More than one does.
    TwoPools,
}

impl From<NoRules> for Reason {
    fn from(none: NoRules) -> Reason {
        match none {
            NoRules::NoPool => Reason::NoPool,
            NoRules::TwoPools => Reason::TwoPools,
        }
    }
}

/// A pool's rules, as far as decisions read them.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The pool's name.
    pub name: String,
    /// May anything be touched?
    pub acts: bool,
    /// Does a person have to approve each rung?
    pub approves: bool,
    /// Other owners of nodes that do not hinder here.
    pub ignores: Vec<NodeOwner>,
    /// Can replacements be made?
    pub provisions: bool,
    /// What they may be made without.
    pub without: Vec<Part>,
    /// Zones in which one is made when no host of the sick server's can take it, in this order.
    pub zones: Vec<String>,
    /// What is done when there is none left, either.
    pub no_capacity: NoCapacity,
    /// How pods leave.
    pub drain: DrainRules,
    /// They must have left within so many seconds; else `last_resort`.
    pub drain_within: Seconds,
    /// What is done when a drain after the commit takes longer.
    pub last_resort: LastResort,
    /// Those who made the pods have so many seconds to make them Ready elsewhere.
    pub owners: Seconds,
    /// Load balancers have so many seconds, from the beginning of the drain, to send nothing more to the node.
    pub balancers: Seconds,
    /// Taints that may be on a replacement, though the sick node has them not.
    pub ignore_taints: Vec<String>,
    /// An offer not taken is void after so many seconds.
    pub grant: Seconds,
    /// A boot must be seen within so many seconds.
    pub reboot: Seconds,
    /// A machine's host must have stopped it within so many seconds.
    pub power: Seconds,
    /// A problem must stay away for so many seconds.
    pub settle: Seconds,
    /// A replacement must have been Ready for so many seconds.
    pub ready: Seconds,
    /// A replacement must be Ready within so many seconds. What follows its commit may take no longer, step by step.
    pub join: Seconds,
    /// After a create nothing is posted again, and no absence believed, for so many seconds.
    pub create_settle: Seconds,
}

/// The problem's condition on the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemSeen {
    /// It is True.
    There,
    /// It is False, and was seen so without a break for so many seconds.
    Cleared {
        /// For how long.
        held: Seconds,
        /// Why it may not be gone all the same.
        doubt: Option<Doubt>,
    },
    /// It is Unknown, or not reported at all.
    NotReported,
    /// Whatever was said of it last, its reporter has been silent for too long since.
    Stale,
}

/// A Node object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSeen {
    /// Its name.
    pub name: NodeName,
    /// Its UID.
    pub uid: Uid,
    /// Its `resourceVersion`: what is written to it on this evidence is refused if anybody changed it since.
    pub version: String,
    /// The boot that its kubelet reports.
    pub boot_id: Option<BootId>,
    /// The condition Ready.
    pub ready: Status,
    /// For how long it has been so.
    pub ready_held: Seconds,
    /// Cordoned?
    pub unschedulable: bool,
    /// By which repair of ours.
    pub cordoned_by: Option<Uid>,
    /// The server that it says it is.
    pub server: Option<ServerId>,
    /// The region in which it says that this is.
    pub region: Option<String>,
    /// Another Node says that it is this server, too.
    pub twin: Option<NodeName>,
    /// Its own addresses, as its kubelet reports them.
    pub addresses: Vec<IpAddr>,
    /// The condition NetworkUnavailable is True.
    pub network_unavailable: bool,
    /// What pods may use of it, in thousandths: processors, bytes, pods, and whatever else a plugin adds.
    pub allocatable: BTreeMap<String, u64>,
    /// The same of all that it has.
    pub capacity: BTreeMap<String, u64>,
    /// CSI drivers whose volumes are attached to it.
    pub attached: Vec<String>,
    /// Its taints, as `key:Effect`.
    pub taints: Vec<String>,
    /// The volumes that are attached to it, as the attach-detach controller writes it there.
    pub volumes: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// What the cloud shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, for the length of one decision"
)]
pub enum CloudSeen {
    /// Not asked in this phase.
    NotAsked,
    /// Asked in vain. No evidence of anything.
    Unavailable(String),
    /// Complete and fresh.
    Fresh(CloudView),
}

/// A complete answer of the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CloudView {
    /// The region that is asked, if the engine knows.
    pub region: Option<String>,
    /// The sick node's server, if it exists; read only in the phases that [`super::needs`] it.
    pub server: Option<ServerSeen>,
    /// What was done to it, newest first; read only in the phases that [`super::needs`] it.
    pub actions: Vec<ActionSeen>,
    /// The servers that bear the present attempt's tag.
    pub replacements: Vec<ServerSeen>,
    /// The ports of the present attempt, found by name; read only in the phases that [`super::needs`] them.
    pub ports: Vec<PortSeen>,
    /// Those of the sick server's recorded ports that still exist.
    pub old_ports: Vec<PortId>,
    /// The Node that the replacement registered.
    pub replacement_node: Option<NodeSeen>,
    /// The labels that the replacement's node should bear and does not.
    pub missing_labels: Vec<String>,
    /// The taints, likewise.
    pub missing_taints: Vec<String>,
    /// How many ports a similar server has.
    pub ports_wanted: usize,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSeen {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// Nova's status, e.g. `ACTIVE`.
    pub status: String,
    /// What the cloud is doing to it at the moment.
    pub task: Option<String>,
    /// Somebody locked it.
    pub locked: bool,
    /// Its host has reported that it is shut down, and nothing is under way. No proof by itself: somebody may have told it so.
    pub is_off: bool,
    /// How old it is.
    pub age: Seconds,
    /// Nova's fault message.
    pub fault: Option<String>,
    /// It says that no host could take the server.
    pub no_host: bool,
    /// Its fixed addresses.
    pub addresses: Vec<IpAddr>,
    /// The ports that name it as their device: the sick server's, and only in the phases that [`super::needs`] them.
    pub ports: Vec<PortId>,
}

/// Something that was done to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionSeen {
    /// `stop`, `start`, `reboot`, `delete` and so on.
    pub action: String,
    /// The request that asked for it; unique.
    pub request: String,
    /// Who asked; nobody, if the cloud did it by itself.
    pub by: Option<String>,
    /// The server's host has reported that it did it.
    pub done: bool,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSeen {
    /// Its id.
    pub id: PortId,
    /// Its name, which says of which attempt it is, and the which port of it.
    pub name: String,
    /// The server that it belongs to.
    pub device: Option<ServerId>,
}
