//! Runs the embedded world for some seeds: both real engines, an hour each in which things break, and prints a line of each.
//!
//! `rectifier-seeds --policy FILE [--first N] [--count N] [--jobs N]`. Exit code 1: a seed did not end well; it is named, and
//! ends so again.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use rectifier_policy_host::Advisor;
use rectifier_policy_host::compile::{CompileLimits, Compiler, child_main};
use rectifier_sim::hours::{self, Report, Unwell};

/// Runs the embedded world for some seeds, and prints a line of each
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// A policy's file, its sidecar beside it
    #[arg(long)]
    policy: Vec<PathBuf>,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How many
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// Threads; each runs seeds of its own
    #[arg(long, default_value_t = 1)]
    jobs: usize,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compiles one policy, from standard input to standard output (this program starts it itself)
    #[command(hide = true)]
    Compile,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(Command::Compile) = arguments.command {
        child_main(std::io::stdin().lock(), std::io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    let program = std::env::current_exe().context("this program's own file")?;
    let compiler = Compiler::new(program, &["compile"], CompileLimits::default());
    let cache = tempfile::tempdir()?;
    let cache = cache.path().join("cache");
    let load = || rectifier_sim::policies::load(&arguments.policy, compiler.clone(), &cache);
    // Each thread has policies of its own; what the first compiled, the others find.
    let policies: Vec<_> = (0..arguments.jobs.max(1))
        .map(|_| load())
        .collect::<Result<_, _>>()?;
    Ok(match run(&arguments, policies) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn run(arguments: &Arguments, policies: Vec<Arc<dyn Advisor>>) -> bool {
    let next = AtomicU64::new(arguments.first);
    let end = arguments.first.saturating_add(arguments.count);
    let seeds = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < end);
    let mut results: Vec<(u64, Result<Report, Unwell>)> = std::thread::scope(|scope| {
        let work = |policies: Arc<dyn Advisor>| {
            let run = move |seed| {
                let mut options = hours::Options::default();
                options.scene.seed = seed;
                (seed, hours::run(&options, policies.clone()))
            };
            std::iter::from_fn(seeds).map(run).collect::<Vec<_>>()
        };
        let threads: Vec<_> = policies
            .into_iter()
            .map(|policies| scope.spawn(move || work(policies)))
            .collect();
        let ended = threads.into_iter().filter_map(|thread| thread.join().ok());
        ended.flatten().collect()
    });
    results.sort_by_key(|(seed, _)| *seed);
    let mut all_well = results.len() as u64 == arguments.count;
    let mut sum = (0, 0, 0, 0.0);
    for (_, result) in results {
        match result {
            Ok(report) => {
                println!("{}", line(&report));
                sum.0 += report.nodes;
                sum.1 += report.sick;
                sum.2 += report.faults;
                sum.3 += report.time.as_secs_f64() / 3600.0;
            }
            Err(unwell) => {
                println!("{unwell}");
                all_well = false;
            }
        }
    }
    let (nodes, sick, faults, hours) = sum;
    println!("{nodes} nodes, {hours:.1} virtual hours, {sick} sick nodes, {faults} faults");
    all_well
}

fn line(report: &Report) -> String {
    let Report {
        seed,
        nodes,
        time,
        sick,
        faults,
        servers,
        requests,
        trace,
    } = report;
    let hours = time.as_secs_f64() / 3600.0;
    format!(
        "seed {seed}: {nodes} nodes, {hours:.2} h, {sick} sick, {faults} faults, {servers} new servers, {requests} requests, {trace}"
    )
}
