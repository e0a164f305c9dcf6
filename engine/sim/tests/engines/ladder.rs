//! The policy `default-ladder`, with the settings that it ships with: what it claims to heal it heals.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::api::{Api, ListParams};
use rectifier_api::NodeRepair;
use rectifier_core::repair::{Phase, Rung};
use serde_json::json;

use crate::hands::stage::{SICK, played_with};
use crate::own::with_rules;

/// The first repair that is over, of a problem that the node engine makes of hung tasks; they go on for so long.
fn of_hung_tasks(
    kind: &'static str,
    minutes: u64,
    judge: impl Fn(Phase, &[Rung]) -> Result<()>,
) -> Result<()> {
    let ladder = crate::policy::as_it_ships("default-ladder")?;
    played_with(ladder, async |policies| {
        let rules = json!({kind: {"events": {"reason": "TaskHung", "count": 3, "within": 600}}});
        let (mut stage, _agents) = with_rules(policies, rules).await?;
        stage.start();
        let hangs = async {
            for _ in 0..minutes * 6 {
                stage.scene.machines.happen(SICK, "TaskHung");
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            std::future::pending::<()>().await;
        };
        let over = stage.until("its end", async |stage| {
            let repairs: Api<NodeRepair> = Api::all(stage.client.clone());
            let all = repairs.list(&ListParams::default()).await?.items;
            let phase = |repair: &NodeRepair| repair.status.as_ref().map(|record| record.phase);
            Ok(all
                .iter()
                .any(|repair| phase(repair).is_some_and(Phase::is_final)))
        });
        tokio::select! {
            over = over => over?,
            () = hangs => {}
        }
        let repairs: Api<NodeRepair> = Api::all(stage.client.clone());
        let all = repairs.list(&ListParams::default()).await?.items;
        let repair = all.first().context("no repair")?;
        ensure!(repair.spec.problem.kind == kind);
        let record = repair.status.as_ref().context("it has no record")?;
        let tried: Vec<Rung> = record.tried.iter().map(|tried| tried.rung).collect();
        judge(record.phase, &tried)
    })
}

#[test]
fn a_kernel_that_hangs_is_booted_and_well() -> Result<()> {
    of_hung_tasks("KernelDeadlock", 1, |phase, tried| {
        ensure!(
            phase == Phase::Recovered && tried == [Rung::Reboot],
            "{phase:?} after {tried:?}"
        );
        Ok(())
    })
}

#[test]
fn a_file_system_that_is_read_only_is_replaced_without_a_boot() -> Result<()> {
    of_hung_tasks("ReadonlyFilesystem", 600, |phase, tried| {
        ensure!(
            phase == Phase::Replaced && !tried.contains(&Rung::Reboot),
            "{phase:?} after {tried:?}"
        );
        Ok(())
    })
}
