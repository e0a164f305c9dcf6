//! A scene with the real controller in it, and what people do to it with kubectl.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use rectifier_api::{NodeRepair, RepairPool};
use rectifier_core::reason::Reason;
use rectifier_core::repair::{Phase, Record};
use rectifier_policy_host::Advisor;
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::machine::{Break, Cure};
use rectifier_sim::openstack::Fault;
use rectifier_sim::scene::{self, NAMESPACE, Scene};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

pub(crate) const SICK: &str = "worker-1";

/// No server that is made from now on boots while anybody waits for it: each attempt at a replacement fails.
pub(crate) const NO_BOOT: Fault = Fault::BootDelay(Duration::from_secs(24 * 3600));

pub(crate) struct Stage {
    pub(crate) scene: Scene,
    /// Whoever looks and does things with kubectl.
    pub(crate) client: Client,
    controllers: JoinSet<Result<(), rectifier_controller::Error>>,
}

impl Stage {
    /// Everything is well, and the controller runs.
    pub(crate) async fn set(policies: Arc<dyn Advisor>) -> Result<Self> {
        let mut stage = Self::without_controller(policies).await?;
        stage.start();
        Ok(stage)
    }

    pub(crate) async fn without_controller(policies: Arc<dyn Advisor>) -> Result<Self> {
        Self::in_scene(scene::Options::default(), policies).await
    }

    /// The same, in a scene like this.
    pub(crate) async fn in_scene(
        options: scene::Options,
        policies: Arc<dyn Advisor>,
    ) -> Result<Self> {
        let seed = if options.seed == 0 { 7 } else { options.seed };
        let options = scene::Options { seed, ..options };
        let scene = Scene::set(options, policies);
        let stage = Self {
            client: scene.api.client("person"),
            controllers: JoinSet::new(),
            scene,
        };
        stage
            .until("the pods to run", async |stage| Ok(stage.scene.is_well()))
            .await?;
        Ok(stage)
    }

    /// Without the controller, and the node engines run: one that ends is told of by the set.
    pub(crate) async fn with_agents(policies: Arc<dyn Advisor>) -> Result<(Self, JoinSet<String>)> {
        let stage = Self::without_controller(policies).await?;
        let mut agents = JoinSet::new();
        agents.spawn(stage.scene.agents());
        Ok((stage, agents))
    }

    /// A unit of the sick node fails; its restart would help.
    pub(crate) fn a_unit_fails(&self) -> Result<()> {
        let broken = Break::Unit("proxy.service".to_owned(), Cure::Restart);
        ensure!(self.scene.machines.break_it(SICK, &broken));
        Ok(())
    }

    /// Until it was restarted.
    pub(crate) async fn is_restarted(&self) -> Result<()> {
        self.until("the unit's restart", async |stage| {
            Ok(stage.scene.machines.is_well(SICK))
        })
        .await
    }

    pub(crate) fn start(&mut self) {
        let controller = rectifier_controller::run(self.scene.controller("controller-0"));
        self.controllers.spawn(controller);
    }

    /// Kills the controller, with all that it has under way.
    pub(crate) async fn kill(&mut self) {
        self.controllers.shutdown().await;
    }

    /// Looks at each change, and each second at what is no object, for three hours at most.
    pub(crate) async fn until(
        &self,
        what: &str,
        is_so: impl AsyncFn(&Self) -> Result<bool>,
    ) -> Result<()> {
        let began = Instant::now();
        let mut changes = self.scene.api.changes();
        while began.elapsed() < Duration::from_secs(3 * 3600) {
            if is_so(self).await? {
                return Ok(());
            }
            drop(timeout(Duration::from_secs(1), changes.changed()).await);
        }
        bail!("waited in vain for {what}: {:?}", self.scene.ills())
    }

    pub(crate) async fn minutes(&self, minutes: u64) {
        tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
    }

