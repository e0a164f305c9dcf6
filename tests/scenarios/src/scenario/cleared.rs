//! The problem goes away before the replacement is Ready: our server is deleted, the node uncordoned, nothing was evicted.

use std::time::Duration;

use anyhow::{Result, ensure};
use rectifier_bed::hypervisor::{Kind, journal};
use rectifier_bed::openstack::Fault;
use rectifier_core::repair::Phase;

use super::{short, sick};
use crate::evidence::Mark;
use crate::wait::within;
use crate::world::{SICK, World};

/// The replacement boots so slowly that the problem is gone before.
const SLOW: Duration = Duration::from_secs(600);

pub(super) async fn play(world: &World, mark: &Mark) -> Result<()> {
    sick::web_on(world, SICK).await?;
    let server = sick::server_of(world, SICK).await?;
    world.openstack.fault(Fault::BootDelay(SLOW)).await?;
    sick::break_proxy(world).await?;
    sick::phase(world, Phase::Joining).await?;
    sick::mend_proxy(world).await?;
    sick::finished(world, mark, Phase::Cancelled).await?;

    let schedulable = |node: &k8s_openapi::api::core::v1::Node| {
        !node
            .spec
            .as_ref()
            .and_then(|spec| spec.unschedulable)
            .unwrap_or(false)
    };
    within(
        "the node to be uncordoned",
        short(),
        world.kubernetes.node(SICK, schedulable),
    )
    .await?;
    ensure!(
        sick::server_of(world, SICK).await? == server,
        "the node is another server"
    );
    let events = journal::read(world.bed.dir())?;
    let ours: Vec<_> = events
        .iter()
        .filter(|entry| entry.time >= mark.at() && entry.event == Kind::Spawn)
        .collect();
    ensure!(ours.len() == 1, "{} servers were made, not one", ours.len());
    within(
        "our server to be gone",
        short(),
        world.openstack.records.await_gone(&ours[0].uuid),
    )
    .await?;
    world.same_servers(mark).await?;
    world.nothing_was_evicted(mark)
}
