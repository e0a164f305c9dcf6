//! `rectifier policy run`.

use std::io::Write;
use std::path::PathBuf;

use rectifier_core::policy::{Decision, Observation, Site};
use rectifier_policy_host::{
    Asked, FUEL_PER_MILLISECOND, Failure, Metering, Pattern, Policy, Usage,
};
use serde_json::{Value, json};

use super::files::the_policy;
use super::host::{HostArguments, load};
use super::observation::ObservationArguments;
use crate::output::{self, OutputArguments, Table, bytes, count, paint, time};
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Without --observation and --condition it is a healthy node's, with the first problem that the policy handles. Examples:
  rectifier policy run restart-once.wasm --condition ContainerRuntimeUnhealthy --unit containerd.service=failed
  rectifier policy run . --unit containerd.service=failed --attempt restart:containerd.service=noEffect@60
  rectifier policy run . --site control-plane --closed 'replace=budget'
  rectifier policy run --print-observation --condition KernelDeadlock > seen.json
  rectifier policy run . --observation seen.json --output json";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A policy, or a directory with one
    #[arg(default_value = ".", value_name = "FILE|DIR")]
    path: PathBuf,
    #[command(flatten)]
    observation: ObservationArguments,
    /// Print the observation, whole, and ask nobody
    #[arg(long)]
    print_observation: bool,
    #[command(flatten)]
    host: HostArguments,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let Arguments {
        path,
        observation,
        print_observation,
        host,
        output,
    } = arguments;
    if print_observation {
        output::json(&observation.read(None)?)?;
        return Ok(Verdict::Well);
    }
    let file = the_policy(&path)?;
    let engine = host.open(Metering::Epoch)?;
    let policy = match load(&engine, &file).await {
        Ok(policy) => policy,
        Err(failure) => return refused(&failure, output),
    };
    let seen = observation.read(first_problem(&policy))?;
    let asked = engine.ask(&policy, &seen).await;
    // The work is counted by another engine: the one that counts is slower.
    let counting = host.open(Metering::Fuel)?;
    let work = match load(&counting, &file).await {
        Ok(policy) => counting.ask(&policy, &seen).await.usage.work,
        Err(_) => None,
    };
    let remarks = remarks(&policy, &seen);
    match output.is_json() {
        true => output::json(&to_json(&policy, &asked, work, &remarks))?,
        false => print(&policy, &asked, work, &remarks)?,
    }
    Ok(Verdict::of(asked.answer.is_ok()))
}

/// The policy cannot even be loaded: that is an answer, too.
pub(super) fn refused(failure: &Failure, output: OutputArguments) -> anyhow::Result<Verdict> {
    match output.is_json() {
        true => output::json(&json!({ "failure": told(failure) }))?,
        false => writeln!(output::out(), "{} {failure}", paint(output::BAD, "refused"))?,
    }
    Ok(Verdict::No)
}

/// What it is asked about if nobody says.
pub(super) fn first_problem(policy: &Policy) -> Option<&rectifier_core::name::ConditionKind> {
    let mut patterns = policy
        .handles()
        .iter()
        .flat_map(|handles| &handles.conditions);
    patterns.find_map(|pattern| match pattern {
        Pattern::Exactly(kind) => Some(kind),
        Pattern::Prefix(_) => None,
    })
}

/// What the answer does not say: what an engine would do otherwise.
fn remarks(policy: &Policy, seen: &Observation) -> Vec<String> {
    let mut remarks = Vec::new();
    let (kind, site) = (&seen.episode.problem.kind, seen.site.kind());
    let mut handles = policy.handles().iter();
    let asked = |handles: &rectifier_policy_host::Handles| {
        handles.sites.contains(&site)
            && handles
                .conditions
                .iter()
                .any(|pattern| pattern.covers(kind))
    };
    if !handles.any(asked) {
        let site = site.label();
        remarks.push(format!(
            "an engine would not ask it: it does not handle {kind} at {site}"
        ));
    }
    if let Site::Node(view) = &seen.site {
        let units = view.units.iter().map(|unit| unit.name.as_str());
        let fixes = view.fixes.iter().map(|fix| fix.name.as_str());
        let unseen = units
            .filter(|name| !policy.needs().units.contains(name))
            .chain(fixes.filter(|name| !policy.needs().fixes.contains(name)));
        let unseen: Vec<_> = unseen.collect();
        if !unseen.is_empty() {
            let unseen = unseen.join(", ");
            remarks.push(format!(
                "it was not shown {unseen}: its metadata do not need it"
            ));
        }
    }
    remarks
}

