//! Many nodes ill at once, and repairs that follow too fast: what the pool's breaker and pace hold, and when they let go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::Api;
use rectifier_api::{BreakerStatus, NodeRepair, RepairPool};
use rectifier_core::budget::{Rule, State};
use rectifier_core::policy::{Advice, Observation};
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use rectifier_policy_host::{Advisor, Set};
use rectifier_sim::scene::Options;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::stage::{NO_BOOT, Stage, played};

/// A pool of ten as it ships, but for this.
fn pool_of_ten(safety: Value) -> Options {
    Options {
        nodes: 10,
        safety,
        ..Options::default()
    }
}

async fn breaker(stage: &Stage) -> Result<BreakerStatus> {
    let pools: Api<RepairPool> = Api::all(stage.client.clone());
    let status = pools.get("web").await?.status.context("a status")?;
    status.breaker.context("a breaker")
}

async fn is(stage: &Stage, state: State) -> Result<()> {
    let what = format!("{state:?}");
    stage
        .until(&what, async |stage| {
            Ok(breaker(stage).await.is_ok_and(|now| now.state == state))
        })
        .await
}

fn cordoned(stage: &Stage) -> BTreeSet<String> {
    let nodes: Vec<k8s_openapi::api::core::v1::Node> = stage.scene.api.all("nodes");
    let is_cordoned = |node: &k8s_openapi::api::core::v1::Node| {
        node.spec
            .as_ref()
            .is_some_and(|spec| spec.unschedulable == Some(true))
    };
    let own = nodes.into_iter().filter(is_cordoned);
    own.map(|node| node.name_any()).collect()
}

fn worker(number: usize) -> String {
    format!("worker-{number}")
}

async fn all_say(
    stage: &Stage,
    nodes: std::ops::RangeInclusive<usize>,
    reason: Reason,
) -> Result<()> {
    for number in nodes {
        stage.says(&worker(number), reason).await?;
    }
    Ok(())
}

#[test]
fn half_of_a_pool_falls_ill_and_nothing_is_begun_until_it_is_over() -> Result<()> {
    played(async |policies| {
        let mut stage = Stage::in_scene(pool_of_ten(Value::Null), policies).await?;
        stage.start();
        // until then the engine knows too little
        stage.minutes(6).await;
        is(&stage, State::Closed).await?;
        for number in 1..=5 {
            stage.report(&worker(number), "True").await?;
        }
        all_say(&stage, 1..=5, Reason::BreakerOpen).await?;
        is(&stage, State::Open).await?;
        let open = breaker(&stage).await?;
        let tripped = open.tripped.clone().context("a rule")?;
        ensure!(
            (tripped.rule, tripped.seen, tripped.limit) == (Rule::PoolSick, 5, 3),
            "{open:?}"
        );
        ensure!(
            open.message.contains("5 of the pool's 10 nodes"),
            "{open:?}"
        );
        ensure!(open.looks_again.is_some() && open.allowed == 0, "{open:?}");
        let message = stage.record("worker-1").await?.message;
        ensure!(message.ends_with("PoolSick"), "{message}");
        stage.minutes(10).await;
        ensure!(cordoned(&stage).is_empty(), "{:?}", cordoned(&stage));

        // what was not theirs goes, and what is stays
        for number in 2..=5 {
            stage.report(&worker(number), "False").await?;
        }
        stage.is_replaced("worker-1").await?;
        // a pool of ten repairs one at a time on a good day: its trickle is over at once
        is(&stage, State::Closed).await?;
        let archived = stage.archived().await?;
        let replaced = archived.iter().filter(|repair| {
            repair
                .status
                .as_ref()
                .is_some_and(|record| record.phase == Phase::Replaced)
        });
        ensure!(replaced.count() == 1, "{archived:?}");
        Ok(())
    })
}

#[test]
fn a_storm_that_stays_is_let_through_one_by_one_unless_the_pool_holds() -> Result<()> {
    for holds in [false, true] {
        played(async |policies| {
            let plateau = if holds { "Hold" } else { "Trickle" };
            let safety = json!({"breaker": {"onPlateau": plateau}, "pacing": {}});
            let options = Options {
                hourly: 1000,
                ..pool_of_ten(safety)
            };
            let mut stage = Stage::in_scene(options, policies).await?;
            stage.start();
            stage.minutes(6).await;
            for number in 1..=5 {
                stage.report(&worker(number), "True").await?;
            }
            all_say(&stage, 1..=5, Reason::BreakerOpen).await?;
            stage.minutes(29).await;
            ensure!(cordoned(&stage).is_empty(), "{:?}", cordoned(&stage));
            stage.minutes(10).await;
            if holds {
                ensure!(cordoned(&stage).is_empty(), "{:?}", cordoned(&stage));
                return Ok(());
            }
            for number in 1..=5 {
                stage.is_replaced(&worker(number)).await?;
            }
            is(&stage, State::Closed).await
        })
        .with_context(|| format!("holds: {holds}"))?;
    }
    Ok(())
}

