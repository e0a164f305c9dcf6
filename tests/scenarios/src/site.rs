//! A cluster on an OpenStack, with Rectifier's controller and without machines: servers that fall sick, each a KWOK node, and a
//! crowd of nodes that are none. For what takes many nodes.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use rectifier_api::{NodeRepair, RepairPool};
use rectifier_bed::Bed;
use rectifier_bed::hypervisor::{self, user_data::CloudConfig};
use rectifier_bed::kubernetes::node::{KWOK_LABEL, condition};
use rectifier_bed::kubernetes::{self, Kubernetes};
use rectifier_bed::openstack::{self, NewServer, OpenStack};
use rectifier_core::repair::Phase;
use rectifier_provision::{Features, Report, programs};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::controller::Controller;
use crate::wait::{gone, within};

/// The problem that nodes have.
pub const PROBLEM: &str = "ProxyUnhealthy";
/// A problem that no agent took up is judged after so many seconds.
pub const GRACE: u32 = 1;
/// A replacement must have been Ready for so many.
pub const READY: u32 = 3;
/// A slow computer needs minutes for a replacement.
const LONG: Duration = Duration::from_secs(600);
/// Nobody is marked dead here, and KWOK renews its nodes' Leases seldom: two cores have all of the cluster to carry.
const QUIET: kubernetes::Options = kubernetes::Options {
    node_grace: Duration::from_secs(900),
    lease: Duration::from_secs(600),
    kwok: true,
    network: false,
};

/// How large it is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Nodes `sick-N` that are servers, and can be replaced.
    pub servers: usize,
    /// All nodes; those that are no servers are called `other-N`.
    pub nodes: usize,
    /// In each pool one node is in repair at a time. The servers are dealt out to them.
    pub pools: usize,
    /// The others are dealt out to so many pools, of which the first are those of the servers.
    pub crowds: usize,
    /// No two servers are on one host. There are three hosts.
    pub apart: bool,
}

/// Which build of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// The tests'.
    Tested,
    /// That which is released: for measurements.
    Released,
}

/// Dropping it ends all of it.
pub struct Site {
    // in the order of their end: who needs another goes first
    /// The control-plane engine.
    pub controller: Controller,
    /// Nova and its neighbours.
    pub openstack: OpenStack,
    /// The API server and its neighbours.
    pub kubernetes: Kubernetes,
    /// The folder of it all.
    pub bed: Bed,
}

