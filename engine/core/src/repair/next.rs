//! What a decision yields: values, from which the writes, the calls, the log line and a dry run all come.

use jiff::Timestamp;

use super::drain::PodSeen;
use super::phase::Phase;
use super::record::{Record, StepRecord};
use super::seen::Seen;
use crate::name::{NodeName, PortId, ServerId, Uid};
use crate::reason::Reason;
use crate::switches::Step;

/// A side effect. Each is idempotent, and believed only when the next look at the world shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Mark the node unschedulable, and write on it that this repair did.
    Cordon,
    /// Take our own cordon away.
    Uncordon,
    /// Ask the API server to evict these pods.
    Evict(Vec<PodSeen>),
    /// Delete these pods, with their grace, whatever their budgets say.
    DeletePods(Vec<PodSeen>),
    /// Mark the replacement's Node unschedulable, if it still has this UID.
    CordonReplacement(Uid),
    /// Ask the API server to evict these pods from a replacement that is taken back.
    EvictFromReplacement(Vec<PodSeen>),
    /// Make the ports of this attempt that are missing.
    CreatePorts,
    /// Make the replacement's server on its ports.
    CreateServer,
    /// Remove what this attempt made: servers first, then ports, then the Node.
    RemoveReplacement {
        /// The servers.
        servers: Vec<ServerId>,
        /// The ports, once no server is left.
        ports: Vec<PortId>,
        /// The Node, once no server is left.
        node: Option<Uid>,
    },
    /// Delete ports of this attempt of which there is already one: of two creates that raced, the second.
    DeleteSurplus(Vec<PortId>),
    /// Let the replacement bear pods: mark its server as adopted, take the provisional taint away, delete its token.
    Adopt,
    /// Tell load balancers to send nothing new to the sick node.
    LeaveBalancers,
    /// Let the cluster autoscaler take this Node away again, if it still has this UID.
    LetScaleDown {
        /// Its name.
        node: NodeName,
        /// Its UID.
        uid: Uid,
    },
    /// Keep what the sick server and its node still tell.
    CollectEvidence,
    /// Ask the cloud to start the sick server, or to reboot it hard.
    PowerCycle {
        /// The server.
        server: ServerId,
        /// It is off: a start is what it takes.
        start: bool,
    },
    /// Ask the cloud to stop the sick server.
    StopServer(ServerId),
    /// Tell Kubernetes that the node is out of service, so that it takes pods and volumes from it; or that it is not.
    OutOfService {
        /// The Node, if it still has this UID.
        node: Uid,
        /// It is.
        is: bool,
    },
    /// Delete the sick server.
    DeleteServer(ServerId),
    /// Delete the sick server's ports.
    DeletePorts(Vec<PortId>),
    /// Delete the sick Node, if it still has this UID.
    DeleteNode(Uid),
    /// Keep a copy under another name, and set the name free.
    Archive,
}

impl Act {
    /// The step of the loop that this act belongs to, if it is one of those that can be switched off.
    pub fn step(&self) -> Option<Step> {
        match self {
            Act::Cordon => Some(Step::Cordon),
            Act::CreatePorts | Act::CreateServer => Some(Step::Create),
            Act::Evict(_) | Act::DeletePods(_) => Some(Step::Drain),
            Act::StopServer(_)
            | Act::OutOfService { .. }
            | Act::DeleteServer(_)
            | Act::DeletePorts(_)
            | Act::DeleteNode(_) => Some(Step::Delete),
            Act::Uncordon
            | Act::PowerCycle { .. }
            | Act::CordonReplacement(_)
            | Act::EvictFromReplacement(_)
            | Act::RemoveReplacement { .. }
            | Act::DeleteSurplus(_)
            | Act::CollectEvidence
            | Act::LeaveBalancers
            | Act::LetScaleDown { .. }
            | Act::Adopt
            | Act::Archive => None,
        }
    }

