//! What happens to the node, and how it ends, whatever befalls the controller.

use anyhow::{Context, Result, ensure};
use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams, PostParams};
use rectifier_core::repair::Phase;
use rectifier_sim::machine::{Break, Cure};
use rectifier_sim::openstack::Fault;
use serde_json::json;

use crate::database;
use crate::stage::{SICK, Stage};

type Deeds = for<'a> fn(&'a Stage) -> BoxFuture<'a, Result<()>>;

/// One of them.
pub(crate) struct Story {
    pub(crate) name: &'static str,
    /// Before the controller starts.
    pub(crate) begins: Deeds,
    /// What people and nature do while it runs, if anything.
    pub(crate) goes_on: Option<Deeds>,
    pub(crate) ends: Phase,
}

pub(crate) const STORIES: [Story; 7] = [
    Story {
        name: "replaced",
        begins: |stage| Box::pin(stage.fall_sick()),
        goes_on: None,
        ends: Phase::Replaced,
    },
    Story {
        name: "booted",
        begins: |stage| Box::pin(async { hangs(stage, Cure::Boot) }),
        goes_on: None,
        ends: Phase::Recovered,
    },
    Story {
        name: "started",
        begins: |stage| Box::pin(loses_its_power(stage)),
        goes_on: None,
        ends: Phase::Recovered,
    },
    Story {
        name: "dead, with a volume",
        begins: |stage| {
            Box::pin(async {
                // no boot brings it back
                let short = json!({"timing": {"reboot": 60}});
                stage.pool(short).await?;
                has_a_database(stage).await?;
                hangs(stage, Cure::Never)
            })
        },
        goes_on: None,
        ends: Phase::Replaced,
    },
    Story {
        name: "taken back, with a guest",
        begins: |stage| {
            Box::pin(async {
                stage.pool(json!({"timing": {"ready": 300}})).await?;
                stage.set_of("guest", 1, json!({})).await?;
                stage.until_ready("guest", 1).await?;
                stage.fall_sick().await
            })
        },
        goes_on: Some(|stage| Box::pin(is_wanted_back(stage))),
        ends: Phase::Cancelled,
    },
    Story {
        name: "drained by deletion",
        begins: |stage| {
            Box::pin(async {
                stage.budget("web", 3).await?;
                let last_resort =
                    json!({"drain": {"lastResort": "Delete"}, "timing": {"drain": 120}});
                stage.pool(last_resort).await?;
                stage.fall_sick().await
            })
        },
        goes_on: None,
        ends: Phase::Replaced,
    },
    Story {
        name: "its server goes first",
        begins: |stage| {
            Box::pin(async {
                let first = json!({"provisioning": {"whenNoCapacity": "TerminateFirst"}});
                stage.pool(first).await?;
                stage.scene.cloud.fault(Fault::Room(3));
                stage.fall_sick().await
            })
        },
        goes_on: None,
        ends: Phase::Replaced,
    },
];

fn hangs(stage: &Stage, cure: Cure) -> Result<()> {
    let was_there = stage.scene.machines.break_it(SICK, &Break::Machine(cure));
    ensure!(was_there, "there is no such machine");
    Ok(())
}

async fn loses_its_power(stage: &Stage) -> Result<()> {
    let node = stage.node(SICK).context("the node")?;
    let provider = node.spec.and_then(|spec| spec.provider_id);
    let provider = provider.context("its provider's id")?;
    let server = provider.rsplit('/').next().unwrap_or_default();
    let host = stage.scene.cloud.host_of(server).context("its host")?;
    stage.scene.cloud.fault(Fault::HostRestarted(host));
    Ok(())
}

/// On the node that falls sick.
async fn has_a_database(stage: &Stage) -> Result<()> {
    for name in ["worker-2", "worker-3"] {
        stage
            .change_node(name, json!({"spec": {"unschedulable": true}}))
            .await?;
    }
    let sets: Api<StatefulSet> = Api::namespaced(stage.client.clone(), "default");
    sets.create(&PostParams::default(), &database::wanted()?)
        .await?;
    stage
        .until("the database runs", || {
            database::holders(&stage.scene) == [SICK]
        })
        .await?;
    for name in ["worker-2", "worker-3"] {
        stage
            .change_node(name, json!({"spec": {"unschedulable": null}}))
            .await?;
    }
    Ok(())
}

/// A pod runs on the replacement already when a person uncordons the sick node.
async fn is_wanted_back(stage: &Stage) -> Result<()> {
    stage
        .until("the replacement", || stage.new_node().is_some())
        .await?;
    let new = stage.new_node().context("it is gone")?.name_any();
    let sets: Api<ReplicaSet> = Api::namespaced(stage.client.clone(), "default");
    let set = sets.get("guest").await?;
    let guest = json!({
        "metadata": {"name": "guest-2", "labels": {"app": "guest"}, "ownerReferences": [{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "guest", "uid": set.uid(), "controller": true,
        }]},
        "spec": {
            "nodeName": new, "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "c", "image": "none:1"}],
        },
    });
    stage.make::<Pod>(guest).await?;
    let one_more = json!({"spec": {"replicas": 2}});
    sets.patch("guest", &PatchParams::default(), &Patch::Merge(one_more))
        .await?;
    stage.until_ready("guest", 2).await?;
    stage.budget("guest", 1).await?;
    stage
        .change_node(SICK, json!({"spec": {"unschedulable": null}}))
        .await
}
