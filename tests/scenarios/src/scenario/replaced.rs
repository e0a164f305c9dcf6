//! The service cannot be healed; after the policy's attempts the node is replaced; a Deployment with a budget never falls
//! below it and ends on the new node; the old server, its ports and its Node are gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::Api;
use kube::runtime::{WatchStreamExt, watcher};
use rectifier_api::NodeRepair;
use rectifier_core::repair::Phase;
use tokio::task::JoinSet;

use super::{short, sick};
use crate::evidence::{AGENT, CONTROLLER, Mark, in_order};
use crate::wait::{gone, within};
use crate::world::{SICK, World};

/// What the PodDisruptionBudget of `fixtures/web.yaml` says.
const BUDGET: usize = 2;

pub(super) async fn play(world: &World, mark: &Mark) -> Result<()> {
    sick::web_on(world, SICK).await?;
    let old = sick::server_of(world, SICK).await?;
    let fewest = Fewest::watch(world);
    sick::break_proxy(world).await?;
    let repair = sick::finished(world, mark, Phase::Replaced).await?;
    world.first(
        mark,
        AGENT,
        "create",
        "noderepairs",
        &format!("{SICK}.repair"),
    )?;
    taken_over(world, mark, &old, &repair, fewest).await
}

/// What must be true after every replacement, however it came about.
pub(super) async fn taken_over(
    world: &World,
    mark: &Mark,
    old: &str,
    repair: &NodeRepair,
    fewest: Fewest,
) -> Result<()> {
    let nodes: Api<Node> = Api::all(world.kubernetes.admin());
    within("the old Node to be gone", short(), gone(nodes, SICK)).await?;
    let new = world.one_server_took_the_place_of(mark, old).await?;
    let name = &repair
        .status
        .as_ref()
        .and_then(|record| record.replacement.as_ref())
        .context("the record names no replacement")?
        .name;
    ensure!(
        sick::server_of(world, name).await? == new,
        "the new node is not the new server"
    );
    sick::web_on(world, name).await?;
    let fewest = fewest.end();
    ensure!(
        fewest >= BUDGET,
        "the Deployment had only {fewest} ready pods"
    );
    in_order(&[
        (
            "the cordon",
            world.first(mark, CONTROLLER, "patch", "nodes", SICK)?,
        ),
        (
            "the new server's creation",
            world.action(&new, "create").await?,
        ),
        (
            "the new node's taint is taken away",
            world.first(mark, CONTROLLER, "patch", "nodes", name)?,
        ),
        (
            "the first eviction",
            world.first(mark, CONTROLLER, "create", "pods/eviction", "")?,
        ),
        (
            "the old server's deletion",
            world.action(old, "delete").await?,
        ),
        (
            "the old Node's deletion",
            world.first(mark, CONTROLLER, "delete", "nodes", SICK)?,
        ),
    ])?;
    let deletion = world.openstack.records.instance_actions(old).await?;
    let by_its_host = deletion
        .iter()
        .filter(|action| action.action == "delete")
        .flat_map(|action| &action.events);
    ensure!(
        by_its_host
            .into_iter()
            .any(|event| event.event == "compute_terminate_instance"
                && event.result.as_deref() == Some("Success")),
        "its host did not terminate the old server"
    );
    ensure!(
        !world.bed.machine(SICK).exists(),
        "the old machine is still there"
    );
    Ok(())
}

/// The smallest number of ready pods that the Deployment ever had, while it was watched.
pub(super) struct Fewest {
    seen: Arc<AtomicUsize>,
    _watch: JoinSet<()>,
}

impl Fewest {
    pub(super) fn watch(world: &World) -> Self {
        let seen = Arc::new(AtomicUsize::new(usize::MAX));
        let mut watch = JoinSet::new();
        let (pods, least) = (
            Api::<Pod>::namespaced(world.kubernetes.admin(), "default"),
            Arc::clone(&seen),
        );
        watch.spawn(async move {
            let mut ready = std::collections::BTreeMap::new();
            let config = watcher::Config::default().labels("app=web");
            let mut events = watcher(pods, config).default_backoff().boxed();
            let mut complete = false;
            while let Some(event) = events.next().await {
                let uid = |pod: &Pod| pod.metadata.uid.clone().unwrap_or_default();
                match event {
                    Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) => {
                        ready.insert(uid(&pod), crate::world::ready(&pod));
                    }
                    Ok(watcher::Event::Delete(pod)) => {
                        ready.remove(&uid(&pod));
                    }
                    Ok(watcher::Event::InitDone) => complete = true,
                    Ok(watcher::Event::Init) | Err(_) => {}
                }
                if complete {
                    least.fetch_min(
                        ready.values().filter(|ready| **ready).count(),
                        Ordering::SeqCst,
                    );
                }
            }
        });
        Self {
            seen,
            _watch: watch,
        }
    }

    pub(super) fn end(self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}
