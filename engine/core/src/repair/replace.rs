//! The last rung: a similar server, Ready and committed before the first pod is evicted.

use super::next::{Act, Next};
use super::record::Replacement;
use super::room::{self, Side};
use super::seen::{CloudSeen, CloudView, NodeSeen, Rules, Seen, ServerSeen};
use super::{Phase, age, call_off, called_off, fitness, told};
use crate::clock::seconds_between;
use crate::name::PortId;
use crate::policy::{Outcome, Seconds, Status};
use crate::reason::Reason;

/// So many seconds after it began to join a failed server's fault is waited for. Nova writes it a moment after the status, and only by it
/// is known that no host could take the server. Arbitrary: far longer than that moment.
const FAULT: Seconds = 60;

/// This attempt has failed.
fn discard(seen: &Seen, reason: Reason, detail: impl Into<String>) -> Next {
    give_up(seen, Outcome::Failed, reason, detail)
}

/// This attempt goes.
fn give_up(seen: &Seen, outcome: Outcome, reason: Reason, detail: impl Into<String>) -> Next {
    Next::enter(seen, Phase::Discarding, reason, detail).with(|record| {
        if let Some(last) = record.tried.last_mut() {
            last.outcome = outcome;
            last.reason = reason;
        }
    })
}

/// What every phase up to the commit checks first: is it still wanted, and can the cloud be asked?
fn before_commit(seen: &Seen) -> Result<(&CloudView, &Rules, Replacement), Box<Next>> {
    if let Some(reason) = still_called_off(seen) {
        return Err(Box::new(call_off(seen, reason)));
    }
    let view = fresh(seen)?;
    let rules = match &seen.pool {
        Ok(rules) => rules,
        Err(none) => {
            let reason = Reason::from(*none);
            return Err(Box::new(match room::stands_long_without(seen) {
                true => give_up(seen, Outcome::Refused, reason, ""),
                false => Next::wait(seen, reason, ""),
            }));
        }
    };
    match &seen.record.replacement {
        Some(replacement) => Ok((view, rules, replacement.clone())),
        None => Err(Box::new(Next::enter(
            seen,
            Phase::RollingBack,
            Reason::ReplacementUncertain,
            "the record names none",
        ))),
    }
}

/// Why it is called off, while it can be.
pub(super) fn still_called_off(seen: &Seen) -> Option<Reason> {
    let is_past_return = seen.record.side().is_past_return();
    (!is_past_return).then(|| called_off(seen)).flatten()
}

/// A cloud that cannot be asked is no evidence: everything waits.
pub(super) fn fresh(seen: &Seen) -> Result<&CloudView, Box<Next>> {
    match &seen.cloud {
        CloudSeen::Fresh(view) => Ok(view),
        CloudSeen::Unavailable(why) => {
            Err(Box::new(Next::wait(seen, Reason::CloudUnavailable, why)))
        }
        CloudSeen::NotAsked => Err(Box::new(Next::wait(
            seen,
            Reason::CloudUnavailable,
            "not asked",
        ))),
    }
}

/// Ports first: their ids are recorded before a server is posted, so that a late duplicate of the post is refused.
pub(super) fn creating_ports(seen: &Seen) -> Next {
    let (view, rules, replacement) = match before_commit(seen) {
        Ok(found) => found,
        Err(next) => return *next,
    };
    if let Some(words) = room::is_anothers(seen) {
        return discard(seen, Reason::NoHost, words);
    }
    let late = age(seen) >= rules.join;
    let Some(wanted) = u32::try_from(view.ports_wanted).ok().filter(|n| *n > 0) else {
        let why = "the sick server shows no port that could be copied";
        return if late {
            discard(seen, Reason::ServerUnknown, why)
        } else {
            Next::wait(seen, Reason::ServerUnknown, why)
        };
    };
    let ports: Vec<String> = (0..wanted)
        .filter_map(|number| port_of(view, &replacement.port_name(number)))
        .collect();
    if ports.len() < view.ports_wanted && late {
        return discard(seen, Reason::JoinOverdue, "its ports could not be made");
    }
    if ports.len() < view.ports_wanted
        && let Some(words) = &seen.used_up
    {
        return discard(seen, Reason::UsedUp, words);
    }
    if ports.len() < view.ports_wanted {
        // Their number and the time first: a kill now must not hide one of them, nor let it be missed for being late.
        return Next::act(seen, Act::CreatePorts, Reason::CreatingPorts).with(|record| {
            record.replacement = Some(Replacement {
                ports_wanted: wanted,
                ports_at: Some(seen.now),
                ..replacement
            })
        });
    }
    if let Some(next) = surplus(seen, view, &ports) {
        return next;
    }
    Next::enter(
        seen,
        Phase::CreatingServer,
        Reason::CreatingServer,
        &replacement.name,
    )
    .with(|record| {
        record.replacement = Some(Replacement {
            ports,
            posted_at: Some(seen.now),
            ..replacement
        })
    })
    .then(Act::CreateServer)
}

