//! What the control-plane engine takes in a large cluster: `cargo xtask bench controller`.
//!
//! The real engine, on an API server in the same process that makes up Nodes of about 14 kB of JSON each as they are asked
//! for, and keeps none:
//!
//! - *memory*: resident memory with 5 000 and with 15 000 nodes, each in a process of its own, less that of a process with
//!   no nodes; goal: 4 kB a node, 80 MiB in all at 15 000;
//! - *idle*: processor time while kubelets report every five minutes and nothing changes; goal: 2 % of a core at 5 000;
//! - *decision*: from a watch event that says that a node is sick to the first write that follows, here the Event with the
//!   reason why nothing is done; goal: 20 ms at the 99th percentile. Beside it: how long it takes to parse the same event
//!   as a whole Node, so that a slow machine shows.
//!
//! Figures are printed, never asserted.

mod api;
mod node;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use k8s_openapi::api::core::v1::Node;
use kube::Client;
use rectifier_cloud::openstack::OpenStack;
use rectifier_cloud::openstack::transport::{self, Transport, TransportError};
use rectifier_controller::{Context as Engine, Settings, Telemetry};
use rectifier_core::clock::{Clock, Timestamp};
use rectifier_core::policy::{Advice, Observation};
use rectifier_core::switches::Switches;
use rectifier_policy_host::{Advisor, Set};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::api::Api;
use crate::node::{event, node};

