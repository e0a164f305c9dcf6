//! Taking back what was made: after a failed attempt, and after a repair was called off.

use jiff::Timestamp;

use super::attempts::again;
use super::guests;
use super::next::{Act, Next};
use super::replace::{fresh, still_called_off};
use super::seen::{CloudView, Seen};
use super::{Phase, call_off, ours, power, sick_node};
use crate::clock::seconds_between;
use crate::name::PortId;
use crate::policy::Outcome;
use crate::reason::Reason;

/// A failed attempt goes, whole; then the next one begins.
pub(super) fn discarding(seen: &Seen) -> Next {
    match remove(seen, Reason::ReplacementFailed) {
        Some(next) => next,
        None => match still_called_off(seen) {
            Some(reason) => call_off(seen, reason),
            None => again(seen),
        },
    }
}

/// Called off before the commit: what was made is removed, then the node is uncordoned if the cordon is ours.
pub(super) fn rolling_back(seen: &Seen) -> Next {
    if let Some(next) = remove(seen, why(seen)).or_else(|| power::undo(seen)) {
        return next;
    }
    match sick_node(seen) {
        Some(node) if node.unschedulable && ours(seen, node) => {
            Next::act(seen, Act::Uncordon, Reason::Uncordoning)
        }
        Some(_) | None => {
            let mut steps = seen.record.steps.iter().rev();
            let called_off = steps.find(|step| step.phase == Phase::RollingBack);
            let (why, detail) = called_off.map_or((Reason::Cancelled, ""), |step| {
                (step.reason, step.detail.as_str())
            });
            Next::enter(seen, Phase::Cancelled, why, detail).with(|record| {
                // Called off is not failed: no policy may take it for an attempt.
                if let Some(last) = record.tried.last_mut()
                    && last.outcome == Outcome::Running
                {
                    last.outcome = Outcome::Refused;
                    last.reason = why;
                }
            })
        }
    }
}

/// Why it was called off.
fn why(seen: &Seen) -> Reason {
    let mut steps = seen.record.steps.iter().rev();
    steps
        .find(|step| step.phase == Phase::RollingBack)
        .map_or(Reason::Cancelled, |step| step.reason)
}

/// Removes the present attempt; `None` when the cloud, complete and fresh, shows nothing of it any more.
fn remove(seen: &Seen, reason: Reason) -> Option<Next> {
    let replacement = seen.record.replacement.as_ref()?;
    let view = match fresh(seen) {
        Ok(view) => view,
        Err(next) => return Some(*next),
    };
    if let Some(next) = guests::leave(seen, view) {
        return Some(next);
    }
    if !empty(view) {
        let act = Act::RemoveReplacement {
            servers: view
                .replacements
                .iter()
                .map(|server| server.id.clone())
                .collect(),
            ports: view
                .ports
                .iter()
                .map(|port| port.id.clone())
                .collect::<Vec<PortId>>(),
            node: view.replacement_node.as_ref().map(|node| node.uid.clone()),
        };
        return Some(Next::act(seen, act, reason));
    }
    // A post whose answer was lost may still make a server or a port: its absence counts only after the settling time.
    let settle = seen.pool.as_ref().map_or(60, |rules| rules.create_settle);
    let unsettled =
        |posted: Option<Timestamp>| posted.is_some_and(|at| seconds_between(at, seen.now) < settle);
    let uncertain = unsettled(replacement.ports_at)
        || (replacement.server_id.is_none() && unsettled(replacement.posted_at));
    uncertain.then(|| Next::wait(seen, Reason::CreateUncertain, &replacement.name))
}

fn empty(view: &CloudView) -> bool {
    view.replacements.is_empty() && view.ports.is_empty() && view.replacement_node.is_none()
}

/// Healthy again after a rung that left the node in place.
pub(super) fn uncordoning(seen: &Seen) -> Next {
    match sick_node(seen) {
        Some(node) if node.unschedulable && ours(seen, node) => {
            Next::act(seen, Act::Uncordon, Reason::Uncordoning)
        }
        Some(_) | None => Next::enter(seen, Phase::Recovered, Reason::Recovered, ""),
    }
}
