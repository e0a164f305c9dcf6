//! What holds of pods, their budgets, and nodes.

use anyhow::Result;
use serde_json::{Value, json};

use super::talk::Talk;

pub(crate) const PODS: &str = "/api/v1/namespaces/{ns}/pods";

pub(crate) fn pod(name: &str, node: Option<&str>) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {
            "automountServiceAccountToken": false, "schedulerName": "nobody",
            "containers": [{"name": "c", "image": "none:1"}],
        },
    });
    if let Some(node) = node {
        pod["spec"]["nodeName"] = node.into();
    }
    pod
}

pub(crate) fn status(phase: &str, ready: &str) -> Value {
    json!({"status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}})
}

pub(crate) async fn graceful_deletion(talk: &mut Talk) -> Result<()> {
    let made = talk.post(PODS, pod("unplaced", None)).await?;
    talk.show(
        &made,
        &["/status/phase", "/spec/terminationGracePeriodSeconds"],
    );
    talk.delete(&format!("{PODS}/unplaced")).await?;
    talk.get(&format!("{PODS}/unplaced")).await?;

    let made = talk.post(PODS, pod("placed", Some("no-such-node"))).await?;
    let generation = made["metadata"]["generation"].clone();
    let placed = &format!("{PODS}/placed");
    let going = talk.delete(placed).await?;
    talk.show(&going, &["/metadata/deletionGracePeriodSeconds"]);
    talk.show_whether(
        "another generation",
        going["metadata"]["generation"] != generation,
    );
    let again = talk.delete(placed).await?;
    let version = "/metadata/resourceVersion";
    talk.show_whether(
        "the same version",
        again.pointer(version) == going.pointer(version),
    );
    let sooner = talk
        .delete(&format!("{placed}?gracePeriodSeconds=5"))
        .await?;
    talk.show(&sooner, &["/metadata/deletionGracePeriodSeconds"]);
    let later = talk
        .delete(&format!("{placed}?gracePeriodSeconds=50"))
        .await?;
    talk.show(&later, &["/metadata/deletionGracePeriodSeconds"]);
    let now = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0});
    talk.ask("DELETE", placed, Some(("json", now))).await?;
    talk.get(placed).await?;

    talk.post(PODS, pod("over", Some("no-such-node"))).await?;
    talk.merge(&format!("{PODS}/over/status"), status("Succeeded", "False"))
        .await?;
    talk.delete(&format!("{PODS}/over")).await?;
    talk.get(&format!("{PODS}/over")).await?;
    Ok(())
}

pub(crate) async fn evict(talk: &mut Talk, name: &str, options: Value) -> Result<Value> {
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options,
    });
    talk.post(&format!("{PODS}/{name}/eviction"), eviction)
        .await
}

pub(crate) async fn evictions(talk: &mut Talk) -> Result<()> {
    for name in ["a", "b", "c"] {
        talk.post(PODS, pod(name, Some("no-such-node"))).await?;
        talk.merge(&format!("{PODS}/{name}/status"), status("Running", "True"))
            .await?;
    }
    let budgets = "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets";
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
    });
    talk.post(budgets, budget.clone()).await?;
    let counts = |healthy: u64| move |budget: &Value| budget["status"]["currentHealthy"] == healthy;
    let own = &format!("{budgets}/web");
    talk.until(own, counts(3)).await?;
    let seen = talk.get(own).await?;
    talk.show(
        &seen,
        &[
            "/status/desiredHealthy",
            "/status/disruptionsAllowed",
            "/status/expectedPods",
        ],
    );

    evict(talk, "none", json!({})).await?;
    let going = evict(talk, "a", json!({"gracePeriodSeconds": 20})).await?;
    talk.show(&going, &["/status"]);
    let a = talk.get(&format!("{PODS}/a")).await?;
    talk.show(&a, &["/metadata/deletionGracePeriodSeconds"]);
    talk.until(own, counts(2)).await?;
    let refused = evict(talk, "b", json!({})).await?;
    talk.show(&refused, &["/details/causes/0/reason", "/code"]);
    // Again: it is going already.
    evict(talk, "a", json!({})).await?;
    // What is not ready is spared no longer, as long as enough others are.
    talk.post(PODS, pod("d", Some("no-such-node"))).await?;
    talk.merge(&format!("{PODS}/d/status"), status("Running", "False"))
        .await?;
    talk.until(own, |budget| {
        budget["status"]["expectedPods"].as_u64() >= Some(3)
    })
    .await?;
    evict(talk, "d", json!({})).await?;
    let two = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "two"},
        "spec": {"minAvailable": 0, "selector": {"matchLabels": {"app": "web"}}},
    });
    talk.post(budgets, two).await?;
    talk.until(&format!("{budgets}/two"), counts(2)).await?;
    evict(talk, "b", json!({})).await?;
    Ok(())
}

