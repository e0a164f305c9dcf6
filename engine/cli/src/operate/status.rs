//! `rectifier status`: what is ill, what is being done about it, and what waits for a person.

use std::collections::BTreeMap;
use std::io::Write;

use k8s_openapi::api::core::v1::{Event, Node, NodeCondition};
use kube::ResourceExt;
use rectifier_api::{NodeRepair, RepairPool};
use rectifier_core::acknowledged::Acknowledged;
use rectifier_core::budget::State;
use rectifier_core::clock::Timestamp;
use rectifier_core::policy::Status;
use rectifier_core::reason::Reason;
use rectifier_core::repair::{PAUSED, Phase, Problem};
use rectifier_core::standing::{NOT_READY, is_problem};
use serde::Serialize;

use super::acknowledge;
use super::look::{Look, pool_of};
use crate::clock::{between, now};
use crate::cluster::ClusterArguments;
use crate::output::{self, BAD, FAINT, GOOD, ODD, OutputArguments, Table, out, paint, plural};
use crate::verdict::Verdict;

/// How it is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    of: ClusterArguments,
    #[command(flatten)]
    output: OutputArguments,
    /// Every ill node on a line of its own, also in a storm, when hundreds say the same
    #[arg(long)]
    all: bool,
}

/// So many nodes that say the same are a storm: then some of them stand for all.
const ALIKE: usize = 8;
/// So many of them.
const SHOWN: usize = 3;

/// A node with a problem, or with an open repair.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ill {
    node: String,
    pool: Option<String>,
    problem: String,
    since: Option<Timestamp>,
    phase: Option<Phase>,
    reason: String,
    message: String,
    needs_a_person: bool,
}

/// A condition that is True, and that a person has acknowledged: it counts as gone.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct SeenTo {
    node: String,
    problem: String,
}

/// A pool, as it stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Pool {
    name: String,
    mode: rectifier_api::Mode,
    nodes: u32,
    sick: u32,
    repairing: u32,
    breaker: Option<rectifier_api::BreakerStatus>,
    paused: Option<String>,
    not_ready: Option<String>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let look = Look {
        client: arguments.of.client().await?,
    };
    let pools = look.pools().await?;
    let repairs = look.repairs(None).await?;
    let nodes = look.nodes().await?;
    let events = look.events(None).await?;
    let stopped = look.stop().await;
    let ill = ill(&nodes, &repairs, &pools, &events);
    let seen_to: Vec<SeenTo> = nodes.iter().flat_map(seen_to).collect();
    let pools: Vec<Pool> = pools.iter().map(pool).collect();
    let verdict = Verdict::of(!ill.iter().any(|ill| ill.needs_a_person));
    if arguments.output.is_json() {
        output::json(&serde_json::json!({
            "stopped": stopped.as_ref().ok().cloned().flatten(), "stopUnreadable": stopped.err(), "pools": pools, "nodes": ill,
            "acknowledged": seen_to,
        }))?;
        return Ok(verdict);
    }
    let all = arguments.all;
    print(stopped, &pools, (&ill, all), &seen_to)?;
    Ok(verdict)
}