/// Policies that an operator takes away, and puts back.
struct TakenAway {
    policies: Arc<dyn Advisor>,
    none: Arc<Set>,
    are_gone: watch::Sender<bool>,
    changes: watch::Sender<u64>,
}

impl TakenAway {
    fn take(&self, are_gone: bool) {
        self.are_gone.send_replace(are_gone);
        self.changes.send_modify(|count| *count += 1);
    }
}

#[async_trait]
impl Advisor for TakenAway {
    async fn advise(&self, seen: &Observation) -> Advice {
        if *self.are_gone.borrow() {
            return Advice::None;
        }
        self.policies.advise(seen).await
    }

    fn set(&self) -> Arc<Set> {
        match *self.are_gone.borrow() {
            true => Arc::clone(&self.none),
            false => self.policies.set(),
        }
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

#[test]
fn a_policy_that_took_half_a_pool_for_ill_is_taken_back_and_so_is_its_storm() -> Result<()> {
    played(async |policies| {
        let bad = Arc::new(TakenAway {
            policies,
            none: Arc::new(Set::of([])),
            are_gone: watch::Sender::new(false),
            changes: watch::Sender::new(0),
        });
        let mut stage = Stage::in_scene(pool_of_ten(Value::Null), bad.clone()).await?;
        stage.start();
        stage.minutes(6).await;
        for number in 1..=5 {
            stage.report(&worker(number), "True").await?;
        }
        all_say(&stage, 1..=5, Reason::BreakerOpen).await?;
        is(&stage, State::Open).await?;
        bad.take(true);
        // they have what they have, and no policy makes anything of it
        stage
            .until("none to be open", async |stage| {
                for number in 1..=5 {
                    if stage.open(&worker(number)).await?.is_some() {
                        return Ok(false);
                    }
                }
                Ok(stage.archived().await?.len() == 5)
            })
            .await?;
        is(&stage, State::Closed).await?;
        for repair in stage.archived().await? {
            let record = repair.status.context("a record")?;
            ensure!(
                (record.phase, record.reason) == (Phase::Cancelled, Some(Reason::NoPolicy)),
                "{record:?}"
            );
        }
        bad.take(false);
        is(&stage, State::Open).await?;
        all_say(&stage, 1..=5, Reason::BreakerOpen).await?;
        ensure!(cordoned(&stage).is_empty(), "{:?}", cordoned(&stage));
        Ok(())
    })
}

#[test]
fn what_a_storm_makes_us_write_is_paced_and_what_is_in_flight_waits_for_none_of_it() -> Result<()> {
    played(async |policies| {
        let options = Options {
            nodes: 160,
            ..pool_of_ten(Value::Null)
        };
        let mut stage = Stage::in_scene(options, policies).await?;
        stage.start();
        stage.minutes(6).await;
        stage.report("worker-1", "True").await?;
        stage.reaches("worker-1", Phase::Committed).await?;
        for number in 2..=160 {
            stage.report(&worker(number), "True").await?;
        }
        let told = async |stage: &Stage| {
            let repairs: Vec<NodeRepair> = stage.scene.api.all("noderepairs.rectifier.dev");
            let told = |repair: &&NodeRepair| {
                let status = repair.status.as_ref();
                status.is_some_and(|record| record.reason == Some(Reason::BreakerOpen))
            };
            Ok(repairs.iter().filter(told).count() == 159)
        };
        stage.until("a reason on each", told).await?;
        let repairs: Vec<NodeRepair> = stage.scene.api.all("noderepairs.rectifier.dev");
        let mut in_a_second: BTreeMap<Timestamp, u32> = BTreeMap::new();
        for repair in &repairs {
            let opened = repair.creation_timestamp().context("when it was opened")?;
            *in_a_second.entry(opened.0).or_default() += 1;
        }
        let most = in_a_second.values().max();
        ensure!(most.is_some_and(|most| *most <= 75), "{in_a_second:?}");
        ensure!(in_a_second.len() > 3, "{in_a_second:?}");
        // the one that was past its commit is over, whatever the others do
        stage
            .until("its end", async |stage| {
                Ok(stage.open("worker-1").await?.is_none())
            })
            .await
    })
}

#[test]
fn a_storm_stops_what_is_before_its_commit_where_it_is_and_lets_the_rest_finish() -> Result<()> {
    for after_commit in [false, true] {
        played(async |policies| {
            let mut stage = Stage::in_scene(pool_of_ten(Value::Null), policies).await?;
            stage.start();
            stage.minutes(6).await;
            stage.report("worker-1", "True").await?;
            let phase = [Phase::CreatingServer, Phase::Committed][usize::from(after_commit)];
            stage.reaches("worker-1", phase).await?;
            for number in 2..=5 {
                stage.report(&worker(number), "True").await?;
            }
            if after_commit {
                stage
                    .until("its end", async |stage| {
                        Ok(stage.open("worker-1").await?.is_none())
                    })
                    .await?;
                ensure!(!cordoned(&stage).contains("worker-2"));
                return Ok(());
            }
            stage.says("worker-1", Reason::BreakerOpen).await?;
            stage.minutes(20).await;
            let held = stage.record("worker-1").await?;
            ensure!(held.committed_at.is_none(), "{held:?}");
            ensure!(cordoned(&stage).contains("worker-1"), "its cordon stays");
            for number in 2..=5 {
                stage.report(&worker(number), "False").await?;
            }
            stage.is_replaced("worker-1").await
        })
        .with_context(|| format!("after its commit: {after_commit}"))?;
    }
    Ok(())
}

#[test]
fn a_leader_that_has_just_begun_looks_on_first() -> Result<()> {
    played(async |policies| {
        let mut stage = Stage::in_scene(pool_of_ten(Value::Null), policies).await?;
        stage.start();
        stage.report("worker-1", "True").await?;
        stage.says("worker-1", Reason::NotSteady).await?;
        stage.minutes(3).await;
        stage.kill().await;
        stage.start();
        stage.minutes(4).await;
        ensure!(
            cordoned(&stage).is_empty(),
            "not five minutes after the last start"
        );
        stage.is_replaced("worker-1").await
    })
}

#[test]
fn repairs_of_a_pool_keep_a_distance_over_restarts() -> Result<()> {
    played(async |policies| {
        let safety = json!({
            "breaker": {"sickPercent": 0, "zoneSickPercent": 0, "togetherPercent": 0, "steady": 0},
            "pacing": {"inFlightPercent": 100},
        });
        let mut stage = Stage::in_scene(pool_of_ten(safety), policies).await?;
        stage.start();
        for number in 1..=3 {
            stage.report(&worker(number), "True").await?;
        }
        for _ in 0..7 {
            stage.minutes(2).await;
            stage.kill().await;
            stage.start();
        }
        for number in 1..=3 {
            stage.is_replaced(&worker(number)).await?;
        }
        let archived = stage.archived().await?;
        let begun = archived.iter().filter_map(|repair| {
            let steps = &repair.status.as_ref()?.steps;
            let begun = steps.iter().find(|step| step.phase == Phase::Cordoning)?;
            Some(begun.at)
        });
        let mut begun: Vec<_> = begun.collect();
        begun.sort();
        ensure!(begun.len() == 3, "{begun:?}");
        for pair in begun.windows(2) {
            let apart = pair[1].duration_since(pair[0]).as_secs();
            ensure!((299..400).contains(&apart), "{begun:?}");
        }
        Ok(())
    })
}

#[test]
fn the_cluster_replaces_so_many_nodes_in_an_hour() -> Result<()> {
    played(async |policies| {
        let options = Options {
            hourly: 1,
            ..Options::default()
        };
        let mut stage = Stage::in_scene(options, policies).await?;
        stage.start();
        stage.report("worker-1", "True").await?;
        stage.is_replaced("worker-1").await?;
        let first = stage.scene.clock.now();
        stage.report("worker-2", "True").await?;
        stage.says("worker-2", Reason::HourlyUsedUp).await?;
        stage.is_replaced("worker-2").await?;
        let waited = stage.scene.clock.now().duration_since(first).as_secs();
        ensure!((3000..4200).contains(&waited), "{waited} s");
        Ok(())
    })
}

#[test]
fn replacements_that_all_fail_are_no_fault_of_their_nodes() -> Result<()> {
    played(async |policies| {
        let safety = json!({
            "breaker": {"sickPercent": 0, "zoneSickPercent": 0, "togetherPercent": 0, "steady": 0},
            "pacing": {"inFlightPercent": 100, "every": 0},
        });
        let mut stage = Stage::in_scene(pool_of_ten(safety), policies).await?;
        stage.start();
        stage.scene.cloud.fault(NO_BOOT);
        stage.report("worker-1", "True").await?;
        stage.reaches("worker-1", Phase::NeedsHuman).await?;
        stage.scene.cloud.clear_faults();
        stage.report("worker-2", "True").await?;
        stage.says("worker-2", Reason::CreatesStopped).await?;
        ensure!(!cordoned(&stage).contains("worker-2"));
        let replaced = async |node: &str| {
            stage
                .until("the replacement", async |stage| {
                    let gone = !stage.scene.nodes().iter().any(|name| name == node);
                    Ok(gone && stage.open(node).await?.is_none())
                })
                .await
        };
        replaced("worker-2").await?;
        // one that went well, and they are made again at once
        stage.report("worker-3", "True").await?;
        replaced("worker-3").await
    })
}
