//! The project's task runner: `cargo xtask …`.
//!
//! Whatever a person would otherwise have to know, or to do by hand, before the project builds,
//! runs or is tested, is a command here. It stands on `rectifier-provision` alone, so that it is
//! compiled in seconds on a machine that has nothing yet.

mod bench;
mod clean;
mod demo;
mod environment;
mod fuzz;
mod generate;
mod junit;
mod languages;
mod layers;
mod nextest;
mod results;
mod sdk;
mod setup;
mod table;
mod test;
mod without;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rectifier_provision::Cache;

use crate::without::Step;

/// Sets the machine up, runs the main job and the tests, and keeps generated files true.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows a cluster that breaks and heals itself: both engines in one process, a live view and a page; a minute
    ///
    /// With `--real` the whole loop on real parts, told in seven timelines; it sets the machine up first, and takes some
    /// ten minutes once what it needs is there. `-- healed` shows one of the scenes, with `--real` or without.
    Demo {
        /// On real parts: a control plane, an OpenStack, a machine with systemd
        #[arg(long)]
        real: bool,
        /// Passed on: `-- --help` lists them
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// All checks, unit tests and scenarios; sets the machine up first
    ///
    /// Goes on after a part that fails, and fails at its end. CI=true makes warnings errors.
    Test {
        /// Also what is long or seldom wanted; without a filter, the outcome goes to tests/RESULTS.md
        ///
        /// Tests marked as ignored, the examples in docs, the fuzz targets for a while each, and without each step in turn
        /// two scenarios that need it.
        #[arg(long)]
        full: bool,
        /// Run all scenarios that need this step of the loop with it switched off: what they claim must not come true
        #[arg(long, value_name = "STEP", value_enum, conflicts_with = "full")]
        without: Option<Step>,
        /// Only the tests whose names contain one of these
        #[arg(last = true, value_name = "FILTER")]
        filters: Vec<String>,
    },
    /// Measures what things cost, beside something measured in the same run; never part of the tests
    Bench {
        /// Only these: policies, world, controller, cluster
        names: Vec<String>,
        /// After `--`, for the benches themselves: only these parts
        #[arg(last = true)]
        parts: Vec<String>,
    },
    /// Installs and builds what the test bed needs: once, and quick the second time
    Setup,
    /// Writes the files that are made from code
    Generate {
        /// Write nothing: fail if a file is not what would be written
        #[arg(long)]
        check: bool,
    },
    /// Checks which crate may depend on which
    CheckLayers,
    /// Shows what the cache folder holds and what was built; `clean --cache --builds` removes it
    Clean {
        /// Remove the cache: the next set-up starts from nothing
        #[arg(long)]
        cache: bool,
        /// Remove what cargo built, for this checkout and others: the next build compiles everything
        #[arg(long)]
        builds: bool,
    },
    /// Prints where things lie
    Env,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let cache = Cache::from_env()?;
    match command {
        Command::Demo { real, arguments } => demo::run(&cache, real, &arguments),
        Command::Test {
            full,
            without: None,
            filters,
        } => test::run(&cache, full, &filters),
        Command::Test {
            full: _,
            without: Some(step),
            filters,
        } => without::command(&cache, step, &filters),
        Command::Bench { names, parts } => bench::run(&cache, &names, &parts),
        Command::Setup => setup::command(&cache),
        Command::Generate { check } => generate::command(&cache, check),
        Command::CheckLayers => layers::command(&cache),
        Command::Clean { cache: all, builds } => clean::run(&cache, all, builds),
        Command::Env => environment::print(&cache),
    }
}
