//! Everything else that whoever has stolen an agent's token, or a detector's, may try. What RBAC leaves to it is known to the
//! last verb; of that the admission policies leave its own node's; and whatever is tried is looked for in the audit log.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::{
    ResourceRule, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec,
};
use rectifier_bed::kubernetes::Record;
use rectifier_core::repair::FINALIZER;
use serde_json::Value;

use super::*;

const AGENTS: &str = "rectifier-agents";
const NAMESPACES: [&str; 6] = [
    "default",
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "rectifier-agents",
    "rectifier-system",
];

/// What everybody may ask about themselves: it changes nothing.
const ABOUT_ONESELF: [&str; 3] = [
    "create selfsubjectaccessreviews.authorization.k8s.io",
    "create selfsubjectreviews.authentication.k8s.io",
    "create selfsubjectrulesreviews.authorization.k8s.io",
];

/// What RBAC lets the client's user change in this namespace, and in none: a verb and a resource each.
async fn may_change(client: &Client, namespace: &str) -> Result<BTreeSet<String>> {
    let reviews: Api<SelfSubjectRulesReview> = Api::all(client.clone());
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec {
            namespace: Some(namespace.to_owned()),
        },
        ..SelfSubjectRulesReview::default()
    };
    let answer = reviews.create(&PostParams::default(), &review).await?;
    let status = answer.status.context("rules")?;
    // the authorizer of kubelets answers no such question, and lets nobody but kubelets do anything
    let why = status.evaluation_error.unwrap_or_default();
    ensure!(
        !status.incomplete || why.contains("node authorizer does not support user rule resolution"),
        "{why}"
    );
    let looks = ["get", "list", "watch"];
    let all = status.resource_rules.iter().flat_map(verbs);
    let all = all.filter(|(verb, _)| !looks.contains(&verb.as_str()));
    let all = all.map(|(verb, resource)| format!("{verb} {resource}"));
    Ok(all
        .filter(|may| !ABOUT_ONESELF.contains(&may.as_str()))
        .collect())
}

fn verbs(rule: &ResourceRule) -> Vec<(String, String)> {
    let groups = rule.api_groups.iter().flatten();
    let resources = groups.flat_map(|group| {
        let resources = rule.resources.iter().flatten();
        resources.map(move |resource| match group.as_str() {
            "" => resource.clone(),
            group => format!("{resource}.{group}"),
        })
    });
    let pairs = resources.flat_map(|resource| {
        let verbs = rule.verbs.iter();
        verbs.map(move |verb| (verb.clone(), resource.clone()))
    });
    pairs.collect()
}

/// A request as whoever holds the token would send it: any verb, any path, any body.
async fn ask(client: &Client, verb: &str, path: &str, body: &Value) -> Result<u16> {
    let (method, kind) = match verb {
        "MERGE" => ("PATCH", "application/merge-patch+json"),
        "JSON" => ("PATCH", "application/json-patch+json"),
        "APPLY" => ("PATCH", "application/apply-patch+yaml"),
        other => (other, "application/json"),
    };
    let body = if body.is_null() {
        Vec::new()
    } else {
        serde_json::to_vec(body)?
    };
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", kind)
        .body(body)?;
    match client.request_text(request).await {
        Ok(_) => Ok(200),
        Err(kube::Error::Api(status)) => Ok(status.code),
        Err(error) => Err(error.into()),
    }
}

