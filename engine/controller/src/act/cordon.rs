//! The cordon: one patch that both marks the node unschedulable and says which repair did, so that nobody's cordon is
//! ever taken for ours. It carries the resourceVersion that was read.

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch};
use rectifier_api::{CORDONED_BY, NodeRepair};
use rectifier_core::name::Uid;
use rectifier_core::repair::Seen;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, api};
use crate::manager;

pub(super) async fn set(ctx: &Context, seen: &Seen) -> Result<(), Error> {
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    let node = nodes
        .get(&seen.request.node)
        .await
        .map_err(api("get node"))?;
    // Between our look and now a human may have cordoned it, or another node may have taken the name.
    if node.metadata.uid.as_deref() != Some(&seen.request.node_uid) || unschedulable(&node) {
        return Err(Error::Lost { what: "cordon" });
    }
    let patch = json!({
        "metadata": {
            "resourceVersion": node.metadata.resource_version,
            "annotations": { CORDONED_BY: seen.repair_uid.as_str() },
        },
        "spec": { "unschedulable": true },
    });
    send(&nodes, &seen.request.node, &patch, "cordon").await
}

pub(super) async fn unset(ctx: &Context, seen: &Seen) -> Result<(), Error> {
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    let node = nodes
        .get(&seen.request.node)
        .await
        .map_err(api("get node"))?;
    let mark = node
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get(CORDONED_BY));
    // A cordon that does not bear our mark is a human's, and is never undone.
    if mark.map(String::as_str) != Some(seen.repair_uid.as_str()) {
        return Err(Error::Lost { what: "uncordon" });
    }
    let patch = json!({
        "metadata": {
            "resourceVersion": node.metadata.resource_version,
            "annotations": { CORDONED_BY: null },
        },
        "spec": { "unschedulable": null },
    });
    send(&nodes, &seen.request.node, &patch, "uncordon").await
}

/// A replacement that is taken back gets no pods any more. It goes with its Node, so that nobody has to know whose cordon it is.
pub(super) async fn replacement(
    ctx: &Context,
    repair: &NodeRepair,
    uid: &Uid,
) -> Result<(), Error> {
    let name = &super::create::replacement(repair)?.name;
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    // with another UID it is another node: the API server itself refuses then
    let patch = json!({
        "metadata": { "uid": uid.as_str() },
        "spec": { "unschedulable": true },
    });
    send(&nodes, name, &patch, "cordon the replacement").await
}

fn unschedulable(node: &Node) -> bool {
    node.spec
        .as_ref()
        .and_then(|spec| spec.unschedulable)
        .unwrap_or(false)
}

async fn send(
    nodes: &Api<Node>,
    name: &str,
    patch: &serde_json::Value,
    call: &'static str,
) -> Result<(), Error> {
    nodes
        .patch(name, &manager::patches(), &Patch::Merge(patch))
        .await
        .map_err(api(call))?;
    Ok(())
}
