//! The word to the cluster autoscaler that it may take a node away again. That it may not is said with the cordon, and as the
//! replacement is let go to work.

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch};
use rectifier_core::name::{NodeName, Uid};
use rectifier_core::repair::Seen;
use rectifier_core::repair::autoscaler::let_go;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, api};
use crate::manager;

/// Takes back what this repair set on the Node of this name and UID, and leaves what somebody changed since.
pub(super) async fn free(
    ctx: &Context,
    seen: &Seen,
    name: &NodeName,
    uid: &Uid,
) -> Result<(), Error> {
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    let found = nodes.get_opt(name.as_str()).await;
    let Some(node) = found.map_err(api("get node"))? else {
        return Ok(());
    };
    if node.metadata.uid.as_deref() != Some(uid.as_str()) {
        return Err(Error::Lost { what: "node" });
    }
    let annotations = node.metadata.annotations.unwrap_or_default();
    let patch = json!({
        "metadata": {
            "resourceVersion": node.metadata.resource_version,
            "annotations": let_go(&annotations, seen.repair_uid.as_str()),
        },
    });
    nodes
        .patch(name.as_str(), &manager::patches(), &Patch::Merge(&patch))
        .await
        .map_err(api("let the autoscaler have the node"))?;
    Ok(())
}
