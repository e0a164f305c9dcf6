//! A scene with the real controller in it, and what tests do and look for there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::apps::v1::{DaemonSet, ReplicaSet};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt};
use rectifier_api::{NodeRepair, RepairPool};
use rectifier_core::repair::{Phase, Record};
use rectifier_policy_host::Advisor;
use rectifier_sim::scene::{self, CONTROLLER, Scene};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// The node that falls sick.
pub(crate) const SICK: &str = "worker-1";

pub(crate) struct Stage {
    pub(crate) scene: Scene,
    pub(crate) client: Client,
    engines: Mutex<JoinSet<String>>,
}

impl Stage {
    /// With its pods running, and no engine yet.
    pub(crate) async fn set(policies: Arc<dyn Advisor>) -> Result<Self> {
        Self::set_as(scene::Options::default(), policies).await
    }

    /// The same, in a scene like this.
    pub(crate) async fn set_as(
        options: scene::Options,
        policies: Arc<dyn Advisor>,
    ) -> Result<Self> {
        let scene = Scene::set(options, policies);
        let client = scene.api.client("person");
        let stage = Self {
            scene,
            client,
            engines: Mutex::default(),
        };
        stage
            .until("the pods to run", || stage.scene.is_well())
            .await?;
        Ok(stage)
    }

    /// The controller runs from now on.
    pub(crate) fn start(&mut self) {
        let process = rectifier_controller::run(self.scene.controller("controller-0"));
        let engines = self
            .engines
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        engines.spawn(async move { format!("the controller ended: {:?}", process.await) });
    }

    /// Why it ended, if it did: it never should.
    fn ended(&self) -> Option<String> {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        engines.try_join_next().map(|ended| format!("{ended:?}"))
    }

