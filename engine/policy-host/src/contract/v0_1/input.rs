//! What is shown: the inner observation as this version's records.

use std::collections::BTreeMap;

use rectifier_core::policy as core;

use super::bindings::rectifier::policy::types as wit;
use crate::Needs;

/// `seen`, less the units, fixes and facts that the policy does not need.
pub(super) fn observation(seen: &core::Observation, needs: &Needs) -> wit::Observation {
    wit::Observation {
        id: seen.id.clone(),
        now: wit::Moment {
            unix_seconds: seen.now.unix_seconds,
            weekday: seen.now.weekday,
            minute_of_day: seen.now.minute_of_day,
        },
        node: node(&seen.node),
        site: match &seen.site {
            core::Site::Node(view) => wit::Site::Node(node_view(view, needs)),
            core::Site::ControlPlane(view) => wit::Site::ControlPlane(cluster_view(view)),
        },
        episode: episode(&seen.episode),
        other_episodes: seen.other_episodes.iter().map(episode).collect(),
        conditions: seen.conditions.iter().map(condition).collect(),
        events: seen.events.iter().map(event_count).collect(),
        facts: pairs(
            seen.facts
                .iter()
                .filter(|(name, _)| needs.facts.contains(name)),
        ),
    }
}

fn pairs<'a>(map: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<wit::Pair> {
    let pair = |(name, value): (&String, &String)| wit::Pair {
        name: name.clone(),
        value: value.clone(),
    };
    map.into_iter().map(pair).collect()
}

fn status(status: core::Status) -> wit::Status {
    match status {
        core::Status::Yes => wit::Status::Yes,
        core::Status::No => wit::Status::No,
        core::Status::Unknown => wit::Status::Unknown,
    }
}

fn freshness(freshness: core::Freshness) -> wit::Freshness {
    match freshness {
        core::Freshness::Fresh => wit::Freshness::Fresh,
        core::Freshness::Stale => wit::Freshness::Stale,
        core::Freshness::Missing => wit::Freshness::Missing,
    }
}

fn gate(gate: &core::Gate) -> wit::Gate {
    match gate {
        core::Gate::Open => wit::Gate::Open,
        core::Gate::Closed(rail) => wit::Gate::Closed(rail.clone()),
    }
}

fn condition(seen: &core::Condition) -> wit::Condition {
    wit::Condition {
        kind: seen.kind.to_string(),
        status: status(seen.status),
        reason: seen.reason.clone(),
        message: seen.message.clone(),
        held: seen.held,
        source: seen.source.clone(),
    }
}

fn event_count(seen: &core::EventCount) -> wit::EventCount {
    wit::EventCount {
        reason: seen.reason.clone(),
        message: seen.message.clone(),
        count: seen.count,
        window: seen.window,
        last_seen: seen.last_seen,
    }
}

fn episode(seen: &core::EpisodeView) -> wit::Episode {
    wit::Episode {
        problem: condition(&seen.problem),
        age: seen.age,
        recurrences: seen.recurrences,
        attempts: seen.attempts.iter().map(attempt).collect(),
    }
}

fn attempt(seen: &core::Attempt) -> wit::Attempt {
    wit::Attempt {
        remedy: remedy(&seen.remedy),
        age: seen.age,
        outcome: match seen.outcome {
            core::Outcome::Running => wit::Outcome::Running,
            core::Outcome::Recovered => wit::Outcome::Recovered,
            core::Outcome::NoEffect => wit::Outcome::NoEffect,
            core::Outcome::Failed => wit::Outcome::Failed,
            core::Outcome::Refused => wit::Outcome::Refused,
            core::Outcome::Unknown => wit::Outcome::Unknown,
        },
        detail: seen.detail.clone(),
    }
}

fn remedy(tried: &core::Remedy) -> wit::Remedy {
    let args = |args: &BTreeMap<String, String>| pairs(args);
    match tried {
        core::Remedy::Decline => wit::Remedy::Decline,
        core::Remedy::Wait(seconds) => wit::Remedy::Wait(*seconds),
        core::Remedy::Unit(call) => wit::Remedy::Unit(wit::UnitCall {
            name: call.name.to_string(),
            verb: match call.verb {
                core::UnitVerb::Restart => wit::UnitVerb::Restart,
                core::UnitVerb::Start => wit::UnitVerb::Start,
                core::UnitVerb::StopStart => wit::UnitVerb::StopStart,
                core::UnitVerb::ResetFailed => wit::UnitVerb::ResetFailed,
            },
        }),
        core::Remedy::Fix(call) => wit::Remedy::Fix(wit::FixCall {
            name: call.name.to_string(),
            args: args(&call.args),
        }),
        core::Remedy::Reboot => wit::Remedy::Reboot,
        core::Remedy::Escalate => wit::Remedy::Escalate,
        core::Remedy::Replace => wit::Remedy::Replace,
    }
}

fn node(seen: &core::NodeFacts) -> wit::Node {
    wit::Node {
        name: seen.name.to_string(),
        pool: seen.pool.as_ref().map(ToString::to_string),
        zone: seen.zone.clone(),
        labels: pairs(&seen.labels),
        ready: status(seen.ready),
        unschedulable: seen.unschedulable,
        uptime: seen.uptime,
        pods: seen.pods,
    }
}

fn node_view(seen: &core::NodeView, needs: &Needs) -> wit::NodeView {
    let unit = |unit: &core::Unit| wit::Unit {
        name: unit.name.to_string(),
        active_state: unit.active_state.clone(),
        sub_state: unit.sub_state.clone(),
        restarts: unit.restarts,
        held: unit.held,
        gate: gate(&unit.gate),
    };
    let fix = |fix: &core::Fix| wit::Fix {
        name: fix.name.to_string(),
        params: fix.params.clone(),
        gate: gate(&fix.gate),
    };
    wit::NodeView {
        units: seen
            .units
            .iter()
            .filter(|unit| needs.units.contains(unit.name.as_str()))
            .map(unit)
            .collect(),
        fixes: seen
            .fixes
            .iter()
            .filter(|fix| needs.fixes.contains(fix.name.as_str()))
            .map(fix)
            .collect(),
        reboot: gate(&seen.reboot),
        freshness: freshness(seen.freshness),
    }
}

fn cluster_view(seen: &core::ClusterView) -> wit::ClusterView {
    let group = |group: core::Group| wit::Group {
        nodes: group.nodes,
        sick: group.sick,
        repairing: group.repairing,
    };
    wit::ClusterView {
        pool: group(seen.pool),
        zone: group(seen.zone),
        same_problem: group(seen.same_problem),
        server: seen.server.as_ref().map(|server| wit::Server {
            status: server.status.clone(),
            task: server.task.clone(),
            fault: server.fault.clone(),
            age: server.age,
            proven_dead: server.proven_dead,
        }),
        requested_by: seen.requested_by.clone(),
        reboot: gate(&seen.reboot),
        replace: gate(&seen.replace),
        freshness: freshness(seen.freshness),
    }
}
