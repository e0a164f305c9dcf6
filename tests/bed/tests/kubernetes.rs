//! The control plane does what a real one does.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestSpec,
};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use rectifier_bed::kubernetes::{Credential, Kubernetes, Options, node::condition};
use rectifier_bed::pki::Identity;
use rectifier_bed::{Bed, Timeline};
use serde_json::json;

fn refused<T>(answer: kube::Result<T>) -> bool {
    matches!(answer, Err(kube::Error::Api(status)) if status.code == 403)
}

#[tokio::test]
async fn a_control_plane_starts_and_has_everything() -> Result<()> {
    let mut timeline = Timeline::start();
    let bed = Bed::new("control-plane")?;
    let kubernetes = Kubernetes::start(&bed, Options::default()).await?;
    timeline.step("control plane");

    kubernetes.add_kwok_node("node-1", &[("pool", "a")]).await?;
    timeline.step("a fake node is Ready");

    // the audit log has it, under the right name
    let made = kubernetes
        .audit()
        .wait_for(|record| record.verb == "create" && record.object.resource == "nodes")
        .await?;
    assert_eq!(
        (made.user.as_str(), made.object.name.as_str(), made.code),
        ("bed:admin", "node-1", 201)
    );
    let all = kubernetes.audit().records()?;
    let masters: Vec<_> = all
        .iter()
        .filter(|record| record.user == "bed:kwok")
        .collect();
    assert!(!masters.is_empty(), "KWOK has a name of its own");
    timeline.step(&format!("audit record found among {}", all.len()));

    // nobody may do what nobody gave them
    let somebody = kubernetes.client_for("somebody", &["some-group"]).await?;
    let nodes: Api<Node> = Api::all(somebody.clone());
    assert!(refused(nodes.list(&Default::default()).await));
    kubernetes.apply(READER).await?;
    let read = async || nodes.list(&Default::default()).await;
    while refused(read().await) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(refused(nodes.delete("node-1", &Default::default()).await));
    let denied = kubernetes
        .audit()
        .wait_for(|record| record.user == "somebody" && record.verb == "delete")
        .await?;
    assert_eq!(denied.code, 403);
    timeline.step("roles");

    a_token_bound_to_a_pod_names_its_node(&kubernetes).await?;
    timeline.step("bound token");
    a_node_joins_by_its_bootstrap_token(&kubernetes).await?;
    timeline.step("joined by a bootstrap token");

    // a node whose heartbeat ends is Unknown after its grace
    let nodes: Api<Node> = Api::all(kubernetes.admin());
    let unlabel = json!({ "metadata": { "labels": { "kwok.x-k8s.io/node": null } } });
    nodes
        .patch("node-1", &PatchParams::default(), &Patch::Merge(unlabel))
        .await?;
    kubernetes
        .node("node-1", |node| condition(node, "Ready") == Some("Unknown"))
        .await?;
    timeline.step("a node without heartbeat is Unknown");

    kubernetes.stop_apiserver().await?;
    assert!(kubernetes.admin().apiserver_version().await.is_err());
    kubernetes.start_apiserver().await?;
    kubernetes.node("node-1", |_| true).await?;
    timeline.step("API server killed and back");
    drop(kubernetes);
    drop(bed);
    timeline.step("ended");
    Ok(())
}

/// Two groups, of which one reads nodes: both are in the certificate.
const READER: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: [''], resources: [nodes], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: some-group}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent, namespace: default}
";

const AGENT_POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: agent-1}
spec: {serviceAccountName: agent, nodeName: node-1, containers: [{name: a, image: x}]}
";

async fn a_token_bound_to_a_pod_names_its_node(kubernetes: &Kubernetes) -> Result<()> {
    kubernetes.apply(AGENT_POD).await?;
    let pods: Api<Pod> = Api::namespaced(kubernetes.admin(), "default");
    let pod = pods.get("agent-1").await?;
    let token = kubernetes
        .service_account_token("default", "agent", Some(&pod))
        .await?;
    let agent = kubernetes.client_with_token(&token).await?;
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let request = http::Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&review)?)?;
    let answer: serde_json::Value = agent.request(request).await?;
    let extra = &answer["status"]["userInfo"]["extra"]["authentication.kubernetes.io/node-name"];
    assert_eq!(extra, &json!(["node-1"]));
    Ok(())
}

async fn a_node_joins_by_its_bootstrap_token(kubernetes: &Kubernetes) -> Result<()> {
    let token = kubernetes.bootstrap_token(Duration::from_secs(600)).await?;
    let joining = kubernetes.client_with_token(&token).await?;
    let identity = certificate(&joining, "node-2").await?;
    let node = kubernetes
        .client_with(&Credential::Certificate(identity))
        .await?;
    let nodes: Api<Node> = Api::all(node);
    assert!(
        refused(nodes.create(&PostParams::default(), &bare("node-3")).await),
        "another's name"
    );
    nodes
        .create(&PostParams::default(), &bare("node-2"))
        .await?;
    kubernetes
        .node("node-2", |node| condition(node, "Ready") == Some("True"))
        .await?;
    Ok(())
}

fn bare(name: &str) -> Node {
    let labels = [("kwok.x-k8s.io/node", "fake")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(labels.into()),
        ..ObjectMeta::default()
    };
    Node {
        metadata,
        ..Node::default()
    }
}

/// What a kubelet does at its first start: a key, a CSR, and patience.
async fn certificate(client: &Client, node: &str) -> Result<Identity> {
    let key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, format!("system:node:{node}"));
    params
        .distinguished_name
        .push(rcgen::DnType::OrganizationName, "system:nodes");
    let spec = CertificateSigningRequestSpec {
        request: ByteString(params.serialize_request(&key)?.pem()?.into_bytes()),
        signer_name: "kubernetes.io/kube-apiserver-client-kubelet".to_owned(),
        usages: Some(vec![
            "digital signature".to_owned(),
            "client auth".to_owned(),
        ]),
        ..CertificateSigningRequestSpec::default()
    };
    let metadata = ObjectMeta {
        name: Some(format!("csr-{node}")),
        ..ObjectMeta::default()
    };
    let requests: Api<CertificateSigningRequest> = Api::all(client.clone());
    let request = CertificateSigningRequest {
        metadata,
        spec,
        status: None,
    };
    requests.create(&PostParams::default(), &request).await?;
    let signed = |request: Option<&CertificateSigningRequest>| {
        request
            .and_then(|request| request.status.as_ref()?.certificate.as_ref())
            .is_some()
    };
    let request = await_condition(requests, &format!("csr-{node}"), signed).await?;
    let certificate = request
        .and_then(|request| request.status?.certificate)
        .context("unsigned")?;
    Ok(Identity {
        certificate: String::from_utf8(certificate.0)?,
        key: key.serialize_pem(),
    })
}
