//! What whoever is paged types, at a real API server, as people who may do so much and no more. No controller runs: what it would have
//! written is written here.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::Api;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use rectifier_api::{NodeRepair, RepairPool};
use rectifier_bed::Bed;
use rectifier_bed::kubernetes::{Kubernetes, Options};
use serde_json::{Value, json};

use crate::world::Desk;
use crate::world::said::Said;

/// As the operator's guide has it done.
const BOUND: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: lookers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: rectifier-viewer}
subjects:
- {kind: User, name: alice, apiGroup: rbac.authorization.k8s.io}
- {kind: User, name: bob, apiGroup: rbac.authorization.k8s.io}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: operators}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: rectifier-operator}
subjects: [{kind: User, name: alice, apiGroup: rbac.authorization.k8s.io}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: operators, namespace: rectifier-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: rectifier-operator}
subjects: [{kind: User, name: alice, apiGroup: rbac.authorization.k8s.io}]
";

const POOL: &str = "
apiVersion: rectifier.dev/v1alpha1
kind: RepairPool
metadata: {name: web}
spec:
  nodeSelector: {matchLabels: {pool: web}}
";

struct Cluster {
    kubernetes: Kubernetes,
    desk: Desk,
}

impl Cluster {
    async fn start(bed: &Bed) -> Result<Self> {
        let kubernetes = Kubernetes::start(bed, Options::default()).await?;
        kubernetes.apply_rights(bed).await?;
        kubernetes.apply(BOUND).await?;
        kubernetes.apply(POOL).await?;
        kubernetes
            .add_kwok_node("worker-1", &[("pool", "web")])
            .await?;
        let desk = Desk::new()?;
        for who in ["alice", "bob"] {
            let credential = kubernetes.certificate_for(who, &[])?;
            desk.put(who, &kubernetes.kubeconfig_text(&credential))?;
        }
        Ok(Self { kubernetes, desk })
    }

    fn call(&self, who: &str, words: &str) -> Result<Said> {
        let words: Vec<&str> = words.split(' ').collect();
        let who = format!("--kubeconfig={who}");
        self.desk.call(&[&words[..], &[&who]].concat())
    }

    async fn annotations(&self) -> Result<Value> {
        let repairs: Api<NodeRepair> = Api::all(self.kubernetes.admin());
        let repair = repairs.get("worker-1.repair").await?;
        Ok(json!(repair.annotations()))
    }

    /// As the controller would write it.
    async fn stands(&self, status: Value) -> Result<()> {
        let repairs: Api<NodeRepair> = Api::all(self.kubernetes.admin());
        let patch = json!({"status": status});
        repairs
            .patch_status(
                "worker-1.repair",
                &PatchParams::default(),
                &Patch::Merge(patch),
            )
            .await?;
        Ok(())
    }

    async fn pool(&self, spec: Value) -> Result<()> {
        let pools: Api<RepairPool> = Api::all(self.kubernetes.admin());
        let patch = Patch::Merge(json!({"spec": spec}));
        pools.patch("web", &PatchParams::default(), &patch).await?;
        Ok(())
    }