/// The one port of that name. Two creates that raced made two: then the first by id.
fn port_of(view: &CloudView, name: &str) -> Option<String> {
    view.ports
        .iter()
        .filter(|port| port.name == name)
        .map(|port| port.id.to_string())
        .min()
}

/// Ports of this attempt beside those that it uses go; one that a server has already is no longer only surplus.
fn surplus(seen: &Seen, view: &CloudView, used: &[String]) -> Option<Next> {
    let surplus: Vec<PortId> = view
        .ports
        .iter()
        .filter(|port| port.device.is_none() && !used.iter().any(|id| id == port.id.as_str()))
        .map(|port| port.id.clone())
        .collect();
    (!surplus.is_empty())
        .then(|| Next::act(seen, Act::DeleteSurplus(surplus), Reason::CreatingPorts))
}

/// The post was made, or not, or its answer was lost: only the list by tag tells.
pub(super) fn creating_server(seen: &Seen) -> Next {
    let (view, rules, replacement) = match before_commit(seen) {
        Ok(found) => found,
        Err(next) => return *next,
    };
    if let Some(next) = surplus(seen, view, &replacement.ports) {
        return next;
    }
    match view.replacements.as_slice() {
        [] => {
            let settled = replacement
                .posted_at
                .is_none_or(|at| seconds_between(at, seen.now) >= rules.create_settle);
            if !settled {
                // Posting again at once could make two servers on the same ports, and the loser's clean-up would
                // unbind the winner's: the first post may still be under way.
                return Next::wait(seen, Reason::CreateUncertain, &replacement.name);
            }
            if let Some(words) = room::is_anothers(seen) {
                return discard(seen, Reason::NoHost, words);
            }
            if let Some(words) = &seen.used_up {
                return discard(seen, Reason::UsedUp, words);
            }
            if age(seen) >= rules.join {
                return discard(seen, Reason::JoinOverdue, "its server could not be made");
            }
            Next::act(seen, Act::CreateServer, Reason::CreatingServer).with(|record| {
                record.replacement = Some(Replacement {
                    posted_at: Some(seen.now),
                    ..replacement
                })
            })
        }
        [server] => {
            let id = server.id.to_string();
            Next::enter(
                seen,
                Phase::Joining,
                Reason::Joining,
                format!("server {id}"),
            )
            .with(|record| {
                record.replacement = Some(Replacement {
                    server_id: Some(id),
                    ..replacement
                })
            })
        }
        [..] => discard(
            seen,
            Reason::ReplacementUncertain,
            "more than one server bears its tag",
        ),
    }
}