    /// Does it do something new to the node, or make something new? Taking back what is ours does neither.
    pub fn is_intrusive(&self) -> bool {
        match self {
            Act::Cordon
            | Act::Evict(_)
            | Act::DeletePods(_)
            | Act::CreatePorts
            | Act::CreateServer
            | Act::Adopt
            | Act::LeaveBalancers
            | Act::PowerCycle { .. }
            | Act::StopServer(_)
            | Act::OutOfService { is: true, .. }
            | Act::DeleteServer(_)
            | Act::DeletePorts(_)
            | Act::DeleteNode(_) => true,
            Act::Uncordon
            | Act::LetScaleDown { .. }
            | Act::OutOfService { is: false, .. }
            | Act::CordonReplacement(_)
            | Act::EvictFromReplacement(_)
            | Act::RemoveReplacement { .. }
            | Act::DeleteSurplus(_)
            | Act::CollectEvidence
            | Act::Archive => false,
        }
    }

    /// Does it end what the sick server could still tell of why it is sick? Then what it tells is kept first.
    pub fn destroys_evidence(&self) -> bool {
        match self {
            // a console begins anew with each start
            Act::PowerCycle { .. } | Act::StopServer(_) | Act::DeleteServer(_) => true,
            Act::Cordon
            | Act::Uncordon
            | Act::Evict(_)
            | Act::DeletePods(_)
            | Act::CordonReplacement(_)
            | Act::EvictFromReplacement(_)
            | Act::OutOfService { .. }
            | Act::CreatePorts
            | Act::CreateServer
            | Act::RemoveReplacement { .. }
            | Act::DeleteSurplus(_)
            | Act::Adopt
            | Act::LeaveBalancers
            | Act::LetScaleDown { .. }
            | Act::CollectEvidence
            | Act::DeletePorts(_)
            | Act::DeleteNode(_)
            | Act::Archive => false,
        }
    }
}

/// The next step: first the record is written, if it changes; then the act is performed, if there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// The record as it must be persisted before the act; the present one if nothing changes.
    pub record: Record,
    /// What to do then.
    pub act: Option<Act>,
    /// Why, or why nothing is done.
    pub reason: Reason,
    /// More for people.
    pub detail: String,
}

/// At most so many steps are kept in a record; the oldest after the first go. Arbitrary: the longest story without
/// a repeated rung has 15.
const STEPS_KEPT: usize = 64;

impl Next {
    /// Nothing to do now, for this reason.
    pub fn wait(seen: &Seen, reason: Reason, detail: impl Into<String>) -> Next {
        let detail = detail.into();
        let mut record = seen.record.clone();
        record.reason = Some(reason);
        record.message = message(reason, &detail);
        Next {
            record,
            act: None,
            reason,
            detail,
        }
    }

    /// The record already says so: carry it out.
    pub fn act(seen: &Seen, act: Act, reason: Reason) -> Next {
        Next {
            act: Some(act),
            ..Next::wait(seen, reason, "")
        }
    }

    /// Is there anything in it that people have not been told yet?
    pub fn is_news(&self, before: &Record) -> bool {
        let said = |record: &Record| (record.phase, record.since, record.reason);
        said(&self.record) != said(before) || self.record.message != before.message
    }

    /// Does it let the node's engine reboot, from the moment in which it is written?
    pub fn grants(&self, before: &Record) -> bool {
        self.record.grant.is_some() && self.record.grant != before.grant
    }

    /// Does it begin a rung: is its first step one that touches the node?
    pub fn begins(&self, before: &Record) -> bool {
        self.record.phase == Phase::Cordoning && before.phase != Phase::Cordoning
    }

    /// Enter a phase.
    pub fn enter(seen: &Seen, phase: Phase, reason: Reason, detail: impl Into<String>) -> Next {
        let mut next = Next::wait(seen, reason, detail);
        next.record.phase = phase;
        next.record.since = Some(seen.now);
        next.record
            .steps
            .push(step(phase, seen.now, reason, &next.detail));
        if next.record.steps.len() > STEPS_KEPT {
            next.record.steps.remove(1);
        }
        next
    }

    /// The same, with this written into the record too.
    pub fn with(mut self, edit: impl FnOnce(&mut Record)) -> Next {
        edit(&mut self.record);
        self
    }

    /// The same, followed by an act.
    pub fn then(mut self, act: Act) -> Next {
        self.act = Some(act);
        self
    }
}

pub(super) fn step(phase: Phase, at: Timestamp, reason: Reason, detail: &str) -> StepRecord {
    StepRecord {
        phase,
        at,
        reason,
        detail: detail.to_owned(),
    }
}

pub(super) fn message(reason: Reason, detail: &str) -> String {
    if detail.is_empty() {
        reason.text().to_owned()
    } else {
        format!("{}: {detail}", reason.text())
    }
}
