//! How fast the embedded world is: `cargo xtask bench world [-- SEEDS]`.
//!
//! - *hours*: seeds a second, each an hour of ten nodes in which things break, on as many threads as there are cores;
//! - *floor*: as many requests, by the same unchanged client in the same virtual time, to a server that answers each with
//!   the same bytes: no world below a `kube::Client` can be faster. Both are measured in turn, so that a machine that slows
//!   down slows down both.
//!
//! Times are printed, never asserted.

#[path = "../tests/policy/mod.rs"]
mod policy;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::thread::{available_parallelism, scope};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::BoxFuture;
use http::{Request, Response};
use k8s_openapi::api::core::v1::Node;
use kube::client::Body;
use kube::{Api, Client};
use rectifier_policy_host::Advisor;
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::hours::{self, Report};
use tower_service::Service;

/// In so many parts are both measured in turn.
const ROUNDS: u64 = 10;
const SEEDS: u64 = 400;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test` starts benches, too: there is nothing to test here.
    if arguments.iter().any(|argument| argument == "--test") {
        return Ok(());
    }
    let seeds = arguments.iter().find_map(|argument| argument.parse().ok());
    let seeds: u64 = seeds.unwrap_or(SEEDS).max(ROUNDS);
    let threads = available_parallelism()?.get();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{threads} threads; load {}", load.trim());
    let policies: Vec<Arc<dyn Advisor>> = (0..threads)
        .map(|_| policy::shipped())
        .collect::<Result<_>>()?;

    let (mut world, mut floor, mut rates) = (Duration::ZERO, Duration::ZERO, Vec::new());
    let mut total = Total::default();
    for round in 0..ROUNDS {
        let (first, end) = (seeds * round / ROUNDS, seeds * (round + 1) / ROUNDS);
        let began = Instant::now();
        let reports = run(first..end, &policies)?;
        let took = began.elapsed();
        world += took;
        rates.push((end - first) as f64 / took.as_secs_f64());
        let requests = reports.iter().map(|report| report.requests).sum();
        reports.iter().for_each(|report| total.add(report));
        floor += ask(requests, threads)?;
    }
    rates.sort_by(f64::total_cmp);
    let rate = seeds as f64 / world.as_secs_f64();
    println!(
        "hours: {rate:.0} seeds a second ({:.0} to {:.0} in {ROUNDS} parts): {} nodes, {:.0} virtual hours, {} sick nodes, \
         {} faults, {} requests",
        rates[0],
        rates[rates.len() - 1],
        total.nodes,
        total.time.as_secs_f64() / 3600.0,
        total.sick,
        total.faults,
        total.requests,
    );
    println!(
        "floor: the same requests, answered at once: {:.0} µs a seed; the world takes {:.1} times as long",
        floor.as_secs_f64() * 1e6 * threads as f64 / seeds as f64,
        world.as_secs_f64() / floor.as_secs_f64(),
    );
    Ok(())
}

#[derive(Default)]
struct Total {
    nodes: usize,
    time: Duration,
    sick: usize,
    faults: usize,
    requests: u64,
}

impl Total {
    fn add(&mut self, report: &Report) {
        self.nodes += report.nodes;
        self.time += report.time;
        self.sick += report.sick;
        self.faults += report.faults;
        self.requests += report.requests;
    }
}

/// Runs these seeds; all must end well.
fn run(seeds: std::ops::Range<u64>, policies: &[Arc<dyn Advisor>]) -> Result<Vec<Report>> {
    let next = AtomicU64::new(seeds.start);
    let work = |policies: &Arc<dyn Advisor>| -> Result<Vec<Report>> {
        let mut reports = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(reports);
            }
            let mut options = hours::Options::default();
            options.scene.seed = seed;
            reports.push(hours::run(&options, policies.clone())?);
        }
    };
    let reports: Vec<Report> = scope(|scope| {
        let work = &work;
        let threads: Vec<_> = policies
            .iter()
            .map(|policies| scope.spawn(move || work(policies)))
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().ok().context("a thread died")??);
        }
        anyhow::Ok(all)
    })?;
    ensure!(reports.len() as u64 == seeds.end - seeds.start);
    Ok(reports)
}

/// How long so many requests take that are answered at once, shared by as many threads.
fn ask(requests: u64, threads: usize) -> Result<Duration> {
    let began = Instant::now();
    let each = requests / threads as u64;
    scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|_| scope.spawn(move || in_virtual_time(ask_for_nodes(each))))
            .collect();
        for thread in threads {
            thread.join().ok().context("a thread died")???;
        }
        anyhow::Ok(began.elapsed())
    })
}

async fn ask_for_nodes(requests: u64) -> Result<()> {
    let nodes: Api<Node> = Api::all(Client::new(Same, "default"));
    for _ in 0..requests {
        nodes.get("worker-1").await?;
    }
    Ok(())
}

/// A server that knows one answer.
#[derive(Clone)]
struct Same;

const NODE: &str = r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"worker-1","uid":"0c1d","resourceVersion":"100",
"labels":{"kubernetes.io/hostname":"worker-1","topology.kubernetes.io/zone":"az-1","pool":"web"}},
"spec":{"providerID":"openstack:///5d2c"},"status":{"nodeInfo":{"bootID":"b"},"conditions":[
{"type":"Ready","status":"True","reason":"KubeletReady","message":"it is ready","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}"#;

impl Service<Request<Body>> for Same {
    type Response = Response<http_body_util::Full<bytes::Bytes>>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        Box::pin(async { Ok(Response::new(NODE.into())) })
    }
}
