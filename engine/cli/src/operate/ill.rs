//! Who is ill: nodes with a problem or an open repair, each with its one reason.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Event, Node, NodeCondition};
use kube::ResourceExt;
use rectifier_api::{NodeRepair, RepairPool};
use rectifier_core::acknowledged::Acknowledged;
use rectifier_core::clock::Timestamp;
use rectifier_core::policy::Status;
use rectifier_core::reason::Reason;
use rectifier_core::repair::{Phase, Problem};
use rectifier_core::standing::{NOT_READY, is_problem};
use serde::Serialize;

use super::acknowledge;
use super::look::pool_of;
use crate::clock::now;

/// So many nodes that say the same are a storm: then some of them stand for all.
const ALIKE: usize = 8;
/// So many of them.
const SHOWN: usize = 3;

/// A node with a problem, or with an open repair.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ill {
    pub(super) node: String,
    pub(super) pool: Option<String>,
    pub(super) problem: String,
    pub(super) since: Option<Timestamp>,
    pub(super) phase: Option<Phase>,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) needs_a_person: bool,
}

/// A condition that is True, and that a person has acknowledged: it counts as gone.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SeenTo {
    pub(super) node: String,
    pub(super) problem: String,
}

fn conditions(node: &Node) -> impl Iterator<Item = &NodeCondition> {
    let all = node.status.iter();
    all.flat_map(|status| status.conditions.iter().flatten())
}

fn since(condition: &NodeCondition) -> Option<Timestamp> {
    condition.last_transition_time.as_ref().map(|time| time.0)
}

fn is_seen_to(condition: &NodeCondition, acknowledged: &Acknowledged) -> bool {
    condition.status == "True" && acknowledged.covers(&condition.type_, since(condition))
}

pub(super) fn seen_to(node: &Node) -> Vec<SeenTo> {
    let acknowledged = acknowledge::of(node);
    let own = conditions(node)
        .filter(|condition| is_problem(&condition.type_, Status::Yes))
        .filter(|condition| is_seen_to(condition, &acknowledged));
    let seen_to = own.map(|condition| SeenTo {
        node: node.name_any(),
        problem: condition.type_.clone(),
    });
    seen_to.collect()
}

/// The problems that stand on a node, the oldest first.
pub(super) fn problems(node: &Node) -> Vec<Problem> {
    let acknowledged = acknowledge::of(node);
    let mut problems: Vec<Problem> = conditions(node)
        .filter(|condition| !is_seen_to(condition, &acknowledged))
        .filter_map(|condition| {
            let status = match condition.status.as_str() {
                "True" => Status::Yes,
                "False" => Status::No,
                _ => Status::Unknown,
            };
            let kind = match condition.type_.as_str() {
                "Ready" if status != Status::Yes => NOT_READY,
                other if is_problem(other, status) => other,
                _ => return None,
            };
            Some(Problem {
                kind: kind.to_owned(),
                reason: condition.reason.clone().unwrap_or_default(),
                message: condition.message.clone().unwrap_or_default(),
                since: since(condition).unwrap_or_else(now),
                source: None,
            })
        })
        .collect();
    problems.sort_by_key(|problem| problem.since);
    problems
}

/// The newest Event of the controller's that names one of its reasons.
pub(super) fn last_word(events: &[Event], node: &str) -> Option<(Reason, String)> {
    let mut of = events
        .iter()
        .rev()
        .filter(|event| event.involved_object.name.as_deref() == Some(node));
    of.find_map(|event| {
        let label = event.reason.as_deref()?;
        let reason = Reason::ALL.iter().find(|reason| reason.label() == label)?;
        Some((*reason, event.message.clone().unwrap_or_default()))
    })
}

