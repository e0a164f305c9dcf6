//! The program of both engines, in one file: `node` runs on every node, `controller` in the control plane,
//! `history` prints what the engine of a node remembers, `crds` what `deploy/crds` holds. Either engine starts
//! `rectifier-compiler`, which lies beside it, to compile a policy.
//!
//! What stands only here: the wall clock, randomness, signals, the environment, the logs' format, the exit code. Exit codes:
//! 0 a clean end, 1 it could not go on, 2 wrong usage.

mod clock;
mod controller;
mod crds;
mod history;
mod logs;
mod node;
mod switches;
mod telemetry;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Parser)]
#[command(
    name = "rectifier-engine",
    version,
    about = "Repairs the nodes of a Kubernetes cluster"
)]
struct Cli {
    /// How the logs are written; RUST_LOG says how much.
    #[arg(long, value_enum, global = true, default_value_t)]
    log_format: logs::Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The engine of one node
    Node(node::Arguments),
    /// The control plane's engine
    Controller(Box<controller::Arguments>),
    /// Prints what the engine of this node has seen and done
    History(history::Arguments),
    /// Prints the CustomResourceDefinitions as YAML
    Crds(crds::Arguments),
}

fn main() -> ExitCode {
    let Cli {
        log_format,
        command,
    } = Cli::parse();
    match run(command, log_format) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The chain of causes is printed here, once.
            eprintln!("rectifier-engine: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, log_format: logs::Format) -> anyhow::Result<()> {
    match command {
        Command::Crds(arguments) => crds::print(&arguments),
        Command::History(arguments) => runtime()?.block_on(history::print(arguments)),
        Command::Node(arguments) => {
            logs::start(log_format);
            runtime()?.block_on(node::run(arguments))
        }
        Command::Controller(arguments) => {
            logs::start(log_format);
            runtime()?.block_on(controller::run(*arguments))
        }
    }
}

/// One thread and one arena: both engines wait most of their time, and a thread is memory on every node.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    rectifier_policy_host::memory::keep_small();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Each that waits for work holds its stack.
        .thread_keep_alive(Duration::from_secs(1))
        .build()
        .context("cannot start the runtime")
}

/// Ready at the first SIGTERM (kubelet's word) or SIGINT (a person's).
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
