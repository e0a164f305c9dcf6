//! The program that Nova's driver calls for each event of a server; see `rectifier_bed::hypervisor`.
//!
//! It reads the event on standard input. What it writes to standard error is in Nova's fault, so it
//! is one line; the whole chain of causes is in the journal. It finds the bed by `RECTIFIER_BED`.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use rectifier_bed::hypervisor::{self, Event};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let bed = std::env::var_os(hypervisor::BED);
    let bed = PathBuf::from(bed.with_context(|| format!("{} is not set", hypervisor::BED))?);
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let event: Event = serde_json::from_str(&text).context("reading the event")?;
    hypervisor::handle(&bed, &event).await
}
