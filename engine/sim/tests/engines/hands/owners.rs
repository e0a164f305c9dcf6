//! Nodes that others keep are left alone, and what we have begun when another takes one over is taken back.

use anyhow::{Context, Result, ensure};
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use serde_json::{Value, json};

use super::stage::{SICK, Stage, played};

fn signs() -> Vec<(&'static str, Value)> {
    let annotation = |key: &str| json!({"metadata": {"annotations": {key: "machine-1"}}});
    let label = |key: &str| json!({"metadata": {"labels": {key: "workers"}}});
    vec![
        ("Cluster API", annotation("cluster.x-k8s.io/machine")),
        ("Machine API", annotation("machine.openshift.io/machine")),
        (
            "machine-controller-manager",
            label("node.gardener.cloud/machine-name"),
        ),
        ("Magnum", label("magnum.openstack.org/nodegroup")),
        ("Karpenter", label("karpenter.sh/nodepool")),
        ("kured", annotation("weave.works/kured-reboot-in-progress")),
        (
            "cluster-autoscaler",
            taint("ToBeDeletedByClusterAutoscaler", "NoSchedule"),
        ),
    ]
}

fn taint(key: &str, effect: &str) -> Value {
    json!({"spec": {"taints": [{"key": key, "value": "1767225600", "effect": effect}]}})
}

#[test]
fn every_others_node_is_left_alone_and_named() -> Result<()> {
    for (owner, sign) in signs() {
        played(async |policies| {
            let stage = Stage::set(policies).await?;
            stage.patch_node(SICK, sign.clone()).await?;
            let before = stage.everything().await?;
            stage.report(SICK, "True").await?;
            stage.says(SICK, Reason::OwnedByOther).await?;
            let message = stage.record(SICK).await?.message;
            ensure!(message.contains(owner), "{message}");
            stage.minutes(10).await;
            ensure!(stage.everything().await? == before);
            Ok(())
        })
        .context(owner)?;
    }
    Ok(())
}

#[test]
fn what_was_begun_when_another_takes_the_node_over_is_taken_back() -> Result<()> {
    for phase in [Phase::CreatingPorts, Phase::CreatingServer, Phase::Joining] {
        played(async |policies| {
            let stage = Stage::set(policies).await?;
            stage.report(SICK, "True").await?;
            stage.reaches(SICK, phase).await?;
            let deleting = taint("ToBeDeletedByClusterAutoscaler", "NoSchedule");
            stage.patch_node(SICK, deleting).await?;
            stage
                .until("the rollback", async |stage| {
                    Ok(!stage.archived().await?.is_empty())
                })
                .await?;
            stage.ended(Phase::Cancelled, Reason::OwnedByOther).await?;
            ensure!(stage.scene.cloud.servers().len() == 3);
            ensure!(stage.scene.cloud.ports().len() == 3);
            // taken up again, it waits
            stage.says(SICK, Reason::OwnedByOther).await?;
            stage
                .patch_node(SICK, json!({"spec": {"taints": null}}))
                .await?;
            stage.is_replaced(SICK).await
        })
        .with_context(|| format!("in {phase:?}"))?;
    }
    Ok(())
}

#[test]
fn a_candidate_for_deletion_is_no_ones_yet_and_a_pool_may_ignore_an_owner() -> Result<()> {
    let candidate = taint("DeletionCandidateOfClusterAutoscaler", "PreferNoSchedule");
    let magnum = json!({"metadata": {"labels": {"magnum.openstack.org/role": "worker"}}});
    for (sign, ignored) in [(candidate, json!([])), (magnum, json!(["Magnum"]))] {
        played(async |policies| {
            let stage = Stage::set(policies).await?;
            stage
                .patch_pool(json!({"spec": {"ignoreOwners": ignored}}))
                .await?;
            stage.patch_node(SICK, sign.clone()).await?;
            stage.report(SICK, "True").await?;
            stage.reaches(SICK, Phase::Committed).await
        })
        .with_context(|| format!("{sign}"))?;
    }
    Ok(())
}
