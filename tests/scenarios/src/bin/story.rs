//! Tells the whole loop on real parts, as a timeline.
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use rectifier_provision::Stderr;
use rectifier_scenarios::{Scenario, World};

/// The whole loop on real parts: breaks a node, and tells what repaired it
#[derive(Parser)]
struct Arguments {
    /// What to break; by default the ladder from bottom to top
    #[arg(value_enum, default_values = ["healed", "rebooted", "replaced"])]
    scenarios: Vec<Scenario>,
    /// As JSON, a line an event
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let world = World::start("story", &mut Stderr::default()).await?;
    for scenario in arguments.scenarios {
        if !arguments.json {
            println!("\n{}\n", scenario.title());
        }
        let told = scenario.play(&world).await?;
        if arguments.json {
            println!("{}", told.json()?)
        } else {
            println!("{told}")
        }
    }
    Ok(ExitCode::SUCCESS)
}