    async fn is_ill(&self) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.kubernetes.admin());
        let node = nodes.get("worker-1").await?;
        let mut conditions = json!(node.status.context("a status")?.conditions);
        let condition = json!({
            "type": "KernelDeadlock", "status": "True", "reason": "DockerHung", "message": "task docker:20744 blocked",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "lastHeartbeatTime": "2026-01-01T00:00:00Z",
        });
        conditions
            .as_array_mut()
            .context("conditions")?
            .push(condition);
        let patch = Patch::Merge(json!({"status": {"conditions": conditions}}));
        nodes
            .patch_status("worker-1", &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_paged_sees_what_is_wrong_and_says_what_is_done() -> Result<()> {
    let bed = Bed::new("operate")?;
    let cluster = Cluster::start(&bed).await?;
    let call = |who: &str, words: &str| cluster.call(who, words);
    // RBAC and admission need a moment to be in force.
    while call("alice", "status")?.code != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }

    call("bob", "status")?
        .ended(0)?
        .shows(&["web", "Observe", "no node is ill"])?;
    call("bob", "explain worker-1")?
        .ended(0)?
        .shows(&["pool web (Observe)", "nothing is reported about it"])?;
    call("bob", "explain worker-9")?
        .ended(2)?
        .complains(&["there is no node worker-9"])?;
    call("bob", "history")?
        .ended(0)?
        .shows(&["no repair is remembered"])?;

    cluster.is_ill().await?;
    call("bob", "status")?
        .ended(0)?
        .shows(&["worker-1", "KernelDeadlock"])?;
    call("bob", "explain worker-1")?.ended(0)?.shows(&[
        "DockerHung task docker:20744 blocked",
        "the controller has not said anything about it yet",
    ])?;

    // What would have no effect is refused here, with what is in its way.
    let replace = "repair worker-1 --replace --reason=hums";
    call("alice", replace)?.ended(1)?.shows(&["mode Observe"])?;
    cluster.pool(json!({"mode": "Approve"})).await?;
    call("alice", replace)?
        .ended(1)?
        .shows(&["no `provisioning`"])?;
    let provisioning = json!({"userData": "{{ token }}", "apiServer": "https://10.0.0.1:6443"});
    cluster.pool(json!({"provisioning": provisioning})).await?;
    call("alice", "repair worker-1 --reason=hums")?.ended(2)?;
    call("alice", "approve worker-1")?
        .ended(1)?
        .shows(&["no open repair"])?;
    call("alice", &format!("{replace} --dry-run"))?
        .ended(0)?
        .shows(&["0 pods would be evicted", "Replace would be asked for"])?;

    // Bob may look, and no more.
    call("bob", replace)?
        .ended(3)?
        .complains(&["cannot be opened: noderepairs.rectifier.dev is forbidden"])?;
    call("alice", replace)?
        .ended(0)?
        .shows(&["Replace asked for", "(by alice)"])?;
    let repairs: Api<NodeRepair> = Api::all(cluster.kubernetes.admin());
    let spec = repairs.get("worker-1.repair").await?.spec;
    ensure!(spec.by.as_deref() == Some("alice"), "{spec:?}");
    ensure!(spec.problem.kind == "KernelDeadlock" && spec.problem.message == "hums");

    call("alice", "repair worker-1 --hard-reboot --reason=first")?.ended(0)?;
    let said = cluster.annotations().await?;
    ensure!(said["rectifier.dev/wants"] == "HardReboot", "{said}");
    ensure!(said["rectifier.dev/wants-by"] == "alice", "{said}");

    // A signature is one's own.
    let alice = cluster
        .kubernetes
        .client_with(&cluster.kubernetes.certificate_for("alice", &[])?)
        .await?;
    let forged = json!({"metadata": {"annotations": {
        "rectifier.dev/approve": "Replace-1", "rectifier.dev/approve-by": "bob",
    }}});
    let hers: Api<NodeRepair> = Api::all(alice);
    let dry = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let mut refused = None;
    // An admission policy needs a moment to be in force.
    for _ in 0..600 {
        let patch = Patch::Merge(&forged);
        refused = hers.patch("worker-1.repair", &dry, &patch).await.err();
        if refused.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let refused = refused.context("it is refused")?.to_string();
    ensure!(refused.contains("here you are \"alice\""), "{refused}");

    let asking = "the pool's mode is approve: a person has to allow this: kubectl annotate noderepair worker-1.repair --overwrite rectifier.dev/approve=Replace-1";
    cluster
        .stands(json!({
            "phase": "Judging", "reason": "AwaitingApproval", "message": asking, "since": "2026-01-01T00:00:00Z",
            "said": [{"hand": "Ask", "words": "hums", "by": "alice", "at": "2026-01-01T00:00:00Z"}],
        }))
        .await?;
    call("bob", "status")?
        .ended(1)?
        .shows(&["AwaitingApproval", "1 waits for a person"])?;
    call("bob", "explain worker-1.repair")?
        .ended(0)?
        .shows(&["alice: hums", "rectifier approve worker-1"])?;
    call("alice", "approve worker-1")?
        .ended(0)?
        .shows(&["Replace-1 approved", "(by alice)"])?;
    let said = cluster.annotations().await?;
    ensure!(said["rectifier.dev/approve-by"] == "alice", "{said}");

    cluster
        .stands(json!({"phase": "NeedsHuman", "reason": "HostUnreachable", "message": "m", "serverId": "server-1"}))
        .await?;
    call("alice", "retry worker-1 --confirmed-dead=server-2")?
        .ended(1)?
        .shows(&["its server is server-1"])?;
    call("alice", "retry worker-1 --confirmed-dead=server-1")?.ended(0)?;
    call("alice", "retry worker-1")?
        .ended(0)?
        .shows(&["another try asked for"])?;
    call("alice", "reject worker-1 --reason=tomorrow")?.ended(0)?;
    cluster
        .stands(json!({"phase": "Draining", "reason": "Evicting", "committedAt": "2026-01-01T00:01:00Z"}))
        .await?;
    for words in [
        "reject worker-1 --reason=no",
        "cancel worker-1",
        "repair worker-1 --reboot --reason=no",
    ] {
        call("alice", words)?.ended(1)?.shows(&["committed"])?;
    }

    // Whoever waits is told each step, and how it ended.
    let steps = |count: usize, phase: &str, reason: &str, at: &str| {
        let step = json!({"phase": phase, "at": at, "reason": reason, "detail": "so it is"});
        json!({"phase": phase, "reason": reason, "message": "m", "since": at, "committedAt": null,
            "steps": vec![step; count]})
    };
    cluster
        .stands(steps(1, "NeedsHuman", "Overdue", "2026-01-01T00:05:00Z"))
        .await?;
    let stands = async {
        let pause = std::time::Duration::from_secs(3);
        tokio::time::sleep(pause).await;
        cluster
            .stands(steps(2, "Judging", "RetryAsked", "2099-01-01T00:00:00Z"))
            .await?;
        tokio::time::sleep(pause).await;
        cluster
            .stands(steps(3, "Recovered", "Recovered", "2099-01-01T00:00:01Z"))
            .await
    };
    let waited = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let waited = scope.spawn(|| call("alice", "retry worker-1 --wait"));
            tokio::runtime::Handle::current().block_on(stands)?;
            waited.join().ok().context("it panicked")?
        })
    });
    waited?.ended(0)?.shows(&["Recovered", "so it is"])?;

    call("alice", "acknowledge worker-1 Ready")?
        .ended(2)?
        .complains(&["the kubelet's"])?;
    call("alice", "acknowledge worker-1 ReadonlyFilesystem")?
        .ended(2)?
        .complains(&["that is so of KernelDeadlock"])?;
    call("bob", "acknowledge worker-1 KernelDeadlock")?.ended(3)?;
    call("alice", "acknowledge worker-1 KernelDeadlock --undo")?
        .ended(1)?
        .shows(&["was not acknowledged"])?;
    call("alice", "acknowledge worker-1 KernelDeadlock")?.ended(0)?;
    call("bob", "explain worker-1")?.shows(&["KernelDeadlock=2026-01-01T00:00:00Z, by alice"])?;
    call("alice", "acknowledge worker-1 KernelDeadlock --undo")?
        .ended(0)?
        .shows(&["counts again"])?;
    let told = call("bob", "explain worker-1")?;
    told.shows(&["problem", "DockerHung"])?;

    call("alice", "pause worker-1 --reason=mine")?.ended(0)?;
    call("bob", "explain worker-1")?.shows(&["mine", "rectifier resume worker-1"])?;
    call("alice", "resume worker-1")?.ended(0)?;
    call("alice", "resume worker-1")?
        .ended(1)?
        .shows(&["was not paused"])?;
    call("alice", "pause --pool=web --reason=mine")?
        .ended(3)?
        .complains(&["forbidden"])?;
    call("alice", "pause --all --reason=fire")?.ended(0)?;
    call("alice", "pause --all --reason=flood")?
        .ended(1)?
        .shows(&["stopped already: fire"])?;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.kubernetes.admin(), "rectifier-system");
    ensure!(maps.get("rectifier-stop").await?.data.is_some());
    call("bob", "status")?.shows(&["everything is stopped: fire"])?;
    call("bob", "resume --all")?.ended(3)?;
    call("alice", "resume --all")?.ended(0)?;

    cluster
        .stands(json!({"phase": "Replaced", "reason": "Replaced", "since": "2026-01-01T00:10:00Z",
            "steps": [{"phase": "Cordoning", "at": "2026-01-01T00:02:00Z", "reason": "PersonAsked"}],
            "tried": [{"rung": "Replace", "since": "2026-01-01T00:02:00Z", "outcome": "recovered", "reason": "Replaced"}],
            "replacement": {"attempt": 1, "name": "worker-1-abc", "tag": "t"}}))
        .await?;
    call("bob", "history")?
        .ended(0)?
        .shows(&["worker-1-abc", "8 min", "Replaced", "alice"])?;
    let json = call("bob", "history worker-1 --output=json")?
        .ended(0)?
        .json()?;
    ensure!(json[0]["seconds"] == 480, "{json}");
    Ok(())
}
