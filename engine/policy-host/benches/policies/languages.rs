//! What each language costs: the conformance policy, which means the same in all of them, built as its author builds it. The rows of
//! the table in `sdk/README.md`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use rectifier_policy_host::{Form, Limits};
use rectifier_provision::{Cache, Stderr};

use crate::samples::Samples;

/// What it is called, where its source lies, and which form it is given where it has two.
const LANGUAGES: [(&str, &str, Option<&str>); 8] = [
    ("C", "c", None),
    ("Rust", "rust", None),
    ("AssemblyScript", "assemblyscript", None),
    ("Zig", "zig", None),
    ("TypeScript", "typescript", None),
    ("Go", "go", Some("command")),
    ("Go", "go", Some("component")),
    ("Python", "python", None),
];
const MIB: f64 = 1024.0 * 1024.0;
/// What a ConfigMap may hold, less some room for its own text.
const CONFIG_MAP: usize = 1_000_000;
/// The flag with which this program measures one policy, in a process of its own: the peak of its children's memory is that of the compiler.
pub(crate) const ALONE: &str = "--alone";

pub(crate) fn run() -> Result<()> {
    let cache = Cache::from_env()?;
    let mut built = Vec::new();
    for (language, folder, form) in LANGUAGES {
        let folder = format!("sdk/conformance/{folder}");
        let path = cache.authors_policy(&folder, form, &mut Stderr::default())?;
        built.push((language, std::fs::read(&path)?));
    }
    let resident = crate::resident::program(&cache)?;
    println!("\nlanguages: 25 units, 25 conditions, a fresh store each time");
    println!(
        "| language | contract | size | packed | fits a ConfigMap | compiling | its peak memory | decide p50/p99 | in the engine's memory |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (language, bytes) in built {
        let folder = tempfile::tempdir()?;
        let directory = folder.path().join("policies");
        std::fs::create_dir(&directory)?;
        // the kind for which the resident process asks is that of its file's name
        std::fs::write(directory.join("Problem.wasm"), &bytes)?;
        std::fs::write(
            directory.join("Problem.yaml"),
            "handles: [{conditions: [Problem, KubeletUnhealthy], sites: [node]}]\nsettings: {remedy: escalate, reason: measured}\n",
        )?;
        let said = said(
            Command::new(std::env::current_exe()?)
                .arg(ALONE)
                .arg(folder.path()),
        )?;
        let said = said.trim();
        let packed = packed(&bytes)?;
        let grown = said_resident(&resident, folder.path())?;
        println!(
            "| {language} | {said_form} | {size:.2} MB | {packed_size:.2} MB | {fits} | {said_costs} | {grown:.1} MiB |",
            said_form = said.split('|').next().unwrap_or_default().trim(),
            said_costs = said.split_once('|').unwrap_or_default().1.trim(),
            size = megabytes(bytes.len()),
            packed_size = megabytes(packed),
            fits = match (bytes.len() < CONFIG_MAP, packed < CONFIG_MAP) {
                (true, _) => "yes",
                (false, true) => "packed",
                (false, false) => "no",
            },
        );
    }
    Ok(())
}

/// In a process of its own: form, time and memory of the compiler, and of decisions.
pub(crate) fn alone(folder: &Path) -> Result<()> {
    const ROUNDS: usize = 1000;
    let mut limits = Limits::default();
    limits.module_bytes *= 8;
    let host = crate::host_with(&folder.join("alone"), limits)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let began = Instant::now();
        let policy = host.load(&folder.join("policies/Problem.wasm")).await?;
        let compiling = began.elapsed();
        let peak = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
        let seen = crate::observation()?;
        let mut times = Samples::default();
        for round in 0..ROUNDS + 100 {
            let began = Instant::now();
            host.ask(&policy, &seen).await.answer?;
            // the first hundred warm the caches
            if round >= 100 {
                times.push(began.elapsed());
            }
        }
        let form = match policy.form() {
            Form::Component => "component",
            Form::Command => "command",
        };
        println!(
            "{form} | {} ms | {} MiB | {} µs",
            compiling.as_millis(),
            peak / 1024,
            times.shown()
        );
        anyhow::Ok(())
    })
}

fn packed(bytes: &[u8]) -> Result<usize> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

/// By how many MiB a process without a compiler grows by this policy, loaded and asked.
fn said_resident(program: &PathBuf, folder: &Path) -> Result<f64> {
    let mut grown = 0.0;
    // The first one compiles; the second finds everything there.
    for _ in 0..2 {
        let said = said(Command::new(program).arg(folder).arg(crate::COMPILER))?;
        let all: Vec<f64> = said
            .lines()
            .filter_map(|line| line.split_whitespace().next()?.parse().ok())
            .collect();
        ensure!(all.len() == 2, "{said}");
        grown = all[1] - all[0];
    }
    Ok(grown)
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.output().context("cannot start it")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / MIB
}