/// Name, what was used, the limit, and the share.
fn measures(policy: &Policy, usage: &Usage, work: Option<u64>) -> Vec<[String; 4]> {
    let limits = policy.limits();
    let milliseconds = u64::try_from(limits.decision.as_millis()).unwrap_or(u64::MAX);
    let most = milliseconds.saturating_mul(FUEL_PER_MILLISECOND);
    let row = |name: &str, used: u128, of: u128, [used_text, limit]: [String; 2]| {
        let tenths = used * 1000 / of.max(1);
        let share = format!("{}.{} %", tenths / 10, tenths % 10);
        [name.to_owned(), used_text, limit, share]
    };
    let size = |name: &str, used: usize, most: usize| {
        row(name, used as u128, most as u128, [bytes(used), bytes(most)])
    };
    let mut rows = vec![
        row(
            "time",
            usage.time.as_nanos(),
            limits.decision.as_nanos(),
            [time(usage.time), time(limits.decision)],
        ),
        size("memory", usage.memory_bytes, limits.memory_bytes),
        size("input", usage.input_bytes, limits.input_bytes),
        size("output", usage.output_bytes, limits.output_bytes),
    ];
    if let Some(work) = work {
        rows.push(row(
            "work",
            work.into(),
            most.into(),
            [count(work), count(most)],
        ));
    }
    rows
}

fn print(
    policy: &Policy,
    asked: &Asked,
    work: Option<u64>,
    remarks: &[String],
) -> anyhow::Result<()> {
    let mut out = output::out();
    let mut table = Table::default();
    match &asked.answer {
        Ok(decision) => {
            let Decision {
                remedy,
                reason,
                settle,
                notes,
            } = decision;
            table.entry("decision", remedy.to_string());
            table.style(1, output::GOOD);
            table.entry("reason", reason);
            if let Some(settle) = settle {
                table.entry("settle", format!("{settle} s"));
            }
            let notes: Vec<_> = notes
                .iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            table.entry("notes", notes.join("\n"));
        }
        Err(failure) => {
            table.entry("failure", failure.class.label());
            table.style(1, output::BAD);
            table.entry("why", &failure.message);
        }
    }
    let log = asked
        .log
        .iter()
        .map(|(level, line)| format!("{} {line}", label(*level)));
    table.entry("log", log.collect::<Vec<_>>().join("\n"));
    table.print(&mut out)?;
    writeln!(out)?;
    let mut table = Table::with_head(&["", "USED", "LIMIT", "SHARE"]);
    for row in measures(policy, &asked.usage, work) {
        table.row(row);
    }
    table.print(&mut out)?;
    for remark in remarks {
        writeln!(out, "\n{} {remark}", paint(output::ODD, "!"))?;
    }
    Ok(())
}

fn to_json(policy: &Policy, asked: &Asked, work: Option<u64>, remarks: &[String]) -> Value {
    let Usage {
        time,
        memory_bytes,
        input_bytes,
        output_bytes,
        work: _,
    } = asked.usage;
    let limits = policy.limits();
    let log = asked
        .log
        .iter()
        .map(|(level, line)| json!({ "level": level, "message": line }));
    let mut said = json!({
        "policy": { "name": policy.name(), "version": policy.metadata().version, "digest": policy.digest() },
        "log": log.collect::<Vec<_>>(),
        "usage": {
            "microseconds": time.as_micros(), "memoryBytes": memory_bytes, "inputBytes": input_bytes,
            "outputBytes": output_bytes, "work": work,
        },
        "limits": {
            "microseconds": limits.decision.as_micros(), "memoryBytes": limits.memory_bytes,
            "inputBytes": limits.input_bytes, "outputBytes": limits.output_bytes,
        },
        "remarks": remarks,
    });
    match &asked.answer {
        Ok(decision) => said["decision"] = json!(decision),
        Err(failure) => said["failure"] = told(failure),
    }
    said
}

fn told(failure: &Failure) -> Value {
    json!({ "class": failure.class, "message": failure.message })
}

fn label(level: rectifier_policy_host::LogLevel) -> String {
    format!("{level:?}:").to_lowercase()
}