/// What is refused whoever of the two asks.
fn anybodys() -> Vec<(&'static str, String, Value)> {
    let secrets = "/api/v1/namespaces/kube-system/secrets";
    let secret = json!({"metadata": {"name": "bootstrap-token-abcdef"}, "type": "bootstrap.kubernetes.io/token"});
    let tokens = |of: &str| format!("/api/v1/namespaces/{of}/token");
    let token =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let switch = "/api/v1/namespaces/rectifier-system/configmaps";
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let admission = "/apis/admissionregistration.k8s.io/v1";
    let root = json!({
        "metadata": {"name": "root"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "rectifier-node", "namespace": AGENTS}],
    });
    let pod = json!({
        "metadata": {"name": "guest"},
        "spec": {"hostPID": true, "containers": [{"name": "a", "image": "none:1", "securityContext": {"privileged": true}}]},
    });
    let repairs = "/apis/rectifier.dev/v1alpha1/noderepairs";
    let pools = "/apis/rectifier.dev/v1alpha1/repairpools";
    let auto = json!({"spec": {"mode": "Auto"}});
    let csr = json!({
        "metadata": {"name": "me"},
        "spec": {"request": "AA==", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]},
    });
    vec![
        // secrets, and other identities
        ("GET", secrets.to_owned(), Value::Null),
        ("POST", secrets.to_owned(), secret),
        (
            "POST",
            tokens("rectifier-system/serviceaccounts/rectifier-controller"),
            token.clone(),
        ),
        (
            "POST",
            tokens("rectifier-agents/serviceaccounts/rectifier-node"),
            token,
        ),
        (
            "POST",
            "/apis/certificates.k8s.io/v1/certificatesigningrequests".to_owned(),
            csr,
        ),
        // more rights, or fewer guards
        ("POST", format!("{rbac}/clusterrolebindings"), root),
        (
            "MERGE",
            format!("{rbac}/clusterroles/rectifier-node"),
            json!({"rules": []}),
        ),
        (
            "DELETE",
            format!("{admission}/validatingadmissionpolicies/rectifier-own-repair"),
            Value::Null,
        ),
        (
            "DELETE",
            format!("{admission}/validatingadmissionpolicybindings/rectifier-own-repair"),
            Value::Null,
        ),
        // the engines' own
        ("GET", format!("{switch}/rectifier-policies"), Value::Null),
        (
            "POST",
            switch.to_owned(),
            json!({"metadata": {"name": "rectifier-stop"}}),
        ),
        ("DELETE", format!("{switch}/rectifier-stop"), Value::Null),
        (
            "MERGE",
            "/apis/coordination.k8s.io/v1/namespaces/rectifier-system/leases/rectifier-controller"
                .to_owned(),
            json!({"spec": {"holderIdentity": "me"}}),
        ),
        ("MERGE", format!("{pools}/web"), auto.clone()),
        ("POST", pools.to_owned(), auto),
        ("DELETE", repairs.to_owned(), Value::Null),
        ("DELETE", format!("{repairs}/node-1.repair"), Value::Null),
        ("PUT", format!("{repairs}/node-1.repair/status"), json!({})),
        (
            "MERGE",
            format!("{repairs}/node-1.repair/status"),
            json!({"status": {"phase": "Committed"}}),
        ),
        // nodes, and what runs on them
        ("DELETE", "/api/v1/nodes/node-1".to_owned(), Value::Null),
        (
            "MERGE",
            "/api/v1/nodes/node-1".to_owned(),
            json!({"spec": {"unschedulable": true}}),
        ),
        (
            "MERGE",
            "/api/v1/nodes/node-1".to_owned(),
            json!({"metadata": {"annotations": {"rectifier.dev/acknowledged": "KernelDeadlock=2026-01-01T00:00:00Z"}}}),
        ),
        ("POST", "/api/v1/namespaces/default/pods".to_owned(), pod),
        (
            "POST",
            "/api/v1/namespaces/rectifier-agents/pods/rectifier-node/eviction".to_owned(),
            json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "rectifier-node"}}),
        ),
        (
            "DELETE",
            "/api/v1/namespaces/rectifier-agents/pods/rectifier-node".to_owned(),
            Value::Null,
        ),
        (
            "GET",
            "/api/v1/namespaces/rectifier-agents/pods/rectifier-node/exec?command=id".to_owned(),
            Value::Null,
        ),
    ]
}

