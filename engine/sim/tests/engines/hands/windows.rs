//! What can wait is repaired in the pool's maintenance windows.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Event;
use rectifier_core::clock::Timestamp;
use rectifier_core::repair::Phase;
use serde_json::json;

use super::stage::{SICK, Stage, played};

/// The world begins at midnight, UTC.
fn maintenance(problem: &str) -> serde_json::Value {
    json!({"spec": {"maintenance": {"problems": [problem], "windows": [{"from": "03:00", "to": "03:30"}], "timeZone": "Europe/Berlin"}}})
}

#[test]
fn what_can_wait_begins_when_a_window_opens_and_goes_on_when_it_is_over() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage.patch_pool(maintenance("KubeletUnhealthy")).await?;
        stage.report(SICK, "True").await?;
        stage
            .until("why nothing is done", async |stage| {
                let told: Vec<Event> = stage.scene.api.all("events");
                let says = |event: &Event| {
                    let message = event.message.as_deref().unwrap_or_default();
                    event.reason.as_deref() == Some("AwaitingWindow")
                        && message.contains("opens Thu 2026-01-01 03:00 CET")
                };
                Ok(told.iter().any(says))
            })
            .await?;
        stage.minutes(20).await;
        ensure!(
            stage.open(SICK).await?.is_none(),
            "a repair keeps others from the node"
        );
        stage.is_replaced(SICK).await?;
        let over = stage.archived().await?;
        let steps = over.iter().filter_map(|repair| repair.status.as_ref());
        let cordoned: Vec<Timestamp> = steps
            .flat_map(|record| &record.steps)
            .filter(|step| step.phase == Phase::Cordoning)
            .map(|step| step.at)
            .collect();
        let opens: Timestamp = "2026-01-01T02:00:00Z".parse()?;
        let closes: Timestamp = "2026-01-01T02:30:00Z".parse()?;
        ensure!(
            cordoned.iter().all(|at| (opens..closes).contains(at)),
            "{cordoned:?}"
        );
        ensure!(cordoned.len() == 1, "{cordoned:?}");
        Ok(())
    })
}

#[test]
fn what_cannot_wait_and_what_a_person_asks_for_begins_at_once() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage.patch_pool(maintenance("KernelOutdated")).await?;
        stage.report(SICK, "True").await?;
        stage.reaches(SICK, Phase::Joining).await?;
        Ok(())
    })
}

#[test]
fn what_waits_keeps_nothing_else_from_its_node() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage.patch_pool(maintenance("KubeletUnhealthy")).await?;
        stage.report(SICK, "True").await?;
        stage.minutes(10).await;
        stage.a_unit_fails()?;
        stage
            .until("the other problem's repair", async |stage| {
                let open = stage.open(SICK).await?;
                Ok(open.is_some_and(|repair| repair.spec.problem.kind == "ProxyUnhealthy"))
            })
            .await?;
        stage
            .reaches(SICK, Phase::Cordoning)
            .await
            .context("it waits")
    })
}