/// Waits until the replacement has joined and is Ready, and then commits: the one point of no return.
pub(super) fn joining(seen: &Seen) -> Next {
    let (view, rules, replacement) = match before_commit(seen) {
        Ok(found) => found,
        Err(next) => return *next,
    };
    let server = match certain(view, &replacement) {
        Ok(server) => server,
        Err(why) => return discard(seen, Reason::ReplacementUncertain, why),
    };
    if server.status == "ERROR" {
        if server.fault.is_none() && age(seen) < FAULT {
            let why = "its server failed, and the cloud has not said yet why";
            return Next::wait(seen, Reason::Joining, why);
        }
        let fault = server.fault.clone().unwrap_or_default();
        let reason = match server.no_host {
            true => Reason::NoHost,
            false => Reason::ReplacementFailed,
        };
        return discard(seen, reason, fault);
    }
    if let Some(next) = surplus(seen, view, &replacement.ports) {
        return next;
    }
    let missing = match &view.replacement_node {
        None => Some("it has not registered".to_owned()),
        Some(node) => not_ready(node, server, rules, view).or_else(|| {
            let had = seen.record.traits(super::sick_node(seen));
            fitness::of_node(had.as_ref(), node, rules)
        }),
    };
    // What costs more to read is read when all else is as it should be.
    let missing = match (missing, &seen.more.fitness) {
        (Some(missing), _) => Some(missing),
        (None, Some(fitness)) => fitness::lacking(fitness),
        (None, None) => return Next::wait(seen, Reason::Comparing, ""),
    };
    let Some(missing) = missing else {
        // A port that comes so late that nobody looks for it any more would outlive the repair.
        if replacement
            .ports_at
            .is_some_and(|at| seconds_between(at, seen.now) < rules.create_settle)
        {
            let why = "a port may still be under way";
            return Next::wait(seen, Reason::CreateUncertain, why);
        }
        // It may be gone for good: then nothing has to be replaced. It is known as soon as it stays away, or is back.
        if let Some(next) = told::away(seen).filter(|_| seen.record.side() == Side::Before) {
            return next;
        }
        let uid = view
            .replacement_node
            .as_ref()
            .map(|node| node.uid.to_string());
        let name = replacement.name.clone();
        return Next::enter(seen, Phase::Committed, Reason::Committed, name)
            .with(|record| {
                record.committed_at = Some(seen.now);
                record.replacement = Some(Replacement {
                    node_uid: uid,
                    ..replacement
                });
            })
            .then(Act::Adopt);
    };
    if age(seen) >= rules.join {
        return discard(seen, Reason::JoinOverdue, missing);
    }
    Next::wait(seen, Reason::Joining, missing)
}

/// A server is ours only if it alone bears our tag, is the one recorded, and our ports name it.
fn certain<'a>(view: &'a CloudView, replacement: &Replacement) -> Result<&'a ServerSeen, String> {
    let [server] = view.replacements.as_slice() else {
        return Err(format!("{} servers bear its tag", view.replacements.len()));
    };
    if replacement.server_id.as_deref() != Some(server.id.as_str()) {
        return Err(format!("server {} is not the one recorded", server.id));
    }
    // While it is being built its ports are not bound yet; an ACTIVE server without them was unbound by a duplicate.
    if server.status == "ACTIVE" {
        for id in &replacement.ports {
            let bound = view
                .ports
                .iter()
                .any(|port| port.id.as_str() == id && port.device.as_ref() == Some(&server.id));
            if !bound {
                return Err(format!("port {id} does not name it"));
            }
        }
        let extra = view.ports.iter().find(|port| {
            port.device.is_some() && !replacement.ports.iter().any(|id| id == port.id.as_str())
        });
        if let Some(port) = extra {
            return Err(format!("port {} is one too many", port.id));
        }
    }
    Ok(server)
}

/// What keeps the replacement's node from bearing pods, if anything does.
fn not_ready(
    node: &NodeSeen,
    server: &ServerSeen,
    rules: &Rules,
    view: &CloudView,
) -> Option<String> {
    if node.server.as_ref() != Some(&server.id) {
        return Some("its providerID is not our server's".to_owned());
    }
    if server.status != "ACTIVE" {
        return Some(format!("its server is {}", server.status));
    }
    if node.ready != Status::Yes {
        return Some("it is not Ready".to_owned());
    }
    if node.ready_held < rules.ready {
        return Some(format!("it must be Ready for {} s", rules.ready));
    }
    if !view.missing_labels.is_empty() {
        let labels = view.missing_labels.join(", ");
        return Some(format!("it lacks the labels {labels}"));
    }
    (!view.missing_taints.is_empty())
        .then(|| format!("it lacks the taints {}", view.missing_taints.join(", ")))
}
