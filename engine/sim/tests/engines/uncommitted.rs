//! What comes before the commit: the look at what would be lost, the comparison, and the way back.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::CSINode;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams, PostParams};
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use serde_json::{Value, json};

use crate::stage::{SICK, Stage, slow};

pub(crate) async fn a_node_whose_pods_would_be_lost_is_not_touched_until_that_is_allowed(
    mut stage: Stage,
) -> Result<()> {
    let volume = json!({
        "metadata": {"name": "pv-1"},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "local": {"path": "/disk"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": [SICK]},
            ]}]}},
        },
    });
    Api::<PersistentVolume>::all(stage.client.clone())
        .create(&PostParams::default(), &serde_json::from_value(volume)?)
        .await?;
    let claim = json!({
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "pv-1"},
    });
    stage.make::<PersistentVolumeClaim>(claim).await?;
    let pod = |name: &str, more: Value| {
        let mut pod = json!({
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"nodeName": SICK, "containers": [{"name": "c", "image": "none:1"}]},
        });
        json_patch::merge(&mut pod, &more);
        pod
    };
    let set = stage.set_of("db", 0, json!({})).await?;
    let data = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    let owned = json!({"metadata": {"ownerReferences": [owner(&set)]}, "spec": {"volumes": data}});
    stage.make::<Pod>(pod("db", owned)).await?;
    stage.make::<Pod>(pod("alone", json!({}))).await?;
    stage.start();
    stage.fall_sick().await?;
    let refused = stage.until_in(Phase::NeedsHuman).await?;
    ensure!(
        refused.reason == Some(Reason::PreflightRefused),
        "{refused:?}"
    );
    for words in [
        "2: default/alone (no controller makes it again), default/db (its volume pv-1 is on this node alone)",
        "in Judging, nothing is committed",
    ] {
        ensure!(refused.message.contains(words), "{}", refused.message);
    }
    // and the Event holds all of it, with the command
    let is_said = || !stage.said("PreflightRefused").is_empty();
    stage.until("the Event", is_said).await?;
    let said = stage.said("PreflightRefused");
    ensure!(
        said.len() == 1 && said[0].contains("rectifier.dev/retry="),
        "{said:?}"
    );
    tokio::time::sleep(Duration::from_secs(600)).await;
    ensure!(stage.changes().is_empty(), "{:?}", stage.changes());
    ensure!(stage.scene.cloud.asked_for() == 3, "a server was asked for");
    // still refused, if nothing is done but to ask again
    stage.retry().await?;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let again = stage.until_in(Phase::NeedsHuman).await?;
    ensure!(again.since > refused.since, "it was not looked at again");
    ensure!(stage.changes().is_empty(), "{:?}", stage.changes());
    stage
        .pool(json!({"drain": {"unmanagedPods": true, "nodeVolumes": true}}))
        .await?;
    stage.retry().await?;
    let over = stage.until_over().await?;
    ensure!(over.phase == Phase::Replaced, "{over:?}");
    Ok(())
}

