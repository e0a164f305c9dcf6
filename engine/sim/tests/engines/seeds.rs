//! Hours of faults, from one seed each: all end well, and a seed is the same hours in every process.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::policy;

/// CI has two cores; on a person's machine two are enough.
const JOBS: &str = "--jobs=2";

fn run(policy: &policy::Files) -> Result<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_rectifier-seeds"))
        .arg("--policy")
        .arg(&policy.policy)
        .args(["--count=200", JOBS])
        .output()?;
    let told = String::from_utf8(output.stdout)?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{told}{complaint}");
    Ok(told)
}

#[test]
fn two_hundred_seeds_end_well_and_are_the_same_in_two_processes() -> Result<()> {
    let policy = policy::Files::put()?;
    let (once, again) = (run(&policy)?, run(&policy)?);
    for (first, second) in once.lines().zip(again.lines()) {
        ensure!(first == second, "{first}\n{second}");
    }
    ensure!(once == again);
    let summary = once.lines().last().context("it printed nothing")?;
    println!("{summary}, twice");
    Ok(())
}
