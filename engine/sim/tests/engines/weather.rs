//! Storms and noise, from many seeds: small pools, uneven zones, nodes that are ill together or come and go. A pool as it ships
//! holds what is no node's fault, lets go when it is over, and never repairs faster than it says; and noise repairs nothing.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use rectifier_api::{NodeRepair, RepairPool};
use rectifier_core::budget::State;
use rectifier_core::clock::{SignedDuration, Timestamp};
use rectifier_core::repair::Phase;
use rectifier_policy_host::Advisor;
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::machine::{Break, Cure};
use rectifier_sim::scene::Options;
use serde_json::Value;

use crate::hands::stage::Stage;

/// Each test run; the ignored test tries as many as its task says.
const STORMS: u64 = 40;
const MANY_STORMS: u64 = 2000;
const DAYS: u64 = 3;
const MANY_DAYS: u64 = 50;

/// As a pool ships: so long between two repairs' beginnings.
const EVERY: SignedDuration = SignedDuration::from_secs(300);
/// A step bears the time of the look that it rests on; the turn is taken some requests later.
const LOOK: SignedDuration = SignedDuration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Half of the kubelets end.
    Kubelets,
    /// Nobody hears one zone's machines.
    Zone,
    /// A detector says of all nodes at once that they are ill.
    Detector,
    /// It changes its mind every minute, about each node.
    Flapping,
}

#[derive(Debug)]
struct Storm {
    seed: u64,
    /// Of each node.
    zones: Vec<String>,
    kind: Kind,
    minutes: u64,
}

impl Storm {
    fn of(seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let nodes = [1, 2, 3, 5][chance.usize(..4)];
        let zone = |number| format!("az-{number}");
        let kinds = [Kind::Kubelets, Kind::Zone, Kind::Detector, Kind::Flapping];
        Self {
            seed: seed + 1,
            // most in the first
            zones: (0..nodes)
                .map(|_| zone(1 + chance.usize(..4) / 2))
                .collect(),
            kind: kinds[chance.usize(..4)],
            minutes: chance.u64(4..25),
        }
    }

    fn nodes(&self) -> impl Iterator<Item = String> + use<> {
        (1..=self.zones.len()).map(|number| format!("worker-{number}"))
    }

    /// Plays it, and what follows.
    async fn play(&self, policies: Arc<dyn Advisor>) -> Result<()> {
        let options = Options {
            seed: self.seed,
            nodes: self.zones.len(),
            zones: self.zones.clone(),
            safety: Value::Null,
            hourly: 1,
            ..Options::default()
        };
        let mut stage = Stage::in_scene(options, policies).await?;
        stage.start();
        stage.minutes(6).await;
        let begins = stage.scene.clock.now();
        self.blow(&stage).await?;
        let ends = stage.scene.clock.now();
        let until_it_ended = repairs(&stage).await?;
        self.is_over(&stage).await?;
        // an hour in which what went counts, and one in which a pool of one repairs its last
        stage.minutes(180).await;

        let all = repairs(&stage).await?;
        paced(&all)?;
        let all_of_one_thing = self.kind == Kind::Detector && self.zones.len() > 1;
        if all_of_one_thing {
            ensure!(begun(&all).is_empty(), "a storm was repaired: {all:?}");
            for node in self.nodes() {
                let open = until_it_ended
                    .iter()
                    .find(|repair| repair.spec.node_name == node);
                let record = open.and_then(|repair| repair.status.as_ref());
                let reason = record.and_then(|record| record.reason);
                reason.with_context(|| format!("nothing is said of {node}: {begins} to {ends}"))?;
            }
        }
        let open = all.iter().filter(|repair| !is_over(repair));
        for repair in open {
            let record = repair.status.clone().unwrap_or_default();
            ensure!(
                record.phase == Phase::NeedsHuman && !record.message.is_empty(),
                "left open: {repair:?}"
            );
        }
        let pool = Api::<RepairPool>::all(stage.client.clone())
            .get("web")
            .await?;
        let breaker = pool.status.and_then(|status| status.breaker);
        let state = breaker.clone().context("no breaker")?.state;
        ensure!(state == State::Closed, "it has latched: {breaker:?}");
        Ok(())
    }

    async fn blow(&self, stage: &Stage) -> Result<()> {
        let mut chance = fastrand::Rng::with_seed(!self.seed);
        match self.kind {
            Kind::Kubelets => {
                for node in self.nodes().take(self.zones.len().div_ceil(2)) {
                    let ends = Break::Unit("kubelet.service".to_owned(), Cure::Restart);
                    ensure!(stage.scene.machines.break_it(&node, &ends));
                }
            }
            Kind::Zone => stage.scene.darken(&self.zones[0]),
            Kind::Detector => {
                for node in self.nodes() {
                    stage.report(&node, "True").await?;
                }
            }
            Kind::Flapping => {
                for _ in 0..self.minutes {
                    for node in stage.scene.nodes() {
                        let status = if chance.bool() { "True" } else { "False" };
                        report(stage, &node, status).await;
                    }
                    stage.minutes(1).await;
                }
                return Ok(());
            }
        }
        stage.minutes(self.minutes).await;
        Ok(())
    }

    async fn is_over(&self, stage: &Stage) -> Result<()> {
        stage.scene.lighten();
        for node in stage.scene.nodes() {
            stage.scene.machines.mend(&node);
            report(stage, &node, "False").await;
        }
        Ok(())
    }
}

