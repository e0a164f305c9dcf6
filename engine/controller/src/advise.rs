//! Asks the operator's policies what they would do, with everything that the control plane sees.

use std::collections::BTreeMap;

use rectifier_core::clock::{Timestamp, seconds_between};
use rectifier_core::name::{ConditionKind, PoolName};
use rectifier_core::policy::{
    Advice, Attempt, ClusterView, Condition, EpisodeView, Moment, NodeFacts, Observation, Remedy,
    ServerView, Site, Status,
};
use rectifier_core::repair::{
    Asks, CloudSeen, NodeSeen, Request, RequestedBy, Rung, Seen, Tried, gates, history, needs, told,
};

use crate::cluster::{Cluster, Sight};
use crate::context::Context;

/// At most so many attempts are shown, as the contract says.
const ATTEMPTS_SHOWN: usize = 32;

/// The policies' advice, where the phase needs one, and on what it rests.
pub(crate) async fn ask(
    ctx: &Context,
    cluster: &Cluster,
    seen: &Seen,
) -> Option<(Observation, Advice)> {
    let waiting = seen.record.wait_until.is_some_and(|until| until > seen.now);
    let decided = seen.request.wants.is_some();
    if !needs(&seen.record).advice || waiting || decided {
        return None;
    }
    let node = seen.node.as_ref()?;
    let observation = observation(cluster, seen, node)?;
    let advice = ctx.policies.advise(&observation).await;
    Some((observation, advice))
}

fn observation(cluster: &Cluster, seen: &Seen, node: &NodeSeen) -> Option<Observation> {
    let facts = cluster.facts(&node.name).unwrap_or_default();
    let sight = facts
        .conditions
        .get(&ConditionKind::parse(&seen.request.problem.kind).ok()?);
    let problem = problem(seen, sight)?;
    let pool = cluster.pool_of(&node.name).ok();
    let pool = pool.and_then(|pool| PoolName::parse(pool.metadata.name.clone()?).ok());
    Some(Observation {
        id: format!(
            "{}.{}.{}",
            seen.repair_uid,
            seen.record.steps.len(),
            seen.now.as_second()
        ),
        now: moment(seen),
        node: NodeFacts {
            name: node.name.clone(),
            pool,
            zone: node
                .labels
                .get("topology.kubernetes.io/zone")
                .cloned()
                .unwrap_or_default(),
            labels: node.labels.clone(),
            ready: node.ready,
            unschedulable: node.unschedulable,
            uptime: None,
            pods: seen
                .pods
                .as_ref()
                .map_or(0, |pods| u32::try_from(pods.len()).unwrap_or(u32::MAX)),
        },
        site: Site::ControlPlane(view(cluster, seen, node)),
        episode: EpisodeView {
            age: seconds_between(seen.request.problem.since, seen.now),
            recurrences: sight.map_or(0, |sight| sight.spell.returns.into()),
            // those of earlier repairs too: a policy's limits hold for the problem, not for one object
            attempts: history::attempts(seen)
                .iter()
                .rev()
                .take(ATTEMPTS_SHOWN)
                .map(|tried| attempt(seen, tried))
                .collect(),
            problem,
        },
        other_episodes: Vec::new(),
        conditions: facts
            .conditions
            .iter()
            .map(|(kind, sight)| condition(seen, kind, sight))
            .collect(),
        events: Vec::new(),
        facts: facts_of(seen),
    })
}

/// The open field. `agent`: why the control plane judges although the node has an engine of its own.
fn facts_of(seen: &Seen) -> BTreeMap<String, String> {
    let agent = match seen.request.requested_by {
        RequestedBy::Conditions => "silent",
        RequestedBy::NodeEngine
            if seen
                .request
                .deadline
                .is_some_and(|deadline| deadline <= seen.now) =>
        {
            "overdue"
        }
        RequestedBy::NodeEngine | RequestedBy::Operator => "present",
    };
    BTreeMap::from([("agent".to_owned(), agent.to_owned())])
}

fn moment(seen: &Seen) -> Moment {
    let utc = seen.now.to_zoned(jiff::tz::TimeZone::UTC);
    Moment {
        unix_seconds: u64::try_from(seen.now.as_second()).unwrap_or(0),
        weekday: u8::try_from(utc.weekday().to_monday_one_offset()).unwrap_or(1),
        minute_of_day: u16::try_from(i32::from(utc.hour()) * 60 + i32::from(utc.minute()))
            .unwrap_or(0),
    }
}

