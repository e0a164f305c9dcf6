//! What a person wants done, whatever the policies say: by a repair that they open, or by a word on one that is open.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use rectifier_api::{NodeRepair, REQUESTED, RETRY};
use rectifier_core::reason::Reason;
use rectifier_core::repair::{Hand, Phase, Rung};
use rectifier_sim::scene::Options;
use serde_json::json;
use tokio::task::JoinSet;

use super::stage::{NO_BOOT, SICK, Stage, played};

/// As `rectifier repair` opens it, for a node of which nothing is reported.
async fn ask(stage: &Stage, rung: &str) -> Result<()> {
    let nodes: Api<Node> = Api::all(stage.client.clone());
    let node = nodes.get(SICK).await?;
    let repair: NodeRepair = serde_json::from_value(json!({
        "apiVersion": "rectifier.dev/v1alpha1", "kind": "NodeRepair",
        "metadata": {"name": format!("{SICK}.repair")},
        "spec": {
            "nodeName": SICK, "nodeUid": node.uid(), "asks": "Escalate", "requestedBy": "Operator",
            "problem": {"kind": REQUESTED, "message": "it hums", "since": "2026-01-01T00:00:00Z"},
            "wants": rung, "by": "person",
        },
    }))?;
    stage
        .repairs()
        .create(&PostParams::default(), &repair)
        .await?;
    Ok(())
}

async fn boot_id(stage: &Stage) -> Result<String> {
    let nodes: Api<Node> = Api::all(stage.client.clone());
    let node = nodes.get(SICK).await?;
    let info = node.status.and_then(|status| status.node_info);
    Ok(info.context("node info")?.boot_id)
}

#[test]
fn a_node_that_a_person_wants_replaced_is_replaced_and_their_name_stands_on_it() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        // who asks for a rung has approved it
        stage
            .patch_pool(json!({"spec": {"mode": "Approve"}}))
            .await?;
        ask(&stage, "Replace").await?;
        stage.is_replaced(SICK).await?;
        let ended = stage.ended(Phase::Replaced, Reason::Replaced).await?;
        let record = ended.status.context("a status")?;
        ensure!(record.verdict.is_none(), "no policy was asked");
        let said = record.said.first().context("somebody said it")?;
        ensure!(
            (said.hand, said.words.as_str(), said.by.as_deref())
                == (Hand::Ask, "it hums", Some("person")),
            "{said:?}"
        );
        Ok(())
    })
}

#[test]
fn a_node_that_a_person_wants_rebooted_is_rebooted_once_by_its_own_engine() -> Result<()> {
    played(async |policies| {
        let (mut stage, mut agents) = Stage::with_agents(policies).await?;
        stage.start();
        let before = boot_id(&stage).await?;
        ask(&stage, "Reboot").await?;
        stage
            .until("the end of the repair", async |stage| {
                Ok(stage.open(SICK).await?.is_none())
            })
            .await?;
        let ended = stage.ended(Phase::Recovered, Reason::Recovered).await?;
        let record = ended.status.context("a status")?;
        let rungs: Vec<Rung> = record.tried.iter().map(|tried| tried.rung).collect();
        ensure!(rungs == [Rung::Reboot], "{rungs:?}");
        let after = boot_id(&stage).await?;
        ensure!(after != before, "it was booted");
        stage.minutes(60).await;
        ensure!(boot_id(&stage).await? == after, "once");
        let nodes: Api<Node> = Api::all(stage.client.clone());
        let spec = nodes.get(SICK).await?.spec.unwrap_or_default();
        ensure!(spec.unschedulable != Some(true), "and has its pods again");
        agents.shutdown().await;
        Ok(())
    })
}

#[test]
fn a_person_who_wants_a_reboot_of_a_node_without_an_engine_is_told_and_may_want_another()
-> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        ask(&stage, "Reboot").await?;
        stage.reaches(SICK, Phase::NeedsHuman).await?;
        let record = stage.record(SICK).await?;
        ensure!(
            record.reason == Some(Reason::GrantExpired) && record.message.contains("HardReboot"),
            "{record:?}"
        );
        let before = boot_id(&stage).await?;
        stage
            .annotate(SICK, "rectifier.dev/wants", "HardReboot")
            .await?;
        stage
            .until("the end of the repair", async |stage| {
                Ok(stage.open(SICK).await?.is_none())
            })
            .await?;
        stage.ended(Phase::Recovered, Reason::Recovered).await?;
        ensure!(boot_id(&stage).await? != before, "the cloud booted it");
        Ok(())
    })
}

#[test]
fn what_a_person_wants_of_a_repair_that_is_stuck_is_done() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage.scene.cloud.fault(NO_BOOT);
        stage.report(SICK, "True").await?;
        stage.reaches(SICK, Phase::NeedsHuman).await?;
        stage.scene.cloud.clear_faults();
        // a policy that was asked again would have it as before
        stage.minutes(60).await;
        ensure!(stage.record(SICK).await?.phase == Phase::NeedsHuman);
        stage
            .annotate(SICK, "rectifier.dev/wants", "Replace")
            .await?;
        stage.is_replaced(SICK).await?;
        let ended = stage.ended(Phase::Replaced, Reason::Replaced).await?;
        let said = ended.status.context("a status")?.said;
        let words: Vec<_> = said.iter().map(|said| said.words.as_str()).collect();
        ensure!(words == ["Replace"], "{words:?}");
        Ok(())
    })
}

/// Did the control plane try anything on a node, in a repair that is over?
async fn was_touched(stage: &Stage) -> Result<bool> {
    let records = stage.archived().await?.into_iter();
    let mut records = records.filter_map(|repair| repair.status);
    Ok(records.any(|record| !record.tried.is_empty()))
}

#[test]
fn a_node_engine_that_may_try_no_more_tries_again_when_a_person_says_so() -> Result<()> {
    played(async |policies| {
        let mut options = Options::default();
        options.limits.daily = 1;
        let mut stage = Stage::in_scene(options, policies).await?;
        let mut agents = JoinSet::new();
        agents.spawn(stage.scene.agents());
        stage.start();
        stage.a_unit_fails()?;
        stage.is_restarted().await?;
        stage.minutes(30).await;
        ensure!(stage.open(SICK).await?.is_none());
        let mark = json!({"metadata": {"annotations": {RETRY: "1"}}});
        stage.patch_node(SICK, mark).await?;
        stage.a_unit_fails()?;
        stage.is_restarted().await?;
        ensure!(!was_touched(&stage).await?, "by its own engine");
        stage.minutes(30).await;
        // once for each mark
        stage.a_unit_fails()?;
        stage
            .until("the control plane to do something", was_touched)
            .await?;
        stage.kill().await;
        agents.shutdown().await;
        Ok(())
    })
}
