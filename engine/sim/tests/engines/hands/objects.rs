//! What the objects say of themselves: the pool's status, the standard conditions, the finalizer, and how long they are kept.

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use kube::api::Api;
use rectifier_api::{RepairPool, RepairPoolStatus};
use rectifier_core::repair::Phase;
use serde_json::json;

use super::stage::{SICK, Stage, played};

async fn status(stage: &Stage) -> Result<RepairPoolStatus> {
    let pools: Api<RepairPool> = Api::all(stage.client.clone());
    Ok(pools.get("web").await?.status.unwrap_or_default())
}

#[test]
fn a_pool_says_how_many_nodes_it_has_how_many_are_sick_and_in_repair() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        let counts = async |stage: &Stage| -> Result<(u32, u32, u32)> {
            let status = status(stage).await?;
            Ok((status.nodes, status.sick, status.repairing))
        };
        let becomes = async |wanted: (u32, u32, u32)| {
            let what = format!("{wanted:?}");
            stage
                .until(&what, async |stage| Ok(counts(stage).await? == wanted))
                .await
        };
        becomes((3, 0, 0)).await?;
        stage.report(SICK, "True").await?;
        becomes((3, 1, 0)).await?;
        becomes((3, 1, 1)).await?;
        stage.is_replaced(SICK).await?;
        becomes((3, 0, 0)).await?;
        let pools: Api<RepairPool> = Api::all(stage.client.clone());
        let before = pools.get("web").await?;
        stage.minutes(60).await;
        ensure!(
            pools.get("web").await? == before,
            "nothing is written when nothing changes"
        );
        let ready = before.status.context("a status")?.conditions.remove(0);
        ensure!(
            (ready.kind.as_str(), ready.status.as_str()) == ("Ready", "True"),
            "{ready:?}"
        );
        ensure!(ready.observed_generation == before.metadata.generation);
        Ok(())
    })
}

#[test]
fn a_pool_that_cannot_work_says_why() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        let becomes = async |reason: &str| {
            stage
                .until(reason, async |stage| {
                    let status = status(stage).await?;
                    Ok(status
                        .conditions
                        .iter()
                        .any(|condition| condition.reason == reason))
                })
                .await
        };
        becomes("Ready").await?;
        stage
            .patch_pool(json!({"spec": {"provisioning": {"userData": "{{ tokn }}"}}}))
            .await?;
        becomes("TemplateInvalid").await?;
        let wrong = json!({"matchExpressions": [{"key": "a", "operator": "Near"}]});
        stage
            .patch_pool(json!({"spec": {"nodeSelector": wrong}}))
            .await?;
        becomes("SelectorInvalid").await
    })
}

#[test]
fn a_repair_bears_a_finalizer_and_the_standard_conditions_until_it_is_over() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage.report(SICK, "True").await?;
        stage.reaches(SICK, Phase::Joining).await?;
        let open = stage.open(SICK).await?.context("open")?;
        ensure!(
            open.finalizers() == ["rectifier.dev/repair"],
            "{:?}",
            open.finalizers()
        );
        let record = open.status.context("a status")?;
        ensure!(record.observed_generation == open.metadata.generation);
        ensure!(record.pool.as_deref() == Some("web"));
        let is = |kind: &str| {
            let found = record
                .conditions
                .iter()
                .find(|condition| condition.kind == kind);
            found.map(|condition| condition.status.as_str())
        };
        ensure!(is("Progressing") == Some("True") && is("Succeeded") == Some("Unknown"));
        let managers = open.metadata.managed_fields.unwrap_or_default();
        ensure!(
            managers
                .iter()
                .all(|entry| entry.manager.as_deref() != Some("unknown"))
        );
        stage.is_replaced(SICK).await?;
        let kept = stage.archived().await?.remove(0);
        ensure!(kept.finalizers().is_empty());
        let last = kept.status.context("a status")?;
        let succeeded = last
            .conditions
            .iter()
            .find(|condition| condition.kind == "Succeeded");
        ensure!(
            succeeded.is_some_and(|condition| condition.status == "True"),
            "{last:?}"
        );
        Ok(())
    })
}

#[test]
fn a_repair_that_is_over_is_kept_as_long_as_its_pool_says() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage
            .patch_pool(json!({"spec": {"retention": {"days": 1}}}))
            .await?;
        stage.report(SICK, "True").await?;
        stage.is_replaced(SICK).await?;
        stage.minutes(23 * 60).await;
        ensure!(stage.archived().await?.len() == 1);
        stage.minutes(2 * 60).await;
        ensure!(
            stage.archived().await?.is_empty(),
            "{:?}",
            stage.archived().await?
        );
        Ok(())
    })
}
