//! `rectifier demo`: a cluster breaks and heals itself, in one process, by the real engines and real policies.
//!
//! ```text
//! the world's thread                        a runtime like any other
//! world ─ stories ─ both engines            policies (a directory, hot-reloaded), terminal, page
//!    │        ▲ acts (a channel)                  │
//!    └─ Model (a watch) ──────────────────────────┘
//! ```
//!
//! The world's time is virtual and paced: it moves in small steps, and its thread sleeps between them.

mod bridge;
mod operator;
mod page;
mod plain;
mod scenes;
mod terminal;
mod world;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use rectifier_story::Story;
use tokio::sync::watch;

use crate::output::{Format, OutputArguments};
use crate::verdict::Verdict;
use world::{Now, World};

const EXAMPLES: &str = "\
Examples:
  rectifier demo --policies policies-dir               all stories, live in the terminal
  rectifier demo --policies policies-dir --plain healed replaced
  rectifier demo --policies policies-dir --output json | jq .text";

/// How it is called.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only these stories, in this order
    #[arg(value_enum)]
    stories: Vec<Story>,
    /// A directory of policies. It is copied, and the copy is watched: edit that while the demo runs
    #[arg(long, value_name = "DIR")]
    policies: PathBuf,
    /// Seconds of the world in a second
    #[arg(long, default_value_t = 15.0, value_parser = pace)]
    pace: f64,
    /// Decides everything that is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many nodes, in three zones
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(3..=60))]
    nodes: u16,
    /// Where the page is; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8484", value_parser = loopback)]
    listen: SocketAddr,
    /// Without the page
    #[arg(long)]
    no_page: bool,
    /// Go on when the stories are over, until Ctrl-C: break things yourself, from the page
    #[arg(long)]
    stay: bool,
    /// Lines, one an event, instead of the live view (also when standard output is no terminal)
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    output: OutputArguments,
}

fn pace(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(pace) if (0.1..=10_000.0).contains(&pace) => Ok(pace),
        _ => Err("a number from 0.1 to 10000".to_owned()),
    }
}

/// Whoever reaches the page can break the world.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|error| format!("{error}"))?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => {
            Err("the page is for this machine alone: an address of 127.0.0.0/8 or ::1".to_owned())
        }
    }
}

/// How its progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Live,
    Plain,
    Json,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let shown = match (arguments.output.format(), arguments.plain) {
        (Format::Json, _) => Shown::Json,
        (Format::Table, true) => Shown::Plain,
        (Format::Table, false) if !std::io::stdout().is_terminal() => Shown::Plain,
        (Format::Table, false) => Shown::Live,
    };
    let folder = tempfile::tempdir().context("a folder for the policies")?;
    let policies = folder.path().join("policies");
    copy(&arguments.policies, &policies)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(show(arguments, &policies, folder.path(), shown))
}

/// The files of a directory; not what is below it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(to)?;
    let entries =
        std::fs::read_dir(from).with_context(|| format!("--policies {}", from.display()))?;
    let mut has_policy = false;
    for entry in entries {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.is_file()) else {
            continue;
        };
        has_policy |= name.to_string_lossy().contains(".wasm");
        std::fs::copy(&path, to.join(name)).with_context(|| path.display().to_string())?;
    }
    if !has_policy {
        bail!(
            "--policies {}: there is no policy (*.wasm) in it",
            from.display()
        );
    }
    Ok(())
}

async fn show(
    arguments: Arguments,
    policies: &Path,
    folder: &Path,
    shown: Shown,
) -> anyhow::Result<Verdict> {
    let advisor = bridge::open(policies, &folder.join("cache")).await?;
    let stories = match arguments.stories.as_slice() {
        [] => Story::ALL.to_vec(),
        chosen => chosen.to_vec(),
    };
    let world = World {
        seed: arguments.seed,
        nodes: arguments.nodes.into(),
        pace: arguments.pace,
        stories,
        stay: arguments.stay,
        policies: policies.to_owned(),
    };
    let (acts, told) = std::sync::mpsc::channel();
    let (now, mut seen) = watch::channel(Now::default());
    let thread = std::thread::Builder::new()
        .name("world".to_owned())
        .spawn(move || world.run(advisor, &told, &now))?;
    let page = match arguments.no_page {
        true => None,
        false => Some(page::serve(arguments.listen, seen.clone(), acts.clone()).await?),
    };
    let address = page.as_ref().map(page::Served::address);
    let screen = async {
        match shown {
            Shown::Live => terminal::show(&mut seen, address, policies).await,
            Shown::Plain => plain::lines(&mut seen, address, policies).await,
            Shown::Json => plain::json(&mut seen).await,
        }
    };
    let is_over = tokio::select! {
        ended = screen => { ended?; true }
        _ = tokio::signal::ctrl_c() => false,
    };
    // The world's thread ends when nobody can tell it anything any more.
    drop((page, acts));
    if !is_over {
        return Ok(Verdict::Well);
    }
    match thread.join() {
        Ok(verdict) => verdict,
        Err(_) => bail!("the world's thread died"),
    }
}

/// A second's part that the world stands still between two of its steps, and how far a step goes.
const FRAME: Duration = Duration::from_millis(50);
