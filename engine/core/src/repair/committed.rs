//! After the commit: the pods move, and the sick node goes. Only forward, and not one step while the replacement is not
//! what was committed.

use super::eviction::evict_or_delete;
use super::next::{Act, Next};
use super::replace::fresh;
use super::seen::{CloudView, NodeSeen, Seen};
use super::{Phase, attempts, autoscaler, balancers, dead, owners, room, sick_node};
use crate::policy::{Outcome, Status};
use crate::reason::Reason;

/// Committed: only forward from here. The replacement is let go to work, then the sick node is drained.
pub(super) fn committed(seen: &Seen) -> Next {
    let view = match fresh(seen) {
        Ok(view) => view,
        Err(next) => return *next,
    };
    let provisional = |node: &NodeSeen| {
        node.taints
            .iter()
            .any(|taint| taint.starts_with("rectifier.dev/provisional:"))
    };
    match &view.replacement_node {
        Some(node) if !provisional(node) => balancers::leave(seen).unwrap_or_else(|| {
            Next::enter(seen, Phase::Draining, Reason::Evicting, "")
                .with(|record| record.drain = None)
        }),
        Some(_) => Next::act(seen, Act::Adopt, Reason::Committed),
        // The replacement went away after its commit: nothing is evicted towards a node that is not there.
        None => Next::wait(seen, Reason::ReplacementLost, "its node is not there"),
    }
}

/// What keeps the committed replacement from taking more off the sick node, if anything does. Looked at again before each
/// step that cannot be taken back: minutes may have passed since the commit.
pub(super) fn lost(seen: &Seen, view: &CloudView) -> Option<String> {
    // the sick server goes first: there is none yet
    seen.record.committed_at?;
    let replacement = seen.record.replacement.as_ref();
    let committed = replacement.and_then(|replacement| replacement.node_uid.as_deref());
    let Some(node) = &view.replacement_node else {
        return Some("its node is not there".to_owned());
    };
    if committed != Some(node.uid.as_str()) {
        return Some("its node is another one".to_owned());
    }
    (node.ready != Status::Yes).then(|| "its node is not Ready".to_owned())
}

/// Pods leave the sick node by eviction, within their budgets.
pub(super) fn draining(seen: &Seen) -> Next {
    let view = match room::go_on(seen) {
        Ok(view) => view,
        Err(next) => return *next,
    };
    let Some(owners) = owners::to_record(seen) else {
        return Next::wait(seen, Reason::Evicting, "whoever made its pods was not read");
    };
    let next = match sick_node(seen) {
        Some(node) => leave(seen, view, node),
        None => emptied(seen),
    };
    next.with(|record| record.owners = Some(owners))
}

/// The pods leave by eviction; those that nobody there ends, by their machine's end.
fn leave(seen: &Seen, view: &CloudView, node: &NodeSeen) -> Next {
    match evict_or_delete(seen) {
        Some(next) if !dead::ends_nothing(seen) => next,
        Some(_) => dead::not_silent(seen).unwrap_or_else(|| dead::begin(seen, view)),
        None if node.volumes.is_empty() => emptied(seen),
        None => Next::enter(seen, Phase::Detaching, Reason::Detaching, ""),
    }
}

/// Nothing is left on the sick node.
pub(super) fn emptied(seen: &Seen) -> Next {
    Next::enter(seen, Phase::AwaitingOwners, Reason::AwaitingOwners, "")
}

/// Its server may go. Its ports are written down first.
pub(super) fn delete(seen: &Seen, view: &CloudView) -> Next {
    // At another try the server may be gone, and what was recorded of it is all that is known.
    let mut ports = seen.record.server_ports.clone();
    for port in view.server.iter().flat_map(|server| &server.ports) {
        if !ports.iter().any(|known| known == port.as_str()) {
            ports.push(port.to_string());
        }
    }
    let next = Next::enter(
        seen,
        Phase::DeletingServer,
        Reason::DeletingServer,
        seen.record.server_id.clone().unwrap_or_default(),
    )
    .with(|record| {
        record.server_ports = ports;
        room::ended(record, seen.now);
    });
    match &view.server {
        Some(server) => next.then(Act::DeleteServer(server.id.clone())),
        None => next,
    }
}

/// The sick server goes, and then its ports, which outlive it.
pub(super) fn deleting_server(seen: &Seen) -> Next {
    let view = match fresh(seen) {
        Ok(view) => view,
        Err(next) => return *next,
    };
    if let Some(server) = &view.server {
        if let Some(why) = lost(seen, view) {
            return Next::wait(seen, Reason::ReplacementLost, why);
        }
        if server.task.as_deref() == Some("deleting") {
            return Next::wait(seen, Reason::DeletingServer, server.id.to_string());
        }
        let id = server.id.clone();
        return Next::wait(seen, Reason::DeletingServer, id.to_string())
            .then(Act::DeleteServer(id));
    }
    // A 404 counts only from a cloud that, with the same token, shows another server of ours: a wrong project or a
    // half-blind API would answer 404 to everything.
    let gone_at = seen.record.room.as_ref().and_then(|room| room.gone_at);
    let shows_ours = match seen.record.committed_at {
        Some(_) => !view.replacements.is_empty(),
        // it still tells what was done to the one that is gone, or did so before
        None => !view.actions.is_empty() || gone_at.is_some() || dead::confirmed(seen),
    };
    if !shows_ours {
        return match seen.record.committed_at {
            Some(_) => {
                let why = "it shows neither the sick server nor its replacement";
                Next::wait(seen, Reason::CloudUnavailable, why)
            }
            // that the machine is off is then a person's to say
            None => {
                let why = "the cloud shows neither the sick server nor what was done to it";
                Next::wait(seen, Reason::HostUnreachable, why)
            }
        };
    }
    // Nor does it prove that the machine is off: with its host down a delete is only the database's.
    if gone_at.is_none() && !dead::is_ended(seen, view) {
        return Next::wait(seen, Reason::HostUnreachable, dead::NO_PROOF_OF_DELETE);
    }
    if !view.old_ports.is_empty() {
        return Next::act(
            seen,
            Act::DeletePorts(view.old_ports.clone()),
            Reason::DeletingServer,
        );
    }
    if seen.record.committed_at.is_none() {
        return attempts::begin(seen, None).with(|record| {
            if let Some(room) = &mut record.room {
                room.gone_at = room.gone_at.or(Some(seen.now));
            }
        });
    }
    // it has its pods by now
    let replacement = view.replacement_node.as_ref();
    if let Some(next) = autoscaler::leave(seen, replacement, Reason::LettingScaleDown) {
        return next;
    }
    let next = Next::enter(seen, Phase::DeletingNode, Reason::DeletingNode, "");
    match sick_node(seen) {
        Some(node) => next.then(Act::DeleteNode(node.uid.clone())),
        None => next,
    }
}

/// The Node goes last, by its UID.
pub(super) fn deleting_node(seen: &Seen) -> Next {
    match sick_node(seen) {
        Some(node) => Next::act(
            seen,
            Act::DeleteNode(node.uid.clone()),
            Reason::DeletingNode,
        ),
        None => {
            let name = seen
                .record
                .replacement
                .as_ref()
                .map(|replacement| format!("by {}", replacement.name));
            Next::enter(
                seen,
                Phase::Replaced,
                Reason::Replaced,
                name.unwrap_or_default(),
            )
            .with(|record| {
                if let Some(last) = record.tried.last_mut() {
                    last.outcome = Outcome::Recovered;
                    last.reason = Reason::Replaced;
                }
            })
        }
    }
}
