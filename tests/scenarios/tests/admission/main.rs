//! What a stolen token can do: `deploy/`'s RBAC and admission policies against a real API server.

mod attacks;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Event, Node, Pod, Secret};
use k8s_openapi::api::events::v1::Event as NewEvent;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use rectifier_api::{NodeRepair, NodeRepairSpec};
use rectifier_bed::Bed;
use rectifier_bed::kubernetes::{Kubernetes, Options};
use rectifier_core::repair::{Asks, Problem, RequestedBy};
use serde_json::json;

/// A repair as an honest agent of that node would open it.
fn repair(node: &Node) -> NodeRepair {
    let problem = Problem {
        kind: "KernelDeadlock".to_owned(),
        reason: String::new(),
        message: String::new(),
        since: Timestamp::UNIX_EPOCH,
        source: None,
    };
    let spec = NodeRepairSpec {
        node_name: node.name_any(),
        node_uid: node.uid().unwrap_or_default(),
        problem,
        asks: Asks::InNode,
        deadline: None,
        withdrawn: false,
        accepted_grant: None,
        requested_by: RequestedBy::NodeEngine,
        wants: None,
        by: None,
    };
    NodeRepair::new(&format!("{}.repair", node.name_any()), spec)
}

async fn cluster(bed: &Bed) -> Result<(Kubernetes, Node, Node)> {
    let kubernetes = Kubernetes::start(bed, Options::default()).await?;
    kubernetes.apply_rights(bed).await?;
    let own = kubernetes.add_kwok_node("node-1", &[]).await?;
    let other = kubernetes.add_kwok_node("node-2", &[]).await?;
    Ok((kubernetes, own, other))
}

/// A client with the token of `account`, bound to a pod of it on `node-1`, as its kubelet would get it.
async fn agent(kubernetes: &Kubernetes, account: &str) -> Result<Client> {
    let pods: Api<Pod> = Api::namespaced(kubernetes.admin(), "rectifier-agents");
    let pod = serde_json::from_value(json!({
        "metadata": {"name": account},
        "spec": {"serviceAccountName": account, "nodeName": "node-1", "containers": [{"name": "agent", "image": "none:1"}]},
    }))?;
    let pod = pods.create(&PostParams::default(), &pod).await?;
    let token = kubernetes
        .service_account_token("rectifier-agents", account, Some(&pod))
        .await?;
    kubernetes.client_with_token(&token).await
}

/// Refused by an admission policy, whose words are these; not by RBAC, and not for another reason.
fn refused<T>(result: kube::Result<T>, words: &str) -> Result<()> {
    match result {
        Err(kube::Error::Api(status)) if status.message.contains(words) => Ok(()),
        Err(error) => anyhow::bail!("refused, but not with {words:?}: {error}"),
        Ok(_) => anyhow::bail!("it was not refused ({words:?})"),
    }
}

/// A policy needs a moment until it is in force: until the first refusal nothing is asserted.
async fn in_force(repairs: &Api<NodeRepair>, other: &Node) -> Result<()> {
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let others = repair(other);
    until_refused(
        || repairs.create(&dry, &others),
        "it may ask for another node's repair",
    )
    .await
}

#[tokio::test]
async fn an_agents_token_reaches_the_repair_of_its_own_node_alone() -> Result<()> {
    let bed = Bed::new("admission")?;
    let (kubernetes, own, other) = cluster(&bed).await?;
    let repairs: Api<NodeRepair> = Api::all(agent(&kubernetes, "rectifier-node").await?);
    in_force(&repairs, &other).await?;
    let post = PostParams::default();

    refused(
        repairs.create(&post, &repair(&other)).await,
        "it can ask for the repair of that node only",
    )?;
    let mut stranger = repair(&own);
    stranger.spec.node_uid = other.uid().unwrap_or_default();
    refused(
        repairs.create(&post, &stranger).await,
        "it can ask for the repair of that node only",
    )?;
    let mut squatted = repair(&own);
    squatted.metadata.name = Some("node-2.repair".to_owned());
    refused(
        repairs.create(&post, &squatted).await,
        "a repair is named NODE.repair",
    )?;
    let mut pinned = repair(&own);
    pinned.metadata.finalizers = Some(vec!["example.com/forever".to_owned()]);
    refused(repairs.create(&post, &pinned).await, "sets no finalizers")?;
    let mut forged = repair(&own);
    forged.spec.requested_by = RequestedBy::Operator;
    refused(
        repairs.create(&post, &forged).await,
        "in nobody else's name",
    )?;

    repairs
        .create(&post, &repair(&own))
        .await
        .context("its own repair")?;
    let raise = |asks: &str| Patch::Merge(json!({"spec": {"asks": asks}}));
    let patch = PatchParams::default();
    repairs
        .patch("node-1.repair", &patch, &raise("Escalate"))
        .await
        .context("asks, upwards")?;
    refused(
        repairs
            .patch("node-1.repair", &patch, &raise("InNode"))
            .await,
        "asks only moves upwards",
    )?;
    let problem = Patch::Merge(json!({"spec": {"problem": {"kind": "Other"}}}));
    refused(
        repairs.patch("node-1.repair", &patch, &problem).await,
        "graver",
    )?;
    let status = Patch::Merge(json!({"status": {"phase": "Committed"}}));
    ensure!(
        repairs
            .patch_status("node-1.repair", &patch, &status)
            .await
            .is_err(),
        "it wrote a status"
    );
    ensure!(
        repairs
            .delete("node-1.repair", &DeleteParams::default())
            .await
            .is_err(),
        "it deleted a repair"
    );
    Ok(())
}