pub(super) fn ill(
    nodes: &[Node],
    repairs: &[NodeRepair],
    pools: &[RepairPool],
    events: &[Event],
) -> Vec<Ill> {
    let is_open = |repair: &&NodeRepair| {
        let name = format!("{}.repair", repair.spec.node_name);
        repair.name_any() == name
    };
    let mut open: BTreeMap<&str, &NodeRepair> = repairs
        .iter()
        .filter(is_open)
        .map(|repair| (repair.spec.node_name.as_str(), repair))
        .collect();
    let mut all = Vec::new();
    for node in nodes {
        let name = node.name_any();
        let pool = pool_of(pools, node).ok().map(ResourceExt::name_any);
        if let Some(repair) = open.remove(name.as_str()) {
            all.push(in_repair(repair, pool));
            continue;
        }
        let Some(problem) = problems(node).into_iter().next() else {
            continue;
        };
        let (reason, message) = match last_word(events, &name) {
            Some((reason, message)) => (reason.label().to_owned(), message),
            None => (
                String::new(),
                "the controller has not said anything about it yet".to_owned(),
            ),
        };
        all.push(Ill {
            node: name,
            pool,
            problem: problem.kind,
            since: Some(problem.since),
            phase: None,
            reason,
            message,
            needs_a_person: false,
        });
    }
    // their Nodes are gone
    all.extend(open.into_values().map(|repair| in_repair(repair, None)));
    all.sort_by_key(|ill| (!ill.needs_a_person, ill.since));
    all
}

