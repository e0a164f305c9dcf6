//! The cordon: one patch that both marks the node unschedulable and says which repair did, so that nobody's cordon is
//! ever taken for ours; it keeps the cluster autoscaler off, too. It carries the resourceVersion of the Node on which the
//! decision rests: had anybody changed it since, had a person cordoned it or another node taken the name, the API server itself
//! refuses, and the next pass decides again.

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch};
use rectifier_api::{CORDONED_BY, NodeRepair};
use rectifier_core::name::Uid;
use rectifier_core::repair::{Seen, autoscaler};
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, api};
use crate::manager;

pub(super) async fn set(ctx: &Context, seen: &Seen) -> Result<(), Error> {
    let Some(node) = seen.node.as_ref().filter(|node| !node.unschedulable) else {
        return Err(Error::Lost { what: "cordon" });
    };
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    let repair = seen.repair_uid.as_str();
    let mut annotations = autoscaler::hold(&node.annotations, repair);
    annotations.insert(CORDONED_BY, Some(repair.to_owned()));
    let patch = json!({
        "metadata": {
            "uid": node.uid.as_str(),
            "resourceVersion": node.version,
            "annotations": annotations,
        },
        "spec": { "unschedulable": true },
    });
    send(&nodes, &seen.request.node, &patch, "cordon").await
}

pub(super) async fn unset(ctx: &Context, seen: &Seen) -> Result<(), Error> {
    // A cordon that does not bear our mark is a human's, and is never undone.
    let ours = Some(&seen.repair_uid);
    let node = seen.node.as_ref();
    let Some(node) = node.filter(|node| node.cordoned_by.as_ref() == ours) else {
        return Err(Error::Lost { what: "uncordon" });
    };
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    let mut annotations = autoscaler::let_go(&node.annotations, seen.repair_uid.as_str());
    annotations.insert(CORDONED_BY, None);
    let patch = json!({
        "metadata": {
            "uid": node.uid.as_str(),
            "resourceVersion": node.version,
            "annotations": annotations,
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
