//! The real controller in the world: a node whose problem stays is replaced, by Wasm that ships, in virtual time.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use rectifier_api::NodeRepair;
use rectifier_cloud::openstack::OpenStack;
use rectifier_cloud::{Cloud, Server};
use rectifier_policy_host::Advisor;
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::scene::{self, NAMESPACE, Scene};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::policy;

const SICK: &str = "worker-1";
/// What the tests do in a scene, beyond what is in it.
struct Stage(Scene);

impl std::ops::Deref for Stage {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.0
    }
}

impl Stage {
    async fn set(seed: u64, policies: Arc<dyn Advisor>) -> Result<Self> {
        let options = scene::Options {
            seed,
            ..scene::Options::default()
        };
        let stage = Self(Scene::set(options, policies));
        until(&stage, "the pods to run", || async { Ok(stage.is_well()) }).await?;
        Ok(stage)
    }

    /// Node Problem Detector reports a problem of the sick node.
    async fn break_it(&self) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.api.client("node-problem-detector"));
        let mut node = nodes.get(SICK).await?;
        let status = node.status.get_or_insert_default();
        let condition = json!({
            "type": "KubeletUnhealthy", "status": "True", "reason": "Test", "message": "it does not answer",
        });
        status
            .conditions
            .get_or_insert_default()
            .push(serde_json::from_value(condition)?);
        let patch = json!({"status": {"conditions": status.conditions}});
        nodes
            .patch_status(SICK, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// The old server and its Node are gone, another has taken their place, and everything runs.
    async fn is_replaced(&self, client: &Client) -> Result<bool> {
        let nodes = self.nodes();
        if nodes.len() != 3 || nodes.iter().any(|name| name == SICK) {
            return Ok(false);
        }
        let open = Api::<NodeRepair>::all(client.clone())
            .get_opt(&format!("{SICK}.repair"))
            .await?;
        let budget = in_default::<PodDisruptionBudget>(client).get("web").await?;
        let healthy = budget.status.map_or(0, |status| status.current_healthy);
        Ok(open.is_none() && healthy == 3)
    }

    /// What was known of the sick server is kept, whole, and belongs to the archived repair.
    async fn evidence_is_kept(&self, client: &Client) -> Result<()> {
        let repairs = Api::<NodeRepair>::all(client.clone());
        let archived = repairs.list(&ListParams::default()).await?.items;
        let [archived] = archived.as_slice() else {
            anyhow::bail!("{} repairs", archived.len());
        };
        let record = archived.status.clone().unwrap_or_default();
        let noted = record.evidence.context("the record names no evidence")?;
        ensure!(noted.missing.is_empty() && noted.at.is_some(), "{noted:?}");
        let maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
        let ours =
            ListParams::default().labels("app.kubernetes.io/managed-by=rectifier-controller");
        let maps = maps.list(&ours).await?.items;
        let [map] = maps.as_slice() else {
            anyhow::bail!("{} ConfigMaps", maps.len());
        };
        ensure!(noted.config_map == map.metadata.name, "{noted:?}");
        let owners = map.owner_references();
        ensure!(
            owners.len() == 1 && Some(&owners[0].uid) == archived.metadata.uid.as_ref(),
            "{owners:?}"
        );
        let data = map.data.clone().unwrap_or_default();
        let part = |key: &str| data.get(key).cloned().unwrap_or_default();
        ensure!(
            part("console.log").contains("boot 1 of worker-1"),
            "{data:?}"
        );
        ensure!(
            part("conditions.json").contains("KubeletUnhealthy"),
            "{data:?}"
        );
        ensure!(part("events.json").contains("\"reason\""), "{data:?}");
        let about: serde_json::Value = serde_json::from_str(&part("repair.json"))?;
        ensure!(about["server"] == json!(record.server_id), "{about}");
        let decision: serde_json::Value = serde_json::from_str(&part("decision.json"))?;
        let digest = record.verdict.map(|verdict| verdict.digest);
        ensure!(decision["policy"]["digest"] == json!(digest), "{decision}");
        Ok(())
    }

    /// What was made bears our marks, and what was adopted says so: nobody will take it for a leftover.
    async fn replacement_is_marked(&self) -> Result<()> {
        let cloud = OpenStack::over(self.cloud.clone());
        let servers = cloud.servers().await?;
        let made = |server: &&Server| server.metadata.contains_key("rectifier.cluster");
        let [made] = servers.iter().filter(made).collect::<Vec<_>>()[..] else {
            anyhow::bail!("one server is made by us: {servers:?}");
        };
        let marks = &made.metadata;
        ensure!(
            marks["rectifier.cluster"] == "world" && marks["rectifier.state"] == "adopted",
            "{marks:?}"
        );
        let ports = cloud
            .ports_by_description("rectifier cluster world")
            .await?;
        let [port] = &ports[..] else {
            anyhow::bail!("one port is made by us: {ports:?}");
        };
        ensure!(
            port.device.as_ref() == Some(&made.id)
                && port.tags.iter().any(|tag| tag == "rectifier-adopted")
                && port
                    .name
                    .contains(&format!("-{}-", marks["rectifier.repair"])),
            "{port:?}"
        );
        Ok(())
    }

    async fn ends_well(&self) -> Result<()> {
        let servers = self.cloud.servers();
        ensure!(servers.len() == 3, "{servers:?}");
        ensure!(servers.iter().all(|(name, _)| name != SICK), "{servers:?}");
        ensure!(
            self.cloud.asked_for() == 4,
            "{} servers were asked for",
            self.cloud.asked_for()
        );
        // Each server has one port, and no port is left.
        ensure!(self.cloud.ports().len() == 3, "{:?}", self.cloud.ports());
        let client = self.api.client("witness");
        let tokens =
            Api::<k8s_openapi::api::core::v1::Secret>::namespaced(client.clone(), "kube-system");
        let left = tokens.list(&ListParams::default()).await?.items.len();
        ensure!(left == 0, "{left} bootstrap tokens are left");
        self.evidence_is_kept(&client).await?;
        self.replacement_is_marked().await?;
        let made = self.api.requests();
        let made = made
            .iter()
            .filter(|request| request.method == "DELETE" && request.path.contains("/nodes/"));
        ensure!(made.count() >= 1, "nobody deleted the Node");
        for node in Api::<Node>::all(client)
            .list(&ListParams::default())
            .await?
            .items
        {
            let spec = node.spec.unwrap_or_default();
            let taints = spec.taints.unwrap_or_default();
            ensure!(
                taints.is_empty() && spec.unschedulable != Some(true),
                "{taints:?}"
            );
        }
        Ok(())
    }
}

