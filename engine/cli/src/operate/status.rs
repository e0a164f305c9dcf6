//! `rectifier status`: what is ill, what is being done about it, and what waits for a person.

use std::collections::BTreeMap;
use std::io::Write;

use kube::ResourceExt;
use rectifier_api::RepairPool;
use rectifier_core::budget::State;
use rectifier_core::repair::PAUSED;
use serde::Serialize;

use super::ill::{Ill, SeenTo, ill, seen_to, some_for_all};
use super::look::Look;
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
