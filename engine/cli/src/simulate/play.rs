//! Runs both engines in the dump's cluster until nothing happens any more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use rectifier_api::NodeRepair;
use rectifier_core::clock::Timestamp;
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use rectifier_policy_host::Advisor;
use rectifier_sim::dump::Dump;
use rectifier_sim::scene::{CONTROLLER, Furnishing, NodeConfig, Scene};
use rectifier_view::{Line, Model, Objects};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::question::Question;

/// Between two looks whether anything has happened.
const LOOK: Duration = Duration::from_secs(5);
/// So long nothing has happened when it is over: longer than any wait but the deadlines of phases, which are looked at.
const QUIET: Duration = Duration::from_secs(900);

/// How it went.
pub(super) struct Played {
    pub(super) began: Timestamp,
    /// Something was still going on when the time was over.
    pub(super) was_cut_off: bool,
    /// The nodes that were broken for the question.
    pub(super) broken: Vec<String>,
    /// What the engines said, in its order.
    pub(super) lines: Vec<Line>,
    /// How everything is at the end.
    pub(super) model: Model,
    pub(super) repairs: Vec<NodeRepair>,
    /// How many servers were asked for.
    pub(super) servers: usize,
    /// How many pods the controller evicted.
    pub(super) evicted: usize,
}

/// What changes when something happens.
const TELLING: [&str; 5] = [
    "events",
    "events.events.k8s.io",
    "noderepairs.rectifier.dev",
    "nodes",
    "pods",
];

/// On a runtime whose time is virtual.
///
/// # Errors
/// The question finds nothing to break, or an engine ended.
pub(super) async fn play(
    dump: &Dump,
    question: &Question,
    agent: NodeConfig,
    policies: Arc<dyn Advisor>,
) -> anyhow::Result<Played> {
    let how = Furnishing {
        seed: question.seed,
        hourly: question.hourly,
        agent,
        checks: question.checks(),
        cure: question.cured_by.cure(),
    };
    let scene = Scene::dumped(dump, how, policies);
    let broken = question.targets(&scene, dump).await?;
    let (began, start) = (scene.clock.now(), Instant::now());
    let servers = scene.cloud.asked_for();
    question.act(&scene, &broken);
    let mut engines = JoinSet::new();
    engines.spawn(scene.agents());
    let controller = rectifier_controller::run(scene.controller("what-if"));
    engines.spawn(async move { format!("the controller ended: {:?}", controller.await) });
    let mut evicted = BTreeSet::new();
    let (mut mark, mut changed) = (scene.api.mark(&TELLING), Instant::now());
    let was_cut_off = loop {
        sleep(LOOK).await;
        if let Some(ended) = engines.try_join_next() {
            bail!("{ended:?}");
        }
        let now = scene.api.mark(&TELLING);
        if now != mark {
            (mark, changed) = (now, Instant::now());
            // Only the newest requests are remembered.
            see_evictions(&scene, &mut evicted);
        }
        let goes_on = changed.elapsed() < QUIET || is_awaited(&scene);
        if !goes_on {
            break false;
        }
        if start.elapsed() >= question.lasting {
            break changed.elapsed() < QUIET || is_awaited(&scene);
        }
    };
    let model = model(&scene);
    let mut lines = model.story.clone();
    // Times have no finer hand than a second everywhere; the order in which it was written down has.
    lines.sort_by_key(|line| line.order);
    Ok(Played {
        began,
        was_cut_off,
        broken,
        lines,
        model,
        repairs: repairs(&scene),
        servers: scene.cloud.asked_for() - servers,
        evicted: evicted.len(),
    })
}

fn repairs(scene: &Scene) -> Vec<NodeRepair> {
    scene.api.all("noderepairs.rectifier.dev")
}

fn model(scene: &Scene) -> Model {
    let api = &scene.api;
    let objects = Objects {
        nodes: api.all("nodes"),
        pools: api.all("repairpools.rectifier.dev"),
        repairs: repairs(scene),
        pods: api.all("pods"),
        events: api.all("events.events.k8s.io"),
        core_events: api.all("events"),
    };
    Model::new(scene.clock.now(), &objects, &[])
}

/// Is there a repair in a phase that ends by itself, if only at its deadline?
fn is_awaited(scene: &Scene) -> bool {
    let now = scene.clock.now();
    repairs(scene).iter().any(|repair| {
        let record = repair.status.clone().unwrap_or_default();
        let waits = record.wait_until.is_some_and(|until| until > now);
        // its turn comes, or the storm ends
        let is_next = record.reason.is_some_and(Reason::waits_among_many);
        let rests = match record.phase {
            // A policy may want to look again, for as long as it likes.
            Phase::Judging => !waits && !is_next,
            Phase::NeedsHuman | Phase::Recovered | Phase::Replaced | Phase::Cancelled => true,
            _ => record.reason == Some(Reason::PoolObserves),
        };
        !rests
    })
}

/// Adds the pods whose eviction was granted.
fn see_evictions(scene: &Scene, evicted: &mut BTreeSet<String>) {
    for request in scene.api.requests() {
        let path = request.path.split('?').next().unwrap_or_default();
        if request.who == CONTROLLER && request.code < 300 && path.ends_with("/eviction") {
            evicted.insert(path.to_owned());
        }
    }
}
