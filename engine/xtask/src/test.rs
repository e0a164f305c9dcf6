//! `cargo xtask test`: all that a change must pass, from cheap to dear.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use rectifier_provision::{Cache, Stderr, Tool, cargo, subcommand};

use crate::junit::Outcome;
use crate::languages::Languages;
use crate::nextest::{Options, Which};
use crate::table::{Table, Verdict};
use crate::without::{Extent, Step};
use crate::{fuzz, generate, layers, nextest, results, sdk, setup, without};

pub(crate) fn run(cache: &Cache, full: bool, filters: &[String]) -> Result<ExitCode> {
    let mut table = Table::default();
    // whoever names a test wants it
    let languages = Languages::due(cache, full || !filters.is_empty())?;
    setup::run(cache, &mut table);
    table.loud_part("format", || format(cache));
    table.loud_part("layers", || layers::check(cache));
    table.loud_part("licences, bans, sources", || deny(cache));
    table.loud_part("clippy", || clippy(cache));
    table.loud_part("generated files", || generate::check(cache));
    table.loud_part("fuzz targets' lock", || fuzz::is_locked(cache));
    if filters.is_empty() {
        table.loud_part("sdk and policies", || sdk::test(cache, &languages));
    }
    let mut sum = Outcome::default();
    for (name, which) in [
        ("unit tests", Which::Units),
        ("scenarios", Which::Scenarios),
    ] {
        let options = Options {
            // whoever names a scenario wants it
            ignored: full || which == Which::Scenarios && !filters.is_empty(),
            filters,
            but: languages.tests(),
            environment: &[],
        };
        table.loud_part(name, || {
            let outcome = nextest::run(cache, which, &options)?;
            let verdict = verdict(&outcome, filters);
            sum.passed.extend(outcome.passed);
            sum.failed.extend(outcome.failed);
            verdict
        });
    }
    // CI's checkout is nobody's to commit
    if filters.is_empty() && !table.failed() && !setup::in_ci() {
        languages.passed(cache)?;
    }
    if filters.is_empty() {
        let (steps, extent) = match full {
            true => (Step::value_variants(), Extent::Some),
            false => (&[Step::Heal][..], Extent::Quickest),
        };
        for &step in steps {
            table.loud_part(&format!("without {}", step.label()), || {
                without::check(cache, step, extent)
            });
        }
    }
    if full {
        table.loud_part("examples in docs", || {
            let mut test = cargo(cache);
            well(test.args(["test", "--quiet", "--locked", "--workspace", "--doc"]))
        });
        table.loud_part("fuzz targets", || fuzz::run(cache));
        table.loud_part("bindings for C", || sdk::bindings(cache));
    }
    let mut told = table.show();
    for failed in &sum.failed {
        writeln!(told, "failed: {}", failed.name)?;
    }
    writeln!(
        told,
        "{} passed, {} failed",
        sum.passed.len(),
        sum.failed.len()
    )?;
    print!("\n{told}");
    if full && filters.is_empty() {
        results::write(cache, &told)?;
    }
    Ok(if table.failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn verdict(outcome: &Outcome, filters: &[String]) -> Result<Verdict> {
    let (passed, failed) = (outcome.passed.len(), outcome.failed.len());
    if failed > 0 {
        bail!("{failed} failed, {passed} passed");
    }
    if passed == 0 && filters.is_empty() {
        bail!("there was no test to run");
    }
    Ok(Verdict::Well(format!("{passed} passed")))
}

/// The workspace, and the crates that stand outside it: they are compiled for another target, or in another way.
fn format(cache: &Cache) -> Result<Verdict> {
    let policies = cache
        .policy_crates()?
        .into_iter()
        .map(|name| format!("policies/{name}"));
    let others = ["sdk/rust", fuzz::FOLDER].map(str::to_owned);
    let outside = policies.chain(others).map(PathBuf::from);
    let outside = outside.map(|folder| folder.join("Cargo.toml"));
    let manifests = std::iter::once(PathBuf::from("Cargo.toml"))
        .chain(outside.filter(|manifest| cache.checkout().join(manifest).is_file()));
    let mut unformatted = Vec::new();
    for manifest in manifests {
        let mut fmt = cargo(cache);
        fmt.args(["fmt", "--all", "--check", "--manifest-path"])
            .arg(&manifest);
        if well(&mut fmt).is_err() {
            unformatted.push(manifest.display().to_string());
        }
    }
    if !unformatted.is_empty() {
        bail!("run cargo fmt for {}", unformatted.join(", "));
    }
    Ok(Verdict::Well(String::new()))
}

/// Not its fourth check, advisories: that one asks a database on the network, and a change must not
/// fail for what was found out today about a dependency that it did not touch.
fn deny(cache: &Cache) -> Result<Verdict> {
    let program = cache.tool(Tool::Deny, &mut Stderr::default())?;
    let mut deny = subcommand(cache, &program);
    deny.args([
        "--locked",
        "--all-features",
        "--workspace",
        "--log-level=error",
        "check",
    ]);
    well(deny.args(["--hide-inclusion-graph", "licenses", "bans", "sources"]))?;
    Ok(Verdict::Well("advisories are not asked for".to_owned()))
}

/// Warnings are errors in CI only: half-done work on a desk is not to be stopped by them.
fn clippy(cache: &Cache) -> Result<Verdict> {
    let mut clippy = cargo(cache);
    clippy.args([
        "clippy",
        "--quiet",
        "--locked",
        "--workspace",
        "--all-targets",
    ]);
    if setup::in_ci() {
        clippy.args(["--", "--deny=warnings"]);
    }
    well(&mut clippy)
}

fn well(command: &mut Command) -> Result<Verdict> {
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("it said why above ({status})");
    }
    Ok(Verdict::Well(String::new()))
}
