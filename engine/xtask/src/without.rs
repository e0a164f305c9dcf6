//! `cargo xtask test --without STEP`: the scenarios can fail. With a step of the loop switched off,
//! those that need it must be red: a test that cannot fail proves nothing.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;
use rectifier_provision::Cache;

use crate::nextest::{Options, Which};
use crate::{nextest, setup};

/// A step of the repair loop. The names are those of `rectifier_core`'s switches, which this crate
/// does not depend on, so that it compiles in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Node Problem Detector notices the problem
    Detect,
    /// The node engine hears of it
    PassOn,
    /// The node engine carries the remedy out
    Heal,
    /// What the node cannot fix reaches the control plane
    Escalate,
    /// The sick node is cordoned
    Cordon,
    /// A similar server is created
    Create,
    /// The sick node is drained
    Drain,
    /// The server and its Node are deleted
    Delete,
}

impl Step {
    /// The name on command lines and in `RECTIFIER_WITHOUT`.
    fn label(self) -> &'static str {
        match self {
            Step::Detect => "detect",
            Step::PassOn => "pass-on",
            Step::Heal => "heal",
            Step::Escalate => "escalate",
            Step::Cordon => "cordon",
            Step::Create => "create",
            Step::Drain => "drain",
            Step::Delete => "delete",
        }
    }

    /// Words in the names of the scenarios that cannot pass without it.
    fn needed_by(self) -> &'static [&'static str] {
        match self {
            Step::Detect | Step::PassOn | Step::Heal => &["healed"],
            Step::Escalate | Step::Cordon | Step::Create | Step::Drain | Step::Delete => {
                &["replaced"]
            }
        }
    }
}

pub(crate) fn run(cache: &Cache, step: Step, filters: &[String]) -> Result<ExitCode> {
    setup::all(cache)?;
    let environment = [("RECTIFIER_WITHOUT", step.label())];
    let options = Options {
        filters,
        environment: &environment,
        ..Options::default()
    };
    let outcome = nextest::run(cache, Which::Scenarios, &options)?;
    println!("\nwithout the step {}:", step.label());
    for name in &outcome.failed {
        println!("  red, as it must be  {name}");
    }
    for name in &outcome.passed {
        println!("  green               {name}");
    }
    let (red, green) = (&outcome.failed, &outcome.passed);
    let blind = blind(step, red, green)?;
    if !blind.is_empty() {
        bail!(
            "the scenarios do not notice that the step is missing: {}",
            blind.join(", ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The scenarios that passed and must not have.
///
/// # Errors
/// None of those that need the step was run: that proves nothing.
fn blind<'a>(step: Step, red: &[String], green: &'a [String]) -> Result<Vec<&'a str>> {
    let needs = |name: &&String| step.needed_by().iter().any(|word| name.contains(word));
    let blind: Vec<_> = green.iter().filter(needs).map(String::as_str).collect();
    if blind.is_empty() && !red.iter().any(|name| needs(&name)) {
        bail!("no scenario that needs the step {} was run", step.label());
    }
    Ok(blind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_needed_step_that_nobody_misses_is_found() {
        let green = names(&["healed_in_the_node", "replaced"]);
        assert_eq!(
            blind(Step::Heal, &[], &green).unwrap(),
            ["healed_in_the_node"]
        );
    }

    #[test]
    fn red_where_it_must_be_is_well_and_the_others_may_be_green() {
        let (red, green) = (names(&["healed_in_the_node"]), names(&["replaced"]));
        assert!(blind(Step::Heal, &red, &green).unwrap().is_empty());
    }

    #[test]
    fn a_run_without_the_scenarios_that_need_the_step_proves_nothing() {
        assert!(blind(Step::Heal, &[], &names(&["replaced"])).is_err());
    }
}
