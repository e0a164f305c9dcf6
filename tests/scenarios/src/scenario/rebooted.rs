//! The policy says reboot: grant, drain, logind; the boot id differs; the condition is gone; uncordoned; no server was made.

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use rectifier_core::repair::Phase;

use super::{short, sick};
use crate::evidence::{AGENT, Bus, Mark, Sought, in_order};
use crate::wait::{text, within};
use crate::world::{SICK, World};
use crate::{claim, unmet};

const CONDITION: &str = "CacheUnhealthy";

pub(super) async fn play(world: &World, mark: &Mark, bus: &Bus) -> Result<()> {
    sick::web_on(world, SICK).await?;
    let before = world.before(SICK).await?;
    let boot = boot_id(world).await?;
    // a node that goes down needs another that takes its pods
    sick::lend_pool(world, true).await?;
    sick::break_cache(world).await?;
    sick::finished(world, mark, Phase::Recovered).await?;

    let node = within(
        "the node to be schedulable",
        short(),
        world.kubernetes.node(SICK, |node| !cordoned(node)),
    )
    .await?;
    claim!(
        node.metadata
            .annotations
            .is_none_or(|all| !all.contains_key(rectifier_api::CORDONED_BY)),
        "our mark is left"
    );
    claim!(
        boot_id(world).await? != boot,
        "the boot id is the same: it was not rebooted"
    );
    sick::well(world, SICK, CONDITION).await?;
    let asks = Sought {
        user: AGENT,
        verb: "create",
        resource: "noderepairs",
        name: sick::REPAIR,
    };
    let ill = world.reported(mark, mark.at(), SICK, (CONDITION, "True"))?;
    let (evicted, drained) = world.drained(mark, SICK, &before.pods)?;
    let began = world.boot_began(mark, SICK).await?;
    in_order(&[
        ("NPD finds it broken", ill.found),
        (
            "the node engine asks",
            world.first_that(mark, asks, |_| true)?,
        ),
        ("the cordon", world.cordoned(mark, SICK, true)?),
        ("the first eviction", evicted),
        ("the end of the last pod", drained),
        ("the grant accepted", accepted(world, mark)?),
        ("the node engine's request to logind", reboot(bus)?),
        ("logind's word", world.logind_rebooted(mark, SICK).await?),
        ("the new boot", began),
        (
            "the kubelet's report of it",
            world.booted_again(mark, SICK, &boot)?,
        ),
        ("the node is uncordoned", world.cordoned(mark, SICK, false)?),
    ])?;
    // the problem was seen gone in the new boot before the node was let go
    in_order(&[
        (
            "NPD's report that it is well",
            world
                .reported(mark, began, SICK, (CONDITION, "False"))?
                .told,
        ),
        ("the node is uncordoned", world.cordoned(mark, SICK, false)?),
    ])?;
    // the machine itself was not touched from outside
    world.no_server_was_touched(mark).await?;
    world.nothing_is_left_in_the_cluster(mark, &[], &[]).await?;
    sick::lend_pool(world, false).await?;
    sick::web_on(world, SICK).await
}

fn accepted(world: &World, mark: &Mark) -> Result<Timestamp> {
    let accepts = Sought {
        user: AGENT,
        verb: "patch",
        resource: "noderepairs",
        name: sick::REPAIR,
    };
    world
        .first_that(mark, accepts, |body| {
            !text(body, "/spec/acceptedGrant").is_empty()
        })
        .context("the node engine accepted no grant")
}

/// The node engine asked logind for it, once, and nobody else did.
fn reboot(bus: &Bus) -> Result<Timestamp> {
    let mut calls = bus.changes();
    calls.retain(|call| ["Reboot", "PowerOff"].contains(&call.member.as_str()));
    match calls.as_slice() {
        [call] if call.by_engine && call.member == "Reboot" => Ok(call.at),
        calls => Err(unmet!("logind was asked for {calls:?}")),
    }
}

fn cordoned(node: &Node) -> bool {
    let unschedulable = node.spec.as_ref().and_then(|spec| spec.unschedulable);
    unschedulable.unwrap_or(false)
}

async fn boot_id(world: &World) -> Result<String> {
    let node = world.kubernetes.node(SICK, |_| true).await?;
    Ok(node
        .status
        .and_then(|status| status.node_info)
        .map(|info| info.boot_id)
        .unwrap_or_default())
}