/// What the node engine's right to make and patch repairs leaves to try.
fn agents(own: &NodeRepair, uid: &str) -> Result<Vec<(&'static str, String, Value)>> {
    let repairs = "/apis/rectifier.dev/v1alpha1/noderepairs";
    let mine = format!("{repairs}/node-1.repair");
    let made = |change: &dyn Fn(&mut Value)| -> Result<Value> {
        let mut repair = serde_json::to_value(own)?;
        change(&mut repair);
        Ok(repair)
    };
    let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": uid}]);
    let mut tries = Vec::new();
    for (what, value) in [
        ("/metadata/generateName", json!("node-1.repair")),
        ("/metadata/ownerReferences", owner.clone()),
        ("/metadata/labels", json!({"app": "web"})),
        (
            "/metadata/annotations",
            json!({"rectifier.dev/approve": "Replace-1"}),
        ),
        ("/spec/wants", json!("Replace")),
        ("/spec/by", json!("somebody")),
        ("/spec/requestedBy", json!("Conditions")),
        ("/spec/nodeName", json!("node-2")),
        ("/spec/asks", json!("Everything")),
        ("/metadata/name", json!("node-1.repair.20260101t000000z")),
    ] {
        let change = |repair: &mut Value| {
            let (at, key) = what.rsplit_once('/').unwrap_or_default();
            if let Some(at) = repair.pointer_mut(at) {
                at[key] = value.clone();
            }
            if key == "generateName" {
                repair["metadata"]["name"] = Value::Null;
            }
        };
        tries.push(("POST", repairs.to_owned(), made(&change)?));
    }
    // of its own, what is not its to change; and another's
    for change in [
        json!({"metadata": {"finalizers": []}}),
        json!({"metadata": {"finalizers": ["example.com/forever"]}}),
        json!({"metadata": {"ownerReferences": owner}}),
        json!({"metadata": {"labels": {"app": "web"}}}),
        json!({"metadata": {"annotations": {"rectifier.dev/approve": "Replace-1"}}}),
        json!({"metadata": {"annotations": {"rectifier.dev/reject": "I will not"}}}),
        json!({"metadata": {"annotations": {"rectifier.dev/wants": "Replace"}}}),
        json!({"metadata": {"annotations": {"rectifier.dev/confirmed-dead": "server"}}}),
        json!({"spec": {"asks": "InNode"}}),
        json!({"spec": {"nodeName": "node-2"}}),
        json!({"spec": {"nodeUid": "another"}}),
        json!({"spec": {"wants": "Replace"}}),
        json!({"spec": {"requestedBy": "Operator"}}),
    ] {
        tries.push(("MERGE", mine.clone(), change));
    }
    let raised = json!({"spec": {"asks": "Escalate"}});
    tries.push(("MERGE", format!("{repairs}/node-2.repair"), raised));
    let applied = json!({
        "apiVersion": "rectifier.dev/v1alpha1", "kind": "NodeRepair", "metadata": {"name": "node-2.repair"},
        "spec": own.spec,
    });
    let apply = format!("{repairs}/node-2.repair?fieldManager=me&force=true");
    tries.push(("APPLY", apply, applied));
    tries.push(("PUT", mine.clone(), made(&|_| {})?));
    let steal = json!([{"op": "replace", "path": "/metadata/name", "value": "node-2.repair"}]);
    tries.push(("JSON", mine, steal));
    Ok(tries)
}

/// What the detector's right to its own node's status leaves to try.
fn detectors() -> Vec<(&'static str, String, Value)> {
    let own = "/api/v1/nodes/node-1/status";
    let says = |kind: &str| json!({"status": {"conditions": [{"type": kind, "status": "True"}]}});
    vec![
        (
            "MERGE",
            "/api/v1/nodes/node-2/status".to_owned(),
            says("KernelDeadlock"),
        ),
        // a merge takes the list's place, and kubelet's own with it
        ("MERGE", own.to_owned(), says("KernelDeadlock")),
        (
            "MERGE",
            own.to_owned(),
            json!({"status": {"conditions": null}}),
        ),
        (
            "MERGE",
            own.to_owned(),
            json!({"status": {"addresses": [{"type": "InternalIP", "address": "10.9.9.9"}]}}),
        ),
        (
            "MERGE",
            own.to_owned(),
            json!({"status": {"volumesAttached": [{"name": "a", "devicePath": "b"}]}}),
        ),
        (
            "MERGE",
            own.to_owned(),
            json!({"metadata": {"finalizers": ["example.com/forever"]}}),
        ),
        (
            "MERGE",
            own.to_owned(),
            json!({"metadata": {"annotations": {"rectifier.dev/paused": "no"}}}),
        ),
        (
            "PUT",
            own.to_owned(),
            json!({"metadata": {"name": "node-1"}}),
        ),
        (
            "POST",
            "/apis/rectifier.dev/v1alpha1/noderepairs".to_owned(),
            json!({"metadata": {"name": "node-1.repair"}}),
        ),
    ]
}