    /// Node Problem Detector says so.
    pub(crate) async fn report(&self, node: &str, status: &str) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let mut now = nodes.get(node).await?;
        let conditions = now
            .status
            .get_or_insert_default()
            .conditions
            .get_or_insert_default();
        conditions.retain(|condition| condition.type_ != "KubeletUnhealthy");
        conditions.push(serde_json::from_value(json!({
            "type": "KubeletUnhealthy", "status": status, "reason": "Test", "message": "it does not answer",
            "lastTransitionTime": self.scene.clock.now(),
        }))?);
        let patch = json!({"status": {"conditions": conditions}});
        let params = PatchParams::default();
        nodes
            .patch_status(node, &params, &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    pub(crate) async fn patch_node(&self, name: &str, patch: Value) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        nodes
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    pub(crate) async fn patch_pool(&self, patch: Value) -> Result<()> {
        let pools: Api<RepairPool> = Api::all(self.client.clone());
        pools
            .patch("web", &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// As `kubectl annotate noderepair NODE.repair --overwrite KEY=VALUE`.
    pub(crate) async fn annotate(&self, node: &str, key: &str, value: &str) -> Result<()> {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        let params = PatchParams::default();
        self.repairs()
            .patch(&format!("{node}.repair"), &params, &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    pub(crate) fn repairs(&self) -> Api<NodeRepair> {
        Api::all(self.client.clone())
    }

    pub(crate) async fn open(&self, node: &str) -> Result<Option<NodeRepair>> {
        Ok(self.repairs().get_opt(&format!("{node}.repair")).await?)
    }

    pub(crate) async fn record(&self, node: &str) -> Result<Record> {
        let open = self.open(node).await?;
        Ok(open.and_then(|repair| repair.status).unwrap_or_default())
    }

    /// Those whose copy is whole: its status is written after it is made.
    pub(crate) async fn archived(&self) -> Result<Vec<NodeRepair>> {
        let all = self.repairs().list(&ListParams::default()).await?.items;
        let is_old = |repair: &NodeRepair| {
            !repair.name_any().ends_with(".repair") && repair.status.is_some()
        };
        Ok(all.into_iter().filter(is_old).collect())
    }

    pub(crate) async fn reaches(&self, node: &str, phase: Phase) -> Result<()> {
        let what = format!("{phase:?}");
        self.until(&what, async |stage| {
            Ok(stage.record(node).await?.phase == phase)
        })
        .await
    }

    pub(crate) async fn says(&self, node: &str, reason: Reason) -> Result<()> {
        let what = format!("{reason:?}");
        self.until(&what, async |stage| {
            Ok(stage.record(node).await?.reason == Some(reason))
        })
        .await
    }

    /// The node is gone, another does its work, and nothing of the repair is left.
    pub(crate) async fn is_replaced(&self, node: &str) -> Result<()> {
        self.until("the replacement", async |stage| {
            let gone = !stage.scene.nodes().iter().any(|name| name == node);
            Ok(gone && stage.open(node).await?.is_none() && stage.scene.is_well())
        })
        .await
    }

    /// How a repair that is over ended.
    pub(crate) async fn ended(&self, phase: Phase, reason: Reason) -> Result<NodeRepair> {
        for repair in self.archived().await? {
            let record = repair.status.as_ref().context("an archived status")?;
            if (record.phase, record.reason) == (phase, Some(reason)) {
                ensure!(
                    repair.finalizers().is_empty(),
                    "an archived copy bears none"
                );
                return Ok(repair);
            }
        }
        bail!("no repair ended {phase:?} for {reason:?}")
    }

    /// As `kubectl create configmap rectifier-stop`, or its deletion.
    pub(crate) async fn stop(&self, is_set: bool) -> Result<()> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), NAMESPACE);
        if is_set {
            let map = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "rectifier-stop"}, "data": {"why": "fire in az-1"},
            });
            maps.create(&PostParams::default(), &serde_json::from_value(map)?)
                .await?;
        } else {
            maps.delete("rectifier-stop", &Default::default()).await?;
        }
        Ok(())
    }

    /// All that something intrusive would change: servers, ports, nodes with their cordons and taints, pods and where they
    /// are, bootstrap tokens.
    pub(crate) async fn everything(&self) -> Result<Value> {
        let nodes = Api::<Node>::all(self.client.clone())
            .list(&ListParams::default())
            .await?;
        let pods = Api::<Pod>::all(self.client.clone())
            .list(&ListParams::default())
            .await?;
        let nodes: Vec<Value> = nodes
            .items
            .iter()
            .map(|node| json!([node.name_any(), node.spec]))
            .collect();
        let pods: Vec<Value> = pods
            .items
            .iter()
            .map(|pod| {
                let place = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
                json!([pod.name_any(), place, pod.metadata.deletion_timestamp])
            })
            .collect();
        Ok(json!({
            "nodes": nodes, "pods": pods, "servers": self.scene.cloud.servers(),
            "ports": self.scene.cloud.ports(), "tokens": self.scene.bootstrap_tokens(),
        }))
    }
}

pub(crate) fn played(body: impl AsyncFnOnce(Arc<dyn Advisor>) -> Result<()>) -> Result<()> {
    played_with(crate::policy::shipped()?, body)
}

/// With these policies.
pub(crate) fn played_with(
    policies: Arc<dyn Advisor>,
    body: impl AsyncFnOnce(Arc<dyn Advisor>) -> Result<()>,
) -> Result<()> {
    in_virtual_time(body(policies))?
}
