//! `cargo xtask bench`: what things cost, as ratios to something measured in the same run.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rectifier_provision::{Cache, cargo};

/// A program of measurements, and what it measures.
struct Bench {
    name: &'static str,
    package: &'static str,
    features: &'static [&'static str],
    /// `None`: as the engines are shipped, which is small.
    opt_level: Option<&'static str>,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "policies",
        package: "rectifier-policy-host",
        features: &["--features", "compiler"],
        opt_level: None,
    },
    Bench {
        name: "world",
        package: "rectifier-sim",
        features: &[],
        opt_level: Some("3"),
    },
    Bench {
        name: "controller",
        package: "rectifier-sim",
        features: &[],
        opt_level: None,
    },
    Bench {
        name: "cloud",
        package: "rectifier-cloud",
        features: &[],
        opt_level: None,
    },
    Bench {
        name: "cluster",
        package: "rectifier-scenarios",
        features: &[],
        opt_level: None,
    },
    Bench {
        name: "node",
        package: "rectifier-scenarios",
        features: &[],
        opt_level: None,
    },
];

/// Runs those whose names are given; all, if none is.
pub(crate) fn run(cache: &Cache, names: &[String], parts: &[String]) -> Result<ExitCode> {
    let known: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no bench {unknown}: {}", known.join(", "));
    }
    eprintln!(
        "benches are built as releases are, with link-time optimisation: the first build takes minutes"
    );
    for bench in BENCHES {
        if !names.is_empty() && !names.iter().any(|name| name == bench.name) {
            continue;
        }
        let mut command = cargo(cache);
        command.args([
            "bench",
            "--locked",
            "--package",
            bench.package,
            "--bench",
            bench.name,
        ]);
        command.args(bench.features);
        if let Some(level) = bench.opt_level {
            command.env("CARGO_PROFILE_BENCH_OPT_LEVEL", level);
        }
        if !parts.is_empty() {
            command.arg("--").args(parts);
        }
        let status = command.status().context("cannot start cargo")?;
        if !status.success() {
            bail!("the bench {} failed ({status})", bench.name);
        }
    }
    Ok(ExitCode::SUCCESS)
}
