//! What a repair costs on a real API server and a real OpenStack, with KWOK's nodes: `cargo xtask bench cluster`.
//!
//! The controller is the program that is released; OpenStack's hypervisor lets each server join as a KWOK node. All is told
//! from the audit log and the log of OpenStack's front door, which have one clock.
//!
//! - *cordon*: from the end of the pool's waits to the request that cordons, with 1 000 and with 5 000 nodes; goal: 50 ms
//!   at the median, 100 ms at the 99th percentile. Beside it: a GET of the same Node by a client that has nothing else to do;
//! - *replacement*: what the engine adds to the time of one replacement, and each kind of request that it makes; goal: 2 s;
//! - *drain*: 50 pods behind a budget, by the engine and by `kubectl drain`.
//!
//! Figures are printed, never asserted.
#![expect(
    clippy::disallowed_methods,
    reason = "a bench lives in the real world, and reads the real clock"
)]

mod calls;
mod cordon;
mod drain;
mod replacement;

use anyhow::{Result, bail};
use rectifier_provision::Stderr;

const PARTS: [&str; 3] = ["cordon", "replacement", "drain"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test` starts benches, too: there is nothing to test here.
    if arguments.iter().any(|argument| argument == "--test") {
        return Ok(());
    }
    let parts: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(part)) {
        bail!("there is no part {unknown}: {}", PARTS.join(", "));
    }
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    let mut report = Stderr::default();
    if wanted("cordon") {
        for nodes in [1_000, 5_000] {
            cordon::run(nodes, &mut report).await?;
        }
    }
    if wanted("replacement") {
        replacement::run(&mut report).await?;
    }
    if wanted("drain") {
        drain::run(&mut report).await?;
    }
    Ok(())
}

/// What else the computer does.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = load.split(' ').take(3).collect();
    averages.join(" ")
}