impl Ill {
    /// What it has in common with others, in words.
    fn like(&self) -> String {
        let phase = self.phase.map(|phase| format!("{phase:?}"));
        let parts = [
            self.pool.as_ref().map(|pool| format!("pool {pool}")),
            Some(self.problem.clone()),
            phase,
            Some(self.reason.clone()).filter(|reason| !reason.is_empty()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Those that are shown, and of those that are not, what they are like and how many: in a storm some stand for all. Who waits
/// for a person is always shown.
pub(super) fn some_for_all(ill: &[Ill]) -> (Vec<&Ill>, BTreeMap<String, usize>) {
    let own = |ill: &&Ill| !ill.needs_a_person;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for ill in ill.iter().filter(own) {
        *counts.entry(ill.like()).or_default() += 1;
    }
    counts.retain(|_, count| *count > ALIKE);
    let mut left: BTreeMap<&str, usize> =
        counts.keys().map(|like| (like.as_str(), SHOWN)).collect();
    let shown = ill.iter().filter(|ill| {
        if ill.needs_a_person {
            return true;
        }
        let Some(left) = left.get_mut(ill.like().as_str()) else {
            return true;
        };
        let is_shown = *left > 0;
        *left = left.saturating_sub(1);
        is_shown
    });
    let shown = shown.collect();
    let more = counts.iter();
    let more = more.map(|(like, count)| (like.clone(), count - SHOWN));
    (shown, more.collect())
}

fn in_repair(repair: &NodeRepair, pool: Option<String>) -> Ill {
    let record = repair.status.clone().unwrap_or_default();
    let waits = record.reason == Some(Reason::AwaitingApproval);
    Ill {
        node: repair.spec.node_name.clone(),
        pool: record.pool.or(pool),
        problem: repair.spec.problem.kind.clone(),
        since: Some(repair.spec.problem.since),
        phase: Some(record.phase),
        reason: record.reason.map_or("", Reason::label).to_owned(),
        message: record.message,
        needs_a_person: record.phase == Phase::NeedsHuman || waits,
    }
}

#[cfg(test)]
mod tests {
    use rectifier_core::acknowledged::ACKNOWLEDGED;
    use serde_json::json;

    use super::*;

    fn node(name: &str, conditions: &[(&str, &str)]) -> Node {
        let conditions: Vec<_> = conditions
            .iter()
            .map(|(kind, status)| json!({"type": kind, "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z"}))
            .collect();
        serde_json::from_value(
            json!({"metadata": {"name": name}, "status": {"conditions": conditions}}),
        )
        .unwrap()
    }

    #[test]
    fn a_problem_is_what_the_engines_take_for_one() {
        let kinds = |node: &Node| {
            let problems = problems(node);
            problems
                .into_iter()
                .map(|problem| problem.kind)
                .collect::<Vec<_>>()
        };
        let well = node(
            "a",
            &[
                ("Ready", "True"),
                ("KernelDeadlock", "False"),
                ("EtcdHealthy", "True"),
            ],
        );
        assert!(kinds(&well).is_empty());
        let ill = node("a", &[("Ready", "Unknown"), ("KernelDeadlock", "True")]);
        assert_eq!(kinds(&ill), ["NotReady", "KernelDeadlock"]);
        assert!(seen_to(&ill).is_empty());

        let mut acknowledged = ill;
        acknowledged.metadata.annotations = Some(
            [(
                ACKNOWLEDGED.to_owned(),
                "KernelDeadlock=2026-01-01T00:00:00Z".to_owned(),
            )]
            .into(),
        );
        assert_eq!(kinds(&acknowledged), ["NotReady"]);
        let told = seen_to(&acknowledged);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].problem, "KernelDeadlock");
    }

    #[test]
    fn in_a_storm_some_stand_for_all_and_a_person_is_always_asked() {
        let ill = |node: usize, pool: &str, needs_a_person: bool| Ill {
            node: format!("worker-{node}"),
            pool: Some(pool.to_owned()),
            problem: "KernelDeadlock".to_owned(),
            since: None,
            phase: Some(Phase::Judging),
            reason: "BreakerOpen".to_owned(),
            message: String::new(),
            needs_a_person,
        };
        let storm = (0..ALIKE + 2).map(|node| ill(node, "web", node == 5));
        let few = (0..ALIKE).map(|node| ill(node, "db", false));
        let all: Vec<Ill> = storm.chain(few).collect();
        let (shown, more) = some_for_all(&all);
        let of = |pool: &str| {
            let own = shown.iter().filter(|ill| ill.pool.as_deref() == Some(pool));
            own.map(|ill| ill.node.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of("web"), ["worker-0", "worker-1", "worker-2", "worker-5"]);
        assert_eq!(of("db").len(), ALIKE);
        let words = "pool web, KernelDeadlock, Judging, BreakerOpen".to_owned();
        assert_eq!(more, [(words, ALIKE + 1 - SHOWN)].into());
    }

    #[test]
    fn every_ill_node_has_a_line_those_that_need_a_person_first() {
        let repair = |name: &str, phase: &str, reason: &str| -> NodeRepair {
            serde_json::from_value(json!({
                "apiVersion": "rectifier.dev/v1alpha1", "kind": "NodeRepair", "metadata": {"name": format!("{name}.repair")},
                "spec": {"nodeName": name, "nodeUid": "u", "problem": {"kind": "K", "since": "2026-01-01T00:00:00Z"}},
                "status": {"phase": phase, "reason": reason, "message": "m"},
            }))
            .unwrap()
        };
        let event = |name: &str, reason: &str| -> Event {
            serde_json::from_value(json!({
                "metadata": {"name": "e"}, "involvedObject": {"kind": "Node", "name": name}, "reason": reason, "message": "words",
            }))
            .unwrap()
        };
        let nodes = [
            node("well", &[("Ready", "True")]),
            node("alone", &[("KernelDeadlock", "True")]),
            node("told", &[("KernelDeadlock", "True")]),
            node("working", &[("KernelDeadlock", "True")]),
            node("asking", &[]),
        ];
        let repairs = [
            repair("working", "Draining", "Evicting"),
            repair("asking", "Judging", "AwaitingApproval"),
            repair("gone", "NeedsHuman", "Overdue"),
        ];
        let events = [
            event("told", "NoPolicy"),
            event("told", "Rebooted"),
            event("well", "Recovered"),
        ];
        let ill = ill(&nodes, &repairs, &[], &events);
        let lines: Vec<_> = ill
            .iter()
            .map(|ill| (ill.node.as_str(), ill.reason.as_str()))
            .collect();
        assert_eq!(
            lines,
            [
                ("asking", "AwaitingApproval"),
                ("gone", "Overdue"),
                ("alone", ""),
                ("told", "NoPolicy"),
                ("working", "Evicting"),
            ]
        );
    }
}
