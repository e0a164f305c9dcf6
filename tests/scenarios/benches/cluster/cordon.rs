//! From the end of the pool's waits to the request that cordons.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::DeleteParams;
use rectifier_bed::kubernetes::{Follow, Record};
use rectifier_provision::Report;
use rectifier_scenarios::evidence::CONTROLLER;
use rectifier_scenarios::wait::{gone, within};
use serde_json::Value;

use crate::calls::{self, Table, To};
use crate::load;
use rectifier_scenarios::site::{Build, GRACE, Site, Size};

/// They fall sick in turn, each as often as any other.
const SERVERS: usize = 10;
const REPAIRS: usize = 200;
/// Those before the first that counts: a cloud that was just started answers its first requests slowly.
const WARM_UP: usize = 5;
/// For so long the computer may take to come to rest. Arbitrary.
const REST: Duration = Duration::from_secs(300);
const LIMIT: Duration = Duration::from_secs(120);

pub(crate) async fn run(nodes: usize, report: &mut (dyn Report + Send)) -> Result<()> {
    let site = Site::start(
        Size {
            servers: SERVERS,
            nodes,
            pools: 1,
            crowds: 1,
            apart: false,
        },
        Build::Released,
        report,
    )
    .await?;
    at_rest(report).await?;
    let mut log = site.kubernetes.audit().follow()?;
    report.step(&format!("{REPAIRS} nodes fall sick, one after the other"));
    let mut all = All::default();
    for number in 0..WARM_UP + REPAIRS {
        let node = format!("sick-{}", number % SERVERS + 1);
        let nodes: Api<Node> = site.nodes();
        // the first may have to connect
        nodes.get(&node).await?;
        let asked = Instant::now();
        nodes.get(&node).await?;
        let floor = asked.elapsed();
        let repair = cordoned(&site, &mut log, &node)
            .await
            .with_context(|| format!("repair {number}, of {node}"))?;
        site.booted(&node, number).await?;
        if number >= WARM_UP {
            all.add(&site, &repair, floor)?;
        }
    }
    all.print(nodes);
    Ok(())
}

/// Making thousands of nodes is work that no cluster does while a node falls sick: it is over when the computer has
/// something to spare.
async fn at_rest(report: &mut (dyn Report + Send)) -> Result<()> {
    let processors = std::thread::available_parallelism()?.get() as f64;
    report.step("the computer comes to rest");
    let begun = Instant::now();
    while begun.elapsed() < REST {
        let last_minute: f64 = load().split(' ').next().unwrap_or_default().parse()?;
        if last_minute < processors * 0.6 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    report.step(&format!("it did not, in {REST:?}: load {}", load()));
    Ok(())
}

/// What one node's records say until its cordon.
struct Cordoned {
    /// The report of the problem arrived, and the pool's grace has passed since.
    due: Timestamp,
    /// The cordon arrived.
    at: Timestamp,
    records: Vec<Record>,
}

/// Lets the node fall sick until it is cordoned, and then be well again.
async fn cordoned(site: &Site, log: &mut Follow, node: &str) -> Result<Cordoned> {
    while log.try_next()?.is_some() {}
    site.report(node, true).await?;
    let mut records = Vec::new();
    let cordon = async {
        loop {
            let record = log.next().await?;
            let is_cordon = is(&record, "patch", "", node)
                && record.user == CONTROLLER
                && record.body.pointer("/spec/unschedulable") == Some(&Value::Bool(true));
            records.push(record);
            if is_cordon {
                return Ok(());
            }
        }
    };
    within("the cordon", LIMIT, cordon).await?;
    let reported = records
        .iter()
        .find(|record| is(record, "patch", "status", node))
        .context("the audit log has no report")?;
    let due = reported.received + SignedDuration::from_secs(GRACE.into());
    let at = records.last().context("no record")?.received;

    site.report(node, false).await?;
    let repair = format!("{node}.repair");
    let repairs = site.repairs();
    repairs.delete(&repair, &DeleteParams::default()).await?;
    let over = gone(repairs, &repair);
    within("the repair to be taken back", LIMIT, over).await?;
    Ok(Cordoned { due, at, records })
}

fn is(record: &Record, verb: &str, subresource: &str, node: &str) -> bool {
    let object = &record.object;
    record.verb == verb
        && (object.resource.as_str(), object.subresource.as_str()) == ("nodes", subresource)
        && object.name == node
}

#[derive(Default)]
struct All {
    /// In milliseconds each, of each repair.
    took: Vec<f64>,
    without_cloud: Vec<f64>,
    first: Vec<f64>,
    between: Vec<f64>,
    floor: Vec<f64>,
    table: Table,
}

impl All {
    fn add(&mut self, site: &Site, repair: &Cordoned, floor: Duration) -> Result<()> {
        let calls = calls::within(site, &repair.records, repair.due, repair.at)?;
        let first = calls.first().context("no request before the cordon")?;
        let took = repair.at.duration_since(repair.due);
        let before = first.received.duration_since(repair.due);
        let cloud = calls.iter().filter(|call| call.to == To::OpenStack);
        let cloud = calls::busy(cloud, repair.at);
        let busy = calls::busy(calls.iter(), repair.at);
        self.took.push(milliseconds(took));
        self.without_cloud.push(milliseconds(took - cloud));
        self.first.push(milliseconds(before));
        self.between.push(milliseconds(took - before - busy));
        self.floor.push(floor.as_secs_f64() * 1e3);
        // the cordon itself is where the time ends
        let before_it = calls.iter().filter(|call| call.received < repair.at);
        before_it.for_each(|call| self.table.add(call));
        Ok(())
    }

    fn print(&self, nodes: usize) {
        let [p50, p99] = [50, 99].map(|part| percentile(&self.took, part));
        let [own50, own99] = [50, 99].map(|part| percentile(&self.without_cloud, part));
        let floor = percentile(&self.floor, 50);
        let repairs = self.took.len();
        println!(
            "cordon: {nodes} nodes, {repairs} repairs, load {}: p50 {p50:.0} ms, p99 {p99:.0} ms from the end of the waits to the \
             cordon; without the time of OpenStack's answers p50 {own50:.0} ms, p99 {own99:.0} ms; a GET of the same Node takes \
             {floor:.1} ms (p50)",
            load()
        );
        println!(
            "  on the way, in the mean: {:.0} requests to Kubernetes, {:.0} to OpenStack; {:.1} ms before the first of them \
             (the report's own way, and the wait), {:.1} ms between them (the policy, the decisions, the client)",
            self.table.count(To::Kubernetes, repairs),
            self.table.count(To::OpenStack, repairs),
            mean(&self.first),
            mean(&self.between),
        );
        self.table.print(repairs);
    }
}

fn milliseconds(duration: SignedDuration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn mean(samples: &[f64]) -> f64 {
    samples.iter().sum::<f64>() / samples.len() as f64
}

/// The value that so many of a hundred do not exceed: the nearest rank.
fn percentile(samples: &[f64], part: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * part).div_ceil(100);
    sorted[rank.saturating_sub(1)]
}
