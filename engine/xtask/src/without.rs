//! `cargo xtask test --without STEP`: the scenarios can fail. With a step of the loop switched off,
//! those that need it must be red: a test that cannot fail proves nothing.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;
use rectifier_provision::Cache;

use crate::nextest::{Options, Which};
use crate::table::Verdict;
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
    pub(crate) fn label(self) -> &'static str {
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

    /// The scenarios that cannot pass without it, the quickest one first.
    ///
    /// The others need not notice: NPD's condition alone leads to a replacement, too, and a repair
    /// that is taken back never comes to its drain.
    fn needed_by(self) -> &'static [&'static str] {
        match self {
            Step::Detect => &[
                "healed",
                "rebooted",
                "replaced",
                "silent",
                "changed_mind",
                "killed",
                "cleared",
            ],
            Step::PassOn => &["healed", "rebooted", "replaced", "changed_mind"],
            Step::Heal => &["healed", "rebooted"],
            Step::Escalate => &["replaced", "rebooted", "changed_mind"],
            Step::Cordon => &[
                "replaced",
                "rebooted",
                "silent",
                "changed_mind",
                "killed",
                "cleared",
            ],
            Step::Create => &["replaced", "silent", "changed_mind", "killed", "cleared"],
            Step::Drain => &["replaced", "rebooted", "silent", "changed_mind", "killed"],
            Step::Delete => &["replaced", "silent", "changed_mind", "killed"],
        }
    }

    /// Has the scenario of that test to be red?
    fn is_needed_by(self, test: &str) -> bool {
        let scenario = test.rsplit(' ').next().unwrap_or(test);
        self.needed_by().contains(&scenario)
    }
}

/// Which of the scenarios that need the step are run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extent<'a> {
    /// The quickest one.
    Quick,
    /// All; or those whose names contain one of these words.
    Named(&'a [String]),
}

pub(crate) fn command(cache: &Cache, step: Step, filters: &[String]) -> Result<ExitCode> {
    setup::all(cache)?;
    check(cache, step, Extent::Named(filters))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs them with the step off, and says which ones noticed.
///
/// # Errors
/// One did not.
pub(crate) fn check(cache: &Cache, step: Step, extent: Extent<'_>) -> Result<Verdict> {
    let needed = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let filters: Vec<String> = match extent {
        Extent::Quick => needed(&step.needed_by()[..1]),
        Extent::Named([]) => needed(step.needed_by()),
        Extent::Named(filters) => filters.to_vec(),
    };
    let environment = [("RECTIFIER_WITHOUT", step.label())];
    let options = Options {
        filters: &filters,
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
    Ok(Verdict::Well(format!("{} red, as it must be", red.len())))
}

/// The scenarios that passed and must not have.
///
/// # Errors
/// None of those that need the step was run: that proves nothing.
fn blind<'a>(step: Step, red: &[String], green: &'a [String]) -> Result<Vec<&'a str>> {
    let blind = green.iter().filter(|name| step.is_needed_by(name));
    let blind: Vec<_> = blind.map(String::as_str).collect();
    if blind.is_empty() && !red.iter().any(|name| step.is_needed_by(name)) {
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
        let green = names(&["scenarios healed", "scenarios replaced"]);
        assert_eq!(
            blind(Step::Heal, &[], &green).unwrap(),
            ["scenarios healed"]
        );
    }

    #[test]
    fn red_where_it_must_be_is_well_and_the_others_may_be_green() {
        let (red, green) = (names(&["scenarios healed"]), names(&["scenarios replaced"]));
        assert!(blind(Step::Heal, &red, &green).unwrap().is_empty());
    }

    #[test]
    fn a_run_without_the_scenarios_that_need_the_step_proves_nothing() {
        assert!(blind(Step::Heal, &[], &names(&["scenarios replaced"])).is_err());
    }
}
