//! `rectifier policy replay`: what was seen, asked again.

mod records;

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use rectifier_core::policy::Decision;
use rectifier_policy_host::{Failure, Metering};
use serde::Serialize;
use serde_json::{Value, json};

use self::records::{Failed, Record};
use super::cases::difference;
use super::files::the_policy;
use super::host::HostArguments;
use super::variants::Variants;
use crate::output::{self, OutputArguments, paint, plural};
use crate::progress::Progress;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
A record is {\"observation\": …, \"settings\": …, \"decision\": …}: one a line in a file, or one a file in a folder; or the
evidence of a repair, the ConfigMap as kubectl prints it. With --against the two versions are compared, without it the
policy with what was decided then; that another file decided then is said. Examples:
  kubectl -n rectifier-system get configmap rectifier-evidence-UID -o yaml | rectifier policy replay - --policy p.wasm
  rectifier policy replay last-week.jsonl --policy restart-once.wasm
  rectifier policy replay last-week.jsonl --policy old.wasm --against new.wasm --output json";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A file of JSON lines, a repair's evidence (YAML or JSON), or a folder of such files; - reads from stdin
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

/// A record whose decision is another one now.
#[derive(Debug, Serialize)]
struct Differing {
    record: String,
    problem: String,
    was: Value,
    is: Value,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let records = records::read(&arguments.records)?;
    // Exact: nothing depends on how fast this machine is.
    let host = arguments.host.open(Metering::Fuel)?;
    let mut policy = Variants::new(host.clone(), &the_policy(&arguments.policy)?);
    let mut against = match &arguments.against {
        Some(other) => Some(Variants::new(host, &the_policy(other)?)),
        None => None,
    };
    let shown = Progress::start("asking");
    let (mut differing, mut compared) = (Vec::new(), 0);
    let mut others = Vec::new();
    for (at, (name, record)) in records.iter().enumerate() {
        shown.say(format!("record {} of {}", at + 1, records.len()));
        let first = ask(&mut policy, record).await?;
        if let Some(other) = decided_by_another(&mut policy, name, record).await? {
            others.push(other);
        }
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
            "records": records.len(), "compared": compared, "differing": differing, "decidedByAnotherFile": others,
        }))?,
        false => print(records.len(), compared, &differing, &others)?,
    }
    Ok(Verdict::of(differing.is_empty()))
}

/// A record of which it is known that another file decided then.
#[derive(Debug, Serialize)]
struct Other {
    record: String,
    was: String,
    is: String,
}

async fn decided_by_another(
    policy: &mut Variants,
    name: &str,
    record: &Record,
) -> anyhow::Result<Option<Other>> {
    let (Some(was), Ok(loaded)) = (&record.policy, policy.with(record.settings.as_ref()).await?)
    else {
        return Ok(None);
    };
    Ok((loaded.digest() != was.digest).then(|| Other {
        record: name.to_owned(),
        was: was.digest.clone(),
        is: loaded.digest().to_owned(),
    }))
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

fn print(
    records: usize,
    compared: usize,
    differing: &[Differing],
    others: &[Other],
) -> anyhow::Result<()> {
    let mut out = output::out();
    for Other { record, was, is } in others {
        let said = format!("{record}: another file decided then, {was}; this one is {is}");
        writeln!(out, "{}", paint(output::FAINT, said))?;
    }
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
