//! A compute host that is down, with a real Nova: nothing is taken by force from a machine that may run on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use rectifier_api::{NodeRepair, RETRY};
use rectifier_bed::openstack::{ActionEvent, Fault};
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use rectifier_provision::Stderr;
use rectifier_scenarios::World;
use rectifier_scenarios::wait::{object, within};
use rectifier_scenarios::world::SICK;
use serde_json::json;

const REPAIR: &str = "worker-1.repair";
/// The grace of a node, of its pods, and of a machine that is stopped; a slow computer needs more for the replacement.
const LONG: Duration = Duration::from_secs(600);

async fn reaches(world: &World, phase: Phase) -> Result<NodeRepair> {
    let is_in = |repair: &NodeRepair| {
        repair
            .status
            .as_ref()
            .is_some_and(|record| record.phase == phase)
    };
    let reached = object(world.repairs(), REPAIR, is_in);
    within(&format!("{phase:?}"), LONG, reached).await
}

/// The node is there, may have its volumes, and its pods have not been taken from it.
async fn is_left_alone(world: &World) -> Result<()> {
    let node: Node = Api::all(world.kubernetes.admin()).get(SICK).await?;
    let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
    ensure!(
        taints
            .iter()
            .all(|taint| taint.key != "node.kubernetes.io/out-of-service"),
        "{taints:?}"
    );
    let pods: Api<Pod> = Api::namespaced(world.kubernetes.admin(), "default");
    let here = ListParams::default().fields(&format!("spec.nodeName={SICK}"));
    let here = pods.list(&here).await?.items.len();
    ensure!(here > 0, "its pods were taken from it");
    Ok(())
}

#[tokio::test]
#[ignore = "minutes"]
async fn a_compute_host_that_is_down_ends_with_a_person_and_a_404_proves_nothing() -> Result<()> {
    let world = World::start("unheard", &mut Stderr::default()).await?;
    let node: Node = Api::all(world.kubernetes.admin()).get(SICK).await?;
    let provider = node.spec.and_then(|spec| spec.provider_id);
    let provider = provider.context("its provider's id")?;
    let server = provider.rsplit('/').next().unwrap_or_default();
    let records = &world.openstack.records;
    let host = records.server(server).await?.and_then(|server| server.host);
    let host = host.context("its host")?;

    let machine = world.machine(SICK)?;
    machine.write_file("/etc/proxy.broken", "")?;
    machine
        .exec(["systemctl", "kill", "--signal=KILL", "proxy.service"])
        .await?;
    reaches(&world, Phase::Draining).await?;
    // from here on nobody hears of the machine, which runs on
    machine.connected(false)?;
    world.openstack.fault(Fault::HostStopped(host)).await?;
    let asked = reaches(&world, Phase::NeedsHuman)
        .await?
        .status
        .unwrap_or_default();
    ensure!(asked.reason == Some(Reason::HostUnreachable), "{asked:?}");
    let actions = records.instance_actions(server).await?;
    // what Nova takes while the host is down has no end
    let mut stops = actions.iter().filter(|action| action.action == "stop");
    let is_done = |event: &ActionEvent| event.finish_time.is_some();
    ensure!(
        stops.all(|stop| !stop.events.iter().any(is_done)),
        "{actions:?}"
    );
    ensure!(machine.is_on(), "the machine ended by itself");
    is_left_alone(&world).await?;

    // a person tries it the rough way: Nova forgets the server, and its machine runs on
    world.openstack.demo.delete_server(server).await?;
    records.await_gone(server).await?;
    let again = Patch::Merge(json!({"metadata": {"annotations": {(RETRY): "now"}}}));
    world
        .repairs()
        .patch(REPAIR, &PatchParams::default(), &again)
        .await?;
    for _ in 0..90 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        is_left_alone(&world).await?;
    }
    let held = world
        .repairs()
        .get(REPAIR)
        .await?
        .status
        .unwrap_or_default();
    ensure!(held.reason == Some(Reason::HostUnreachable), "{held:?}");
    ensure!(machine.is_on(), "the machine ended by itself");
    Ok(())
}