fn pool(pool: &RepairPool) -> Pool {
    let status = pool.status.clone().unwrap_or_default();
    let ready = status
        .conditions
        .iter()
        .find(|condition| condition.kind == "Ready");
    Pool {
        name: pool.name_any(),
        mode: pool.spec.mode,
        nodes: status.nodes,
        sick: status.sick,
        repairing: status.repairing,
        not_ready: ready
            .filter(|ready| ready.status != "True")
            .map(|ready| ready.message.clone()),
        breaker: status.breaker,
        paused: pool.annotations().get(PAUSED).cloned(),
    }
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

fn seen_to(node: &Node) -> Vec<SeenTo> {
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

fn ill(nodes: &[Node], repairs: &[NodeRepair], pools: &[RepairPool], events: &[Event]) -> Vec<Ill> {
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
fn some_for_all(ill: &[Ill]) -> (Vec<&Ill>, BTreeMap<String, usize>) {
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

fn print(
    stopped: Result<Option<String>, String>,
    pools: &[Pool],
    (ill, all): (&[Ill], bool),
    seen_to: &[SeenTo],
) -> anyhow::Result<()> {
    let mut to = out();
    match stopped {
        Ok(Some(why)) => writeln!(
            to,
            "{} {why} (rectifier resume --all)\n",
            paint(BAD, "everything is stopped:")
        )?,
        Err(why) => writeln!(
            to,
            "{} {why}\n",
            paint(ODD, "the stop switch cannot be read:")
        )?,
        Ok(None) => {}
    }
    if pools.is_empty() {
        writeln!(
            to,
            "{} no node is in a repair pool, so the control plane touches none",
            paint(ODD, "no pools:")
        )?;
    } else {
        let mut table =
            Table::with_head(&["POOL", "MODE", "NODES", "SICK", "IN REPAIR", "BREAKER"]);
        for pool in pools {
            let state = pool.breaker.as_ref().map(|breaker| breaker.state);
            table.row([
                pool.name.clone(),
                format!("{:?}", pool.mode),
                pool.nodes.to_string(),
                pool.sick.to_string(),
                pool.repairing.to_string(),
                state.map_or_else(|| "-".to_owned(), |state| format!("{state:?}")),
            ]);
            table.style(
                5,
                if state == Some(State::Closed) {
                    GOOD
                } else {
                    ODD
                },
            );
        }
        table.print(&mut to)?;
    }
    for pool in pools {
        let storm = pool
            .breaker
            .as_ref()
            .filter(|breaker| !breaker.message.is_empty());
        if let Some(breaker) = storm {
            let again = breaker.looks_again.map_or(String::new(), |at| {
                format!(" (changes at {at} at the soonest)")
            });
            writeln!(to, "{}: {}{again}", pool.name, breaker.message)?;
        }
        if let Some(why) = &pool.paused {
            writeln!(
                to,
                "{}: {} {why} (rectifier resume --pool {0})",
                pool.name,
                paint(ODD, "paused:")
            )?;
        }
        if let Some(why) = &pool.not_ready {
            writeln!(to, "{}: {} {why}", pool.name, paint(BAD, "not ready:"))?;
        }
    }
    writeln!(to)?;
    for SeenTo { node, problem } in seen_to {
        writeln!(
            to,
            "{} {problem} of {node} counts as gone (rectifier acknowledge {node} {problem} --undo)",
            paint(FAINT, "acknowledged:")
        )?;
    }
    if ill.is_empty() {
        writeln!(
            to,
            "{}",
            paint(GOOD, "no node is ill, and none is in repair")
        )?;
        return Ok(());
    }
    let mut table = Table::with_head(&["NODE", "POOL", "PROBLEM", "FOR", "PHASE", "REASON"]);
    let (shown, more) = match all {
        true => (ill.iter().collect(), BTreeMap::new()),
        false => some_for_all(ill),
    };
    for ill in shown {
        table.row([
            ill.node.clone(),
            ill.pool.clone().unwrap_or_else(|| "-".to_owned()),
            ill.problem.clone(),
            ill.since
                .map_or_else(String::new, |since| between(since, now())),
            ill.phase
                .map_or_else(|| "-".to_owned(), |phase| format!("{phase:?}")),
            match ill.reason.as_str() {
                "" => "(nothing told yet)".to_owned(),
                reason => reason.to_owned(),
            },
        ]);
        table.style(5, if ill.needs_a_person { BAD } else { FAINT });
    }
    table.print(&mut to)?;
    for (like, count) in more {
        writeln!(to, "and {count} more: {like} (--all shows them)")?;
    }
    let waiting = ill.iter().filter(|ill| ill.needs_a_person).count();
    if waiting > 0 {
        let words = format!("{} for a person:", plural(waiting, "waits", "wait"));
        writeln!(to, "\n{} rectifier explain NODE", paint(BAD, words))?;
    }
    Ok(())
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
