//! `rectifier policy bench`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rectifier_policy_host::{Host, Metering, Policy};
use serde::Serialize;

use super::files::the_policy;
use super::host::{HostArguments, Sizes};
use super::observation::ObservationArguments;
use super::run::{first_problem, refused};
use crate::output::{self, OutputArguments, Table, bytes, count, time};
use crate::progress::Progress;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Each call has a fresh instance, as in an engine, on one thread. Cold is the way from the file to a policy that can be
asked: with an empty cache (it is compiled), and with a full one. Examples:
  rectifier policy bench . --unit containerd.service=failed
  rectifier policy bench restart-once.wasm --calls 10000 --output json";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A policy, or a directory with one
    #[arg(default_value = ".", value_name = "FILE|DIR")]
    path: PathBuf,
    /// How many calls are measured
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,
    #[command(flatten)]
    observation: ObservationArguments,
    #[command(flatten)]
    host: HostArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Times in microseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    calls: usize,
    compiled_and_loaded: u128,
    loaded_from_cache: u128,
    first_call: u128,
    p50: u128,
    p99: u128,
    longest: u128,
    per_second: u128,
    memory_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let file = the_policy(&arguments.path)?;
    let shown = Progress::start("compiling, with an empty cache");
    // A cache of its own: what others compiled is not found there.
    let cache = tempfile::tempdir()?;
    let load = async |host: &Host| {
        let began = Instant::now();
        let policy = host.load(&file).await;
        (policy, began.elapsed())
    };
    let folder = cache.path().join("policies");
    let (_, compiled) = load(&arguments.host.open_with(
        folder.clone(),
        Metering::Epoch,
        Sizes::Any,
    )?)
    .await;
    let host = arguments
        .host
        .open_with(folder, Metering::Epoch, Sizes::Any)?;
    let (policy, from_cache) = load(&host).await;
    let policy = match policy {
        Ok(policy) => policy,
        Err(failure) => {
            drop(shown);
            return refused(&failure, arguments.output);
        }
    };
    let seen = arguments.observation.read(first_problem(&policy))?;
    shown.say(format!("{} calls", arguments.calls));
    let first = host.ask(&policy, &seen).await;
    let mut times = Vec::new();
    let mut failure = first.answer.err().map(|failure| failure.to_string());
    for _ in 0..arguments.calls {
        let asked = host.ask(&policy, &seen).await;
        times.push(asked.usage.time);
        failure = failure.or(asked.answer.err().map(|failure| failure.to_string()));
    }
    drop(shown);
    times.sort_unstable();
    let total: Duration = times.iter().sum();
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    let measured = Measured {
        calls: times.len(),
        compiled_and_loaded: compiled.as_micros(),
        loaded_from_cache: from_cache.as_micros(),
        first_call: first.usage.time.as_micros(),
        p50: at(50).as_micros(),
        p99: at(99).as_micros(),
        longest: at(100)
            .max(times.last().copied().unwrap_or_default())
            .as_micros(),
        per_second: times.len() as u128 * 1_000_000 / total.as_micros().max(1),
        memory_bytes: first.usage.memory_bytes,
        failure,
    };
    match arguments.output.is_json() {
        true => output::json(&measured)?,
        false => print(&measured, &policy)?,
    }
    Ok(Verdict::of(measured.failure.is_none()))
}

fn print(measured: &Measured, policy: &Policy) -> anyhow::Result<()> {
    let micros = |micros: u128| {
        time(Duration::from_micros(
            u64::try_from(micros).unwrap_or(u64::MAX),
        ))
    };
    let whole = |number: u128| count(u64::try_from(number).unwrap_or(u64::MAX));
    let mut table = Table::default();
    table.entry(
        "cold, nothing compiled",
        micros(measured.compiled_and_loaded),
    );
    table.entry("cold, from the cache", micros(measured.loaded_from_cache));
    table.entry("first call", micros(measured.first_call));
    table.entry("calls", whole(measured.calls as u128));
    table.entry("p50", micros(measured.p50));
    table.entry("p99", micros(measured.p99));
    table.entry("longest", micros(measured.longest));
    table.entry("a second", whole(measured.per_second));
    let (used, most) = (
        bytes(measured.memory_bytes),
        bytes(policy.limits().memory_bytes),
    );
    table.entry("memory", format!("{used} of {most}"));
    if let Some(failure) = &measured.failure {
        table.entry("failure", failure);
        table.style(1, output::BAD);
    }
    Ok(table.print(&mut output::out())?)
}
