//! The word to load balancers that the node is theirs no more.

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch};
use rectifier_core::repair::{EXCLUDED, Seen};
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, api};
use crate::manager;

/// Labels the Node on which the decision rests: another of its name is refused by the API server.
pub(super) async fn leave(ctx: &Context, seen: &Seen) -> Result<(), Error> {
    let Some(node) = &seen.node else {
        return Err(Error::Lost { what: "node" });
    };
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    let patch = json!({
        "metadata": { "uid": node.uid.as_str(), "labels": { EXCLUDED: "" } },
    });
    nodes
        .patch(
            node.name.as_str(),
            &manager::patches(),
            &Patch::Merge(&patch),
        )
        .await
        .map_err(api("exclude the node from load balancers"))?;
    Ok(())
}