fn in_default<K>(client: &Client) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope>,
    K::DynamicType: Default,
{
    Api::namespaced(client.clone(), "default")
}

/// Looks at each change, and each minute, for an hour at most.
async fn until<F>(scene: &Scene, what: &str, mut is_so: impl FnMut() -> F) -> Result<()>
where
    F: Future<Output = Result<bool>>,
{
    let began = Instant::now();
    let mut changes = scene.api.changes();
    while began.elapsed() < Duration::from_secs(3600) {
        if is_so().await? {
            return Ok(());
        }
        drop(timeout(Duration::from_secs(60), changes.changed()).await);
    }
    anyhow::bail!("waited an hour in vain for {what}")
}

/// The fewest healthy pods that there ever were, by what the disruption controller wrote.
async fn fewest(client: Client, seen: Arc<Mutex<Option<i32>>>) {
    let budgets = in_default::<PodDisruptionBudget>(&client);
    let mut events = watcher(budgets, watcher::Config::default())
        .applied_objects()
        .boxed();
    while let Some(event) = events.next().await {
        if let Ok(budget) = event
            && let Some(status) = budget.status
            && let Ok(mut seen) = seen.lock()
        {
            let before = seen.unwrap_or(i32::MAX);
            *seen = Some(before.min(status.current_healthy));
        }
    }
}