pub(crate) async fn a_replacement_is_committed_when_it_has_the_drivers_and_daemons(
    mut stage: Stage,
) -> Result<()> {
    let tolerant = json!([{"operator": "Exists"}]);
    stage
        .daemons(
            "net",
            json!({"tolerations": tolerant, "containers": slow(100)}),
        )
        .await?;
    // one that comes only after the commit must not be waited for
    stage.daemons("shy", json!({})).await?;
    stage
        .until("the daemons", || {
            stage.pods("net", SICK).0.len() == 1 && stage.pods("shy", SICK).0.len() == 1
        })
        .await?;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let drivers = Api::<CSINode>::all(stage.scene.api.client("kubelet"));
    let registered = |node: &str| -> Result<CSINode> {
        Ok(serde_json::from_value(json!({
            "metadata": {"name": node},
            "spec": {"drivers": [{"name": "disk.example.com", "nodeID": node}]},
        }))?)
    };
    drivers
        .create(&PostParams::default(), &registered(SICK)?)
        .await?;
    stage.start();
    stage.fall_sick().await?;
    stage
        .until("the replacement", || stage.new_node().is_some())
        .await?;
    let new = stage.new_node().context("it is gone")?.name_any();
    let message = || {
        stage
            .record()
            .map(|record| record.message)
            .unwrap_or_default()
    };
    let says = |words: &'static str| move |message: String| message.contains(words);
    stage
        .until("the driver to be missed", || {
            says("it lacks the CSI driver disk.example.com")(message())
        })
        .await?;
    tokio::time::sleep(Duration::from_secs(50)).await;
    ensure!(
        stage
            .record()
            .is_some_and(|record| record.phase == Phase::Joining)
    );
    drivers
        .create(&PostParams::default(), &registered(&new)?)
        .await?;
    stage
        .until("the daemon to be missed", || {
            says("a Ready pod of the DaemonSet default/net")(message())
        })
        .await?;
    let is_ready = |pod: &Pod| {
        let status = pod.status.clone().unwrap_or_default();
        let mut conditions = status.conditions.into_iter().flatten();
        conditions.any(|one| one.type_ == "Ready" && one.status == "True")
    };
    let committed = || {
        stage
            .record()
            .is_some_and(|record| record.committed_at.is_some())
    };
    stage.until("the commit", committed).await?;
    let (net, _) = stage.pods("net", &new);
    ensure!(
        net.iter().any(is_ready),
        "it was committed without its network"
    );
    let over = stage.until_over().await?;
    ensure!(over.phase == Phase::Replaced, "{over:?}");
    ensure!(
        stage.pods("shy", &new).0.len() == 1,
        "the shy one came after the commit"
    );
    Ok(())
}

pub(crate) async fn a_pod_on_a_replacement_that_is_taken_back_leaves_it_within_its_budget(
    mut stage: Stage,
) -> Result<()> {
    stage.pool(json!({"timing": {"ready": 300}})).await?;
    let set = stage.set_of("guest", 1, json!({})).await?;
    stage.until_ready("guest", 1).await?;
    stage.start();
    stage.fall_sick().await?;
    stage
        .until("the replacement", || stage.new_node().is_some())
        .await?;
    let new = stage.new_node().context("it is gone")?.name_any();
    let guest = json!({
        "metadata": {"name": "guest-2", "labels": {"app": "guest"}, "ownerReferences": [owner(&set)]},
        "spec": {
            "nodeName": new, "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "c", "image": "none:1"}],
        },
    });
    stage.make::<Pod>(guest).await?;
    // its own set wants one pod more from now on
    let patch = json!({"spec": {"replicas": 2}});
    Api::<ReplicaSet>::namespaced(stage.client.clone(), "default")
        .patch("guest", &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    stage.until_ready("guest", 2).await?;
    stage.budget("guest", 2).await?;
    // a person wants the node back
    stage
        .change_node(SICK, json!({"spec": {"unschedulable": null}}))
        .await?;
    let is_held = || {
        let record = stage.record().unwrap_or_default();
        record.phase == Phase::RollingBack && record.reason == Some(Reason::RollbackHeld)
    };
    stage.until("its pod to be held back", is_held).await?;
    tokio::time::sleep(Duration::from_secs(7200)).await;
    ensure!(is_held(), "{:?}", stage.record());
    ensure!(stage.has_server(&new), "the server went under a pod");
    ensure!(
        stage.pods("guest", &new).0.len() == 1,
        "its pod went below its budget"
    );
    let said = stage.said("RollbackHeld");
    ensure!(
        said.len() == 1 && said[0].contains("guest needs 2 healthy pods"),
        "{said:?}"
    );
    stage.budget("guest", 1).await?;
    stage
        .until("the replacement to go", || !stage.has_server(&new))
        .await?;
    let (here, leaving) = stage.pods("guest", &new);
    ensure!(
        here.is_empty() && leaving.is_empty(),
        "{here:?} {leaving:?}"
    );
    let over = stage.until_over().await?;
    ensure!(
        over.phase == Phase::Cancelled && over.reason == Some(Reason::Uncordoned),
        "{over:?}"
    );
    ensure!(stage.nodes().await? == 3 && stage.scene.cloud.servers().len() == 3);
    Ok(())
}

fn owner(set: &ReplicaSet) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set.name_any(), "uid": set.uid(), "controller": true,
    })
}
