//! Problems that nobody reports as a condition: the node engine makes them of what it sees, by the operator's rules.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Event;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use rectifier_api::NodeRepair;
use rectifier_core::repair::{Asks, Phase};
use rectifier_sim::scene;
use serde_json::json;
use tokio::task::JoinSet;

use crate::hands::stage::{SICK, Stage, played};

/// A scene whose node engines have these rules.
pub(crate) async fn with_rules(
    policies: std::sync::Arc<dyn rectifier_policy_host::Advisor>,
    problems: serde_json::Value,
) -> Result<(Stage, JoinSet<String>)> {
    let config = json!({
        "npd": {"counters": "127.0.0.1:20257"},
        "systemd": {"units": ["containerd.service", "proxy.service"], "wide": []},
        "problems": problems,
    });
    let options = scene::Options {
        agent: Some(serde_json::from_value(config)?),
        ..scene::Options::default()
    };
    let stage = Stage::in_scene(options, policies).await?;
    let mut agents = JoinSet::new();
    agents.spawn(stage.scene.agents());
    stage.minutes(11).await;
    Ok((stage, agents))
}

async fn told(stage: &Stage) -> Result<Vec<String>> {
    let events: Api<Event> = Api::all(stage.client.clone());
    let events = events.list(&ListParams::default()).await?.items;
    let message = |event: Event| event.message.unwrap_or_default();
    Ok(events.into_iter().map(message).collect())
}

/// So many were begun.
async fn restarts(stage: &Stage, unit: &str) -> Result<usize> {
    let words = format!(": restart {unit}: ");
    let begun = |told: &&String| told.contains(&words) && told.contains(": attempt ");
    Ok(told(stage).await?.iter().filter(begun).count())
}

fn hang() -> serde_json::Value {
    json!({"TasksHang": {"events": {"reason": "TaskHung", "count": 3, "within": 600}}})
}

#[test]
fn a_unit_that_failed_is_restarted_before_its_detector_looks() -> Result<()> {
    played(async |policies| {
        let rules = json!({"ProxyFailed": {"failed": "proxy.service"}});
        let (stage, _agents) = with_rules(policies, rules).await?;
        stage.a_unit_fails()?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        ensure!(
            stage.scene.machines.is_well(SICK),
            "{:?}",
            told(&stage).await?
        );
        stage.minutes(5).await;
        ensure!(stage.open(SICK).await?.is_none());
        ensure!(
            restarts(&stage, "proxy.service").await? == 1,
            "{:?}",
            told(&stage).await?
        );
        Ok(())
    })
}

#[test]
fn what_happens_often_is_a_problem_and_what_happens_seldom_is_none() -> Result<()> {
    played(async |policies| {
        let (stage, _agents) = with_rules(policies, hang()).await?;
        for _ in 0..4 {
            ensure!(stage.scene.machines.happen(SICK, "TaskHung"));
            stage.minutes(6).await;
        }
        ensure!(
            restarts(&stage, "containerd.service").await? == 0,
            "{:?}",
            told(&stage).await?
        );
        for _ in 0..2 {
            ensure!(stage.scene.machines.happen(SICK, "TaskHung"));
        }
        stage.minutes(5).await;
        // it helped: it is counted anew, and comes no more
        ensure!(
            restarts(&stage, "containerd.service").await? == 1,
            "{:?}",
            told(&stage).await?
        );
        ensure!(stage.open(SICK).await?.is_none());
        Ok(())
    })
}

/// The control plane does not see such a problem on the Node: the node engine's word is all there is, and enough.
#[test]
fn what_no_restart_cures_is_replaced_although_no_condition_tells_it() -> Result<()> {
    played(async |policies| {
        let (mut stage, _agents) = with_rules(policies, hang()).await?;
        stage.start();
        let hangs = async {
            loop {
                stage.scene.machines.happen(SICK, "TaskHung");
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        };
        let replaced = stage.until("its replacement", async |stage| {
            let repairs: Api<NodeRepair> = Api::all(stage.client.clone());
            let all = repairs.list(&ListParams::default()).await?.items;
            let is_over = |repair: &NodeRepair| {
                let phase = repair.status.as_ref().map(|record| record.phase);
                phase == Some(Phase::Replaced) && repair.spec.problem.kind == "TasksHang"
            };
            Ok(all.iter().any(is_over))
        });
        tokio::select! {
            replaced = replaced => replaced?,
            () = hangs => {}
        }
        let repairs: Api<NodeRepair> = Api::all(stage.client.clone());
        let all = repairs.list(&ListParams::default()).await?.items;
        let repair = all.first().context("no repair")?;
        ensure!(repair.spec.asks == Asks::Escalate, "{}", repair.name_any());
        ensure!(restarts(&stage, "containerd.service").await? >= 1);
        Ok(())
    })
}
