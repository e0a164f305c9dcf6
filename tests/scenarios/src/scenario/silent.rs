//! The node engine is stopped; NPD's condition alone leads to the replacement.

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::Api;
use rectifier_core::repair::{Phase, RequestedBy};

use super::replaced::{Fewest, taken_over};
use super::{short, sick};
use crate::claim;
use crate::evidence::{AGENT, CONTROLLER, Mark, Sought, in_order};
use crate::wait::{gone, within};
use crate::world::{SICK, World, deploy};

pub(super) async fn play(world: &World, mark: &Mark) -> Result<()> {
    sick::web_on(world, SICK).await?;
    let old = world.before(SICK).await?;
    stop_node_engines(world).await?;
    let fewest = Fewest::watch(world).await?;
    sick::break_proxy(world).await?;
    let repair = sick::finished(world, mark, Phase::Replaced).await?;
    claim!(
        repair.spec.requested_by == RequestedBy::Conditions,
        "somebody else asked for it"
    );
    in_order(&[
        (
            "NPD's report",
            world
                .reported(mark, mark.at(), SICK, ("ProxyUnhealthy", "True"))?
                .told,
        ),
        (
            "the controller opens the repair",
            world.first(mark, CONTROLLER, "create", "noderepairs", sick::REPAIR)?,
        ),
    ])?;
    let asks = |verb| Sought {
        user: AGENT,
        verb,
        resource: "noderepairs",
        name: "",
    };
    world.none(mark, asks("create"))?;
    world.none(mark, asks("patch"))?;
    taken_over(world, mark, &old, &repair, &fewest).await
}

async fn stop_node_engines(world: &World) -> Result<()> {
    let pod = world.daemon(SICK, "rectifier-node").await?;
    world.did("stops the node engines");
    deploy::node_engines(&world.kubernetes, false).await?;
    let pods: Api<Pod> = Api::namespaced(world.kubernetes.admin(), "rectifier-agents");
    within(
        "the node engine's pod to end",
        short(),
        gone(pods, &pod.name_any()),
    )
    .await
}
