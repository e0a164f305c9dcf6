//! The service cannot be healed; after the policy's attempts the node is replaced; a Deployment with a budget never falls
//! below it and ends on the new node; the old server, its ports and its Node are gone.

use anyhow::{Context, Result};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::Api;
use kube::runtime::watcher;
use rectifier_api::{NodeRepair, PROVISIONAL_TAINT};
use rectifier_core::repair::Phase;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{short, sick};
use crate::claim;
use crate::evidence::{AGENT, Before, CONTROLLER, Mark, Sought, in_order, similar};
use crate::wait::{gone, sets, within};
use crate::world::{SICK, World};

/// What the PodDisruptionBudget of `fixtures/web.yaml` says.
const BUDGET: usize = 2;

pub(super) async fn play(world: &World, mark: &Mark) -> Result<()> {
    sick::web_on(world, SICK).await?;
    let old = world.before(SICK).await?;
    let fewest = Fewest::watch(world).await?;
    sick::break_proxy(world).await?;
    let repair = sick::finished(world, mark, Phase::Replaced).await?;
    world.first(mark, AGENT, "create", "noderepairs", sick::REPAIR)?;
    taken_over(world, mark, &old, &repair, &fewest).await
}

/// What must be true after every replacement, however it came about.
pub(super) async fn taken_over(
    world: &World,
    mark: &Mark,
    old: &Before,
    repair: &NodeRepair,
    fewest: &Fewest,
) -> Result<()> {
    let nodes: Api<Node> = Api::all(world.kubernetes.admin());
    within("the old Node to be gone", short(), gone(nodes, SICK)).await?;
    let new = world.one_server_took_the_place_of(mark, old).await?;
    similar(old, &new)?;
    let (server, _) = &new;
    world.is_adopted(server).await?;
    let name = &repair
        .status
        .as_ref()
        .and_then(|record| record.replacement.as_ref())
        .context("the record names no replacement")?
        .name;
    claim!(
        world.server_of(name).await? == server.id,
        "the new node is not the new server"
    );
    sick::web_on(world, name).await?;
    let ready = fewest.so_far();
    claim!(
        ready >= BUDGET,
        "the Deployment had only {ready} ready pods"
    );
    let (evicted, drained) = world.drained(mark, SICK, &old.pods)?;
    let released = Sought {
        user: CONTROLLER,
        verb: "patch",
        resource: "nodes",
        name,
    };
    in_order(&[
        ("the cordon", world.cordoned(mark, SICK, true)?),
        (
            "the new server's creation",
            world.action(&server.id, "create").await?,
        ),
        (
            "the new node's registration, with the provisional taint",
            world.registered_with(mark, name, PROVISIONAL_TAINT)?,
        ),
        ("the new node is Ready", world.ready_since(mark, name)?),
        (
            "the new node's taint is taken away",
            world.first_that(mark, released, |body| {
                body.pointer("/spec/taints").is_some()
            })?,
        ),
        ("the first eviction", evicted),
        ("the end of the last pod", drained),
        (
            "the old server's deletion",
            world.action(&old.server.id, "delete").await?,
        ),
        (
            "its host has terminated it",
            world.terminated(&old.server.id).await?,
        ),
        (
            "the old Node's deletion",
            world.first(mark, CONTROLLER, "delete", "nodes", SICK)?,
        ),
    ])?;
    claim!(
        !world.bed.machine(SICK).exists(),
        "the old machine is still there"
    );
    world
        .nothing_is_left_in_the_cluster(mark, &[SICK], &[name])
        .await
}

/// The smallest number of ready pods that the Deployment had, while it was watched.
pub(super) struct Fewest {
    seen: watch::Receiver<Option<usize>>,
    _watch: JoinSet<()>,
}

impl Fewest {
    /// Begins to watch; back when all its pods are known.
    pub(super) async fn watch(world: &World) -> Result<Self> {
        let pods: Api<Pod> = Api::namespaced(world.kubernetes.admin(), "default");
        let mut all = sets(pods, watcher::Config::default().labels("app=web"));
        let (least, mut seen) = watch::channel(None);
        let mut watch = JoinSet::new();
        watch.spawn(async move {
            while let Some(pods) = all.next().await {
                let ready = pods.iter().filter(|pod| crate::world::ready(pod)).count();
                least.send_modify(|least: &mut Option<usize>| {
                    *least = Some(least.map_or(ready, |least| least.min(ready)));
                });
            }
        });
        let known = seen.wait_for(Option::is_some);
        within("the Deployment's pods", short(), async {
            known.await.map(drop).context("their watch ended")
        })
        .await?;
        Ok(Self {
            seen,
            _watch: watch,
        })
    }

    pub(super) fn so_far(&self) -> usize {
        self.seen.borrow().unwrap_or_default()
    }
}