const SIZES: [usize; 2] = [5_000, 15_000];
const DECISIONS: usize = 1_000;
/// How often a kubelet reports when nothing changes.
const REPORTS_EVERY: f64 = 300.0;
const IDLE: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test` starts benches, too: there is nothing to test here.
    if arguments.iter().any(|argument| argument == "--test") {
        return Ok(());
    }
    if let Some(at) = arguments
        .iter()
        .position(|argument| argument == "--process")
    {
        let part = arguments.get(at + 1).context("which part?")?;
        let nodes = arguments.get(at + 2).context("how many nodes?")?.parse()?;
        return process(part, nodes);
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "load {}; a Node is {} bytes of JSON",
        load.trim(),
        node(0, false).to_string().len()
    );
    let wanted = |part: &str| {
        let mut parts = arguments
            .iter()
            .filter(|argument| !argument.starts_with('-'))
            .peekable();
        parts.peek().is_none() || parts.any(|argument| argument == part)
    };
    if wanted("memory") {
        let empty = measured("memory", 0)?;
        println!(
            "memory: {:.1} MiB without nodes",
            mebibytes(empty["resident"])
        );
        for nodes in SIZES {
            let full = measured("memory", nodes)?;
            let more = full["resident"] - empty["resident"];
            println!(
                "memory: {nodes} nodes: {:.1} MiB, {:.2} kB a node, {:.0} times less than their JSON; known after {:.1} s",
                mebibytes(full["resident"]),
                more / 1000.0 / nodes as f64,
                node(0, false).to_string().len() as f64 * nodes as f64 / more,
                full["seconds"],
            );
        }
    }
    if wanted("idle") {
        let idle = measured("idle", SIZES[0])?;
        println!(
            "idle: {} nodes that report as usual: {:.2} % of a core",
            SIZES[0], idle["percent"]
        );
    }
    if wanted("decision") {
        for nodes in [1_000, SIZES[0]] {
            let took = measured("decision", nodes)?;
            println!(
                "decision: {nodes} nodes: p50 {:.2} ms, p99 {:.2} ms; p50 is {:.1} times as long as parsing the event as a whole Node",
                took["p50"],
                took["p99"],
                took["p50"] / took["parse"],
            );
        }
    }
    Ok(())
}

fn mebibytes(bytes: f64) -> f64 {
    bytes / 1024.0 / 1024.0
}

/// What a process of its own says of that part.
fn measured(part: &str, nodes: usize) -> Result<BTreeMap<String, f64>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--process", part, &nodes.to_string()])
        .output()?;
    ensure!(
        output.status.success(),
        "{part} of {nodes} nodes: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn process(part: &str, nodes: usize) -> Result<()> {
    // as the engine's own
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let figures = runtime.block_on(async {
        let running = Running::start(nodes).await?;
        match part {
            "memory" => running.memory().await,
            "idle" => running.idle(nodes).await,
            "decision" => running.decisions(nodes).await,
            other => anyhow::bail!("there is no part {other}"),
        }
    })?;
    println!("{}", json!(figures));
    Ok(())
}

type Figures = BTreeMap<&'static str, f64>;

struct Running {
    api: Api,
    /// Whose Event was written, and when.
    told: mpsc::UnboundedReceiver<Instant>,
    began: Instant,
    known: Duration,
    engine: JoinSet<String>,
}

impl Running {
    async fn start(nodes: usize) -> Result<Self> {
        let (tell, told) = mpsc::unbounded_channel();
        let api = Api::new(nodes, tell);
        let telemetry = Telemetry::default();
        let ctx = Engine {
            client: Client::new(api.clone(), "default"),
            cloud: Arc::new(OpenStack::over(Nowhere)),
            policies: Arc::new(Nobody(watch::Sender::new(0))),
            clock: Arc::new(WallClock),
            entropy: Arc::new(|bytes: &mut [u8]| bytes.fill(0)),
            switches: Switches::default(),
            telemetry: telemetry.clone(),
            settings: Settings {
                namespace: "rectifier-system".to_owned(),
                identity: "bench".to_owned(),
                cluster: "bench".to_owned(),
                hourly: 1,
                poll: Duration::from_secs(2),
            },
        };
        let began = Instant::now();
        let mut engine = JoinSet::new();
        engine.spawn(async move { format!("{:?}", rectifier_controller::run(ctx).await) });
        while !telemetry.is_complete() {
            if let Some(ended) = engine.try_join_next() {
                anyhow::bail!("the engine ended: {ended:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let known = began.elapsed();
        Ok(Self {
            api,
            told,
            began,
            known,
            engine,
        })
    }

    async fn memory(mut self) -> Result<Figures> {
        tokio::time::sleep(Duration::from_secs(3)).await;
        ensure!(self.engine.try_join_next().is_none(), "the engine ended");
        let pages: f64 = std::fs::read_to_string("/proc/self/statm")?
            .split(' ')
            .nth(1)
            .context("statm")?
            .parse()?;
        let resident = pages * 4096.0;
        Ok([
            ("resident", resident),
            ("seconds", self.known.as_secs_f64()),
        ]
        .into())
    }

    async fn idle(mut self, nodes: usize) -> Result<Figures> {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let pause = Duration::from_secs_f64(REPORTS_EVERY / nodes as f64);
        // made before the clock starts: it is not the engine's work
        let reports = (IDLE.as_secs_f64() / pause.as_secs_f64()) as usize;
        let reports: Vec<Bytes> = (0..reports).map(|n| event(n % nodes, false, n)).collect();
        let (before, began) = (processor()?, Instant::now());
        for report in reports {
            self.api.send(report);
            tokio::time::sleep(pause).await;
        }
        let used = processor()? - before;
        ensure!(self.told.try_recv().is_err(), "nobody was sick");
        ensure!(self.engine.try_join_next().is_none(), "the engine ended");
        Ok([("percent", used / began.elapsed().as_secs_f64() * 100.0)].into())
    }

    async fn decisions(mut self, nodes: usize) -> Result<Figures> {
        let (mut took, mut parse) = (Vec::new(), Vec::new());
        for n in 0..DECISIONS.min(nodes) {
            let (sick, well) = (event(n, true, 2 * n), event(n, false, 2 * n + 1));
            let began = Instant::now();
            self.api.send(sick.clone());
            let told = tokio::time::timeout(Duration::from_secs(10), self.told.recv());
            let told = told
                .await
                .context("no decision in 10 s")?
                .context("it ended")?;
            took.push((told - began).as_secs_f64() * 1e3);
            let began = Instant::now();
            let mut whole: Value = serde_json::from_slice(&sick)?;
            let whole: Node = serde_json::from_value(whole["object"].take())?;
            parse.push(began.elapsed().as_secs_f64() * 1e3);
            drop(whole);
            self.api.send(well);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        ensure!(self.began.elapsed() > self.known);
        took.sort_by(f64::total_cmp);
        parse.sort_by(f64::total_cmp);
        let of = |all: &[f64], share: f64| all[((all.len() - 1) as f64 * share) as usize];
        Ok([
            ("p50", of(&took, 0.5)),
            ("p99", of(&took, 0.99)),
            ("parse", of(&parse, 0.5)),
        ]
        .into())
    }
}

/// Seconds of processor time that this process has used.
fn processor() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .context("stat")?
        .split(' ')
        .collect();
    let ticks = |at: usize| anyhow::Ok(fields.get(at).context("stat")?.parse::<f64>()?);
    // utime and stime, the 14th and 15th; Linux tells all of them in hundredths of a second
    Ok((ticks(12)? + ticks(13)?) / 100.0)
}

/// No policy is there.
struct Nobody(watch::Sender<u64>);

#[async_trait]
impl Advisor for Nobody {
    async fn advise(&self, _: &Observation) -> Advice {
        Advice::None
    }

    fn set(&self) -> Arc<Set> {
        Arc::default()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// No cloud is there.
struct Nowhere;

#[async_trait]
impl Transport for Nowhere {
    async fn send(&self, _: transport::Request) -> Result<transport::Response, TransportError> {
        Err(TransportError::NotSent("there is no cloud".into()))
    }
}

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
        let nanoseconds = i32::try_from(since.subsec_nanos()).unwrap_or(0);
        Timestamp::new(seconds, nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
