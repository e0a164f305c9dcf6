//! The process whose memory `cargo xtask bench policies` tells: as an engine does, it hosts the policies of a folder, asks
//! them, and prints what it has in memory. `resident FOLDER COMPILER`.
//!
//! Built by itself, it has no compiler in it, as the engines have none when they are shipped.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rectifier_core::name::ConditionKind;
use rectifier_core::policy::{Advice, Observation};
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_policy_host::{Options, Policies};

/// So long nothing happens before the memory is read: threads that loaded the policies are gone.
const REST: Duration = Duration::from_secs(1);

fn main() -> Result<()> {
    rectifier_policy_host::memory::keep_small();
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().context("resident FOLDER COMPILER")?;
    let compiler = arguments.next().context("resident FOLDER COMPILER")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(REST / 10)
        .build()?;
    runtime.block_on(run(&folder, &compiler))
}

async fn run(folder: &Path, compiler: &Path) -> Result<()> {
    let before = Resident::of_this_process(folder)?;
    println!("  {before}: before the first policy");
    let compiler = Compiler::new(compiler, &[], CompileLimits::default());
    let mut options = Options::usual(folder.join("policies"), folder.join("cache"), compiler);
    // as large as an operator may allow
    options.limits.module_bytes *= 8;
    options.ceiling.module_bytes *= 8;
    let policies = Policies::open(options).await?;
    let set = policies.set();
    let mut kinds: Vec<ConditionKind> = Vec::new();
    for file in set.policies() {
        let name = file.file();
        ensure!(file.name().is_some(), "{name} is not loaded");
        // Each answers for the kind of its file's name.
        let kind = name.strip_suffix(".wasm").context("a policy's file")?;
        kinds.push(kind.to_owned().try_into()?);
    }
    let mut seen: Observation = serde_json::from_str(include_str!("../tests/observation.json"))?;
    for kind in kinds.iter().cycle().take(500) {
        seen.episode.problem.kind = kind.clone();
        let advice = policies.advise(&seen).await;
        ensure!(matches!(advice, Advice::Decided { .. }), "{advice:?}");
    }
    tokio::time::sleep(REST).await;
    let after = Resident::of_this_process(folder)?;
    println!("  {after}: {} policies, each asked; at rest", kinds.len());
    Ok(())
}

/// Mebibytes that a process has in memory.
struct Resident {
    anonymous: f64,
    /// The program itself and its libraries: as much of them as ran, shared by all its processes.
    program: f64,
    /// Compiled policies, mapped from their cache.
    policies: f64,
}

impl Resident {
    fn of_this_process(folder: &Path) -> Result<Self> {
        let maps = std::fs::read_to_string("/proc/self/smaps")?;
        let folder = folder.to_str().context("a folder in UTF-8")?;
        let (mut of, mut sums) = ("", [0.0; 3]);
        for line in maps.lines() {
            let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
            let kibibytes = || rest.trim().trim_end_matches(" kB").parse::<f64>();
            match first {
                // A page of a file that was written to is the process's own.
                "Anonymous:" => sums[0] += kibibytes()?,
                "Rss:" => sums[if of.starts_with(folder) { 2 } else { 1 }] += kibibytes()?,
                _ if !first.ends_with(':') => of = line.split_whitespace().nth(5).unwrap_or(""),
                _ => {}
            }
        }
        let [anonymous, others, policies] = sums.map(|kibibytes| kibibytes / 1024.0);
        Ok(Self {
            anonymous,
            program: others - anonymous,
            policies,
        })
    }
}

impl std::fmt::Display for Resident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            anonymous,
            program,
            policies,
        } = self;
        let all = anonymous + program + policies;
        write!(
            f,
            "{all:.1} MiB in all: {anonymous:.1} anonymous, {program:.1} of the program, {policies:.1} of compiled policies"
        )
    }
}
