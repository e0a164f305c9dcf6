//! `rectifier policy replay`: what was seen, asked again.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rectifier_core::policy::{Decision, FailureClass, Observation};
use rectifier_policy_host::{Failure, Metering};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cases::difference;
use super::files::the_policy;
use super::host::HostArguments;
use super::variants::Variants;
use crate::output::{self, OutputArguments, paint, plural};
use crate::progress::Progress;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
A record is {\"observation\": …, \"settings\": …, \"decision\": …}: one a line in a file, or one a file in a folder. With
--against the two versions are compared, without it the policy with what was decided then. Examples:
  rectifier policy replay last-week.jsonl --policy restart-once.wasm
  rectifier policy replay last-week.jsonl --policy old.wasm --against new.wasm --output json";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A file of JSON lines, or a folder of JSON files
    records: PathBuf,
    /// The policy that is asked
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Another version of it: what would this one decide?
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    #[command(flatten)]
    host: HostArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Deserialize)]
struct Record {
    observation: Observation,
    settings: Option<Value>,
    decision: Option<Value>,
    failure: Option<Failed>,
}

#[derive(Debug, Deserialize)]
struct Failed {
    class: FailureClass,
    #[serde(default)]
    message: String,
}

/// A record whose decision is another one now.
#[derive(Debug, Serialize)]
struct Differing {
    record: String,
    problem: String,
    was: Value,
    is: Value,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let records = read(&arguments.records)?;
    // Exact: nothing depends on how fast this machine is.
    let host = arguments.host.open(Metering::Fuel)?;
    let mut policy = Variants::new(host.clone(), &the_policy(&arguments.policy)?);
    let mut against = match &arguments.against {
        Some(other) => Some(Variants::new(host, &the_policy(other)?)),
        None => None,
    };
    let shown = Progress::start("asking");
    let (mut differing, mut compared) = (Vec::new(), 0);
    for (at, (name, record)) in records.iter().enumerate() {
        shown.say(format!("record {} of {}", at + 1, records.len()));
        let first = ask(&mut policy, record).await?;
        let pair = match (&mut against, &record.decision, &record.failure) {
            (Some(against), _, _) => Some((first, ask(against, record).await?)),
            (None, Some(decision), _) => Some((complete(decision), first)),
            (None, None, Some(failed)) => Some((expected(failed, &first), first)),
            (None, None, None) => None,
        };
        let Some((was, is)) = pair else { continue };
        compared += 1;
        if was != is {
            differing.push(Differing {
                record: name.clone(),
                problem: record.observation.episode.problem.kind.to_string(),
                was,
                is,
            });
        }
    }
    drop(shown);
    if compared == 0 {
        bail!("no record says what was decided: give another version to compare, --against FILE");
    }
    match arguments.output.is_json() {
        true => output::json(&json!({
            "records": records.len(), "compared": compared, "differing": differing,
        }))?,
        false => print(records.len(), compared, &differing)?,
    }
    Ok(Verdict::of(differing.is_empty()))
}

async fn ask(policy: &mut Variants, record: &Record) -> anyhow::Result<Value> {
    let answer = match policy.with(record.settings.as_ref()).await? {
        Ok(loaded) => policy.host().ask(&loaded, &record.observation).await.answer,
        Err(failure) => Err(failure),
    };
    Ok(match answer {
        Ok(decision) => serde_json::to_value(decision)?,
        Err(Failure { class, message }) => json!({"failure": {"class": class, "message": message}}),
    })
}

/// What may be absent in a record is there in an answer.
fn complete(decision: &Value) -> Value {
    let read = serde_json::from_value::<Decision>(decision.clone());
    read.ok()
        .and_then(|read| serde_json::to_value(read).ok())
        .unwrap_or_else(|| decision.clone())
}

/// A recorded failure names a part of the message only; if that fits it is the same failure.
fn expected(failed: &Failed, found: &Value) -> Value {
    let same = found["failure"]["class"] == json!(failed.class)
        && found["failure"]["message"]
            .as_str()
            .is_some_and(|text| text.contains(&failed.message));
    match same {
        true => found.clone(),
        false => json!({"failure": {"class": failed.class, "message": failed.message}}),
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<(String, Record)>> {
    let mut records = Vec::new();
    let unreadable = || format!("cannot read {}", path.display());
    if path.is_dir() {
        let entries = path.read_dir().with_context(unreadable)?;
        let files = entries.map(|entry| Ok(entry?.path()));
        let mut files = files
            .collect::<std::io::Result<Vec<_>>>()
            .with_context(unreadable)?;
        files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
        files.sort();
        for file in files {
            let text =
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let record = serde_json::from_slice(&text)
                .with_context(|| format!("{} is no record", file.display()))?;
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            records.push((name.into_owned(), record));
        }
    } else {
        let text = std::fs::read_to_string(path).with_context(unreadable)?;
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty());
        for (at, line) in lines {
            let place = format!("{}:{}", path.display(), at + 1);
            let record =
                serde_json::from_str(line).with_context(|| format!("{place} is no record"))?;
            records.push((place, record));
        }
    }
    if records.is_empty() {
        bail!("there is no record in {}", path.display());
    }
    Ok(records)
}

fn print(records: usize, compared: usize, differing: &[Differing]) -> anyhow::Result<()> {
    let mut out = output::out();
    for other in differing {
        let name = paint(output::HEAD, &other.record);
        writeln!(out, "{name}  {}", other.problem)?;
        for line in difference(&other.was, &other.is).lines() {
            let style = match line.chars().next() {
                Some('-') => output::BAD,
                Some('+') => output::GOOD,
                Some(_) | None => output::FAINT,
            };
            writeln!(out, "  {}", paint(style, line))?;
        }
    }
    let records = plural(records, "record", "records");
    let verdict = match differing.len() {
        0 => paint(output::GOOD, "no decision differs"),
        1 => paint(output::BAD, "1 decision differs"),
        several => paint(output::BAD, format_args!("{several} decisions differ")),
    };
    writeln!(out, "{records}, {compared} compared: {verdict}")?;
    Ok(())
}
