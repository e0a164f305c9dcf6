//! Storms over a thousand nodes on a real API server: what is counted is what the controller asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use rectifier_api::{BreakerStatus, NodeRepair, RepairPool};
use rectifier_bed::kubernetes::Record;
use rectifier_bed::kubernetes::node::KWOK_LABEL;
use rectifier_core::budget::State;
use rectifier_core::reason::Reason;
use rectifier_core::standing::NOT_READY;
use rectifier_provision::Stderr;
use rectifier_scenarios::evidence::CONTROLLER;
use rectifier_scenarios::site::{Build, PROBLEM, Site, Size, renew};
use rectifier_scenarios::wait::within;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const NODES: usize = 1_000;
/// A pool for each storm.
const POOLS: usize = 4;
/// Those that can be replaced: three in each pool. Those of the first have to be at last.
const SERVERS: usize = 3 * POOLS;
/// True on each node of a pool, and no reason to replace any: until a policy takes it for one.
const HARMLESS: &str = "UpgradePending";
/// From one repair's begin to the next one's.
const EVERY: i64 = 60;
/// Of two cores, with everything on them.
const LONG: Duration = Duration::from_secs(900);
/// Until nodes without a heartbeat are unknown, and that has lasted.
const DARK: Duration = Duration::from_secs(2400);
/// Until the storm counts as over, the trickle after it, and its three replacements.
const WAY_OUT: Duration = Duration::from_secs(2400);
/// So long nothing may begin, each time.
const HELD: Duration = Duration::from_secs(60);
/// What a node says while its pool's breaker is open; of one that is not heard, or of which its detector has just taken back what it
/// said, it is seen first what that means.
const STORMY: [Reason; 3] = [
    Reason::BreakerOpen,
    Reason::AwaitingSilence,
    Reason::Settling,
];
/// As Node Problem Detector says again what it has said, so that nobody takes it for dead.
const BEAT: Duration = Duration::from_secs(240);

/// What befalls one pool.
struct Storm {
    pool: &'static str,
    words: &'static str,
    nodes: Vec<String>,
}

impl Storm {
    /// The servers of the pool with this number, and of the crowd's nodes in it those that are `chosen`.
    fn over(
        number: usize,
        pool: &'static str,
        words: &'static str,
        chosen: fn(usize) -> bool,
    ) -> Self {
        let others = (1..=NODES - SERVERS)
            .filter(|other| other % POOLS == number && chosen(*other))
            .map(|other| format!("other-{other}"));
        let nodes = servers(number).into_iter().chain(others).collect();
        Self { pool, words, nodes }
    }
}

/// Those of the pool with this number.
fn servers(pool: usize) -> Vec<String> {
    (1..=SERVERS)
        .filter(|server| server % POOLS == pool)
        .map(|server| format!("sick-{server}"))
        .collect()
}

/// Every second of a pool's.
fn half(other: usize) -> bool {
    (other / POOLS).is_multiple_of(2)
}

/// Those of one zone.
fn in_zone(other: usize) -> bool {
    other % 3 == 1
}

