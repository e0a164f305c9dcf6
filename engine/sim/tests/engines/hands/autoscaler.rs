//! The cluster autoscaler is kept off both nodes of a repair for as long as it lasts, and no longer.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use rectifier_core::repair::autoscaler::{SCALE_DOWN_DISABLED, SCALE_DOWN_HELD_BY};
use serde_json::json;

use super::stage::{SICK, Stage, played};

/// By node, what it says to the autoscaler, and whether that is ours.
async fn said(stage: &Stage) -> Result<BTreeMap<String, (Option<String>, bool)>> {
    let nodes: Api<Node> = Api::all(stage.client.clone());
    let nodes = nodes.list(&ListParams::default()).await?.items;
    let said = |node: &Node| {
        let said = node.annotations().get(SCALE_DOWN_DISABLED).cloned();
        (said, node.annotations().contains_key(SCALE_DOWN_HELD_BY))
    };
    Ok(nodes
        .iter()
        .map(|node| (node.name_any(), said(node)))
        .collect())
}

#[test]
fn neither_node_is_scaled_away_while_one_takes_the_others_place() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage.report(SICK, "True").await?;
        stage.reaches(SICK, Phase::Joining).await?;
        let held = (Some("true".to_owned()), true);
        ensure!(said(&stage).await?.get(SICK) == Some(&held));
        stage.reaches(SICK, Phase::Draining).await?;
        let both = said(&stage).await?.into_values();
        ensure!(both.filter(|said| *said == held).count() == 2);
        stage.is_replaced(SICK).await?;
        let left = said(&stage).await?;
        ensure!(left.values().all(|said| *said == (None, false)), "{left:?}");
        Ok(())
    })
}

#[test]
fn a_repair_that_a_person_calls_off_leaves_nothing_on_the_node() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage.report(SICK, "True").await?;
        stage.reaches(SICK, Phase::Joining).await?;
        stage
            .patch_node(SICK, json!({"spec": {"unschedulable": null}}))
            .await?;
        stage
            .until("its end", async |stage| {
                Ok(stage.open(SICK).await?.is_none())
            })
            .await?;
        stage.ended(Phase::Cancelled, Reason::Uncordoned).await?;
        let left = said(&stage).await?;
        ensure!(left.values().all(|said| *said == (None, false)), "{left:?}");
        Ok(())
    })
}

#[test]
fn what_somebody_said_about_a_node_before_stays() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        let word = json!({"metadata": {"annotations": {(SCALE_DOWN_DISABLED): "true"}}});
        stage.patch_node(SICK, word).await?;
        stage.report(SICK, "True").await?;
        stage.reaches(SICK, Phase::Joining).await?;
        stage.report(SICK, "False").await?;
        stage
            .until("its end", async |stage| {
                Ok(stage.open(SICK).await?.is_none())
            })
            .await?;
        let theirs = (Some("true".to_owned()), false);
        ensure!(said(&stage).await?.get(SICK) == Some(&theirs));
        Ok(())
    })
}