/// A node that is gone by now reports nothing.
async fn report(stage: &Stage, node: &str, status: &str) {
    drop(stage.report(node, status).await);
}

async fn repairs(stage: &Stage) -> Result<Vec<NodeRepair>> {
    let repairs: Api<NodeRepair> = Api::all(stage.client.clone());
    Ok(repairs.list(&ListParams::default()).await?.items)
}

fn is_over(repair: &NodeRepair) -> bool {
    let record = repair.status.as_ref();
    record.is_some_and(|record| record.phase.is_final())
}

fn entered(all: &[NodeRepair], phase: Phase) -> Vec<Timestamp> {
    let first = |repair: &NodeRepair| {
        let steps = &repair.status.as_ref()?.steps;
        Some(steps.iter().find(|step| step.phase == phase)?.at)
    };
    let mut times: Vec<Timestamp> = all.iter().filter_map(first).collect();
    times.sort();
    times
}

/// When each repair did something to its node for the first time.
fn begun(all: &[NodeRepair]) -> Vec<Timestamp> {
    entered(all, Phase::Cordoning)
}

/// No two begin sooner after each other than the pool says, and no two replacements in one hour.
fn paced(all: &[NodeRepair]) -> Result<()> {
    for (times, least) in [
        (begun(all), EVERY),
        (
            entered(all, Phase::CreatingPorts),
            SignedDuration::from_hours(1),
        ),
    ] {
        for pair in times.windows(2) {
            let apart = pair[1].duration_since(pair[0]);
            ensure!(apart + LOOK >= least, "{apart} apart: {times:?}");
        }
    }
    Ok(())
}

fn storms(seeds: u64) -> Result<()> {
    let policies = crate::policy::shipped()?;
    for seed in 0..seeds {
        let storm = Storm::of(seed);
        in_virtual_time(storm.play(policies.clone()))?.with_context(|| format!("{storm:?}"))?;
    }
    Ok(())
}

#[test]
fn storms_are_held_paced_and_over() -> Result<()> {
    storms(STORMS)
}

#[test]
#[ignore = "thousands of seeds"]
fn thousands_of_storms_are_held_paced_and_over() -> Result<()> {
    storms(MANY_STORMS)
}

/// A day on which nothing is wrong that does not go away by itself: a detector's false alarms, kubelets that begin anew, one after
/// the other for an upgrade, zones that are not heard for minutes, detectors and the controller that begin anew.
async fn noise(seed: u64, policies: Arc<dyn Advisor>) -> Result<()> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let options = Options {
        seed: seed + 1,
        nodes: [1, 2, 3, 5][chance.usize(..4)],
        safety: Value::Null,
        hourly: 1,
        ..Options::default()
    };
    let mut stage = Stage::in_scene(options, policies).await?;
    stage.start();
    stage.minutes(6).await;
    let nodes = stage.scene.nodes();
    let nodes: Vec<&String> = nodes
        .iter()
        .filter(|name| name.starts_with("worker"))
        .collect();
    let ends = || Break::Unit("kubelet.service".to_owned(), Cure::Restart);
    let tomorrow = stage.scene.clock.now() + SignedDuration::from_hours(24);
    while stage.scene.clock.now() < tomorrow {
        let node = nodes[chance.usize(..nodes.len())];
        match chance.u32(..8) {
            0 => {
                for node in &nodes {
                    stage.scene.machines.break_it(node, &ends());
                    seconds(chance.u64(5..25)).await;
                    stage.scene.machines.mend(node);
                    seconds(chance.u64(30..120)).await;
                }
            }
            1 => {
                stage.scene.machines.break_it(node, &ends());
                seconds(chance.u64(5..25)).await;
                stage.scene.machines.mend(node);
            }
            2 => {
                stage.scene.darken(&format!("az-{}", chance.u32(1..=3)));
                seconds(chance.u64(50..200)).await;
                stage.scene.lighten();
            }
            3 => {
                for node in &nodes {
                    stage.report(node, "False").await?;
                }
            }
            4 => {
                stage.kill().await;
                seconds(chance.u64(1..60)).await;
                stage.start();
            }
            _ => {
                stage.report(node, "True").await?;
                seconds(chance.u64(2..50)).await;
                stage.report(node, "False").await?;
            }
        }
        // what comes back sooner is no noise: it flaps
        seconds(chance.u64(960..2700)).await;
    }
    let all = repairs(&stage).await?;
    ensure!(begun(&all).is_empty(), "noise was repaired: {all:?}");
    let nodes: Vec<Node> = stage.scene.api.all("nodes");
    let is_cordoned = |node: &Node| {
        node.spec
            .as_ref()
            .is_some_and(|spec| spec.unschedulable == Some(true))
    };
    let cordoned: Vec<String> = nodes
        .iter()
        .filter(|node| is_cordoned(node))
        .map(Node::name_any)
        .collect();
    ensure!(cordoned.is_empty(), "{cordoned:?}");
    Ok(())
}

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn days(seeds: u64) -> Result<()> {
    let policies = crate::policy::shipped()?;
    for seed in 0..seeds {
        in_virtual_time(noise(seed, policies.clone()))?.with_context(|| format!("day {seed}"))?;
    }
    Ok(())
}

#[test]
fn a_noisy_day_repairs_nothing() -> Result<()> {
    days(DAYS)
}

#[test]
#[ignore = "weeks of noise"]
fn weeks_of_noise_repair_nothing() -> Result<()> {
    days(MANY_DAYS)
}
