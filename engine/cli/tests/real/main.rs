//! What asks a real cluster: here `rectifier dump` of a real API server that is full of secrets, by somebody who may list and nothing else; then
//! `rectifier simulate` of that very dump.

mod cloud;
mod newcomer;
mod operate;
#[allow(dead_code, reason = "its dump is a real one")]
#[path = "../whatif/world.rs"]
mod world;

use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use rectifier_bed::Bed;
use rectifier_bed::kubernetes::{Kubernetes, Options};
use serde_json::{Value, json};
use world::Desk;

/// Stands wherever something secret can.
const SECRET: &str = "hunter2";

const GUIDE: &str = include_str!("../../../../deploy/README.md");

/// Whoever dumps needs no more than the operator's guide says.
fn rights() -> Result<String> {
    let (_, rules) = GUIDE
        .split_once("```yaml\nrules:\n")
        .context("the guide names the rights that a dump needs")?;
    let (rules, _) = rules.split_once("```").context("they end")?;
    Ok(format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: rectifier-dump}}
rules:
{rules}---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: rectifier-dump}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: rectifier-dump}}
subjects: [{{kind: User, name: reader, apiGroup: rbac.authorization.k8s.io}}]
"
    ))
}

const WORK: &str = "
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: default}
stringData: {password: hunter2}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {password: hunter2}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: default
  annotations: {kubectl.kubernetes.io/last-applied-configuration: hunter2}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {kubectl.kubernetes.io/last-applied-configuration: hunter2, vault/token: hunter2}
    spec:
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}
      containers:
      - {name: web, image: none:1, command: [serve], args: [--password=hunter2], env: [{name: PASSWORD, value: hunter2}]}
      volumes: [{name: tmp, emptyDir: {}}, {name: keys, secret: {secretName: keys}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: default, annotations: {note: hunter2}}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
";

const POOL: &str = "
apiVersion: rectifier.dev/v1alpha1
kind: RepairPool
metadata: {name: web, annotations: {note: hunter2}}
spec:
  nodeSelector: {matchLabels: {pool: web}}
  provisioning:
    apiServer: https://10.0.0.1:6443
    copyLabels: [pool]
    userData: |
      password: hunter2
      join {{ token }} {{ labels }} {{ taints }}
";

/// Nodes with a server each, and pods that run on them.
async fn furnish(kubernetes: &Kubernetes) -> Result<()> {
    let nodes: Api<Node> = Api::all(kubernetes.admin());
    for n in 1..=3 {
        let name = format!("worker-{n}");
        let zone = format!("az-{n}");
        let labels = [
            ("pool", "web"),
            ("topology.kubernetes.io/zone", zone.as_str()),
        ];
        kubernetes.add_kwok_node(&name, &labels).await?;
        let patch = json!({
            "metadata": {"annotations": {"note": SECRET}},
            "spec": {"providerID": format!("openstack:///server-{n}")},
        });
        nodes
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
    }
    kubernetes.apply(WORK).await?;
    let pods: Api<Pod> = Api::namespaced(kubernetes.admin(), "default");
    let is_ready = |pod: &Pod| {
        let conditions = pod.status.iter().flat_map(|status| &status.conditions);
        conditions
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    while pods
        .list(&ListParams::default())
        .await?
        .iter()
        .filter(|pod| is_ready(pod))
        .count()
        < 3
    {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_dump_of_a_real_cluster_holds_no_secret_and_can_be_played() -> Result<()> {
    let bed = Bed::new("whatif")?;
    let kubernetes = Kubernetes::start(&bed, Options::default()).await?;
    furnish(&kubernetes).await?;
    let desk = Desk::new()?;
    let reader = kubernetes.certificate_for("reader", &["readers"])?;
    desk.put("kubeconfig", &kubernetes.kubeconfig_text(&reader))?;
    let dump = ["dump", "--kubeconfig=kubeconfig", "-o=cluster.json"];

    // Nobody gave him anything: he is told what he needs, and no file is begun.
    desk.call(&dump)?
        .ended(3)?
        .complains(&["ask as somebody who may list"])?;
    ensure!(!desk.path("cluster.json").exists());
    kubernetes.apply(&rights()?).await?;
    while desk.call(&dump)?.code != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }

    // Our kinds are not installed yet, which is no error.
    desk.call(&dump)?
        .ended(0)?
        .complains(&["repairpools.rectifier.dev"])?;
    let crds = bed.cache().checkout().join("deploy/crds");
    kubernetes.apply_path(&crds).await?;
    kubernetes.apply(POOL).await?;
    desk.call(&dump)?
        .ended(0)?
        .complains(&["3 nodes, 3 pods, 1 disruption budget, 1 pool"])?;

    let text = std::fs::read_to_string(desk.path("cluster.json"))?;
    ensure!(!text.contains(SECRET), "{text}");
    let mode = std::fs::metadata(desk.path("cluster.json"))?
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let document: Value = serde_json::from_str(&text)?;
    assert_eq!(
        document["nodes"][0]["spec"]["providerID"],
        "openstack:///server-1"
    );
    assert_eq!(document["replicaSets"].as_array().map(Vec::len), Some(1));
    let standard = desk.call(&dump[..2])?.ended(0)?.json()?;
    assert_eq!(
        standard["nodes"], document["nodes"],
        "the same to standard output"
    );

    // By the server's own record he asked for lists, and for nothing that holds secrets.
    let records = kubernetes.audit().records()?;
    let asked: Vec<_> = records
        .iter()
        .filter(|record| record.user == "reader")
        .collect();
    ensure!(asked.iter().any(|record| record.object.resource == "pods"));
    for record in asked {
        let resource = record.object.resource.as_str();
        ensure!(!["secrets", "configmaps"].contains(&resource), "{record:?}");
        ensure!(
            ["list", "get"].contains(&record.verb.as_str()),
            "{record:?}"
        );
    }

    let kernel = [
        "--condition=KernelDeadlock",
        "--on=worker-2",
        "--output=json",
    ];
    let answer = desk.simulate(&kernel)?.ended(1)?.json()?;
    let why = answer["nodes"][0]["why"].as_str().context("why")?;
    ensure!(why.contains("it would reboot it"), "{why}");
    let auto = [&kernel[..], &["--mode=auto"]].concat();
    let answer = desk.simulate(&auto)?.ended(0)?.json()?;
    assert_eq!(answer["summary"]["replaced"], 1, "{answer}");
    assert_eq!(answer["summary"]["podsEvicted"], 1, "{answer}");

    desk.call(&["dump", "--kubeconfig=none"])?
        .ended(2)?
        .complains(&["there is no none"])?;
    desk.call(&["dump", "--kubeconfig=kubeconfig", "--context=moon"])?
        .ended(2)?
        .complains(&["there is no context moon"])?;
    Ok(())
}
