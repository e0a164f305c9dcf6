//! `rectifier simulate`: a dump's cluster in the embedded world, with both real engines and the operator's own policies in
//! it. What was asked for breaks, and what the engines do about it is told, in virtual time.
//!
//! ```text
//! dump, policies, configuration ─► question ─► play ─► steps ─────► answer ─► table, JSON
//!                                  what breaks  world   in order     how each
//!                                                                    node ended
//! ```
//!
//! Nothing here asks anybody outside of this process, but for the policies' compiler before the world begins; the same
//! input gives the same output, byte for byte.

mod answer;
mod assumed;
mod play;
mod policies;
mod question;
mod steps;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{ArgGroup, ValueEnum};
use rectifier_core::clock::SignedDuration;
use rectifier_core::name::ConditionKind;
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::dump::Dump;
use rectifier_sim::machine::Cure;
use rectifier_sim::scene::NodeConfig;
use serde::Serialize;

use crate::output::{self, OutputArguments};
use crate::policy::host::HostArguments;
use crate::progress::Progress;
use crate::verdict::{Verdict, usage};
use question::Question;

const EXAMPLES: &str = "\
Exit codes: 0 every node that was sick is well again, or replaced; 1 one is not (so it is in a pool that observes); 2 wrong
usage; 3 the dump or the policies cannot be read.

What the dump does not say is assumed, and the end of the answer names it. The world's times are not your cluster's: boots,
joins and drains take what they take there; what counts is what is done, in what order, and why.

Examples:
  rectifier simulate --from cluster.json --policies policies/
  rectifier simulate --from cluster.json --policies policies/ --condition KernelDeadlock --on worker-1 --mode auto
  rectifier simulate --from cluster.json --policies policies/ --condition ProxyUnhealthy --on pool=web --unit proxy.service \\
      --cured-by restart --node-config node.yaml
  rectifier simulate --from cluster.json --policies policies/ --zone-dark az-1 --output json | jq .summary";

/// How it is called.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("breaks").args(["condition", "zone_dark"]))]
pub(crate) struct Arguments {
    /// What `rectifier dump` wrote
    #[arg(long, value_name = "DUMP")]
    from: PathBuf,
    /// The directory of policies; both engines ask them
    #[arg(long, value_name = "DIR")]
    policies: PathBuf,
    /// This condition becomes True, as Node Problem Detector would report it [default: what is sick in the dump is played]
    #[arg(long, value_name = "KIND", requires = "on")]
    condition: Option<String>,
    /// On these nodes: a node's name, or a label selector
    #[arg(long, value_name = "NODE|SELECTOR", requires = "condition")]
    on: Option<String>,
    /// The condition is that this unit does not run; only a remedy on it counts [default: any unit's remedy does]
    #[arg(long, value_name = "UNIT", requires = "condition")]
    unit: Option<String>,
    /// All hosts of this zone stop
    #[arg(long, value_name = "ZONE")]
    zone_dark: Option<String>,
    /// What makes a problem go away, on the node; a replacement never has it
    #[arg(long, value_enum, default_value_t, value_name = "REMEDY")]
    cured_by: CuredBy,
    /// All pools in this mode [default: each in the dump's]
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// The most virtual time; it ends before, when nothing happens any more
    #[arg(long = "for", value_name = "DURATION", default_value = "3h", value_parser = duration)]
    lasting: Duration,
    /// The controller's own: so many of the nodes, in percent and rounded up, are replaced within an hour
    #[arg(long, default_value_t = 1, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=1000))]
    hourly_replacements: u32,
    /// Decides everything that is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    host: HostArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// What makes a problem go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CuredBy {
    /// A restart of a unit, or a fix; a reboot, too
    Restart,
    /// A reboot
    Boot,
    /// Nothing on the node
    #[default]
    Never,
}

impl CuredBy {
    fn cure(self) -> Cure {
        match self {
            CuredBy::Restart => Cure::Restart,
            CuredBy::Boot => Cure::Boot,
            CuredBy::Never => Cure::Never,
        }
    }
}

/// What the control plane may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// Look, judge, and say what it would do
    Observe,
    /// Act
    Auto,
}

impl Mode {
    fn in_pool(self) -> &'static str {
        match self {
            Mode::Observe => "Observe",
            Mode::Auto => "Auto",
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let right = "a time from 1m to 7d, like 90m or 1h30m".to_owned();
    let Ok(parsed) = text.parse::<SignedDuration>() else {
        return Err(right);
    };
    match Duration::try_from(parsed) {
        Ok(time) if (60..=7 * 86_400).contains(&time.as_secs()) => Ok(time),
        _ => Err(right),
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let mut dump = read(&arguments.from)?;
    let question = Question::new(arguments, &dump)?;
    if let Some(mode) = arguments.mode {
        for pool in &mut dump.repair_pools {
            pool["spec"]["mode"] = mode.in_pool().into();
        }
    }
    let shown = Progress::start("loading the policies");
    let agent = agent(arguments.host.node_config())?;
    let policies = policies::load(&arguments.policies, &arguments.host)?;
    shown.say("playing");
    let played = in_virtual_time(play::play(
        &dump,
        &question,
        agent.clone().unwrap_or_default(),
        policies.advisor.clone(),
    ))??;
    drop(shown);
    let assumed = assumed::all(&dump, &question, agent.is_some());
    let answer = answer::Answer::new(&dump, &question, &policies, played, assumed);
    match arguments.output.is_json() {
        true => output::json(&answer)?,
        false => table::print(&answer)?,
    }
    Ok(Verdict::of(answer.is_well()))
}

fn read(file: &Path) -> anyhow::Result<Dump> {
    if !file.exists() {
        return Err(usage(format!(
            "there is no {}: `rectifier dump -o {}` makes one",
            file.display(),
            file.display()
        )));
    }
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Dump::parse(&text).with_context(|| file.display().to_string())
}

fn agent(file: Option<&Path>) -> anyhow::Result<Option<NodeConfig>> {
    let read = |file: &Path| {
        NodeConfig::read(file).map_err(|error| anyhow!(error).context("--node-config"))
    };
    file.map(read).transpose()
}

/// A condition that can be asked for.
fn condition(text: &str) -> anyhow::Result<ConditionKind> {
    if text == "Ready" {
        return Err(usage(
            "--condition Ready: True is how it should be. Name a problem, like KernelDeadlock; a zone in which nobody is \
             heard is --zone-dark ZONE",
        ));
    }
    ConditionKind::parse(text).map_err(|error| usage(format!("--condition {text}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        assert_eq!(duration("90m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "5", "1s", "30d", "-2h", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ready_is_no_problem() {
        assert!(condition("Ready").is_err());
        assert!(condition("no condition").is_err());
        assert!(condition("KernelDeadlock").is_ok());
    }
}