/// The conditions that were reported, by node.
type Reported = Arc<Mutex<BTreeSet<(String, &'static str)>>>;

struct Cluster {
    site: Site,
    reported: Reported,
    /// What goes on beside the test, and ends with it.
    _detectors: JoinSet<()>,
}

/// Renews all that was reported, whatever becomes of it: a node may be gone, and so may the API server.
async fn detect(nodes: Api<Node>, reported: Reported) {
    loop {
        tokio::time::sleep(BEAT).await;
        let all = reported
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut renewed = JoinSet::new();
        for (node, kind) in all {
            let nodes = nodes.clone();
            renewed.spawn(async move { drop(renew(&nodes, &node, kind).await) });
            if renewed.len() >= 8 {
                renewed.join_next().await;
            }
        }
        renewed.join_all().await;
    }
}

impl Cluster {
    async fn start() -> Result<Self> {
        let size = Size {
            servers: SERVERS,
            nodes: NODES,
            pools: POOLS,
            crowds: POOLS,
            apart: false,
        };
        let site = Site::start(size, Build::Tested, &mut Stderr::default()).await?;
        site.answer_for(&[PROBLEM, NOT_READY])?;
        // as it ships, but that the engine need not look on for minutes first, and for the distance
        let ships = json!({"sickPercent": null, "zoneSickPercent": null, "togetherPercent": null});
        let patch = json!({"spec": {"breaker": ships, "pacing": {"every": EVERY}}});
        let pools = Self::pools(&site);
        for pool in pools.list(&ListParams::default()).await? {
            let name = pool.metadata.name.context("a pool without a name")?;
            pools
                .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
                .await?;
        }
        let reported = Reported::default();
        let mut detectors = JoinSet::new();
        detectors.spawn(detect(site.nodes(), Arc::clone(&reported)));
        Ok(Self {
            site,
            reported,
            _detectors: detectors,
        })
    }

    fn pools(site: &Site) -> Api<RepairPool> {
        Api::all(site.kubernetes.admin())
    }

    async fn breaker(&self, pool: &str) -> Result<BreakerStatus> {
        let pool = Self::pools(&self.site).get(pool).await?;
        let status = pool.status.context("the pool has no status")?;
        status.breaker.context("and no breaker")
    }

    /// Their detectors say so, all at once.
    async fn report(&self, nodes: &[String], kind: &'static str, is_there: bool) -> Result<()> {
        self.reported
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(nodes.iter().map(|node| (node.clone(), kind)));
        let reports = nodes
            .iter()
            .map(|node| self.site.report_of(node, kind, is_there));
        let mut reports = stream::iter(reports).buffer_unordered(16);
        while reports.try_next().await?.is_some() {}
        Ok(())
    }

    /// Sets a label of theirs, or takes it away.
    async fn label(&self, nodes: &[String], key: &str, value: Option<&str>) -> Result<()> {
        let patch = json!({"metadata": {"labels": {key: value}}});
        let api = self.site.nodes();
        let patches = nodes.iter().map(|node| {
            let (api, patch) = (api.clone(), patch.clone());
            async move {
                api.patch(node, &PatchParams::default(), &Patch::Merge(patch))
                    .await
            }
        });
        let mut patches = stream::iter(patches).buffer_unordered(16);
        while patches.try_next().await?.is_some() {}
        Ok(())
    }

    /// The kubelets say that they are not well.
    async fn not_ready(&self, nodes: &[String], is: bool) -> Result<()> {
        let value = is.then_some("true");
        self.label(nodes, "bed.rectifier.dev/not-ready", value)
            .await
    }

    /// Nothing is heard of them.
    async fn dark(&self, nodes: &[String], is: bool) -> Result<()> {
        let value = (!is).then_some(KWOK_LABEL.1);
        self.label(nodes, KWOK_LABEL.0, value).await
    }

    async fn repairs(&self) -> Result<Vec<NodeRepair>> {
        let mut all = self
            .site
            .repairs()
            .list(&ListParams::default())
            .await?
            .items;
        all.retain(|repair| {
            repair
                .metadata
                .name
                .as_deref()
                .is_some_and(|name| name.ends_with(".repair"))
        });
        Ok(all)
    }

    /// Until the pool's breaker is open, and each node of the storm has its repair, which says why nothing is done.
    async fn holds(&self, storm: &Storm, limit: Duration) -> Result<()> {
        let began = Instant::now();
        let open = self.is(storm.pool, State::Open, limit).await?;
        let after = began.elapsed().as_secs_f64();
        println!("{}: open after {after:.1} s: {}", storm.words, open.message);
        let told = async {
            loop {
                let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
                let repairs = self.repairs().await?;
                let reason = |node: &String| {
                    let own = repairs
                        .iter()
                        .find(|repair| repair.spec.node_name == *node)?;
                    own.status.as_ref()?.reason
                };
                for reason in storm.nodes.iter().filter_map(reason) {
                    *reasons.entry(reason).or_insert(0) += 1;
                }
                let told = reasons.keys().all(|reason| STORMY.contains(reason));
                if told && reasons.values().sum::<usize>() == storm.nodes.len() {
                    return Ok(reasons);
                }
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        };
        let what = format!("{}: a reason on each sick node", storm.words);
        let reasons = within(&what, limit, told).await?;
        let (count, after) = (storm.nodes.len(), began.elapsed().as_secs());
        println!(
            "{}: {count} nodes told after {after} s: {reasons:?}",
            storm.words
        );
        Ok(())
    }

    async fn is(&self, pool: &str, state: State, limit: Duration) -> Result<BreakerStatus> {
        let reached = async {
            loop {
                if let Ok(now) = self.breaker(pool).await
                    && now.state == state
                {
                    return Ok(now);
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let what = format!("the breaker of {pool} to be {state:?}");
        within(&what, limit, reached).await
    }

    /// What the controller did to nodes and pods, or would have, by the API server's own record.
    fn acts(&self) -> Result<Vec<Record>> {
        let mut records = self.site.kubernetes.audit().records()?;
        records.retain(|record| record.user == CONTROLLER && is_act(record));
        Ok(records)
    }

    /// How much the controller writes, its Lease left out.
    fn tell_writes(&self) -> Result<()> {
        let looks = ["get", "list", "watch"];
        let mut writes: BTreeMap<i64, usize> = BTreeMap::new();
        for record in self.site.kubernetes.audit().records()? {
            let is_write =
                !looks.contains(&record.verb.as_str()) && record.object.resource != "leases";
            if record.user == CONTROLLER && is_write {
                *writes.entry(record.received.as_second()).or_default() += 1;
            }
        }
        let most = writes.values().max().copied().unwrap_or(0);
        let all: usize = writes.values().sum();
        println!("{all} writes of the controller's until now, at most {most} in a second");
        Ok(())
    }

    /// After a while still nothing was done, and nothing made.
    async fn nothing_is_done(&self) -> Result<()> {
        tokio::time::sleep(HELD).await;
        let acts = self.acts()?;
        ensure!(acts.is_empty(), "{acts:#?}");
        let servers = self.site.openstack.records.servers().await?;
        ensure!(servers.len() == SERVERS, "{servers:#?}");
        Ok(())
    }

    /// Until those have been replaced, one after the other, and no repair is open.
    async fn are_replaced(&self, servers: &[String]) -> Result<()> {
        let replaced = async {
            loop {
                let there = self.site.openstack.records.servers().await?;
                let gone = |name: &&String| {
                    let mut own = there.iter().filter(|server| server.name == **name);
                    own.all(|server| server.status == "DELETED")
                };
                if servers.iter().filter(gone).count() == servers.len()
                    && self.repairs().await?.is_empty()
                {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        };
        let what = "those that are still ill to be replaced, and nothing open";
        within(what, WAY_OUT, replaced).await?;

        let acts = self.acts()?;
        let wrong: Vec<&Record> = acts
            .iter()
            .filter(|act| act.object.resource == "nodes" && !servers.contains(&act.object.name))
            .filter(|act| cordons(act) || act.verb == "delete")
            .collect();
        ensure!(wrong.is_empty(), "{wrong:#?}");
        let first = |name: &String| {
            let mut own = acts
                .iter()
                .filter(|act| act.object.name == *name && cordons(act));
            own.next().map(|act| act.received)
        };
        let begun: Option<Vec<Timestamp>> = servers.iter().map(first).collect();
        let mut begun = begun.context("one was never cordoned")?;
        begun.sort_unstable();
        for pair in begun.windows(2) {
            let apart = pair[1].duration_since(pair[0]).as_secs();
            // the record bears the time of the look before it
            ensure!(apart >= EVERY - 5, "they began {apart} s apart: {begun:?}");
        }
        println!("the way out: begun at {begun:?}");
        Ok(())
    }
}

fn is_act(record: &Record) -> bool {
    let object = &record.object;
    let what = (object.resource.as_str(), object.subresource.as_str());
    match (record.verb.as_str(), what) {
        ("patch", ("nodes", "")) => record.body.pointer("/spec").is_some(),
        ("create", ("pods", "eviction")) => true,
        ("delete", ("nodes" | "pods", _)) => true,
        _ => false,
    }
}

fn cordons(record: &Record) -> bool {
    record.body.pointer("/spec/unschedulable") == Some(&Value::Bool(true))
}

#[tokio::test]
#[ignore = "three quarters of an hour"]
async fn storms_over_a_thousand_nodes_are_held_and_what_is_left_is_paced() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    let servers = servers(0);
    let told = Storm::over(0, "web", "half of a pool is told ill", half);
    let unready = Storm::over(1, "web-1", "half of a pool is not ready", half);
    let dark = Storm::over(2, "web-2", "a zone is dark", in_zone);
    let rolled = Storm::over(3, "web-3", "a bad policy", |_| true);

    cluster.report(&rolled.nodes, HARMLESS, true).await?;
    cluster.dark(&dark.nodes, true).await?;
    cluster.report(&told.nodes, PROBLEM, true).await?;
    cluster.holds(&told, LONG).await?;
    cluster.not_ready(&unready.nodes, true).await?;
    cluster.site.answer_for(&[PROBLEM, NOT_READY, HARMLESS])?;
    cluster.holds(&rolled, LONG).await?;
    cluster.nothing_is_done().await?;

    // in the midst of it the API server is away: who cannot renew its Lease ends, and is started again by its Deployment
    cluster.site.kubernetes.stop_apiserver().await?;
    tokio::time::sleep(HELD).await;
    cluster.site.kubernetes.start_apiserver().await?;
    cluster.site.controller.restart().await?;
    cluster.holds(&unready, LONG).await?;
    cluster.nothing_is_done().await?;

    // every detector begins anew, and finds again what is there
    cluster.report(&told.nodes, PROBLEM, false).await?;
    cluster.report(&told.nodes, PROBLEM, true).await?;
    cluster.holds(&told, LONG).await?;
    cluster.nothing_is_done().await?;
    cluster.holds(&dark, DARK).await?;
    cluster.nothing_is_done().await?;

    // what was not the nodes' goes away, and three are left
    cluster.tell_writes()?;
    let others = &told.nodes[servers.len()..];
    cluster.report(others, PROBLEM, false).await?;
    cluster.not_ready(&unready.nodes, false).await?;
    cluster.dark(&dark.nodes, false).await?;
    cluster.site.answer_for(&[PROBLEM, NOT_READY])?;
    cluster.are_replaced(&servers).await?;
    cluster.tell_writes()?;
    cluster.site.is_well_by_audit().await
}
