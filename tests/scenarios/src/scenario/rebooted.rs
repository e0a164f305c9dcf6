//! The policy says reboot: grant, drain, logind; the boot id differs; the condition is gone; uncordoned; no server was made.

use anyhow::{Context, Result, ensure};
use rectifier_core::repair::Phase;

use super::{short, sick};
use crate::evidence::{AGENT, CONTROLLER, Mark, in_order};
use crate::wait::{text, within};
use crate::world::{SICK, World};

pub(super) async fn play(world: &World, mark: &Mark) -> Result<()> {
    sick::web_on(world, SICK).await?;
    let before = boot_id(world).await?;
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
    ensure!(
        node.metadata
            .annotations
            .is_none_or(|all| !all.contains_key(rectifier_api::CORDONED_BY)),
        "our mark is left"
    );
    ensure!(
        boot_id(world).await? != before,
        "the boot id is the same: it was not rebooted"
    );
    sick::well(world, SICK, "CacheUnhealthy").await?;
    in_order(&[
        (
            "the node engine asks",
            world.first(
                mark,
                AGENT,
                "create",
                "noderepairs",
                &format!("{SICK}.repair"),
            )?,
        ),
        (
            "the cordon",
            world.first(mark, CONTROLLER, "patch", "nodes", SICK)?,
        ),
        (
            "the first eviction",
            world.first(mark, CONTROLLER, "create", "pods/eviction", "")?,
        ),
        ("the grant accepted", accepted(world, mark)?),
    ])?;
    // the machine itself was not touched from outside
    world.no_server_was_touched(mark).await?;
    sick::lend_pool(world, false).await?;
    sick::web_on(world, SICK).await
}

fn accepted(world: &World, mark: &Mark) -> Result<jiff::Timestamp> {
    let writes = world.writes(mark, AGENT)?;
    let accepted = writes
        .iter()
        .find(|record| !text(&record.body, "/spec/acceptedGrant").is_empty());
    accepted
        .map(|record| record.received)
        .context("the node engine accepted no grant")
}

fn cordoned(node: &k8s_openapi::api::core::v1::Node) -> bool {
    node.spec
        .as_ref()
        .and_then(|spec| spec.unschedulable)
        .unwrap_or(false)
}

async fn boot_id(world: &World) -> Result<String> {
    let node = world.kubernetes.node(SICK, |_| true).await?;
    Ok(node
        .status
        .and_then(|status| status.node_info)
        .map(|info| info.boot_id)
        .unwrap_or_default())
}