fn problem(seen: &Seen, sight: Option<&Sight>) -> Option<Condition> {
    let kind = ConditionKind::parse(&seen.request.problem.kind).ok()?;
    match sight {
        Some(sight) => Some(condition(seen, &kind, sight)),
        None => {
            let is_tried = !seen.record.tried.is_empty();
            Some(unreported(&seen.request, kind, is_tried, seen.now))
        }
    }
}

/// Shown as the agent reported it. Of what no condition tells it knows alone: it is there while the agent, in its time, asks for
/// more than to be left alone, and nothing was done about it yet. Of anything else it is not known whether it still is.
fn unreported(request: &Request, kind: ConditionKind, is_tried: bool, now: Timestamp) -> Condition {
    let problem = &request.problem;
    let in_time = request.deadline.is_none_or(|deadline| deadline > now);
    let insists = !request.withdrawn && request.asks > Asks::InNode && in_time && !is_tried;
    let (status, held) = match &problem.source {
        Some(_) if insists => (Status::Yes, seconds_between(problem.since, now)),
        Some(_) | None => (Status::Unknown, 0),
    };
    Condition {
        kind,
        status,
        reason: problem.reason.clone(),
        message: problem.message.clone(),
        held,
        source: "node-engine".to_owned(),
    }
}

fn condition(seen: &Seen, kind: &ConditionKind, sight: &Sight) -> Condition {
    Condition {
        kind: kind.clone(),
        status: sight.status,
        reason: sight.reason.clone(),
        message: sight.message.clone(),
        held: seconds_between(sight.since, seen.now),
        source: "node-status".to_owned(),
    }
}

fn attempt(seen: &Seen, tried: &Tried) -> Attempt {
    Attempt {
        remedy: match tried.rung {
            Rung::Reboot | Rung::HardReboot => Remedy::Reboot,
            Rung::Replace => Remedy::Replace,
        },
        age: seconds_between(tried.since, seen.now),
        outcome: tried.outcome,
        detail: tried.reason.text().to_owned(),
    }
}

fn view(cluster: &Cluster, seen: &Seen, node: &NodeSeen) -> ClusterView {
    let server = match &seen.cloud {
        CloudSeen::Fresh(view) => view.server.as_ref(),
        CloudSeen::Unavailable(_) | CloudSeen::NotAsked => None,
    };
    let (reboot, replace) = gates(seen);
    let [pool, zone, same_problem] = cluster.groups(&node.name, &seen.request.problem.kind);
    ClusterView {
        pool,
        zone,
        same_problem,
        server: server.map(|server| ServerView {
            status: server.status.clone(),
            task: server.task.clone(),
            fault: server.fault.clone(),
            age: server.age,
            proven_dead: seen.record.proof.is_some(),
        }),
        requested_by: match seen.request.requested_by {
            RequestedBy::NodeEngine => "node-engine",
            RequestedBy::Conditions => "conditions",
            RequestedBy::Operator => "operator",
        }
        .to_owned(),
        reboot,
        replace,
        freshness: told::freshness(seen),
    }
}

#[cfg(test)]
mod tests {
    use rectifier_core::repair::Problem;

    use super::*;

    #[test]
    fn what_no_condition_tells_is_there_until_its_engine_takes_that_back() {
        let told = |source: Option<&str>, asks, withdrawn, is_tried| {
            let since = Timestamp::UNIX_EPOCH;
            let request = Request {
                node: "worker-1".to_owned(),
                node_uid: "u".to_owned(),
                problem: Problem {
                    kind: "TasksHang".to_owned(),
                    reason: "TaskHung".to_owned(),
                    message: String::new(),
                    since,
                    source: source.map(str::to_owned),
                },
                asks,
                deadline: None,
                withdrawn,
                accepted_grant: None,
                requested_by: RequestedBy::NodeEngine,
                retry: None,
                confirmed_dead: None,
                wants: None,
            };
            let kind = ConditionKind::parse("TasksHang").ok()?;
            let now = Timestamp::from_second(90).ok()?;
            let condition = unreported(&request, kind, is_tried, now);
            Some((condition.status, condition.held))
        };
        let there = Some((Status::Yes, 90));
        let unknown = Some((Status::Unknown, 0));
        let own = Some("systemd");
        assert_eq!(told(own, Asks::Escalate, false, false), there);
        assert_eq!(told(own, Asks::Escalate, true, false), unknown);
        assert_eq!(told(own, Asks::Escalate, false, true), unknown);
        assert_eq!(told(own, Asks::InNode, false, false), unknown);
        assert_eq!(told(None, Asks::Escalate, false, false), unknown);
    }
}