/// Each is refused for who asks, and not for how: no server error, nothing that is not there.
async fn all_refused(client: &Client, tries: Vec<(&'static str, String, Value)>) -> Result<()> {
    for (verb, path, body) in tries {
        let code = ask(client, verb, &path, &body).await?;
        // 403 by RBAC or by a policy that names itself so, 422 by a policy, or by the schema; 400 to a name that is changed
        ensure!(
            [403, 405, 422].contains(&code) || (verb, code) == ("JSON", 400),
            "{verb} {path} {body}: {code}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_stolen_token_changes_nothing_else() -> Result<()> {
    let bed = Bed::new("attacks")?;
    let (kubernetes, own, other) = cluster(&bed).await?;
    let engine = agent(&kubernetes, "rectifier-node").await?;
    let detector = agent(&kubernetes, "node-problem-detector").await?;

    let everywhere: [(&Client, &[&str]); 2] = [
        (
            &engine,
            &[
                "create noderepairs.rectifier.dev",
                "patch noderepairs.rectifier.dev",
            ],
        ),
        (&detector, &["patch nodes/status"]),
    ];
    let events = [
        "create events",
        "create events.events.k8s.io",
        "patch events",
        "patch events.events.k8s.io",
    ];
    for (client, of_its_own) in everywhere {
        for namespace in NAMESPACES {
            let mut expected: BTreeSet<String> =
                of_its_own.iter().map(|may| (*may).to_owned()).collect();
            if namespace == "default" {
                expected.extend(events.map(str::to_owned));
            }
            let may = may_change(client, namespace).await?;
            ensure!(may == expected, "in {namespace}: {may:?}");
        }
    }

    let repairs: Api<NodeRepair> = Api::all(engine.clone());
    in_force(&repairs, &other).await?;
    let (post, patch) = (PostParams::default(), PatchParams::default());
    let mut asked = repair(&own);
    asked.spec.asks = Asks::Reboot;
    let mut signed = asked.clone();
    signed.spec.by = Some("somebody".to_owned());
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let otherwise = "it may sign with another name";
    until_refused(|| repairs.create(&dry, &signed), otherwise).await?;
    let admin: Api<NodeRepair> = Api::all(kubernetes.admin());
    admin.create(&post, &repair(&other)).await?;
    all_refused(&engine, anybodys()).await?;
    let uid = own.uid().unwrap_or_default();
    // before there is one: then its name would be taken
    let tries = agents(&asked, &uid)?;
    let (made, changed): (Vec<_>, Vec<_>) =
        tries.into_iter().partition(|(verb, ..)| *verb == "POST");
    all_refused(&engine, made).await?;
    repairs.create(&post, &asked).await.context("its own")?;
    let held = Patch::Merge(json!({"metadata": {"finalizers": [FINALIZER]}}));
    admin.patch("node-1.repair", &patch, &held).await?;
    all_refused(&engine, changed).await?;
    let nodes: Api<Node> = Api::all(detector.clone());
    let about = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    let about = Patch::Strategic(about);
    let ready = async || nodes.patch_status("node-1", &patch, &about).await;
    until_refused(ready, "it may say that its node is not Ready").await?;
    all_refused(&detector, anybodys()).await?;
    all_refused(&detector, detectors()).await?;

    // somebody else's word on who they are is not heard
    let request = http::Request::get("/api/v1/nodes")
        .header("impersonate-user", "admin")
        .header("impersonate-group", "system:masters")
        .body(Vec::new())?;
    let impersonated = engine.request_text(request).await;
    ensure!(matches!(impersonated, Err(kube::Error::Api(status)) if status.code == 403));

    // what came of it, by the API server's own record
    let is_agents = |record: &Record| {
        record
            .user
            .starts_with("system:serviceaccount:rectifier-agents:")
    };
    let looks = ["get", "list", "watch"];
    let mut taken = Vec::new();
    for record in kubernetes.audit().records()? {
        let (is_taken, object) = (record.code < 300, &record.object);
        let is_review = object.resource.starts_with("selfsubject");
        if is_agents(&record) && is_taken && !looks.contains(&record.verb.as_str()) && !is_review {
            taken.push((record.verb, object.resource.clone(), object.name.clone()));
        }
    }
    taken.retain(|(verb, resource, name)| {
        let own = ("create", "noderepairs", "node-1.repair");
        (verb.as_str(), resource.as_str(), name.as_str()) != own
    });
    // while the policies were not in force yet nothing but this was tried, and not for good
    taken.retain(|(_, resource, name)| resource != "nodes" || name != "node-1");
    taken.retain(|(verb, _, name)| verb != "create" || name != "node-2.repair");
    ensure!(taken.is_empty(), "{taken:?}");
    let there = admin.get("node-2.repair").await?;
    ensure!(there.spec == repair(&other).spec, "{there:?}");
    Ok(())
}