    /// Looks at each change, and each second at what is no object, for two hours at most.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn() -> bool) -> Result<()> {
        let began = Instant::now();
        let mut changes = self.scene.api.changes();
        while began.elapsed() < Duration::from_secs(2 * 3600) {
            if is_so() {
                return Ok(());
            }
            if let Some(why) = self.ended() {
                bail!(why);
            }
            drop(timeout(Duration::from_secs(1), changes.changed()).await);
        }
        let (phase, message) = self
            .record()
            .map_or((Phase::default(), String::new()), |record| {
                (record.phase, record.message)
            });
        bail!("waited two hours in vain for {what}: {phase:?}: {message}")
    }

    /// Until the repair is in this phase.
    pub(crate) async fn until_in(&self, phase: Phase) -> Result<Record> {
        let is_in = || self.record().is_some_and(|record| record.phase == phase);
        self.until(&format!("{phase:?}"), is_in).await?;
        self.record().context("it is gone")
    }

    /// Until the sick node's repair is archived.
    pub(crate) async fn until_over(&self) -> Result<Record> {
        let over = || {
            let repairs: Vec<NodeRepair> = self.scene.api.all("noderepairs.rectifier.dev");
            let [repair] = repairs.as_slice() else {
                return None;
            };
            let is_archived = repair.name_any() != format!("{SICK}.repair");
            repair.status.clone().filter(|_| is_archived)
        };
        self.until("the end of the repair", || over().is_some())
            .await?;
        over().context("it is gone")
    }

    /// What is written down of the open repair.
    pub(crate) fn record(&self) -> Option<Record> {
        let repairs: Vec<NodeRepair> = self.scene.api.all("noderepairs.rectifier.dev");
        let mut repairs = repairs.into_iter();
        let open = repairs.find(|repair| repair.name_any() == format!("{SICK}.repair"));
        open.map(|repair| repair.status.unwrap_or_default())
    }

    pub(crate) fn node(&self, name: &str) -> Option<Node> {
        let nodes: Vec<Node> = self.scene.api.all("nodes");
        nodes.into_iter().find(|node| node.name_any() == name)
    }

    /// The replacement's node.
    pub(crate) fn new_node(&self) -> Option<Node> {
        let name = self.record()?.replacement?.name;
        self.node(&name)
    }

    /// An app's pods on a node; those that are leaving are told apart.
    pub(crate) fn pods(&self, app: &str, node: &str) -> (Vec<Pod>, Vec<Pod>) {
        let pods: Vec<Pod> = self.scene.api.all("pods");
        let is_of = |pod: &Pod| {
            let on = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
            pod.labels().get("app").map(String::as_str) == Some(app) && on == Some(node)
        };
        let pods = pods.into_iter().filter(is_of);
        pods.partition(|pod| pod.metadata.deletion_timestamp.is_none())
    }

    /// How many pods of a ReplicaSet are Ready, as it says itself.
    pub(crate) fn ready(&self, set: &str) -> i32 {
        let sets: Vec<ReplicaSet> = self.scene.api.all("replicasets.apps");
        let own = sets.into_iter().find(|one| one.name_any() == set);
        let status = own.and_then(|set| set.status);
        status.and_then(|status| status.ready_replicas).unwrap_or(0)
    }

    pub(crate) fn has_server(&self, name: &str) -> bool {
        self.scene
            .cloud
            .servers()
            .iter()
            .any(|(server, _)| server == name)
    }

    /// The controller's requests that change something, but Events, its Lease and its own records.
    pub(crate) fn changes(&self) -> Vec<String> {
        let requests = self.scene.api.requests().into_iter();
        let own = requests.filter(|request| request.who == CONTROLLER && request.method != "GET");
        // and what a pool shows for people, and what is kept for them
        let quiet = [
            "/events",
            "/leases",
            "/noderepairs",
            "/status",
            "/configmaps",
        ];
        own.filter(|request| quiet.iter().all(|path| !request.path.contains(path)))
            .map(|request| format!("{} {} {}", request.method, request.path, request.code))
            .collect()
    }

    /// What the controller said of the sick node for this reason.
    pub(crate) fn said(&self, reason: &str) -> Vec<String> {
        let events: Vec<k8s_openapi::api::core::v1::Event> = self.scene.api.all("events");
        let own = events
            .into_iter()
            .filter(|event| event.reason.as_deref() == Some(reason));
        own.filter_map(|event| event.message).collect()
    }

    pub(crate) async fn make<K>(&self, object: Value) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Serialize
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), "default");
        let object = serde_json::from_value(object)?;
        Ok(api.create(&PostParams::default(), &object).await?)
    }

    /// A ReplicaSet whose pods are like this.
    pub(crate) async fn set_of(&self, app: &str, replicas: u32, spec: Value) -> Result<ReplicaSet> {
        let labels = json!({"app": app});
        let set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": app},
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": with_container(spec)},
            },
        });
        self.make(set).await
    }

    /// A DaemonSet whose pods are like this.
    pub(crate) async fn daemons(&self, app: &str, spec: Value) -> Result<DaemonSet> {
        let labels = json!({"app": app});
        let set = json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": app},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": with_container(spec)},
            },
        });
        self.make(set).await
    }

    /// At least so many pods of an app must be healthy, from now on.
    pub(crate) async fn budget(&self, app: &str, least: u32) -> Result<()> {
        let budgets: Api<PodDisruptionBudget> = Api::namespaced(self.client.clone(), "default");
        let spec = json!({"minAvailable": least, "selector": {"matchLabels": {"app": app}}});
        if budgets.get_opt(app).await?.is_none() {
            let budget = json!({
                "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": app}, "spec": spec,
            });
            self.make::<PodDisruptionBudget>(budget).await?;
            return Ok(());
        }
        let patch = Patch::Merge(json!({"spec": spec}));
        budgets.patch(app, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Changes the pool.
    pub(crate) async fn pool(&self, spec: Value) -> Result<()> {
        let pools: Api<RepairPool> = Api::all(self.client.clone());
        let patch = Patch::Merge(json!({"spec": spec}));
        pools.patch("web", &PatchParams::default(), &patch).await?;
        Ok(())
    }

    pub(crate) async fn change_node(&self, name: &str, patch: Value) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let params = PatchParams::default();
        nodes.patch(name, &params, &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// A person asks for another try, with the command that the repair's message names.
    pub(crate) async fn retry(&self) -> Result<()> {
        let message = self.record().context("no repair is open")?.message;
        let command =
            "kubectl annotate --overwrite noderepair worker-1.repair rectifier.dev/retry=";
        let (_, mark) = message
            .split_once(command)
            .with_context(|| format!("{message:?} names no command"))?;
        let repairs: Api<NodeRepair> = Api::all(self.client.clone());
        let patch = json!({"metadata": {"annotations": {"rectifier.dev/retry": mark}}});
        let params = PatchParams::default();
        repairs
            .patch("worker-1.repair", &params, &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// Node Problem Detector reports a problem of the sick node.
    pub(crate) async fn fall_sick(&self) -> Result<()> {
        self.report_of_the_sick("True", "it does not answer").await
    }

    /// It reports that this is away.
    pub(crate) async fn recovers(&self) -> Result<()> {
        self.report_of_the_sick("False", "it answers").await
    }

    async fn report_of_the_sick(&self, status: &str, message: &str) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.scene.api.client("node-problem-detector"));
        let node = nodes.get(SICK).await?;
        let mut conditions = node
            .status
            .and_then(|status| status.conditions)
            .unwrap_or_default();
        conditions.retain(|condition| condition.type_ != "KubeletUnhealthy");
        conditions.push(serde_json::from_value(json!({
            "type": "KubeletUnhealthy", "status": status, "reason": "Test", "message": message,
        }))?);
        let patch = Patch::Merge(json!({"status": {"conditions": conditions}}));
        nodes
            .patch_status(SICK, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// All pods of the app run, so many.
    pub(crate) async fn until_ready(&self, set: &str, count: i32) -> Result<()> {
        self.until(&format!("{count} Ready pods of {set}"), || {
            self.ready(set) == count
        })
        .await
    }

    pub(crate) async fn nodes(&self) -> Result<usize> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        Ok(nodes.list(&ListParams::default()).await?.items.len())
    }
}

fn with_container(mut spec: Value) -> Value {
    if spec["containers"].is_null() {
        spec["containers"] = json!([{"name": "c", "image": "none:1"}]);
    }
    spec
}

/// A container that is not Ready sooner than this.
pub(crate) fn slow(seconds: u32) -> Value {
    json!([{"name": "c", "image": "none:1", "readinessProbe": {"initialDelaySeconds": seconds}}])
}
