//! How much text an observation or a decision carries: what the limits on input and output count. Numbers are not
//! counted; what has a list is counted by its elements, so that an endless list of empty strings counts too.

use super::bindings::rectifier::policy::types as wit;

/// What an element of a list counts beside its text: a record's worth of words.
const ELEMENT: usize = 32;

fn all<'a, T: 'a>(items: &'a [T], size: impl Fn(&'a T) -> usize) -> usize {
    items.iter().map(|item| ELEMENT + size(item)).sum()
}

fn pairs(pairs: &[wit::Pair]) -> usize {
    all(pairs, |pair| pair.name.len() + pair.value.len())
}

fn gate(gate: &wit::Gate) -> usize {
    match gate {
        wit::Gate::Open => 0,
        wit::Gate::Closed(rail) => rail.len(),
    }
}

fn condition(condition: &wit::Condition) -> usize {
    let wit::Condition {
        kind,
        status: _,
        reason,
        message,
        held: _,
        source,
    } = condition;
    kind.len() + reason.len() + message.len() + source.len()
}

fn remedy(remedy: &wit::Remedy) -> usize {
    match remedy {
        wit::Remedy::Unit(call) => call.name.len(),
        wit::Remedy::Fix(call) => call.name.len() + pairs(&call.args),
        wit::Remedy::Decline
        | wit::Remedy::Wait(_)
        | wit::Remedy::Reboot
        | wit::Remedy::Escalate
        | wit::Remedy::Replace => 0,
    }
}

fn episode(episode: &wit::Episode) -> usize {
    let attempts = all(&episode.attempts, |attempt| {
        attempt.detail.len() + remedy(&attempt.remedy)
    });
    condition(&episode.problem) + attempts
}

fn site(site: &wit::Site) -> usize {
    match site {
        wit::Site::Node(view) => {
            let units = all(&view.units, |unit| {
                unit.name.len() + unit.active_state.len() + unit.sub_state.len() + gate(&unit.gate)
            });
            let fixes = all(&view.fixes, |fix| {
                fix.name.len() + all(&fix.params, String::len) + gate(&fix.gate)
            });
            units + fixes + gate(&view.reboot)
        }
        wit::Site::ControlPlane(view) => {
            let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
            let server = view.server.as_ref().map_or(0, |server| {
                server.status.len() + text(&server.task) + text(&server.fault)
            });
            server + view.requested_by.len() + gate(&view.reboot) + gate(&view.replace)
        }
    }
}

pub(super) fn of_observation(seen: &wit::Observation) -> usize {
    let wit::Observation {
        id,
        now: _,
        node,
        site: at,
        episode: own,
        other_episodes,
        conditions,
        events,
        facts,
    } = seen;
    let pool = node.pool.as_ref().map_or(0, String::len);
    let events = all(events, |event| event.reason.len() + event.message.len());
    id.len()
        + (node.name.len() + pool + node.zone.len() + pairs(&node.labels))
        + (site(at) + episode(own) + all(other_episodes, episode))
        + (all(conditions, condition) + events + pairs(facts))
}

pub(super) fn of_decision(answer: &wit::Decision) -> usize {
    let wit::Decision {
        remedy: advised,
        reason,
        settle: _,
        notes,
    } = answer;
    remedy(advised) + reason.len() + pairs(notes)
}
