//! Which server the sick node is, whether it may be touched, and what was done to it.

use std::net::IpAddr;

use super::next::Next;
use super::seen::{ActionSeen, CloudSeen, CloudView, NodeSeen, Seen, ServerSeen};
use super::{Phase, sick_node};
use crate::reason::Reason;

/// Statuses in which a server can be repaired. In any other, one that this version does not know among them, somebody is
/// doing something with it.
const REPAIRABLE: [&str; 5] = ["ACTIVE", "SHUTOFF", "ERROR", "REBOOT", "HARD_REBOOT"];

/// The sick node's server: a node is repaired by the cloud only when it is certain which server it is. Nothing may be
/// rebooted or deleted on a guess.
pub(super) fn certain(seen: &Seen) -> Result<(&CloudView, &ServerSeen), Box<Next>> {
    let view = match &seen.cloud {
        CloudSeen::Fresh(view) => view,
        CloudSeen::Unavailable(why) => {
            return Err(Box::new(Next::wait(seen, Reason::CloudUnavailable, why)));
        }
        CloudSeen::NotAsked => {
            let next = Next::wait(seen, Reason::CloudUnavailable, "not asked");
            return Err(Box::new(next));
        }
    };
    let person = |why: String| {
        Box::new(Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::ServerUnknown,
            why,
        ))
    };
    let named = sick_node(seen).and_then(|node| node.server.as_ref());
    let Some(server) = view
        .server
        .as_ref()
        .filter(|server| Some(&server.id) == named)
    else {
        let why = "the node's providerID names no server of this project";
        return Err(person(why.to_owned()));
    };
    match sick_node(seen).and_then(|node| differs(node, view, server)) {
        Some(why) => Err(person(why)),
        None => Ok((view, server)),
    }
}

/// Why the server that the node names may be another's. A providerID is a word that somebody wrote once: a server is this
/// node's only if everything else that both sides tell says the same.
pub fn differs(node: &NodeSeen, view: &CloudView, server: &ServerSeen) -> Option<String> {
    if server.name != node.name.as_str() {
        return Some(format!("its server is named {}", server.name));
    }
    if let (Some(own), Some(asked)) = (&node.region, &view.region)
        && own != asked
    {
        return Some(format!("it is in region {own}, and {asked} is asked"));
    }
    if let Some(twin) = &node.twin {
        return Some(format!("node {twin} says that it is the same server"));
    }
    let is_its = |address| server.addresses.contains(address);
    if !node.addresses.iter().any(is_its) {
        let words = |all: &[IpAddr]| match all {
            [] => "none".to_owned(),
            all => all
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        };
        let (own, its) = (words(&node.addresses), words(&server.addresses));
        return Some(format!("its address is {own}, its server's {its}"));
    }
    None
}

/// What somebody is doing with the server, if anything: then it is left alone.
pub(super) fn busy(server: &ServerSeen) -> Option<String> {
    if server.locked {
        return Some("it is locked".to_owned());
    }
    if let Some(task) = &server.task {
        return Some(format!("{}: {task}", server.status));
    }
    (!REPAIRABLE.contains(&server.status.as_str())).then(|| format!("it is {}", server.status))
}

/// Who stopped it, if a person or a program did so, and nobody has started it since. A host that lost its power, or a guest
/// that shut itself down, leaves no such action, or one of the cloud itself.
pub(super) fn stopped_by<'a>(seen: &Seen, view: &'a CloudView) -> Option<&'a str> {
    let last = last_power(view).filter(|last| last.action == "stop")?;
    match our_stop(seen, view) {
        Some(_) => None,
        None => last.by.as_deref(),
    }
}

/// Our own stop, if nothing was done to its power since.
pub(super) fn our_stop<'a>(seen: &Seen, view: &'a CloudView) -> Option<&'a ActionSeen> {
    let last = last_power(view)?;
    ours(seen, view, "stop").find(|own| own.request == last.request)
}

/// What was last done to its power.
fn last_power(view: &CloudView) -> Option<&ActionSeen> {
    let powers = ["stop", "start", "reboot"];
    let mut actions = view.actions.iter();
    actions.find(|action| powers.contains(&action.action.as_str()))
}

/// The actions of this kind that are newer than what the record says was there before we asked: ours, unless somebody asked
/// for the same in that moment.
pub(super) fn ours<'a>(
    seen: &Seen,
    view: &'a CloudView,
    action: &'a str,
) -> impl Iterator<Item = &'a ActionSeen> {
    let power = seen.record.power.as_ref();
    let asked = power.is_some_and(|power| power.posted_at.is_some());
    let before = power.and_then(|power| power.before.clone());
    view.actions
        .iter()
        .take_while(move |one| before.as_ref() != Some(&one.request))
        .filter(move |one| asked && one.action == action)
}

/// The newest action on the server: what comes after it is newer than this look.
pub(super) fn newest(view: &CloudView) -> Option<String> {
    view.actions.first().map(|action| action.request.clone())
}
