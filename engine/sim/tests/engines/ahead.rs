//! What a repair needs of the cloud is asked before it is due, and not waited for then.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::api::Api;
use rectifier_api::RepairPool;
use rectifier_cloud::openstack::transport::Method;
use rectifier_sim::openstack::{Effect, Fault};
use tokio::time::sleep;

use crate::hands::stage::{SICK, Stage, played};

#[test]
fn a_cloud_that_falls_silent_right_before_a_repair_is_due_holds_up_no_cordon() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        let nodes: Api<Node> = Api::all(stage.client.clone());
        let spec = nodes.get(SICK).await?.spec.unwrap_or_default();
        let provider = spec.provider_id.context("its provider's id")?;
        let (_, server) = provider.rsplit_once('/').context("a server's id")?;
        let pools: Api<RepairPool> = Api::all(stage.client.clone());
        let grace = pools.get("web").await?.spec.timing.agent_grace;

        stage.report(SICK, "True").await?;
        sleep(Duration::from_secs(u64::from(grace) - 1)).await;
        for _ in 0..20 {
            stage.scene.cloud.fault(Fault::Door {
                method: Method::Get,
                path_ends: format!("/servers/{server}"),
                effect: Effect::NotSent,
            });
        }
        sleep(Duration::from_secs(2)).await;
        let spec = nodes.get(SICK).await?.spec.unwrap_or_default();
        ensure!(
            spec.unschedulable == Some(true),
            "{:?}",
            stage.record(SICK).await?
        );
        stage.is_replaced(SICK).await
    })
}
