//! What hosting a policy safely costs: `cargo xtask bench policies`.
//!
//! - *decide*: one decision with a fresh store, beside a baseline that does the least that any host must (`baseline.rs`), in
//!   turn in one run, so that a machine that slows down slows down both;
//! - *languages*: the same policy in each language: its size, its compilation, its decisions, its memory;
//! - *throughput*: decisions a second on two threads;
//! - *resident*: the memory of a process with five policies loaded, in a process of its own;
//! - *reload*: from the rename of a file to the first decision of the new version, while another policy compiles.
//!
//! Times are printed, never asserted; the machine and its load are printed beside them.

mod baseline;
mod languages;
mod reload;
mod resident;
mod samples;
mod throughput;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rectifier_core::policy::Observation;
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_policy_host::{
    Allowed, Form, Handles, Host, HostOptions, Limits, Metadata, Metering, Needed, Needs, Pattern,
    annotate,
};
use rectifier_provision::{Cache, Stderr};

use samples::Samples;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let word = |name: &str| arguments.iter().any(|argument| argument == name);
    // `cargo test` starts benches, too: there is nothing to test here.
    if word("--test") {
        return Ok(());
    }
    if let [flag, folder] = &arguments[..]
        && flag == languages::ALONE
    {
        return languages::alone(Path::new(folder));
    }
    let known = ["decide", "languages", "throughput", "resident", "reload"];
    let chosen = |part: &str| !known.into_iter().any(word) || word(part);
    println!("{}", machine());
    if chosen("languages") {
        languages::run()?;
    }
    let policies = policies()?;
    if chosen("decide") {
        decide(&policies)?;
    }
    if chosen("throughput") {
        throughput::run(&policies[0])?;
    }
    if chosen("resident") {
        resident::run(&policies[0])?;
    }
    if chosen("reload") {
        reload::run(&policies)?;
    }
    Ok(())
}

/// One policy, built from its source.
pub(crate) struct Built {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) bytes: Vec<u8>,
}

/// One that ships, and the conformance suite's: one for each language at hand, with the same meaning.
fn policies() -> Result<Vec<Built>> {
    let cache = Cache::from_env()?;
    let mut report = Stderr::default();
    let rust = cache.policy_component("restart-then-replace", &mut report)?;
    let conformance = cache.rust_policy("sdk/conformance/rust", "conformance-rust", &mut report)?;
    let go = cache.go_policy("sdk/conformance/go", "conformance-go", &mut report)?;
    let read = |path: PathBuf| std::fs::read(&path).with_context(|| path.display().to_string());
    let metadata = Metadata {
        name: "conformance-go".to_owned().try_into()?,
        version: "0.1.0".to_owned(),
        contract: "0.1".to_owned(),
        handles: vec![Handles {
            conditions: vec![Pattern::Prefix(String::new())],
            sites: [rectifier_core::policy::SiteKind::Node].into(),
        }],
        needs: Needs {
            units: Needed::All,
            fixes: Needed::All,
            facts: Needed::All,
        },
    };
    Ok(vec![
        Built {
            name: "Rust (restart-then-replace)",
            form: Form::Component,
            bytes: read(rust)?,
        },
        Built {
            name: "Rust (conformance)",
            form: Form::Component,
            bytes: read(conformance)?,
        },
        Built {
            name: "Go (conformance)",
            form: Form::Command,
            bytes: annotate(&read(go)?, &metadata)?,
        },
    ])
}

/// The processor and how busy it is: what every figure below depends on.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1))
        .unwrap_or("unknown processor");
    let processors = cpuinfo
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    format!(
        "{processors} × {model}; load {}",
        read("/proc/loadavg").trim()
    )
}

/// 25 units and 25 conditions.
pub(crate) fn observation() -> Result<Observation> {
    let text = include_str!("../../tests/observation.json");
    let mut seen: Observation = serde_json::from_str(text)?;
    let rectifier_core::policy::Site::Node(view) = &mut seen.site else {
        bail!("the observation is a node's");
    };
    let unit = view.units.first().context("a unit")?.clone();
    for n in 1..25 {
        let mut unit = unit.clone();
        unit.name = format!("unit-{n}.service").try_into()?;
        view.units.push(unit);
    }
    seen.conditions = vec![seen.episode.problem.clone(); 25];
    Ok(seen)
}

/// For the conformance policies; the others have defaults.
pub(crate) fn sidecar(built: &Built) -> &'static str {
    if built.name.contains("conformance") {
        "settings: {remedy: escalate, reason: measured}"
    } else {
        ""
    }
}

/// What the engines start.
const COMPILER: &str = env!("CARGO_BIN_EXE_rectifier-compiler");

pub(crate) fn compiler() -> Compiler {
    Compiler::new(COMPILER, &[], CompileLimits::default())
}

pub(crate) fn host(cache: &Path) -> Result<Host> {
    host_with(cache, Limits::default())
}

pub(crate) fn host_with(cache: &Path, limits: Limits) -> Result<Host> {
    Ok(Host::open(HostOptions {
        cache: cache.to_owned(),
        compiler: compiler(),
        limits,
        ceiling: limits,
        allowed: Allowed::default(),
        metering: Metering::Epoch,
    })?)
}

fn decide(policies: &[Built]) -> Result<()> {
    const ROUNDS: usize = 3000;
    println!("\ndecide: a fresh store, 25 units, 25 conditions; µs of {ROUNDS} rounds in turn");
    println!(
        "{:<30} {:>16} {:>16} {:>22}",
        "", "ours p50/p99", "baseline p50/p99", "ratio of p50 (tenths)"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let seen = observation()?;
    for built in policies {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("policy.wasm");
        std::fs::write(&file, &built.bytes)?;
        std::fs::write(file.with_extension("yaml"), sidecar(built))?;
        let host = host(&folder.path().join("cache"))?;
        runtime.block_on(async {
            let policy = host.load(&file).await?;
            let baseline = baseline::Baseline::new(built, policy.settings())?;
            let (mut ours, mut theirs) = (Samples::default(), Samples::default());
            for round in 0..ROUNDS + 100 {
                let began = std::time::Instant::now();
                host.ask(&policy, &seen).await.answer?;
                let first = began.elapsed();
                let began = std::time::Instant::now();
                baseline.decide(&seen).await?;
                let second = began.elapsed();
                // the first hundred warm the caches
                if round >= 100 {
                    ours.push(first);
                    theirs.push(second);
                }
            }
            let ratios = ours.ratios_of_tenths(&theirs);
            println!(
                "{:<30} {:>16} {:>16} {:>22}",
                built.name,
                ours.shown(),
                theirs.shown(),
                format!(
                    "{:.2} ({:.2}–{:.2})",
                    ours.median() / theirs.median(),
                    ratios.0,
                    ratios.1
                )
            );
            anyhow::Ok(())
        })?;
    }
    Ok(())
}
