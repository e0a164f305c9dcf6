//! The answer: the steps, how each sick node ended, and the sum of it. Its JSON is for programs: its names stay.

use std::collections::{BTreeMap, BTreeSet};

use rectifier_api::NodeRepair;
use rectifier_core::clock::Timestamp;
use rectifier_core::policy::SiteKind;
use rectifier_core::repair::Phase;
use rectifier_sim::dump::{Dump, name};
use rectifier_view::{Health, Speaker};
use serde::Serialize;
use serde_json::Value;

use super::play::Played;
use super::policies::{File, Policies};
use super::question::{Breaks, Question};
use super::steps::{self, Step};
use super::{CuredBy, Mode};

/// All of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    api_version: &'static str,
    kind: &'static str,
    pub(super) dump: From,
    pub(super) question: Asked,
    pub(super) policies: Vec<File>,
    pub(super) steps: Vec<Step>,
    pub(super) nodes: Vec<Ended>,
    pub(super) summary: Summary,
    pub(super) assumed: Vec<String>,
}

/// What it was made of.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct From {
    pub(super) taken_at: Timestamp,
    server_version: String,
    pub(super) nodes: usize,
    pub(super) pods: usize,
    pub(super) pools: BTreeMap<String, String>,
}

/// What was asked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone_dark: Option<String>,
    broken: Vec<String>,
    cured_by: CuredBy,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Mode>,
    seed: u64,
    for_seconds: u64,
}

/// How a sick node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    HealedInNode,
    Rebooted,
    Replaced,
    /// A person is asked.
    NeedsHuman,
    /// Nothing came of it, or nothing was done.
    LeftAlone,
}

/// A sick node.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ended {
    pub(super) node: String,
    pub(super) outcome: Outcome,
    pub(super) why: String,
}

/// The sum.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) sick: usize,
    pub(super) healed_in_node: usize,
    pub(super) rebooted: usize,
    pub(super) replaced: usize,
    pub(super) needs_human: usize,
    pub(super) left_alone: usize,
    /// Repairs between their cordon and their end.
    pub(super) most_at_once: usize,
    pub(super) servers_created: usize,
    pub(super) pods_evicted: usize,
    /// Until the last step.
    pub(super) seconds: u64,
    /// The time was over before.
    pub(super) was_cut_off: bool,
}

impl Answer {
    pub(super) fn new(
        dump: &Dump,
        question: &Question,
        policies: &Policies,
        played: Played,
        assumed: Vec<String>,
    ) -> Self {
        let before = sick_before(dump);
        let mut sick: BTreeSet<String> = played.broken.iter().cloned().collect();
        sick.extend(before.iter().map(|(node, _)| node.clone()));
        let nodes: Vec<Ended> = sick
            .iter()
            .map(|node| ended(node, dump, question, policies, &played))
            .collect();
        let steps = steps::all(&played, &question.breaks, &before);
        let count = |wanted| nodes.iter().filter(|node| node.outcome == wanted).count();
        let summary = Summary {
            sick: nodes.len(),
            healed_in_node: count(Outcome::HealedInNode),
            rebooted: count(Outcome::Rebooted),
            replaced: count(Outcome::Replaced),
            needs_human: count(Outcome::NeedsHuman),
            left_alone: count(Outcome::LeftAlone),
            most_at_once: most_at_once(&played),
            servers_created: played.servers,
            pods_evicted: played.evicted,
            seconds: steps.last().map_or(0, |step| step.seconds),
            was_cut_off: played.was_cut_off,
        };
        let (condition, unit, zone_dark) = match &question.breaks {
            Breaks::Nothing => (None, None, None),
            Breaks::Condition { kind, unit, .. } => (Some(kind.clone()), unit.clone(), None),
            Breaks::Zone(zone) => (None, None, Some(zone.clone())),
        };
        Self {
            api_version: "rectifier.dev/simulation/v1",
            kind: "Simulation",
            dump: From {
                taken_at: dump.taken_at,
                server_version: dump.server_version.clone(),
                nodes: dump.nodes.len(),
                pods: dump.pods.len(),
                pools: dump.repair_pools.iter().map(pool).collect(),
            },
            steps,
            question: Asked {
                condition,
                unit,
                zone_dark,
                broken: played.broken,
                cured_by: question.cured_by,
                mode: question.mode,
                seed: question.seed,
                for_seconds: question.lasting.as_secs(),
            },
            policies: policies.files.clone(),
            nodes,
            summary,
            assumed,
        }
    }

    /// Is no node sick any more?
    pub(super) fn is_well(&self) -> bool {
        self.summary.left_alone + self.summary.needs_human == 0
    }
}

fn pool(pool: &Value) -> (String, String) {
    let mode = pool["spec"]["mode"].as_str().unwrap_or("Observe");
    (name(pool).to_owned(), mode.to_owned())
}

/// The nodes that are sick in the dump, and how.
fn sick_before(dump: &Dump) -> Vec<(String, String)> {
    let sick = dump.nodes.iter().filter_map(|node| {
        let problems = problems(node);
        (!problems.is_empty()).then(|| (name(node).to_owned(), problems.join(", ")))
    });
    sick.collect()
}

