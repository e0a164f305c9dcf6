//! An episode as a policy sees it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::guard;
use super::limits::Limits;
use super::memory::{AttemptRecord, Episode, Memory};
use super::seen::{Seen, UnitSeen};
use crate::clock::seconds_between;
use crate::name::{ConditionKind, UnitName};
use crate::policy::{
    Attempt, Condition, EpisodeView, Fix, FixCall, Freshness, Gate, Moment, NodeFacts, NodeView,
    Observation, Remedy, Site, Status, Unit, UnitCall, UnitVerb,
};

/// As many attempts as the contract lets a policy see.
const ATTEMPTS_SHOWN: usize = 32;

/// Everything that a decision on this episode may rest on.
pub(super) fn observation(
    memory: &Memory,
    kind: &ConditionKind,
    episode: &Episode,
    seen: &Seen,
    limits: &Limits,
) -> Observation {
    let others = memory.episodes.iter().filter(|(other, _)| *other != kind);
    Observation {
        id: format!("{}/{kind}/{}", seen.name, seen.now.as_millisecond()),
        now: moment(seen.now),
        node: node_facts(seen),
        site: Site::Node(node_view(memory, episode, seen, limits)),
        episode: episode_view(kind, episode, seen.now),
        other_episodes: others
            .map(|(other, episode)| episode_view(other, episode, seen.now))
            .collect(),
        conditions: seen
            .conditions
            .iter()
            .map(|seen_now| condition(seen_now, memory, seen.now))
            .collect(),
        events: seen.events.clone(),
        facts: BTreeMap::new(),
    }
}

/// In UTC: a node does not know its pool's time zone.
fn moment(now: Timestamp) -> Moment {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let days = seconds / 86_400;
    // 1970-01-01 was a Thursday, the fourth day of its week.
    let weekday = (days + 3) % 7 + 1;
    let minute = seconds % 86_400 / 60;
    Moment {
        unix_seconds: seconds,
        weekday: u8::try_from(weekday).unwrap_or(1),
        minute_of_day: u16::try_from(minute).unwrap_or(0),
    }
}

fn node_facts(seen: &Seen) -> NodeFacts {
    let node = seen.node.value.as_ref();
    NodeFacts {
        name: seen.name.clone(),
        pool: None,
        zone: node
            .and_then(|node| node.labels.get("topology.kubernetes.io/zone").cloned())
            .unwrap_or_default(),
        labels: node.map(|node| node.labels.clone()).unwrap_or_default(),
        // Ready is judged at the API server; while that is away it is what it was then, and may have changed.
        ready: match seen.node.freshness {
            Freshness::Fresh => node.map_or(Status::Unknown, |node| node.ready),
            Freshness::Stale | Freshness::Missing => Status::Unknown,
        },
        unschedulable: node.is_some_and(|node| node.unschedulable),
        uptime: seen.booted.map(|booted| seconds_between(booted, seen.now)),
        pods: 0,
    }
}

fn node_view(memory: &Memory, episode: &Episode, seen: &Seen, limits: &Limits) -> NodeView {
    let may = guard::remedy(memory, episode, seen, limits);
    let gate = |remedy: Remedy| {
        let its_turn = || guard::turn(episode, &remedy, seen, limits);
        guard::gate(may.clone().and_then(|()| its_turn()))
    };
    let units = seen
        .units
        .iter()
        .filter(|(name, _)| limits.units.contains(*name));
    NodeView {
        units: units
            .map(|(name, unit)| {
                let restart = UnitCall {
                    name: name.clone(),
                    verb: UnitVerb::Restart,
                };
                self::unit(name, unit, gate(Remedy::Unit(restart)), seen.now)
            })
            .collect(),
        fixes: limits
            .fixes
            .keys()
            .map(|name| Fix {
                name: name.clone(),
                params: guard::params(name, limits),
                gate: gate(Remedy::Fix(FixCall {
                    name: name.clone(),
                    args: BTreeMap::new(),
                })),
            })
            .collect(),
        reboot: guard::gate(guard::reboot(episode, seen)),
        freshness: seen.systemd,
    }
}

fn unit(name: &UnitName, unit: &UnitSeen, gate: Gate, now: Timestamp) -> Unit {
    Unit {
        name: name.clone(),
        active_state: unit.active_state.clone(),
        sub_state: unit.sub_state.clone(),
        restarts: unit.restarts,
        held: unit.since.map_or(0, |since| seconds_between(since, now)),
        gate,
    }
}

fn episode_view(kind: &ConditionKind, episode: &Episode, now: Timestamp) -> EpisodeView {
    EpisodeView {
        problem: Condition {
            kind: kind.clone(),
            status: episode.sight.status,
            reason: episode.sight.reason.clone(),
            message: episode.sight.message.clone(),
            held: seconds_between(episode.sight.since, now),
            source: episode.sight.source.clone(),
        },
        age: seconds_between(episode.problem.since, now),
        recurrences: episode.recurrences,
        attempts: episode
            .attempts
            .iter()
            .rev()
            .take(ATTEMPTS_SHOWN)
            .map(|tried| attempt(tried, now))
            .collect(),
    }
}

fn attempt(attempt: &AttemptRecord, now: Timestamp) -> Attempt {
    Attempt {
        remedy: attempt.remedy.clone(),
        age: seconds_between(attempt.began, now),
        outcome: attempt.outcome(),
        detail: attempt.detail.clone(),
    }
}

fn condition(condition: &super::seen::SeenCondition, memory: &Memory, now: Timestamp) -> Condition {
    // A problem's age is our own sight of it; of what is no problem only the source's word is known.
    let since = memory
        .episodes
        .get(&condition.kind)
        .map(|episode| episode.sight.since)
        .or(condition.transition);
    Condition {
        kind: condition.kind.clone(),
        status: condition.status,
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        held: since.map_or(0, |since| seconds_between(since, now)),
        source: condition.source.clone(),
    }
}
