//! The control plane's side of a repair: what is done next, decided from one look at the world.
//!
//! [`decide`] is total: every phase has an answer for everything that can be seen. A phase is entered by writing the
//! [`Record`] (intent before act); it ends when the world shows what it wanted (completion is observed). A crash
//! between the two is no special case: the next pass finds the phase in the record and the rest in the world.

mod asked;
mod attempts;
pub mod autoscaler;
mod balancers;
mod cleanup;
mod committed;
mod condition;
mod dead;
pub mod drain;
mod eviction;
pub mod evidence;
pub mod fitness;
mod flight;
mod further;
mod gate;
mod guests;
mod hands;
pub mod history;
mod judge;
pub mod likeness;
pub mod naming;
mod next;
mod owner;
pub mod owners;
mod person;
pub mod phase;
mod power;
mod preflight;
mod rails;
mod reboot;
mod record;
mod replace;
mod room;
mod seen;
mod server;
pub mod told;
pub mod volume;

pub use attempts::next_attempt;
pub use balancers::EXCLUDED;
pub use condition::{Condition, conditions};
pub use drain::LastResort;
pub use evidence::{Evidence, EvidenceSeen};
pub use flight::{Flight, Turn};
pub use further::{Further, More, further};
pub use gate::gates;
pub use hands::{
    APPROVE, FINALIZER, Hands, PAUSED, REJECT, STOP, Spoken, Stop, WANTS, approval, approval_asked,
};
pub use history::{Archived, Lineage};
pub use judge::opened;
pub use likeness::{Lack, Part};
pub use next::{Act, Next};
pub use owner::{NodeOwner, owner_annotations};
pub use phase::Phase;
pub use record::{
    Asks, Grant, Hand, Power, Problem, Record, Replacement, Request, RequestedBy, Rung, Said,
    Silence, StepRecord, Tried, Verdict,
};
pub use room::{Kept, NoCapacity, Room, Short, Side, Traits};
pub use seen::{
    ActionSeen, CloudSeen, CloudView, NoRules, NodeSeen, PortSeen, ProblemSeen, Rules, Seen,
    ServerSeen,
};
pub use server::differs;

use crate::clock::seconds_between;
use crate::policy::Seconds;
use crate::reason::Reason;

/// A phase sequence that must not be. It is a defect of ours; nothing is written then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a repair cannot go from {from:?} to {to:?}")]
pub struct Illegal {
    /// The present phase.
    pub from: Phase,
    /// The phase that was to follow.
    pub to: Phase,
}

/// What has to be read before [`decide`] can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// The node's pods.
    pub pods: bool,
    /// The cloud.
    pub cloud: bool,
    /// The sick server.
    pub server: bool,
    /// What was done to it.
    pub actions: bool,
    /// Its ports: before it goes they are written down.
    pub server_ports: bool,
    /// The ports of the present attempt at a replacement: until its commit they are made, or say whose the server is, or go.
    pub attempt_ports: bool,
    /// The node's Lease, while its Ready is Unknown.
    pub heartbeat: bool,
    /// The policies.
    pub advice: bool,
    /// The node's earlier repairs.
    pub archive: bool,
    /// What was kept of the server: a phase that destroys some of it needs this.
    pub evidence: bool,
}

/// What a decision on this record rests on. Only this is read: a list of pods or a call to the cloud costs.
pub fn needs(record: &Record) -> Needs {
    let nothing = Needs::default();
    let cloud = Needs {
        cloud: true,
        ..nothing
    };
    let attempt = Needs {
        attempt_ports: true,
        ..cloud
    };
    let server = Needs {
        server: true,
        ..cloud
    };
    let by_cloud = record.rung == Some(Rung::HardReboot);
    match record.phase {
        Phase::HealingInNode
        | Phase::Cordoning
        | Phase::GrantOffered
        | Phase::Rebooting
        | Phase::Settling
        | Phase::Uncordoning
        | Phase::NeedsHuman
        | Phase::Recovered
        | Phase::Replaced
        | Phase::Cancelled => nothing,
        Phase::Judging => Needs {
            actions: true,
            heartbeat: true,
            advice: true,
            archive: true,
            ..server
        },
        Phase::RebootDraining if by_cloud => Needs {
            pods: true,
            actions: true,
            ..server
        },
        Phase::RebootDraining => Needs {
            pods: true,
            ..nothing
        },
        Phase::HardRebooting | Phase::DeletingServer => Needs {
            actions: true,
            evidence: true,
            ..server
        },
        Phase::RollingBack if power::has_stopped(record) => Needs {
            server: true,
            actions: true,
            ..attempt
        },
        Phase::CreatingPorts | Phase::CreatingServer | Phase::Joining | Phase::RollingBack => {
            attempt
        }
        Phase::Committed | Phase::DeletingNode => cloud,
        Phase::Discarding => Needs {
            archive: true,
            ..attempt
        },
        Phase::Draining => Needs {
            pods: true,
            actions: true,
            heartbeat: true,
            ..server
        },
        Phase::Stopping => Needs {
            actions: true,
            heartbeat: true,
            evidence: true,
            ..server
        },
        Phase::Detaching => Needs {
            pods: true,
            ..server
        },
        Phase::AwaitingOwners => Needs {
            pods: true,
            server_ports: true,
            ..server
        },
    }
}