#[tokio::test]
async fn a_token_without_a_node_may_ask_for_nothing() -> Result<()> {
    let bed = Bed::new("unbound")?;
    let (kubernetes, own, other) = cluster(&bed).await?;
    let token = kubernetes
        .service_account_token("rectifier-agents", "rectifier-node", None)
        .await?;
    let repairs: Api<NodeRepair> = Api::all(kubernetes.client_with_token(&token).await?);
    in_force(&repairs, &other).await?;
    refused(
        repairs.create(&PostParams::default(), &repair(&own)).await,
        "it can ask for the repair of that node only",
    )
}

#[tokio::test]
async fn a_detectors_token_condemns_its_own_node_at_most() -> Result<()> {
    let bed = Bed::new("detector")?;
    let (kubernetes, _, _) = cluster(&bed).await?;
    let nodes: Api<Node> = Api::all(agent(&kubernetes, "node-problem-detector").await?);
    let sick = Patch::Strategic(
        json!({"status": {"conditions": [{"type": "KernelDeadlock", "status": "True"}]}}),
    );
    let patch = PatchParams::default();
    nodes
        .patch_status("node-1", &patch, &sick)
        .await
        .context("its own node")?;
    let others = || nodes.patch_status("node-2", &patch, &sick);
    until_refused(others, "it may condemn another node").await?;
    refused(others().await, "it can report on that node only")
}

