//! The node engine is stopped; NPD's condition alone leads to the replacement.

use anyhow::{Result, ensure};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use rectifier_core::repair::{Phase, RequestedBy};
use serde_json::json;

use super::replaced::{Fewest, taken_over};
use super::{short, sick};
use crate::evidence::{AGENT, CONTROLLER, Mark};
use crate::wait::{gone, within};
use crate::world::{SICK, World};

pub(super) async fn play(world: &World, mark: &Mark) -> Result<()> {
    sick::web_on(world, SICK).await?;
    let old = sick::server_of(world, SICK).await?;
    stop_node_engines(world).await?;
    let fewest = Fewest::watch(world);
    sick::break_proxy(world).await?;
    let repair = sick::finished(world, mark, Phase::Replaced).await?;
    ensure!(
        repair.spec.requested_by == RequestedBy::Conditions,
        "somebody else asked for it"
    );
    world.first(
        mark,
        CONTROLLER,
        "create",
        "noderepairs",
        &format!("{SICK}.repair"),
    )?;
    ensure!(
        world
            .first(mark, AGENT, "create", "noderepairs", "")
            .is_err(),
        "a node engine was not silent"
    );
    taken_over(world, mark, &old, &repair, fewest).await
}

async fn stop_node_engines(world: &World) -> Result<()> {
    let pod = world.daemon(SICK, "rectifier-node").await?;
    let daemons: Api<DaemonSet> = Api::namespaced(world.kubernetes.admin(), "rectifier-agents");
    let nowhere = json!({"spec": {"template": {"spec": {"nodeSelector": {"no": "where"}}}}});
    daemons
        .patch(
            "rectifier-node",
            &PatchParams::default(),
            &Patch::Strategic(nowhere),
        )
        .await?;
    let pods: Api<Pod> = Api::namespaced(world.kubernetes.admin(), "rectifier-agents");
    within(
        "the node engine's pod to end",
        short(),
        gone(pods, &pod.name_any()),
    )
    .await
}