/// Counts the polls of a process, and lets it have no more than these.
struct Polled<F> {
    process: Pin<Box<F>>,
    polls: u64,
    most: u64,
}

impl<F: Future> Future for Polled<F> {
    /// `None`: killed.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, poller: &mut Poller<'_>) -> Poll<Self::Output> {
        if self.polls == self.most {
            return Poll::Ready(None);
        }
        self.polls += 1;
        self.process.as_mut().poll(poller).map(Some)
    }
}

/// What it took to replace a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Took {
    polls: u64,
    time: Duration,
}

/// Replaces the sick node. Before the poll of this number the controller's root future is dropped, and with it all that it
/// has spawned; and it is started anew.
async fn replacement(
    seed: u64,
    policies: Arc<dyn Advisor>,
    mut killed_at: Option<u64>,
) -> Result<Took> {
    let scene = Stage::set(seed, policies).await?;
    let began = Instant::now();
    let seen = Arc::new(Mutex::new(None));
    let mut witness = JoinSet::new();
    witness.spawn(fewest(scene.api.client("witness"), seen.clone()));
    scene.break_it().await?;
    let client = scene.api.client("witness");
    let mut well = Box::pin(until(&scene, "the replacement", || {
        scene.is_replaced(&client)
    }));
    let mut polls = 0;
    let mut is_well = false;
    while !is_well {
        let mut process = Polled {
            process: Box::pin(rectifier_controller::run(scene.controller("controller-0"))),
            polls: 0,
            most: killed_at.take().unwrap_or(u64::MAX),
        };
        tokio::select! {
            biased;
            ended = &mut process => {
                if let Some(ended) = ended {
                    ended.context("the controller ended")?;
                }
            }
            well = &mut well => {
                well.with_context(|| scene.ills().join("; "))?;
                is_well = true;
            }
        }
        polls += process.polls;
    }
    drop(well);
    scene.ends_well().await?;
    // An event may be on its way yet.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let fewest = seen.lock().ok().and_then(|seen| *seen);
    ensure!(
        fewest == Some(2),
        "{fewest:?} pods were healthy at the fewest"
    );
    let pods = in_default::<Pod>(&client)
        .list(&ListParams::default())
        .await?
        .items;
    ensure!(pods.len() == 3, "{} pods", pods.len());
    Ok(Took {
        polls,
        time: began.elapsed(),
    })
}

fn in_the_world<T>(body: impl Future<Output = Result<T>>) -> Result<T> {
    in_virtual_time(body)?
}

#[test]
fn a_sick_node_is_replaced_whatever_the_seed() -> Result<()> {
    let policies = policy::shipped()?;
    for seed in 0..20 {
        let done = in_the_world(replacement(seed, policies.clone(), None));
        let took = done.with_context(|| format!("seed {seed}"))?;
        println!("seed {seed}: {took:?}");
        ensure!(
            took.time > Duration::from_secs(60),
            "the pool's grace for a silent agent"
        );
    }
    Ok(())
}

#[test]
fn a_seed_is_the_same_replacement_every_time() -> Result<()> {
    let policies = policy::shipped()?;
    let run = || in_the_world(replacement(3, policies.clone(), None));
    ensure!(run()? == run()?);
    Ok(())
}

#[test]
fn a_controller_that_is_killed_at_any_poll_makes_one_replacement() -> Result<()> {
    let policies = policy::shipped()?;
    let polls = in_the_world(replacement(1, policies.clone(), None))?.polls;
    for at in 0..polls {
        in_the_world(replacement(1, policies.clone(), Some(at)))
            .with_context(|| format!("killed at poll {at} of {polls}"))?;
    }
    println!("killed at each of {polls} polls");
    Ok(())
}
