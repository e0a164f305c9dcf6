//! A person's words: approve, reject, delete.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Event, Node};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use rectifier_api::NodeRepair;
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use rectifier_sim::kubernetes::Identity;
use rectifier_sim::scene::{CONTROLLER, NAMESPACE};
use serde_json::json;

use super::stage::{SICK, Stage, played};

async fn approving(stage: &Stage) -> Result<()> {
    stage
        .patch_pool(json!({"spec": {"mode": "Approve"}}))
        .await?;
    stage.report(SICK, "True").await?;
    stage.says(SICK, Reason::AwaitingApproval).await
}

#[test]
fn a_pool_in_mode_approve_does_nothing_before_a_person_allows_the_very_rung() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        let before = stage.everything().await?;
        approving(&stage).await?;
        let message = stage.record(SICK).await?.message;
        let command = "kubectl annotate noderepair worker-1.repair --overwrite rectifier.dev/approve=Replace-1";
        ensure!(message.contains(command), "{message}");
        stage
            .annotate(SICK, "rectifier.dev/approve", "Reboot-1")
            .await?;
        stage.minutes(60).await;
        ensure!(
            stage.everything().await? == before,
            "another rung was named"
        );
        ensure!(stage.record(SICK).await?.reason == Some(Reason::AwaitingApproval));
        stage
            .annotate(SICK, "rectifier.dev/approve", "Replace-1")
            .await?;
        stage.is_replaced(SICK).await?;
        stage.ended(Phase::Replaced, Reason::Replaced).await?;
        Ok(())
    })
}

async fn is_over(stage: &Stage) -> Result<()> {
    stage
        .until("the end of the repair", async |stage| {
            Ok(stage.open(SICK).await?.is_none())
        })
        .await
}

#[test]
fn what_a_person_rejects_is_taken_back_and_not_begun_again_for_a_day() -> Result<()> {
    for phase in [
        None,
        Some(Phase::Cordoning),
        Some(Phase::CreatingPorts),
        Some(Phase::CreatingServer),
        Some(Phase::Joining),
    ] {
        played(async |policies| {
            let stage = Stage::set(policies).await?;
            let before = stage.everything().await?;
            match phase {
                None => approving(&stage).await?,
                Some(phase) => {
                    stage.report(SICK, "True").await?;
                    stage.reaches(SICK, phase).await?;
                }
            }
            stage
                .annotate(SICK, "rectifier.dev/reject", "we look at it first")
                .await?;
            is_over(&stage).await?;
            let ended = stage.ended(Phase::Cancelled, Reason::Rejected).await?;
            let message = ended.status.context("a status")?.message;
            ensure!(message.contains("we look at it first"), "{message}");
            // the problem is still there
            stage.minutes(180).await;
            ensure!(stage.everything().await? == before);
            ensure!(stage.open(SICK).await?.is_none());
            let events: Api<Event> = Api::namespaced(stage.client.clone(), "default");
            let told = events.list(&ListParams::default()).await?.items;
            ensure!(
                told.iter()
                    .any(|event| event.reason.as_deref() == Some("Vetoed")),
                "it says why it does nothing"
            );
            Ok(())
        })
        .with_context(|| format!("in {phase:?}"))?;
    }
    Ok(())
}

#[test]
fn a_repair_that_is_deleted_before_its_commit_takes_everything_back_and_goes() -> Result<()> {
    for phase in [
        Phase::Cordoning,
        Phase::CreatingPorts,
        Phase::CreatingServer,
        Phase::Joining,
    ] {
        played(async |policies| {
            let stage = Stage::set(policies).await?;
            let before = stage.everything().await?;
            stage.report(SICK, "True").await?;
            stage.reaches(SICK, phase).await?;
            let uid = stage.open(SICK).await?.and_then(|repair| repair.uid());
            stage
                .repairs()
                .delete("worker-1.repair", &DeleteParams::default())
                .await?;
            stage.report(SICK, "False").await?;
            stage
                .until("the object to go", async |stage| {
                    let open = stage.open(SICK).await?;
                    Ok(open.and_then(|repair| repair.uid()) != uid)
                })
                .await?;
            stage.ended(Phase::Cancelled, Reason::Deleted).await?;
            is_over(&stage).await?;
            ensure!(stage.everything().await? == before, "nothing is left of it");
            Ok(())
        })
        .with_context(|| format!("in {phase:?}"))?;
    }
    Ok(())
}

/// A person's deletion is refused. One that comes through all the same waits for the finalizer, and the repair ends well.
#[test]
fn a_committed_repair_cannot_be_deleted() -> Result<()> {
    for phase in [Phase::Committed, Phase::Draining, Phase::DeletingServer] {
        played(async |policies| {
            let stage = Stage::set(policies).await?;
            stage.report(SICK, "True").await?;
            stage.reaches(SICK, phase).await?;
            let refused = stage
                .repairs()
                .delete("worker-1.repair", &DeleteParams::default())
                .await;
            let refused = refused.err().context("it is refused")?.to_string();
            ensure!(refused.contains("can only go forward"), "{refused}");
            let identity = Identity::account(NAMESPACE, CONTROLLER);
            let exempt = stage.scene.api.client_of("exempt", identity);
            let repairs: Api<NodeRepair> = Api::all(exempt);
            repairs
                .delete("worker-1.repair", &DeleteParams::default())
                .await?;
            let open = stage.open(SICK).await?.context("it waits")?;
            ensure!(open.metadata.deletion_timestamp.is_some());
            stage.is_replaced(SICK).await?;
            let ended = stage.ended(Phase::Replaced, Reason::Replaced).await?;
            ensure!(
                ended
                    .status
                    .is_some_and(|record| record.committed_at.is_some())
            );
            Ok(())
        })
        .with_context(|| format!("in {phase:?}"))?;
    }
    Ok(())
}

/// Its detector never takes it back.
#[test]
fn what_a_person_acknowledges_is_taken_back_and_counts_again_when_it_is_reported_anew() -> Result<()>
{
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage.report(SICK, "True").await?;
        stage.reaches(SICK, Phase::Joining).await?;
        let word = format!("KubeletUnhealthy={}", stage.scene.clock.now());
        let annotation = json!({"rectifier.dev/acknowledged": word});
        stage
            .patch_node(SICK, json!({"metadata": {"annotations": annotation}}))
            .await?;
        is_over(&stage).await?;
        stage
            .ended(Phase::Cancelled, Reason::ProblemCleared)
            .await?;
        let before = stage.everything().await?;
        stage.minutes(60).await;
        ensure!(stage.everything().await? == before, "it was seen to");
        let nodes: Api<Node> = Api::all(stage.client.clone());
        let spec = nodes.get(SICK).await?.spec.context("a spec")?;
        ensure!(spec.unschedulable != Some(true), "it is still cordoned");
        ensure!(
            stage.scene.cloud.servers().len() == 3,
            "a server is left over"
        );
        stage.report(SICK, "False").await?;
        stage.minutes(1).await;
        stage.report(SICK, "True").await?;
        stage.is_replaced(SICK).await
    })
}
