//! After the commit: the replacement is let go to work.

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch, PatchParams};
use rectifier_api::{CONTROLLER, NodeRepair, PROVISIONAL_TAINT};
use rectifier_core::leftovers::ADOPTED;
use rectifier_core::name::{PortId, ServerId};
use serde_json::json;

use super::create::replacement;
use super::{marks, token};
use crate::context::Context;
use crate::error::{Error, api, cloud};

/// Marks the server and its ports as adopted, deletes the token, and takes the taint away last: its absence is what is looked for.
pub(super) async fn adopt(ctx: &Context, repair: &NodeRepair) -> Result<(), Error> {
    let replacement = replacement(repair)?;
    let id = replacement
        .server_id
        .as_ref()
        .ok_or(Error::Missing("the record names no replacement server"))?;
    let adopted = [(marks::STATE.to_owned(), ADOPTED.to_owned())].into();
    ctx.cloud
        .set_metadata(&ServerId::parse(id)?, &adopted)
        .await
        .map_err(cloud("mark the server as adopted"))?;
    for port in &replacement.ports {
        ctx.cloud
            .tag_port(&PortId::parse(port)?, marks::ADOPTED_PORT)
            .await
            .map_err(cloud("mark the port as adopted"))?;
    }
    token::revoke(ctx, replacement).await?;
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    let node = nodes
        .get(&replacement.name)
        .await
        .map_err(api("get node"))?;
    if node.metadata.uid != replacement.node_uid {
        return Err(Error::Lost {
            what: "the replacement's node",
        });
    }
    let mut taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
    taints.retain(|taint| taint.key != PROVISIONAL_TAINT);
    // taints are one list without keys: only the resourceVersion keeps us from losing somebody's taint
    let patch = json!({
        "metadata": { "resourceVersion": node.metadata.resource_version },
        "spec": { "taints": taints },
    });
    let params = PatchParams {
        field_manager: Some(CONTROLLER.to_owned()),
        ..PatchParams::default()
    };
    nodes
        .patch(&replacement.name, &params, &Patch::Merge(patch))
        .await
        .map_err(api("remove the provisional taint"))?;
    Ok(())
}
