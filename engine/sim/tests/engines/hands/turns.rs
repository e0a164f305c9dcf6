//! In each pool one repair is in flight, the oldest problem first, whatever happens to the controller meanwhile.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::api::{Api, PostParams};
use rectifier_api::{NodeRepair, RepairPool};
use rectifier_core::clock::Timestamp;
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use rectifier_sim::openstack::Fault;
use rectifier_sim::scene::Options;
use serde_json::json;

use super::stage::{NO_BOOT, Stage, played};

/// Which node's repair was in flight from when to when.
fn flight(repair: &NodeRepair) -> Option<(Timestamp, Timestamp, String)> {
    let steps = &repair.status.as_ref()?.steps;
    let begun = steps.iter().find(|step| step.phase == Phase::Cordoning)?;
    let ended = steps.last()?;
    Some((begun.at, ended.at, repair.spec.node_name.clone()))
}

async fn flights(stage: &Stage) -> Result<Vec<(Timestamp, Timestamp, String)>> {
    let mut all: Vec<_> = stage.archived().await?.iter().filter_map(flight).collect();
    all.sort();
    Ok(all)
}

async fn all_replaced(stage: &Stage, nodes: &[&str]) -> Result<()> {
    for node in nodes {
        stage.is_replaced(node).await?;
    }
    Ok(())
}

/// A step bears the time of the look that it rests on; the turn is taken some requests later.
const LOOK: Duration = Duration::from_secs(1);

fn one_after_another(flights: &[(Timestamp, Timestamp, String)]) -> Result<()> {
    for pair in flights.windows(2) {
        ensure!(pair[0].1 <= pair[1].0 + LOOK, "two at once: {flights:?}");
    }
    Ok(())
}

#[test]
fn three_sick_nodes_of_one_pool_are_repaired_one_after_another_the_oldest_problem_first()
-> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        for node in ["worker-3", "worker-2", "worker-1"] {
            stage.report(node, "True").await?;
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        stage.reaches("worker-3", Phase::Joining).await?;
        stage.says("worker-1", Reason::AnotherRepairRuns).await?;
        let message = stage.record("worker-1").await?.message;
        ensure!(message.contains("worker-3"), "it names which: {message}");
        all_replaced(&stage, &["worker-1", "worker-2", "worker-3"]).await?;
        let flights = flights(&stage).await?;
        let order: Vec<&str> = flights.iter().map(|(_, _, node)| node.as_str()).collect();
        ensure!(order == ["worker-3", "worker-2", "worker-1"], "{flights:?}");
        one_after_another(&flights)
    })
}

#[test]
fn sick_nodes_of_two_pools_are_repaired_side_by_side() -> Result<()> {
    played(async |policies| {
        let mut stage = Stage::without_controller(policies).await?;
        let pools: Api<RepairPool> = Api::all(stage.client.clone());
        let mut pool = pools.get("web").await?;
        pool.metadata = kube::core::ObjectMeta {
            name: Some("db".to_owned()),
            ..Default::default()
        };
        pool.spec.node_selector.match_labels = Some([("pool".to_owned(), "db".to_owned())].into());
        pools.create(&PostParams::default(), &pool).await?;
        let label = json!({"metadata": {"labels": {"pool": "db"}}});
        stage.patch_node("worker-2", label).await?;
        stage.start();
        stage.report("worker-1", "True").await?;
        stage.report("worker-2", "True").await?;
        all_replaced(&stage, &["worker-1", "worker-2"]).await?;
        let flights = flights(&stage).await?;
        ensure!(flights.len() == 2, "{flights:?}");
        ensure!(flights[1].0 < flights[0].1, "not side by side: {flights:?}");
        Ok(())
    })
}

/// The next controller knows who is in flight from the records alone.
#[test]
fn a_restart_brings_no_second_one() -> Result<()> {
    for phase in [
        Phase::Cordoning,
        Phase::CreatingServer,
        Phase::Joining,
        Phase::Draining,
        Phase::DeletingNode,
    ] {
        played(async |policies| {
            let mut stage = Stage::set(policies).await?;
            for node in ["worker-3", "worker-2", "worker-1"] {
                stage.report(node, "True").await?;
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            stage.reaches("worker-3", phase).await?;
            stage.kill().await;
            stage.minutes(2).await;
            stage.start();
            all_replaced(&stage, &["worker-1", "worker-2", "worker-3"]).await?;
            one_after_another(&flights(&stage).await?)
        })
        .with_context(|| format!("killed in {phase:?}"))?;
    }
    Ok(())
}

/// One that a person has to resolve keeps its turn for an hour, and not for ever.
#[test]
fn a_repair_that_nobody_resolves_lets_the_next_begin_after_an_hour() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage.scene.cloud.fault(NO_BOOT);
        stage.report("worker-1", "True").await?;
        stage.reaches("worker-1", Phase::NeedsHuman).await?;
        let since = stage.record("worker-1").await?.since.context("since")?;
        stage.scene.cloud.clear_faults();
        stage.report("worker-2", "True").await?;
        stage.says("worker-2", Reason::AnotherRepairRuns).await?;
        stage.reaches("worker-2", Phase::Cordoning).await?;
        let begun = stage.record("worker-2").await?.since.context("since")?;
        let waited = begun.duration_since(since).as_secs();
        ensure!((3600..3700).contains(&waited), "{waited} s");
        // who waits says so once
        let requests = stage.scene.api.requests();
        let written = requests.iter().filter(|request| {
            request.method == "PUT" && request.path.contains("worker-2.repair/status")
        });
        let written = written.count();
        ensure!((1..10).contains(&written), "written {written} times");
        ensure!(stage.record("worker-1").await?.phase == Phase::NeedsHuman);
        Ok(())
    })
}

/// They come to it side by side.
#[test]
fn of_servers_that_go_before_their_replacements_one_is_away_at_a_time() -> Result<()> {
    played(async |policies| {
        let options = Options {
            nodes: 10,
            safety: json!({
                "breaker": {"sickPercent": 0, "zoneSickPercent": 0, "togetherPercent": 0, "steady": 0},
                "pacing": {"inFlightPercent": 100, "every": 0},
            }),
            ..Options::default()
        };
        let mut stage = Stage::in_scene(options, policies).await?;
        stage.scene.cloud.fault(Fault::Room(10));
        let goes_first = json!({"provisioning": {"whenNoCapacity": "TerminateFirst"}});
        stage.patch_pool(json!({"spec": goes_first})).await?;
        stage.start();
        let nodes = ["worker-1", "worker-2", "worker-3"];
        for node in nodes {
            stage.report(node, "True").await?;
        }
        all_replaced(&stage, &nodes).await?;
        let archived = stage.archived().await?;
        let away = archived.iter().filter_map(|repair| {
            let record = repair.status.as_ref()?;
            let from = record.room.as_ref()?.ended_at?;
            Some((from, record.committed_at?, repair.spec.node_name.clone()))
        });
        let mut away: Vec<_> = away.collect();
        away.sort();
        ensure!(away.len() == 3, "not all went first: {away:?}");
        one_after_another(&away)
    })
}