pub(crate) async fn nodes(talk: &mut Talk) -> Result<()> {
    let own = "/api/v1/nodes/conformance-node";
    let node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "conformance-node"},
        "status": {"conditions": [{"type": "Sick", "status": "True", "reason": "R", "message": "m"}]},
    });
    let made = talk.post("/api/v1/nodes", node).await?;
    talk.show(
        &made,
        &[
            "/status/conditions/0/type",
            "/metadata/generation",
            "/metadata/namespace",
        ],
    );
    let cordoned = talk
        .merge(
            own,
            json!({"spec": {"unschedulable": true}, "status": {"conditions": null}}),
        )
        .await?;
    talk.show(
        &cordoned,
        &["/spec/unschedulable", "/status/conditions/0/type"],
    );
    let well = json!([{"type": "Sick", "status": "False", "reason": "R", "message": "m"}]);
    let patch = json!({"status": {"conditions": well}, "spec": {"unschedulable": false}, "metadata": {"labels": {"l": "1"}}});
    let told = talk.merge(&format!("{own}/status"), patch).await?;
    talk.show(
        &told,
        &[
            "/spec/unschedulable",
            "/status/conditions/0/status",
            "/metadata/labels/l",
        ],
    );
    let list = talk
        .get("/api/v1/nodes?fieldSelector=spec.unschedulable%3Dtrue")
        .await?;
    talk.show(&list, &["/items/0/metadata/name", "/items/0/kind"]);
    talk.get(&format!("{own}/nothing")).await?;
    talk.delete(own).await?;
    Ok(())
}

pub(crate) async fn priorities(talk: &mut Talk) -> Result<()> {
    for class in ["system-cluster-critical", "system-node-critical"] {
        let mut made = pod(class, None);
        made["spec"]["priorityClassName"] = class.into();
        let made = talk.post(PODS, made).await?;
        talk.show(&made, &["/spec/priority"]);
    }
    Ok(())
}

pub(crate) async fn volumes_and_drivers(talk: &mut Talk) -> Result<()> {
    let volumes = "/api/v1/persistentvolumes";
    // never to be bound to anything
    let affinity = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": ["no-such-node"]},
    ]}]}});
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "conformance-volume"},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "nobody",
            "local": {"path": "/disk"}, "nodeAffinity": affinity,
        },
    });
    let made = talk.post(volumes, volume).await?;
    let operator = "/spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0/operator";
    talk.show(&made, &["/spec/local/path", operator]);
    let claims = "/api/v1/namespaces/{ns}/persistentvolumeclaims";
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "nobody", "volumeName": "no-such-volume",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    });
    let made = talk.post(claims, claim).await?;
    talk.show(&made, &["/spec/volumeName"]);
    talk.get(&format!("{claims}/other")).await?;

    let nodes = "/apis/storage.k8s.io/v1/csinodes";
    let own = &format!("{nodes}/conformance-driver");
    let node = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": "conformance-driver"},
        "spec": {"drivers": [{"name": "disk.example.com", "nodeID": "n", "topologyKeys": null}]},
    });
    talk.get(own).await?;
    let made = talk.post(nodes, node).await?;
    talk.show(&made, &["/spec/drivers/0/name"]);
    talk.delete(own).await?;
    talk.get(own).await?;
    Ok(())
}