/// Decides the next step of a repair.
///
/// # Errors
/// [`Illegal`] if the step would leave the diagram: a defect, which must not reach the world.
pub fn decide(seen: &Seen) -> Result<Next, Illegal> {
    let next = match seen.record.phase {
        Phase::HealingInNode => judge::healing_in_node(seen),
        Phase::Judging => judge::judging(seen),
        Phase::NeedsHuman => judge::needs_human(seen),
        Phase::Cordoning => judge::cordoning(seen),
        Phase::RebootDraining => reboot::draining(seen),
        Phase::GrantOffered => reboot::grant_offered(seen),
        Phase::Rebooting => reboot::rebooting(seen),
        Phase::HardRebooting => power::hard_rebooting(seen),
        Phase::Settling => reboot::settling(seen),
        Phase::Uncordoning => cleanup::uncordoning(seen),
        Phase::CreatingPorts => replace::creating_ports(seen),
        Phase::CreatingServer => replace::creating_server(seen),
        Phase::Joining => replace::joining(seen),
        Phase::Committed => committed::committed(seen),
        Phase::Draining => committed::draining(seen),
        Phase::Stopping => dead::stopping(seen),
        Phase::Detaching => dead::detaching(seen),
        Phase::AwaitingOwners => owners::awaiting(seen),
        Phase::DeletingServer => committed::deleting_server(seen),
        Phase::DeletingNode => committed::deleting_node(seen),
        Phase::Discarding => cleanup::discarding(seen),
        Phase::RollingBack => cleanup::rolling_back(seen),
        Phase::Recovered | Phase::Replaced | Phase::Cancelled => {
            let reason = seen.record.reason.unwrap_or(Reason::Recovered);
            Next {
                record: seen.record.clone(),
                act: Some(Act::Archive),
                reason,
                detail: String::new(),
            }
        }
    };
    // what is held is not begun by keeping its evidence, either
    let next = evidence::first(seen, rails::hold(seen, next));
    let next = person::ask(seen, next);
    let next = room::forget(autoscaler::before_the_end(seen, next));
    let (from, to) = (seen.record.phase, next.record.phase);
    let in_diagram = from == to || from.followers().contains(&to);
    if !in_diagram || !to.fits(next.record.side()) {
        return Err(Illegal { from, to });
    }
    Ok(next)
}

/// Why a repair before its commit has to be called off, if it has.
fn called_off(seen: &Seen) -> Option<Reason> {
    let Some(node) = sick_node(seen) else {
        return Some(Reason::NodeGone);
    };
    if withdrawn(seen) {
        return Some(Reason::Withdrawn);
    }
    if let Some(reason) = hands::ends(seen) {
        return Some(reason);
    }
    // A human's word: whoever takes our cordon away wants the node back. (Before it is set, in `Cordoning`, its
    // absence says nothing.)
    if seen.record.phase != Phase::Cordoning {
        if !node.unschedulable {
            return Some(Reason::Uncordoned);
        }
        // Somebody took it over as a cordon of their own: what happens under it is their plan.
        if !ours(seen, node) {
            return Some(Reason::CordonedByOther);
        }
    }
    cleared(seen).then_some(Reason::ProblemCleared)
}

/// The node's engine healed it. What a person wants done does not depend on that, nor on a problem.
fn withdrawn(seen: &Seen) -> bool {
    seen.request.withdrawn && !asked::is_it(seen)
}

/// The problem was seen away for as long as the pool asks, or longer if that is doubtful. Absent is not healthy: NPD may be down.
fn cleared(seen: &Seen) -> bool {
    if asked::is_it(seen) {
        return false;
    }
    let settle = seen
        .pool
        .as_ref()
        .map_or(Seconds::MAX, |rules| rules.settle);
    match seen.problem {
        ProblemSeen::Cleared { held, doubt } => held >= told::away_for(settle, doubt),
        ProblemSeen::There | ProblemSeen::NotReported | ProblemSeen::Stale => false,
    }
}

/// The node that the repair is for. One of the same name but another UID joined later, and is none of our business.
fn sick_node(seen: &Seen) -> Option<&NodeSeen> {
    seen.node
        .as_ref()
        .filter(|node| node.uid.as_str() == seen.request.node_uid)
}

/// Did this repair cordon the node?
fn ours(seen: &Seen, node: &NodeSeen) -> bool {
    node.cordoned_by.as_ref() == Some(&seen.repair_uid)
}

/// Called off before the commit: what is ours is taken back.
fn call_off(seen: &Seen, reason: Reason) -> Next {
    Next::enter(seen, Phase::RollingBack, reason, hands::words(seen, reason))
}

/// How long the present phase has lasted, without the time before people last let us go on.
fn age(seen: &Seen) -> Seconds {
    if seen.record.halted_at.is_some() || hands::rests(seen) {
        return 0;
    }
    let from = seen.record.since.max(seen.record.resumed_at);
    from.map_or(0, |since| seconds_between(since, seen.now))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
