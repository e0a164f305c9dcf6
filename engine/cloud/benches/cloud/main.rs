//! What a replacement costs on our side of the cloud, beside `openstacksdk` doing the same steps: `cargo xtask bench cloud`.
//!
//! The services are real, on one computer. Each side is a process of its own that logs in, reads the sick server and its
//! ports, makes ports and a server like them, waits until that runs, marks it, and deletes the old server and its ports; both
//! look once a second. Requests are counted at the front door; CPU and peak memory are the process's own.
//!
//! *Listing*: how far the peak memory grows while a project's 15 000 servers are read, in pages of a thousand.
//!
//! Figures are printed, never asserted.

mod listing;
mod steps;

use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use rectifier_bed::Bed;
use rectifier_bed::openstack::{NewServer, OpenStack, Options, Request};
use rectifier_provision::{Report, Stderr};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

/// Each side replaces so many servers, in turn.
const ROUNDS: usize = 5;

/// What a process took.
#[derive(Debug, Serialize, Deserialize)]
struct Took {
    /// Seconds.
    cpu: f64,
    /// Bytes.
    peak: u64,
}

impl Took {
    /// This process, so far.
    fn so_far() -> Result<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        // the program's name may hold spaces; what follows its bracket does not
        let (_, fields) = stat
            .rsplit_once(')')
            .context("a stat line without a name")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |at: usize| -> Result<f64> {
            Ok(fields.get(at).context("a short stat line")?.parse()?)
        };
        let status = std::fs::read_to_string("/proc/self/status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|rest| rest.trim().strip_suffix(" kB"));
        Ok(Self {
            // Linux has counted in hundredths on every machine for decades
            cpu: (ticks(11)? + ticks(12)?) / 100.0,
            peak: peak.context("no VmHWM")?.trim().parse::<u64>()? * 1024,
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // cargo says what it starts
    let is_cargos = |argument: &String| argument == "--bench";
    let arguments = std::env::args()
        .skip(1)
        .filter(|argument| !is_cargos(argument));
    let arguments: Vec<String> = arguments.collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // `cargo test` starts benches, too: there is nothing to test here.
        [.., "--test"] => Ok(()),
        ["--steps", server] => {
            steps::run(server).await?;
            println!("{}", serde_json::to_string(&Took::so_far()?)?);
            Ok(())
        }
        ["--listing"] => listing::run().await,
        [] => all().await,
        _ => bail!("there is one part: --listing"),
    }
}

async fn all() -> Result<()> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load {}", load.trim());
    side_by_side(&mut Stderr::default()).await?;
    let ours = std::env::current_exe()?;
    let status = Command::new(ours).arg("--listing").status().await?;
    ensure!(status.success(), "the listing failed ({status})");
    Ok(())
}

async fn side_by_side(report: &mut (dyn Report + Send)) -> Result<()> {
    let bed = Bed::new("bench-cloud")?;
    let stack = OpenStack::start(&bed, &Options::default(), report).await?;
    let python = bed.cache().openstack_venv(report)?.join("bin/python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/cloud/steps.py");
    let ours = std::env::current_exe()?;
    let (mut us, mut sdk) = (Sum::default(), Sum::default());
    for round in 0..ROUNDS {
        report.step(&format!("replacements {} of {ROUNDS}", round + 1));
        let mut by_us = Command::new(&ours);
        by_us.arg("--steps");
        us.add(&stack, by_us, &format!("one-{round}")).await?;
        let mut by_sdk = Command::new(&python);
        by_sdk.arg(script);
        sdk.add(&stack, by_sdk, &format!("other-{round}")).await?;
    }
    println!("one replacement        requests  seconds of CPU  peak MiB");
    for (name, sum) in [("ours", &us), ("openstacksdk", &sdk)] {
        let [requests, cpu, peak] = sum.means();
        println!("{name:<22} {requests:>8.1}  {cpu:>14.3}  {peak:>8.1}");
    }
    let ratio = |at: usize| us.means()[at] / sdk.means()[at];
    println!(
        "ours of openstacksdk's {:>8.2}  {:>14.3}  {:>8.3}",
        ratio(0),
        ratio(1),
        ratio(2)
    );
    println!("\nours:\n{}\nopenstacksdk:\n{}", us.shapes, sdk.shapes);
    Ok(())
}

#[derive(Default)]
struct Sum {
    rounds: usize,
    requests: usize,
    cpu: f64,
    peak: u64,
    /// What was asked in the last round.
    shapes: String,
}

impl Sum {
    /// Has that program replace a server of that name.
    async fn add(&mut self, stack: &OpenStack, mut program: Command, name: &str) -> Result<()> {
        let wanted = NewServer {
            name: name.to_owned(),
            flavor: "m1.small".to_owned(),
            ..NewServer::default()
        };
        let old = stack.demo.create_server(&wanted).await?;
        let before = stack.requests()?.len();
        let done = program
            .arg(&old.id)
            .env("OS_CLIENT_CONFIG_FILE", stack.clouds_yaml())
            .stderr(Stdio::inherit())
            .output()
            .await?;
        ensure!(done.status.success(), "{program:?}: {}", done.status);
        let took: Took = serde_json::from_slice(&done.stdout)?;
        let asked = stack.requests()?;
        let asked = asked.get(before..).unwrap_or_default();
        self.rounds += 1;
        self.requests += asked.len();
        self.cpu += took.cpu;
        self.peak += took.peak;
        self.shapes = asked.iter().map(line).collect();
        Ok(())
    }

    /// Requests, seconds of CPU, MiB.
    fn means(&self) -> [f64; 3] {
        let rounds = self.rounds.max(1) as f64;
        [
            self.requests as f64 / rounds,
            self.cpu / rounds,
            self.peak as f64 / rounds / f64::from(1 << 20),
        ]
    }
}

fn line(request: &Request) -> String {
    format!("  {} {}\n", request.status, request.shape())
}