impl Site {
    /// Makes one in which all is well.
    ///
    /// # Errors
    /// If a part does not come up.
    pub async fn start(size: Size, build: Build, report: &mut (dyn Report + Send)) -> Result<Self> {
        let Size {
            servers,
            nodes,
            pools,
            crowds,
            apart,
        } = size;
        let bed = Bed::new("site")?;
        let engine = match build {
            Build::Tested => bed.cache().engine(Features::Shipped, report)?,
            Build::Released => bed.cache().released_engine(report)?,
        };
        let policies = bed.part("policies")?;
        let policy = bed
            .cache()
            .policy_component("restart-then-replace", report)?;
        std::fs::copy(policy, policies.join("policy.wasm"))?;
        answer_for(&bed, &[PROBLEM])?;

        report.step(&format!("a control plane and an OpenStack; {nodes} nodes"));
        let kubernetes = Kubernetes::start(&bed, QUIET).await?;
        hypervisor::connect(&bed, &kubernetes).await?;
        let options = openstack::Options {
            hook: Some(hypervisor::hook(&bed)?),
            ..openstack::Options::default()
        };
        let openstack = OpenStack::start(&bed, &options, report).await?;
        kubernetes.apply_rights(&bed).await?;
        let controller = bed.cache().checkout().join("deploy/controller.yaml");
        kubernetes.apply_path(&controller).await?;
        for number in 0..pools.max(crowds) {
            kubernetes.apply(&pool(&kubernetes, number)).await?;
        }
        let label = ("node-role.kubernetes.io/control-plane", "");
        kubernetes
            .add_kwok_node("control-plane-1", &[label])
            .await?;
        let group = match apart {
            true => Some(openstack.demo.create_group_apart("apart").await?),
            false => None,
        };
        for number in 1..=servers {
            let pool = pool_name(number % pools);
            let name = format!("sick-{number}");
            join(&kubernetes, &openstack, &name, &pool, group.as_ref()).await?;
        }
        crowd(&kubernetes, nodes - servers, crowds).await?;
        let controller = Controller::start(&bed, &kubernetes, &openstack, engine, policies).await?;
        let all: Api<RepairPool> = Api::all(kubernetes.admin());
        let counted = async {
            loop {
                let all = all.list(&ListParams::default()).await?.items;
                let counts = all.iter().filter_map(|pool| pool.status.as_ref());
                let known: usize = counts.map(|status| status.nodes as usize).sum();
                if known == nodes {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        within("the controller to know all nodes", LONG, counted).await?;
        Ok(Self {
            controller,
            openstack,
            kubernetes,
            bed,
        })
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> Api<Node> {
        Api::all(self.kubernetes.admin())
    }

    /// The repairs.
    #[must_use]
    pub fn repairs(&self) -> Api<NodeRepair> {
        Api::all(self.kubernetes.admin())
    }

    /// From now on the policy answers for these conditions: each is a reason to replace a node.
    ///
    /// # Errors
    /// If its settings cannot be written.
    pub fn answer_for(&self, conditions: &[&str]) -> Result<()> {
        answer_for(&self.bed, conditions)
    }

    /// The node's detector says that it has the problem, or has it not.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn report(&self, node: &str, is_there: bool) -> Result<()> {
        self.report_of(node, PROBLEM, is_there).await
    }

    /// The same of any condition.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn report_of(&self, node: &str, kind: &str, is_there: bool) -> Result<()> {
        let (status, reason) = match is_there {
            true => ("True", "IsThere"),
            false => ("False", "IsNotThere"),
        };
        let now = now();
        let condition = json!({
            "type": kind, "status": status, "reason": reason, "message": "asked for",
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        });
        let patch = Patch::Strategic(json!({"status": {"conditions": [condition]}}));
        self.nodes()
            .patch_status(node, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// The node has booted: what its problem was before counts no more, so that the next one has the whole of its grace.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn booted(&self, node: &str, boot: usize) -> Result<()> {
        let boot = format!("{boot:08}-0000-4000-8000-000000000000");
        let patch = Patch::Strategic(json!({"status": {"nodeInfo": {"bootID": boot}}}));
        self.nodes()
            .patch_status(node, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Whether new pods may go to that node.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn schedulable(&self, node: &str, is: bool) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": {"unschedulable": !is}}));
        self.nodes()
            .patch(node, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Lets the node fall sick, and waits until another has taken its place.
    ///
    /// # Errors
    /// If its repair ends otherwise, or does not end.
    pub async fn replace(&self, node: &str) -> Result<()> {
        self.report(node, true).await?;
        self.is_replaced(node).await
    }

    /// Waits until another has taken the node's place.
    ///
    /// # Errors
    /// If its repair ends otherwise, or does not end.
    pub async fn is_replaced(&self, node: &str) -> Result<()> {
        let over = async {
            // it is archived under another name, and its own is free again
            loop {
                let all = self.repairs().list(&ListParams::default()).await?;
                let over = all.items.iter().find(|repair| {
                    let phase = repair.status.as_ref().map(|record| record.phase);
                    repair.spec.node_name == node && phase.is_some_and(Phase::is_final)
                });
                if let Some(over) = over {
                    let phase = over.status.as_ref().map(|record| record.phase);
                    ensure!(
                        phase == Some(Phase::Replaced),
                        "the repair of {node} ended as {phase:?}"
                    );
                    return gone(self.repairs(), &format!("{node}.repair")).await;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        within("a replacement", LONG, over).await
    }

    /// Nothing of ours is left over in the cloud, by the command that an operator has, with an operator's own rights.
    ///
    /// # Errors
    /// If something is, or the command fails.
    pub async fn is_well_by_audit(&self) -> Result<()> {
        let operator = self
            .kubernetes
            .certificate_for("operator", &["system:masters"])?;
        let kubeconfig = self.bed.part("operator")?.join("kubeconfig");
        std::fs::write(&kubeconfig, self.kubernetes.kubeconfig_text(&operator))?;
        let mut audit = Command::new(programs(self.bed.cache()).join("rectifier"));
        audit
            .args(["cloud", "audit", "--cluster=scenario", "--output=json"])
            .args(["--cloud=demo", "--kubeconfig"])
            .arg(&kubeconfig)
            .env("OS_CLIENT_CONFIG_FILE", self.openstack.clouds_yaml())
            .stderr(Stdio::inherit());
        let told = audit.output().await.context("rectifier cloud audit")?;
        let said: Value = serde_json::from_slice(&told.stdout)?;
        ensure!(told.status.success(), "{said:#}");
        Ok(())
    }
}

/// Writes what the policy answers for into its sidecar.
fn answer_for(bed: &Bed, conditions: &[&str]) -> Result<()> {
    let rules: Vec<Value> = conditions
        .iter()
        .map(|condition| json!({ "condition": condition }))
        .collect();
    let sidecar = json!({
        "handles": [{"conditions": conditions, "sites": ["control-plane"]}],
        "settings": {"rules": rules},
    });
    std::fs::write(
        bed.part("policies")?.join("policy.yaml"),
        sidecar.to_string(),
    )?;
    Ok(())
}

/// A detector says again what it has said of a node, so that nobody takes it for dead.
///
/// # Errors
/// If the API server refuses.
pub async fn renew(nodes: &Api<Node>, node: &str, kind: &str) -> Result<()> {
    let condition = json!({"type": kind, "lastHeartbeatTime": now()});
    let patch = Patch::Strategic(json!({"status": {"conditions": [condition]}}));
    nodes
        .patch_status(node, &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

/// As kubelets and detectors write it.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What the first is called, and those after it.
fn pool_name(number: usize) -> String {
    match number {
        0 => "web".to_owned(),
        _ => format!("web-{number}"),
    }
}

/// A pool with short waits, of the nodes that bear its name.
fn pool(kubernetes: &Kubernetes, number: usize) -> String {
    let user_data = include_str!("../fixtures/user-data.yaml");
    let name = pool_name(number);
    json!({
        "apiVersion": "rectifier.dev/v1alpha1", "kind": "RepairPool", "metadata": {"name": name},
        "spec": {
            "nodeSelector": {"matchLabels": {"pool": name}},
            "mode": "Auto",
            "provisioning": {"userData": user_data, "apiServer": kubernetes.url(), "copyLabels": ["pool"]},
            "timing": {"agentGrace": GRACE, "ready": READY, "settle": 1, "createSettle": 1, "loadBalancers": 0},
            "breaker": {"sickPercent": 0, "zoneSickPercent": 0, "togetherPercent": 0, "steady": 0},
            "pacing": {"every": 0},
        },
    })
    .to_string()
}

/// Makes a server, which joins as a node of the same name.
async fn join(
    kubernetes: &Kubernetes,
    openstack: &OpenStack,
    name: &str,
    pool: &str,
    group: Option<&String>,
) -> Result<()> {
    let token = kubernetes
        .bootstrap_token(Duration::from_secs(3600))
        .await?;
    let joining = CloudConfig::joining(
        &kubernetes.bootstrap_kubeconfig(&token),
        &format!("--node-labels=pool={pool}"),
    );
    let server = NewServer {
        name: name.to_owned(),
        flavor: "m1.small".to_owned(),
        user_data: joining.render()?,
        metadata: BTreeMap::from([("owner".to_owned(), "web team".to_owned())]),
        group: group.cloned(),
        ..NewServer::default()
    };
    openstack.demo.create_server(&server).await?;
    kubernetes.node(name, is_ready).await?;
    Ok(())
}

/// Makes so many nodes that are no servers, `other-N`, deals them out to the pools and to three zones, and waits until KWOK has made all of them Ready.
async fn crowd(kubernetes: &Kubernetes, count: usize, pools: usize) -> Result<()> {
    let nodes: Api<Node> = Api::all(kubernetes.admin());
    let make = |number: usize| {
        let (nodes, name) = (nodes.clone(), format!("other-{number}"));
        async move {
            let labels = json!({
                (KWOK_LABEL.0): KWOK_LABEL.1, "kubernetes.io/hostname": name, "kubernetes.io/os": "linux",
                "topology.kubernetes.io/zone": format!("az-{}", number % 3), "pool": pool_name(number % pools),
            });
            let node = json!({"metadata": {"name": name, "labels": labels}});
            let node = serde_json::from_value(node)?;
            nodes.create(&PostParams::default(), &node).await?;
            anyhow::Ok(())
        }
    };
    stream::iter((1..=count).map(make))
        .buffer_unordered(16)
        .try_collect::<()>()
        .await?;
    let ready = async {
        while nodes
            .list(&ListParams::default().labels("pool"))
            .await?
            .items
            .iter()
            .any(|node| !is_ready(node))
        {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        Ok(())
    };
    within("all nodes to be Ready", LONG, ready).await
}

fn is_ready(node: &Node) -> bool {
    condition(node, "Ready") == Some("True")
}
