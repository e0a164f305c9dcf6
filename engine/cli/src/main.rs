//! The program `rectifier`: what operators and authors of policies type.
//!
//! One grammar, `rectifier OBJECT VERB …`; one table for people and `--output json` for programs wherever there is an
//! answer; four exit codes: 0 well, 1 the answer is no, 2 wrong usage, 3 could not ask. It is one file: the compiler of
//! policies is this same program, started once more.

mod clock;
mod cloud;
mod cluster;
mod completion;
mod demo;
mod diagnostic;
mod dump;
mod operate;
mod output;
mod policy;
mod progress;
mod simulate;
mod verdict;

use std::io::{stdin, stdout};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Exit codes: 0 well, 1 the answer is no, 2 wrong usage, 3 could not ask

Examples:
  rectifier status                      what is ill, what is done about it, what waits for you; exit code 1: something does
  rectifier explain worker-1            why, the story so far, and what you can do
  rectifier policy new restart-once     a policy from a template, and what tests it
  rectifier policy check DIR            what an engine would say of a directory of policies
  rectifier policy --help               all that can be done with policies
  rectifier cloud show worker-1         what would take this node's place, as a diff
  rectifier dump -o cluster.json        a cluster in one document, without secrets
  rectifier simulate --from cluster.json --policies DIR --condition KernelDeadlock --on worker-1";

#[derive(Debug, Parser)]
#[command(name = "rectifier", version, after_help = EXAMPLES)]
#[command(
    about = "Repairs the nodes of a Kubernetes cluster: for operators and authors of policies"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows pools, ill nodes and their repairs; exit code 1: something waits for a person
    Status(operate::status::Arguments),
    /// Tells of one node what is wrong, what is done about it and why, or why not, and what you can do
    Explain(operate::explain::Arguments),
    /// Lists repairs that are over
    History(operate::history::Arguments),
    /// Has a node rebooted or replaced, whatever its policies say
    Repair(Box<operate::repair::Repair>),
    /// Lets the rung begin for which a repair asks a person (pools in mode Approve)
    Approve(operate::hands::Approve),
    /// Ends a repair before its commit, takes everything back, and lets none for that problem be opened for a day
    Reject(operate::hands::Reject),
    /// Ends a repair before its commit, and takes everything back; while the problem lasts another is opened
    Cancel(operate::hands::Cancel),
    /// Lets a repair that needs a person go on
    Retry(operate::hands::Retry),
    /// Has a problem count as gone that was seen to, and that its detector goes on reporting
    Acknowledge(operate::acknowledge::Arguments),
    /// Halts whatever is intrusive: on a node, in a pool, or everywhere
    Pause(operate::pause::Pause),
    /// Lets it go on
    Resume(operate::pause::Resume),
    /// Writes, checks, tests and asks policies
    Policy(Box<policy::Arguments>),
    /// Shows what would be made in OpenStack for a node, and what is left over there
    Cloud(Box<cloud::Arguments>),
    /// Shows a cluster that breaks and heals itself, in one process: both engines, your policies, no Kubernetes
    Demo(Box<demo::Arguments>),
    /// Reads what decisions rest on of a cluster, and writes one document: no Secrets, and nothing that carries them
    Dump(dump::Arguments),
    /// What would be done, in what order, and why: both engines and your policies in a dump's cluster, in virtual time
    Simulate(Box<simulate::Arguments>),
    /// Prints what a shell needs to complete these commands
    Completion(completion::Arguments),
    /// Compiles one policy, from standard input to standard output (this program starts it itself)
    #[command(name = policy::COMPILE, hide = true)]
    PolicyCompile,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(verdict) => verdict.code(),
        Err(error) => diagnostic::tell(&error),
    }
}

fn run(command: Command) -> anyhow::Result<Verdict> {
    match command {
        // Nothing of the rest is set up for it: its streams are spoken for.
        Command::PolicyCompile => {
            rectifier_policy_host::compile::child_main(stdin().lock(), stdout().lock())?;
            Ok(Verdict::Well)
        }
        Command::Status(arguments) => policy::asking(operate::status::run(arguments)),
        Command::Explain(arguments) => policy::asking(operate::explain::run(arguments)),
        Command::History(arguments) => policy::asking(operate::history::run(arguments)),
        Command::Repair(arguments) => policy::asking(operate::repair::repair(*arguments)),
        Command::Approve(arguments) => policy::asking(operate::hands::approve(arguments)),
        Command::Reject(arguments) => policy::asking(operate::hands::reject(arguments)),
        Command::Cancel(arguments) => policy::asking(operate::hands::cancel(arguments)),
        Command::Retry(arguments) => policy::asking(operate::hands::retry(arguments)),
        Command::Acknowledge(arguments) => policy::asking(operate::acknowledge::run(arguments)),
        Command::Pause(arguments) => policy::asking(operate::pause::pause(arguments)),
        Command::Resume(arguments) => policy::asking(operate::pause::resume(arguments)),
        Command::Policy(arguments) => policy::run(*arguments),
        Command::Cloud(arguments) => cloud::run(*arguments),
        Command::Demo(arguments) => demo::run(*arguments),
        Command::Dump(arguments) => policy::asking(dump::run(arguments)),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Completion(arguments) => completion::print::<Cli>(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }
}
