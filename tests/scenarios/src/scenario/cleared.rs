//! The problem goes away before the replacement is Ready: our server is deleted, the node uncordoned, nothing was evicted.

use std::time::Duration;

use anyhow::Result;
use rectifier_bed::openstack::Fault;
use rectifier_core::repair::Phase;

use super::{short, sick};
use crate::claim;
use crate::evidence::{Mark, in_order};
use crate::wait::within;
use crate::world::{SICK, World};

/// The replacement boots so slowly that the problem is gone before.
const SLOW: Duration = Duration::from_secs(600);

pub(super) async fn play(world: &World, mark: &Mark) -> Result<()> {
    sick::web_on(world, SICK).await?;
    let before = world.before(SICK).await?;
    world.did("makes new servers boot slowly");
    world.openstack.fault(Fault::BootDelay(SLOW)).await?;
    sick::break_proxy(world).await?;
    sick::phase(world, Phase::Joining).await?;
    sick::mend_proxy(world).await?;
    sick::finished(world, mark, Phase::Cancelled).await?;

    let schedulable = |node: &k8s_openapi::api::core::v1::Node| {
        let unschedulable = node.spec.as_ref().and_then(|spec| spec.unschedulable);
        !unschedulable.unwrap_or(false)
    };
    within(
        "the node to be uncordoned",
        short(),
        world.kubernetes.node(SICK, schedulable),
    )
    .await?;
    let after = world.before(SICK).await?;
    claim!(
        after.server.id == before.server.id,
        "the node is another server"
    );
    claim!(
        after.pods == before.pods,
        "its pods were {:?}, and are {:?}",
        before.pods,
        after.pods
    );
    let ours = world.asked_for(mark).await?;
    let [ours] = ours.as_slice() else {
        return Err(crate::unmet!("{} servers were made, not one", ours.len()));
    };
    within(
        "our server to be gone",
        short(),
        world.openstack.records.await_gone(ours),
    )
    .await?;
    in_order(&[
        ("the cordon", world.cordoned(mark, SICK, true)?),
        ("our server's creation", world.action(ours, "create").await?),
        ("our server's deletion", world.action(ours, "delete").await?),
        ("the node is uncordoned", world.cordoned(mark, SICK, false)?),
    ])?;
    world.terminated(ours).await?;
    world.same_servers(mark).await?;
    world.nothing_is_left_in_the_cluster(mark, &[], &[]).await?;
    world.nothing_was_evicted(mark, &before.pods)
}
