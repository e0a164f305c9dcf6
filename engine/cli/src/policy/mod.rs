//! `rectifier policy …`: all that an author or an operator does with policies before an engine does it. Loading and
//! asking is the engines' own code, so that what passes here passes there.

mod annotate;
mod bench;
mod build;
mod cases;
mod check;
pub(crate) mod files;
pub(crate) mod host;
mod inspect;
mod language;
mod metadata;
mod new;
mod node_config;
mod observation;
mod replay;
mod run;
mod schema;
mod test;
mod toolchain;
mod tree;
mod variants;

use clap::Subcommand;

use crate::verdict::Verdict;

/// The hidden command that is the compiler's child.
pub(crate) const COMPILE: &str = "policy-compile";

const EXAMPLES: &str = "\
Examples:
  rectifier policy new restart-once && cd restart-once
  rectifier policy build                the policy's file, annotated
  rectifier policy test                 its cases
  rectifier policy check . --node-config /etc/rectifier/node.yaml
  rectifier policy run . --condition KubeletUnhealthy --unit kubelet.service=failed";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a project that builds, and tests itself, at once
    New(new::Arguments),
    /// Builds a project to a policy's file
    Build(build::Arguments),
    /// Says what an engine would say: is it loaded, or why not?
    Check(check::Arguments),
    /// Asks a policy once: what does it decide, and what does that cost?
    Run(run::Arguments),
    /// Plays the cases beside a policy: does it decide what they expect?
    Test(test::Arguments),
    /// Measures many decisions
    Bench(bench::Arguments),
    /// Shows what a file says of itself, without running it
    Inspect(inspect::Arguments),
    /// Writes into a file what it says of itself
    Annotate(annotate::Arguments),
    /// Asks about recorded observations: which decisions would differ?
    Replay(replay::Arguments),
    /// Prints a JSON schema of the contract
    Schema(schema::Arguments),
    /// Fetches a tool that `build` calls, and prints the Python that has it
    Toolchain(toolchain::Arguments),
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    // What the host says of its cache, and policies of their settings.
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .without_time()
        .with_ansi(false)
        .init();
    match arguments.command {
        Command::New(arguments) => new::run(arguments),
        Command::Build(arguments) => build::run(&arguments),
        Command::Check(arguments) => asking(check::run(arguments)),
        Command::Run(arguments) => asking(run::run(arguments)),
        Command::Test(arguments) => asking(test::run(arguments)),
        Command::Bench(arguments) => asking(bench::run(arguments)),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Annotate(arguments) => annotate::run(arguments),
        Command::Replay(arguments) => asking(replay::run(arguments)),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Toolchain(arguments) => toolchain::run(&arguments),
    }
}

/// On one thread, as the engines.
pub(crate) fn asking(
    command: impl Future<Output = anyhow::Result<Verdict>>,
) -> anyhow::Result<Verdict> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(command)
}
