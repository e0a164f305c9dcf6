//! What a stolen token can do: `deploy/`'s RBAC and admission policies against a real API server.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Node, Pod, Secret};
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
    };
    NodeRepair::new(&format!("{}.repair", node.name_any()), spec)
}

async fn cluster(bed: &Bed) -> Result<(Kubernetes, Node, Node)> {
    let kubernetes = Kubernetes::start(bed, Options::default()).await?;
    let deploy = bed.cache().checkout().join("deploy");
    for file in ["crds", "namespaces.yaml", "rbac.yaml", "admission.yaml"] {
        kubernetes
            .apply_path(&deploy.join(file))
            .await
            .context(file)?;
    }
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
    for _ in 0..600 {
        if repairs.create(&dry, &repair(other)).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("the admission policy never came into force")
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
        "immutable",
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
    for _ in 0..600 {
        if nodes.patch_status("node-2", &patch, &sick).await.is_err() {
            return refused(
                nodes.patch_status("node-2", &patch, &sick).await,
                "it can report on that node only",
            );
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("it may condemn another node")
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
