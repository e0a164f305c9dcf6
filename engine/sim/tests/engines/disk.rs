//! A node whose disk is full: what its engine cannot remember it does not do.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Event;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use rectifier_api::NodeRepair;
use rectifier_core::repair::Asks;
use rectifier_sim::machine::Break;

use crate::hands::stage::{SICK, Stage, played};

async fn is_told(stage: &Stage, words: &str) -> Result<bool> {
    let events: Api<Event> = Api::all(stage.client.clone());
    let events = events.list(&ListParams::default()).await?.items;
    let says = |event: &Event| {
        let told = event.message.as_deref().unwrap_or_default();
        told.contains(words)
    };
    Ok(events.iter().any(says))
}

/// What it does not heal is asked of the control plane, with the reason; and when there is room again it heals by itself.
/// Whether it `remembers` what it asked for.
async fn is_escalated_and_healed_again(stage: &Stage, remembers: bool) -> Result<()> {
    stage.a_unit_fails()?;
    stage
        .until("the escalation", async |stage| {
            let open = stage.open(SICK).await?;
            Ok(open.is_some_and(|repair| repair.spec.asks == Asks::Escalate))
        })
        .await?;
    ensure!(!stage.scene.machines.is_well(SICK), "nobody restarted it");
    stage.scene.machines.mend(SICK);
    stage.minutes(3).await;
    let open = stage.open(SICK).await?.context("it is gone")?;
    ensure!(open.spec.withdrawn == remembers, "{open:?}");
    // as the control plane does with one that is withdrawn, or whose problem is gone
    let repairs: Api<NodeRepair> = Api::all(stage.client.clone());
    repairs
        .delete(&open.name_any(), &DeleteParams::default())
        .await?;
    stage.a_unit_fails()?;
    stage.is_restarted().await
}

#[test]
fn what_cannot_be_remembered_is_escalated_and_not_done() -> Result<()> {
    played(async |policies| {
        let (stage, mut agents) = Stage::with_agents(policies).await?;
        stage.minutes(1).await;
        ensure!(stage.scene.machines.break_it(SICK, &Break::DiskFull));
        is_escalated_and_healed_again(&stage, true).await?;
        ensure!(is_told(&stage, "the journal cannot be written").await?);
        ensure!(agents.try_join_next().is_none());
        Ok(())
    })
}

/// It has not even a memory then: whatever it finds may have been tried before.
#[test]
fn an_engine_that_begins_on_a_full_disk_does_nothing_before_it_remembers() -> Result<()> {
    played(async |policies| {
        let (stage, mut agents) = Stage::with_agents(policies).await?;
        stage.minutes(1).await;
        ensure!(stage.scene.machines.break_it(SICK, &Break::DiskFull));
        ensure!(stage.scene.machines.break_it(SICK, &Break::AgentKilled));
        stage.minutes(1).await;
        is_escalated_and_healed_again(&stage, false).await?;
        ensure!(agents.try_join_next().is_none());
        Ok(())
    })
}
