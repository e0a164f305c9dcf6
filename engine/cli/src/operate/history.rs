//! `rectifier history [NODE]`: repairs that are over, the newest first.

use std::io::Write;

use kube::ResourceExt;
use rectifier_api::NodeRepair;
use rectifier_core::clock::{Timestamp, seconds_between};
use rectifier_core::reason::Reason;
use rectifier_core::repair::{Phase, Said, Tried};
use serde::Serialize;

use super::look::{Look, node_name};
use crate::clock::span;
use crate::cluster::ClusterArguments;
use crate::output::{self, BAD, GOOD, ODD, OutputArguments, Table, out, paint};
use crate::verdict::Verdict;

/// How it is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A node's alone, also of one that is gone
    node: Option<String>,
    /// At most so many, the newest; 0: all that are kept
    #[arg(long, default_value_t = 50, value_name = "COUNT")]
    limit: usize,
    #[command(flatten)]
    of: ClusterArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// A repair that is over.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Past {
    pub(super) name: String,
    pub(super) node: String,
    pub(super) problem: String,
    pub(super) ended: Timestamp,
    pub(super) phase: Phase,
    pub(super) reason: Option<Reason>,
    /// From its first step to its last.
    pub(super) seconds: u32,
    pub(super) tried: Vec<Tried>,
    pub(super) replacement: Option<String>,
    pub(super) said: Vec<Said>,
}

impl Past {
    pub(super) fn of(repair: &NodeRepair) -> Option<Self> {
        let record = repair.status.clone()?;
        let ended = record.since.filter(|_| record.phase.is_final())?;
        let begun = record.steps.first().map_or(ended, |step| step.at);
        let replaced = record.phase == Phase::Replaced;
        Some(Self {
            name: repair.name_any(),
            node: repair.spec.node_name.clone(),
            problem: repair.spec.problem.kind.clone(),
            ended,
            phase: record.phase,
            reason: record.reason,
            seconds: seconds_between(begun, ended),
            tried: record.tried,
            replacement: record
                .replacement
                .filter(|_| replaced)
                .map(|made| made.name),
            said: record.said,
        })
    }

    /// `Reboot NoEffect, Replace Recovered`
    pub(super) fn rungs(&self) -> String {
        let rungs = self
            .tried
            .iter()
            .map(|tried| format!("{:?} {:?}", tried.rung, tried.outcome));
        rungs.collect::<Vec<_>>().join(", ")
    }

    /// Those who had a hand in it.
    fn people(&self) -> String {
        let mut people: Vec<&str> = self
            .said
            .iter()
            .map(|said| said.by.as_deref().unwrap_or("(unsigned)"))
            .collect();
        people.dedup();
        people.join(", ")
    }
}

/// Newest first.
pub(super) fn past(repairs: &[NodeRepair]) -> Vec<Past> {
    let mut past: Vec<Past> = repairs.iter().filter_map(Past::of).collect();
    past.sort_by_key(|past| std::cmp::Reverse(past.ended));
    past
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let node = arguments.node.as_deref().map(node_name).transpose()?;
    let look = Look {
        client: arguments.of.client().await?,
    };
    let mut past = past(&look.repairs(node.as_ref()).await?);
    let all = past.len();
    if arguments.limit > 0 {
        past.truncate(arguments.limit);
    }
    if arguments.output.is_json() {
        output::json(&past)?;
        return Ok(Verdict::Well);
    }
    let mut to = out();
    if past.is_empty() {
        let of = node.map_or_else(String::new, |node| format!(" of {node}"));
        writeln!(
            to,
            "no repair{of} is remembered (pools keep them for `retention.days`)"
        )?;
        return Ok(Verdict::Well);
    }
    let mut table = Table::with_head(&[
        "ENDED",
        "NODE",
        "PROBLEM",
        "OUTCOME",
        "TOOK",
        "TRIED",
        "REPLACED BY",
        "PEOPLE",
    ]);
    for past in &past {
        table.row([
            past.ended.to_string(),
            past.node.clone(),
            past.problem.clone(),
            outcome(past),
            span(past.seconds.into()),
            past.rungs(),
            past.replacement.clone().unwrap_or_default(),
            past.people(),
        ]);
        table.style(
            3,
            match past.phase {
                Phase::Recovered | Phase::Replaced => GOOD,
                Phase::Cancelled => ODD,
                _ => BAD,
            },
        );
    }
    table.print(&mut to)?;
    if all > past.len() {
        writeln!(
            to,
            "{}",
            paint(ODD, format!("{} older ones: --limit 0", all - past.len()))
        )?;
    }
    Ok(Verdict::Well)
}

/// `Cancelled (Rejected)`: the reason, where the phase does not say it.
pub(super) fn outcome(past: &Past) -> String {
    let phase = format!("{:?}", past.phase);
    match past.reason.map(Reason::label) {
        Some(reason) if reason != phase => format!("{phase} ({reason})"),
        _ => phase,
    }
}