/// What is wrong with it, as its conditions say.
fn problems(node: &Value) -> Vec<String> {
    let conditions = node["status"]["conditions"].as_array();
    let wrong = conditions.into_iter().flatten().filter_map(|condition| {
        let (kind, status) = (condition["type"].as_str()?, condition["status"].as_str()?);
        match (kind, status) {
            ("Ready", "True") => None,
            ("Ready", status) => Some(format!("Ready is {status}")),
            (kind, "True") => Some(kind.to_owned()),
            _ => None,
        }
    });
    wrong.collect()
}

fn ended(
    node: &str,
    dump: &Dump,
    question: &Question,
    policies: &Policies,
    played: &Played,
) -> Ended {
    let uid = |object: &Value| {
        object["metadata"]["uid"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let of_dump = dump.nodes.iter().find(|known| name(known) == node);
    let node_uid = of_dump.map(uid).unwrap_or_default();
    let over: BTreeSet<String> = dump.node_repairs.iter().map(uid).collect();
    // What was over in the dump is no news; what was open there may have ended here.
    let own: Vec<&NodeRepair> = played
        .repairs
        .iter()
        .filter(|repair| repair.spec.node_uid == node_uid)
        .filter(|repair| {
            let is_known = repair
                .metadata
                .uid
                .as_ref()
                .is_some_and(|uid| over.contains(uid));
            !is_known || phase(repair) == Phase::NeedsHuman
        })
        .collect();
    let (outcome, why) = match own.iter().find(|repair| phase(repair) == Phase::Replaced) {
        Some(repair) => {
            let by = repair
                .status
                .as_ref()
                .and_then(|record| record.replacement.as_ref());
            let by = by.map_or("another", |replacement| replacement.name.as_str());
            (Outcome::Replaced, format!("by {by}"))
        }
        None => still_there(node, &own, question, policies, played),
    };
    Ended {
        node: node.to_owned(),
        outcome,
        why,
    }
}

fn phase(repair: &NodeRepair) -> Phase {
    repair
        .status
        .as_ref()
        .map(|record| record.phase)
        .unwrap_or_default()
}

fn still_there(
    node: &str,
    own: &[&NodeRepair],
    question: &Question,
    policies: &Policies,
    played: &Played,
) -> (Outcome, String) {
    let Some(seen) = played.model.nodes().find(|seen| seen.name == node) else {
        return (Outcome::LeftAlone, "its Node is gone".to_owned());
    };
    let lines = || {
        let of_node =
            |line: &&rectifier_view::Line| line.node == node && line.who != Speaker::Person;
        played.lines.iter().filter(of_node)
    };
    let last = lines().next_back();
    if seen.health == Health::Well {
        let steps = |repair: &&&NodeRepair| {
            let record = repair.status.as_ref();
            record.is_some_and(|record| {
                let mut steps = record.steps.iter();
                steps.any(|step| step.phase == Phase::Rebooting)
            })
        };
        let helped = lines().rfind(|line| line.reason == "RemedyRecovered");
        let words = helped
            .or(last)
            .map_or(String::new(), |line| line.text.clone());
        return match own.iter().any(|repair| steps(&repair)) {
            true => (Outcome::Rebooted, words),
            false => (Outcome::HealedInNode, words),
        };
    }
    let why = match last {
        Some(line) => line.text.clone(),
        None => unsaid(seen, question, policies),
    };
    match own.iter().any(|repair| phase(repair) == Phase::NeedsHuman) {
        true => (Outcome::NeedsHuman, why),
        false => (Outcome::LeftAlone, why),
    }
}

/// Neither engine said anything of it.
fn unsaid(seen: &rectifier_view::Node, question: &Question, policies: &Policies) -> String {
    let set = policies.advisor.set();
    let is_handled = |kind: &str| {
        let kind = rectifier_core::name::ConditionKind::parse(kind);
        kind.is_ok_and(|kind| {
            [SiteKind::Node, SiteKind::ControlPlane]
                .into_iter()
                .any(|site| set.handles(&kind, site))
        })
    };
    let kinds: Vec<&str> = seen.problems.keys().map(String::as_str).collect();
    match kinds.iter().any(|kind| is_handled(kind)) {
        false => format!("no policy handles {}", kinds.join(", ")),
        true => format!(
            "nothing was said of it within {} s",
            question.lasting.as_secs()
        ),
    }
}

/// Repairs between their cordon and their end, or the word that a person is needed.
fn most_at_once(played: &Played) -> usize {
    let mut changes: Vec<(Timestamp, i32)> = Vec::new();
    for repair in &played.repairs {
        let record = repair.status.clone().unwrap_or_default();
        let mut steps = record.steps.iter().filter(|step| step.at >= played.began);
        let begun = steps.find(|step| step.phase == Phase::Cordoning);
        let Some(begun) = begun else { continue };
        changes.push((begun.at, 1));
        let end = steps.find(|step| step.phase.is_final() || step.phase == Phase::NeedsHuman);
        changes.extend(end.map(|step| (step.at, -1)));
    }
    // At one moment what ends comes first.
    changes.sort();
    let (mut now, mut most) = (0, 0);
    for (_, change) in changes {
        now += change;
        most = most.max(now);
    }
    usize::try_from(most).unwrap_or(0)
}
