//! `cargo xtask test --without STEP`: the scenarios can fail. With a step of the loop switched off,
//! those that need it must be red: a test that cannot fail proves nothing.
//!
//! Red is not any failure. The world must have stood, and what the scenario claims must not have come
//! true; it says so itself. A bed that did not start, or fell apart, has proven nothing.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;
use rectifier_provision::Cache;

use crate::junit::Failed;
use crate::nextest::{Options, Which};
use crate::table::Verdict;
use crate::{nextest, setup};

/// What a failed scenario says when its claims did not come true in a world that stood:
/// `rectifier_scenarios::claim::UNMET`, on which this crate does not depend.
const UNMET: &str = "the world stood, and the scenario did not come true";

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

    /// The scenarios that cannot pass without it. The first is the quickest; the first two are those
    /// of a full run, chosen so that together with the other steps' every scenario is among them.
    ///
    /// The others need not notice: NPD's condition alone leads to a replacement, too, and a repair
    /// that is taken back never comes to its drain.
    fn needed_by(self) -> &'static [&'static str] {
        match self {
            // all end at the same wait
            Step::Detect => &[
                "healed",
                "silent",
                "rebooted",
                "replaced",
                "changed_mind",
                "killed",
                "cleared",
            ],
            Step::PassOn => &["healed", "changed_mind", "rebooted", "replaced"],
            Step::Heal => &["healed", "rebooted"],
            Step::Escalate => &["replaced", "rebooted", "changed_mind"],
            Step::Cordon => &[
                "cleared",
                "replaced",
                "rebooted",
                "silent",
                "changed_mind",
                "killed",
            ],
            Step::Create => &["cleared", "silent", "replaced", "changed_mind", "killed"],
            Step::Drain => &["rebooted", "replaced", "silent", "changed_mind", "killed"],
            Step::Delete => &["replaced", "killed", "silent", "changed_mind"],
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
    Quickest,
    /// Two.
    Some,
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
        Extent::Quickest => needed(&step.needed_by()[..1]),
        Extent::Some => needed(&step.needed_by()[..2]),
        Extent::Named([]) => needed(step.needed_by()),
        Extent::Named(filters) => filters.to_vec(),
    };
    let environment = [("RECTIFIER_WITHOUT", step.label())];
    let options = Options {
        ignored: true,
        filters: &filters,
        but: None,
        environment: &environment,
    };
    let outcome = nextest::run(cache, Which::Scenarios, &options)?;
    let (red, accidents): (Vec<_>, Vec<_>) = outcome
        .failed
        .iter()
        .partition(|failed| reason(failed).is_some());
    println!("\nwithout the step {}:", step.label());
    for failed in &red {
        let why = reason(failed).unwrap_or_default();
        println!("  red, as it must be  {}: {why}", failed.name);
    }
    for name in &outcome.passed {
        println!("  green               {name}");
    }
    for failed in &accidents {
        println!("  came to nothing     {}", failed.name);
    }
    let names = |list: &[&Failed]| -> Vec<String> {
        list.iter().map(|failed| failed.name.clone()).collect()
    };
    if !accidents.is_empty() {
        bail!(
            "these failed otherwise than by what they claim, which proves nothing: {}",
            names(&accidents).join(", ")
        );
    }
    let blind = blind(step, &names(&red), &outcome.passed)?;
    if !blind.is_empty() {
        bail!(
            "the scenarios do not notice that the step is missing: {}",
            blind.join(", ")
        );
    }
    Ok(Verdict::Well(format!("{} red, as it must be", red.len())))
}

/// What did not come true, if that is why it failed: the last of the causes that it lists.
fn reason(failed: &Failed) -> Option<String> {
    let (_, after) = failed.said.split_once(UNMET)?;
    let causes = after
        .split_once("Caused by:")
        .map_or("", |(_, causes)| causes);
    // indented, up to the report's next mark; what follows is the test's own
    let causes = causes.split('<').next().unwrap_or_default();
    let causes = causes.lines().skip(1);
    let last = causes.take_while(|line| line.starts_with("    ")).last();
    let last = last.unwrap_or_default().trim();
    // the number that stands before it where there are several
    let last = match last.split_once(": ") {
        Some((number, text)) if number.parse::<u8>().is_ok() => text,
        Some(_) | None => last,
    };
    Some(last.to_owned())
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

    fn failed(said: &str) -> Failed {
        Failed {
            name: "scenarios healed".to_owned(),
            said: said.to_owned(),
        }
    }

    #[test]
    fn a_claim_that_did_not_come_true_is_red_and_says_why() {
        let said = format!(
            "Error: {UNMET} (Healed; kept)\n\nCaused by:\n    0: while waiting\n    1: waited in vain\ntest healed ... FAILED\n</x>"
        );
        assert_eq!(reason(&failed(&said)).unwrap(), "waited in vain");
        let said = format!(
            "Error: {UNMET} (Healed; kept)\n\nCaused by:\n    it was not started</x>\n            <y>"
        );
        assert_eq!(reason(&failed(&said)).unwrap(), "it was not started");
    }

    #[test]
    fn a_bed_that_did_not_start_is_not_red() {
        assert_eq!(reason(&failed("Error: etcd is not ready after 120s")), None);
        assert_eq!(reason(&failed("the world fell apart")), None);
    }

    #[test]
    fn a_full_run_sees_every_scenario_red() {
        use std::collections::BTreeSet;
        let all: BTreeSet<_> = Step::Detect.needed_by().iter().collect();
        let steps = Step::value_variants().iter();
        let seen: BTreeSet<_> = steps.flat_map(|step| &step.needed_by()[..2]).collect();
        assert_eq!(seen, all);
    }

    #[test]
    fn the_scenarios_say_what_is_looked_for() {
        let source = include_str!("../../../tests/scenarios/src/claim.rs");
        assert!(source.contains(UNMET));
    }
}