#[tokio::test]
async fn the_controller_makes_bootstrap_tokens_and_no_other_secret() -> Result<()> {
    let bed = Bed::new("secrets")?;
    let (kubernetes, _, _) = cluster(&bed).await?;
    let token = kubernetes
        .service_account_token("rectifier-system", "rectifier-controller", None)
        .await?;
    let secrets: Api<Secret> =
        Api::namespaced(kubernetes.client_with_token(&token).await?, "kube-system");
    let secret = |name: &str, kind: &str| Secret {
        metadata: kube::api::ObjectMeta {
            name: Some(name.to_owned()),
            ..Default::default()
        },
        type_: Some(kind.to_owned()),
        data: Some(BTreeMap::from([(
            "token-id".to_owned(),
            ByteString(b"abcdef".to_vec()),
        )])),
        ..Secret::default()
    };
    secrets
        .create(
            &PostParams::default(),
            &secret("bootstrap-token-abcdef", "bootstrap.kubernetes.io/token"),
        )
        .await
        .context("a token")?;
    for number in 0..600 {
        let other = secret(&format!("other-{number}"), "Opaque");
        if secrets
            .create(&PostParams::default(), &other)
            .await
            .is_err()
        {
            return refused(
                secrets.create(&PostParams::default(), &other).await,
                "no Secret but bootstrap tokens",
            );
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("it may make any Secret")
}

/// By an admission policy, whichever it is and however it says it.
const BY_POLICY: &str = "ValidatingAdmissionPolicy";

/// Repeats, until it is refused, what a policy that is in force refuses: until then nothing is asserted.
async fn until_refused<T>(ask: impl AsyncFn() -> kube::Result<T>, otherwise: &str) -> Result<()> {
    for _ in 0..600 {
        let answer = ask().await;
        if answer.is_err() {
            return refused(answer, BY_POLICY);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("{otherwise}")
}

#[tokio::test]
async fn a_detectors_token_changes_only_its_own_conditions() -> Result<()> {
    let bed = Bed::new("conditions")?;
    let (kubernetes, _, _) = cluster(&bed).await?;
    let nodes: Api<Node> = Api::all(agent(&kubernetes, "node-problem-detector").await?);
    let patch = async |body: serde_json::Value| {
        let patch = Patch::Strategic(body);
        nodes
            .patch_status("node-1", &PatchParams::default(), &patch)
            .await
    };
    let says = |kind: &str, status: &str| json!({"type": kind, "status": status});
    let dead = json!({"status": {"conditions": [says("Ready", "False")]}});
    until_refused(
        || patch(dead.clone()),
        "it may say that its node is not Ready",
    )
    .await?;
    for kind in ["MemoryPressure", "DiskPressure", "PIDPressure"] {
        let body = json!({"status": {"conditions": [says("KernelDeadlock", "False"), says(kind, "True")]}});
        refused(patch(body).await, BY_POLICY).with_context(|| kind.to_owned())?;
    }
    for (what, body) in [
        ("capacity", json!({"status": {"capacity": {"cpu": "1"}}})),
        (
            "allocatable",
            json!({"status": {"allocatable": {"cpu": "1"}}}),
        ),
        (
            "boot id",
            json!({"status": {"nodeInfo": {"bootID": "another"}}}),
        ),
        ("label", json!({"metadata": {"labels": {"pool": "none"}}})),
        (
            "annotation",
            json!({"metadata": {"annotations": {"rectifier.dev/cordoned-by": "me"}}}),
        ),
    ] {
        refused(patch(body).await, BY_POLICY).with_context(|| format!("its node's {what}"))?;
    }
    for status in ["True", "False"] {
        let body = json!({"status": {"conditions": [says("KernelDeadlock", status)]}});
        patch(body).await.context("its own condition")?;
    }
    Ok(())
}

/// An Event of the core API, as NPD writes it, and as `events.k8s.io` has it, as the node engine writes it.
fn events(name: &str, kind: &str, about: &str) -> Result<(Event, NewEvent)> {
    let about =
        json!({"kind": kind, "name": about, "namespace": (kind == "Pod").then_some("default")});
    let meta = json!({"name": name, "namespace": "default"});
    let core = json!({
        "metadata": meta, "involvedObject": about, "reason": "KernelDeadlock", "message": "it hangs", "type": "Warning",
        "source": {"component": "kernel-monitor"}, "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
    });
    let mut meta = meta;
    meta["name"] = json!(format!("{name}-new"));
    let new = json!({
        "metadata": meta, "regarding": about, "reason": "ProblemSeen", "note": "it is there", "type": "Warning",
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "rectifier-node", "reportingInstance": "node-1",
        "action": "Observe",
    });
    Ok((serde_json::from_value(core)?, serde_json::from_value(new)?))
}

#[tokio::test]
async fn an_agents_events_are_about_its_own_node_alone() -> Result<()> {
    let bed = Bed::new("events")?;
    let (kubernetes, _, _) = cluster(&bed).await?;
    let admin: Api<Event> = Api::namespaced(kubernetes.admin(), "default");
    let (foreign, _) = events("foreign", "Node", "node-2")?;
    admin.create(&PostParams::default(), &foreign).await?;
    for account in ["rectifier-node", "node-problem-detector"] {
        let client = agent(&kubernetes, account).await?;
        let core: Api<Event> = Api::namespaced(client.clone(), "default");
        let new: Api<NewEvent> = Api::namespaced(client, "default");
        let post = PostParams::default();
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let (other, other_new) = events(&format!("{account}-other"), "Node", "node-2")?;
        let may = format!("{account} may tell of another node");
        until_refused(|| core.create(&dry, &other), &may).await?;
        refused(new.create(&post, &other_new).await, BY_POLICY).context(may)?;
        let (pod, pod_new) = events(&format!("{account}-pod"), "Pod", "web")?;
        refused(core.create(&post, &pod).await, BY_POLICY).context("of a pod")?;
        refused(new.create(&post, &pod_new).await, BY_POLICY).context("of a pod")?;
        let count = Patch::Merge(json!({"count": 2}));
        let patch = PatchParams::default();
        refused(core.patch("foreign", &patch, &count).await, BY_POLICY)
            .context("it may change what is told of another node")?;

        let (own, own_new) = events(&format!("{account}-own"), "Node", "node-1")?;
        let own = core.create(&post, &own).await.context("of its own node")?;
        new.create(&post, &own_new)
            .await
            .context("of its own node")?;
        core.patch(&own.name_any(), &patch, &count)
            .await
            .context("once more")?;
    }
    Ok(())
}
