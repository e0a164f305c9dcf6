//! What can be wrong with the sick node, and how one sees that it is.

use anyhow::Result;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::watcher;
use rectifier_api::NodeRepair;
use rectifier_bed::kubernetes::node::condition;
use rectifier_core::repair::Phase;
use serde_json::json;

use super::short;
use crate::claim;
use crate::evidence::{Mark, kubelet};
use crate::wait::{gone, object, until, within};
use crate::world::{SICK, World, deploy};

/// The node's one open repair.
pub(super) const REPAIR: &str = "worker-1.repair";
/// So many pods has the Deployment of `fixtures/web.yaml`.
const REPLICAS: usize = 3;

/// The service's process dies.
pub(super) async fn kill(world: &World, unit: &str) -> Result<()> {
    let killed = world.machine(SICK)?;
    let killed = killed.exec(["systemctl", "kill", "--signal=KILL", unit]);
    killed.await.map(drop)
}

/// Its disk keeps the proxy from starting ever again.
pub(super) fn for_good(world: &World) -> Result<()> {
    world.machine(SICK)?.write_file("/etc/proxy.broken", "")
}

/// The node's memory keeps the cache from starting until the next boot.
pub(super) async fn until_boot(world: &World) -> Result<()> {
    let touched = world.machine(SICK)?;
    let touched = touched.exec(["touch", "/run/cache.broken"]);
    touched.await.map(drop)
}

/// The proxy is mended by hand.
pub(super) async fn mend_proxy(world: &World) -> Result<()> {
    world
        .machine(SICK)?
        .exec(["rm", "/etc/proxy.broken"])
        .await?;
    world
        .machine(SICK)?
        .exec(["systemctl", "restart", "proxy.service"])
        .await?;
    Ok(())
}

/// Step 1: NPD has reported it.
pub(super) async fn reported(world: &World, kind: &str) -> Result<()> {
    let sick = |node: &Node| condition(node, kind) == Some("True");
    within(
        "NPD to report the problem",
        short(),
        world.kubernetes.node(SICK, sick),
    )
    .await?;
    Ok(())
}

/// NPD reports it well.
pub(super) async fn well(world: &World, node: &str, kind: &str) -> Result<()> {
    let well = |node: &Node| condition(node, kind) == Some("False");
    within(
        "NPD to report the problem gone",
        short(),
        world.kubernetes.node(node, well),
    )
    .await?;
    Ok(())
}

/// The node's repair, once it is in that phase; a phase that it passed through too fast to be seen counts.
pub(super) async fn phase(world: &World, wanted: Phase) -> Result<NodeRepair> {
    let reached = |repair: &NodeRepair| {
        repair.status.as_ref().is_some_and(|record| {
            record.phase == wanted || record.steps.iter().any(|step| step.phase == wanted)
        })
    };
    within(
        &format!("the repair to be {wanted:?}"),
        super::long(),
        object(world.repairs(), REPAIR, reached),
    )
    .await
}

/// The repair of the node that has ended since the mark, from the archive, and its name free again.
pub(super) async fn finished(world: &World, mark: &Mark, wanted: Phase) -> Result<NodeRepair> {
    let ended = |repair: &&NodeRepair| {
        repair.spec.node_name == SICK
            && repair.name_any() != REPAIR
            && repair
                .status
                .as_ref()
                .is_some_and(|record| record.phase.is_final() && record.since >= Some(mark.at()))
    };
    let free = |all: &[NodeRepair]| all.iter().all(|repair| repair.name_any() != REPAIR);
    let found = within(
        "the repair to end",
        super::long(),
        until(world.repairs(), watcher::Config::default(), |all| {
            all.iter().find(ended).filter(|_| free(all)).cloned()
        }),
    )
    .await?;
    let phase = found.status.as_ref().map(|record| record.phase);
    claim!(
        phase == Some(wanted),
        "the repair ended as {phase:?}, not as {wanted:?}"
    );
    Ok(found)
}

/// Until the Deployment has all its pods, ready, on that node.
pub(super) async fn web_on(world: &World, node: &str) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(world.kubernetes.admin(), "default");
    let web = watcher::Config::default().labels("app=web");
    let there = |pod: &&Pod| {
        let bound = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        crate::world::ready(pod) && bound == Some(node)
    };
    within(
        "the Deployment's pods on the node",
        short(),
        until(pods, web, |all| {
            (all.len() == REPLICAS && all.iter().filter(there).count() == REPLICAS).then_some(())
        }),
    )
    .await
}

/// Lets another node into the pool, so that pods can leave the sick one for a while; or takes it out again, with its pods.
pub(super) async fn lend_pool(world: &World, lend: bool) -> Result<()> {
    let nodes: Api<Node> = Api::all(world.kubernetes.admin());
    let pool = if lend { "web" } else { "other" };
    let labels = json!({"metadata": {"labels": {"pool": pool}}});
    nodes
        .patch("other-1", &PatchParams::default(), &Patch::Merge(labels))
        .await?;
    if !lend {
        let pods: Api<Pod> = Api::namespaced(world.kubernetes.admin(), "default");
        let there = ListParams::default()
            .labels("app=web")
            .fields("spec.nodeName=other-1");
        pods.delete_collection(&DeleteParams::default(), &there)
            .await?;
    }
    Ok(())
}

/// The node's present boot, as its kubelet tells it.
pub(super) async fn boot_id(world: &World) -> Result<String> {
    let node = world.kubernetes.node(SICK, |_| true).await?;
    Ok(node
        .status
        .and_then(|status| status.node_info)
        .map(|info| info.boot_id)
        .unwrap_or_default())
}

/// Until a policy with these words in its sidecar lies in a volume of the sick node's pods.
pub(super) async fn reached(world: &World, words: &str) -> Result<()> {
    let look = format!(
        "grep --recursive --quiet --no-messages --include=*.yaml '{words}' /var/lib/kubelet/pods || echo not yet"
    );
    let machine = world.machine(SICK)?;
    while !machine.exec(["sh", "-c", &look]).await?.trim().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Until the kubelet has renewed its node's Lease twice, ten to twenty seconds: longer than the node engine watches a
/// remedy (4 s) and waits for a problem to stay away (4 s), so what it would still do is done.
pub(super) async fn quiet(world: &World) -> Result<()> {
    let own = kubelet(SICK);
    let from = Timestamp::now();
    let mut renewals = 0;
    let audit = world.kubernetes.audit();
    let renewed = audit.wait_for(|record| {
        let renewed = record.received >= from
            && record.user == own
            && record.object.resource == "leases"
            && record.code < 300;
        renewals += usize::from(renewed);
        renewals == 2
    });
    within("two heartbeats of the node", short(), async {
        renewed.await.map(drop)
    })
    .await
}

/// The node engines end.
pub(super) async fn silence(world: &World) -> Result<()> {
    let pod = world.daemon(SICK, "rectifier-node").await?;
    deploy::node_engines(&world.kubernetes, false).await?;
    let pods: Api<Pod> = Api::namespaced(world.kubernetes.admin(), "rectifier-agents");
    let name = pod.name_any();
    let ended = gone(pods, &name);
    within("the node engine's pod to end", short(), ended).await
}

/// Until the cordon is gone.
pub(super) async fn schedulable(world: &World) -> Result<()> {
    let schedulable = |node: &Node| {
        let unschedulable = node.spec.as_ref().and_then(|spec| spec.unschedulable);
        !unschedulable.unwrap_or(false)
    };
    let node = world.kubernetes.node(SICK, schedulable);
    within("the node to be schedulable", short(), async {
        node.await.map(drop)
    })
    .await
}
