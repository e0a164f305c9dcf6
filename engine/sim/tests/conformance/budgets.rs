//! What PodDisruptionBudgets allow, whoever makes the pods.
//!
//! The real server's own controllers must not make any: the sets' templates name an account that is not there.

use anyhow::Result;
use serde_json::{Value, json};

use super::pods::{PODS, evict, pod, status};
use super::talk::Talk;

const BUDGETS: &str = "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets";

/// Makes a set of so many replicas, and gives how its pods refer to it.
async fn set(talk: &mut Talk, kind: &str, name: &str, owner: Option<&Value>) -> Result<Value> {
    let labels = json!({"app": name});
    let mut spec = json!({
        "replicas": 4, "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"serviceAccountName": "nobody", "containers": [{"name": "c", "image": "none:1"}]},
        },
    });
    let (version, path) = match kind {
        "ReplicationController" => {
            spec["selector"] = labels;
            ("v1", "/api/v1/namespaces/{ns}/replicationcontrollers")
        }
        "StatefulSet" => {
            spec["serviceName"] = name.into();
            // Else it replaces pods that are not of its own template.
            spec["updateStrategy"] = json!({"type": "OnDelete"});
            ("apps/v1", "/apis/apps/v1/namespaces/{ns}/statefulsets")
        }
        "Deployment" => {
            // It makes no ReplicaSet of its own.
            spec["paused"] = true.into();
            ("apps/v1", "/apis/apps/v1/namespaces/{ns}/deployments")
        }
        _ => ("apps/v1", "/apis/apps/v1/namespaces/{ns}/replicasets"),
    };
    let mut object = json!({
        "apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec,
    });
    if let Some(owner) = owner {
        object["metadata"]["ownerReferences"] = json!([owner]);
    }
    let made = talk.post(path, object).await?;
    Ok(json!({
        "apiVersion": version, "kind": kind, "name": name, "uid": made["metadata"]["uid"], "controller": true,
    }))
}

/// Pods that run: their names begin with the app's.
async fn run(
    talk: &mut Talk,
    app: &str,
    pods: &[(&str, &str)],
    owner: Option<&Value>,
) -> Result<()> {
    for (name, ready) in pods {
        let name = &format!("{app}-{name}");
        let mut made = pod(name, Some("no-such-node"));
        made["metadata"]["labels"]["app"] = app.into();
        if let Some(owner) = owner {
            made["metadata"]["ownerReferences"] = json!([owner]);
        }
        talk.post(PODS, made).await?;
        talk.merge(&format!("{PODS}/{name}/status"), status("Running", ready))
            .await?;
    }
    Ok(())
}

/// What a budget of these pods says, once it says so of so many healthy ones.
async fn says(talk: &mut Talk, app: &str, healthy: u64, spec: Value) -> Result<()> {
    let mut budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": app},
        "spec": {"selector": {"matchLabels": {"app": app}}},
    });
    json_patch::merge(&mut budget["spec"], &spec);
    let own = &format!("{BUDGETS}/{app}");
    talk.post(BUDGETS, budget).await?;
    talk.until(own, |budget| {
        budget["status"]["currentHealthy"] == healthy
            && budget["status"]["observedGeneration"] == budget["metadata"]["generation"]
    })
    .await?;
    let seen = talk.get(own).await?;
    talk.show(&json!({"spec": spec}), &["/spec"]);
    let counts = ["desiredHealthy", "disruptionsAllowed", "expectedPods"];
    for count in counts {
        talk.show(&seen, &[&format!("/status/{count}")]);
    }
    Ok(())
}

/// Three ways to say it, of four pods that there should be and three that are well.
async fn ways(talk: &mut Talk, app: &str, healthy: u64) -> Result<()> {
    for spec in [
        json!({"maxUnavailable": 1}),
        json!({"maxUnavailable": "50%"}),
        json!({"minAvailable": "51%"}),
        json!({"minAvailable": 2}),
    ] {
        says(talk, app, healthy, spec).await?;
        talk.delete(&format!("{BUDGETS}/{app}")).await?;
    }
    Ok(())
}

const THREE_OF_FOUR: [(&str, &str); 4] =
    [("0", "True"), ("1", "True"), ("2", "True"), ("3", "False")];

pub(crate) async fn budgets_of_sets(talk: &mut Talk) -> Result<()> {
    for (kind, app) in [
        ("ReplicaSet", "replicas"),
        ("StatefulSet", "stateful"),
        ("ReplicationController", "replication"),
    ] {
        let owner = set(talk, kind, app, None).await?;
        run(talk, app, &THREE_OF_FOUR, Some(&owner)).await?;
        ways(talk, app, 3).await?;
    }
    let deployment = set(talk, "Deployment", "deployed", None).await?;
    let owner = set(talk, "ReplicaSet", "deployed", Some(&deployment)).await?;
    run(talk, "deployed", &THREE_OF_FOUR, Some(&owner)).await?;
    ways(talk, "deployed", 3).await
}

pub(crate) async fn budgets_of_bare_pods(talk: &mut Talk) -> Result<()> {
    run(talk, "bare", &THREE_OF_FOUR, None).await?;
    ways(talk, "bare", 3).await?;
    says(talk, "bare", 3, json!({"maxUnavailable": 1})).await?;
    evict(talk, "bare-0", json!({})).await?;
    talk.delete(&format!("{BUDGETS}/bare")).await?;
    says(talk, "bare", 3, json!({"minAvailable": 2})).await?;
    evict(talk, "bare-0", json!({})).await?;
    // Beside pods of a set.
    let owner = set(talk, "StatefulSet", "mixed", None).await?;
    run(talk, "mixed", &THREE_OF_FOUR[..2], Some(&owner)).await?;
    // By these names it does not take them for its own.
    let others = [("other", "True"), ("another", "False")];
    run(talk, "mixed", &others, None).await?;
    ways(talk, "mixed", 3).await
}

pub(crate) async fn unhealthy_pods(talk: &mut Talk) -> Result<()> {
    for (app, policy) in [("careful", "IfHealthyBudget"), ("generous", "AlwaysAllow")] {
        let owner = set(talk, "StatefulSet", app, None).await?;
        run(talk, app, &THREE_OF_FOUR, Some(&owner)).await?;
        for (least, healthy) in [(4, 3), (3, 3)] {
            let spec = json!({"minAvailable": least, "unhealthyPodEvictionPolicy": policy});
            says(talk, app, healthy, spec).await?;
            // One that is well, and one that is not.
            evict(talk, &format!("{app}-0"), json!({"dryRun": ["All"]})).await?;
            evict(talk, &format!("{app}-3"), json!({"dryRun": ["All"]})).await?;
            talk.delete(&format!("{BUDGETS}/{app}")).await?;
        }
    }
    Ok(())
}
