//! Taints of a Node: one list without keys, so that only the resourceVersion keeps us from losing somebody else's.

use k8s_openapi::api::core::v1::{Node, Taint};
use kube::api::{Api, Patch};
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, api};
use crate::manager;

/// Writes the taints that `change` makes of those of the Node of this name and UID. `call` is what an error says.
///
/// # Errors
/// [`Error::Lost`] if the name is another Node's by now, or somebody wrote in the meantime.
pub(super) async fn change(
    ctx: &Context,
    (name, uid): (&str, Option<&str>),
    call: &'static str,
    change: impl FnOnce(&mut Vec<Taint>),
) -> Result<(), Error> {
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    let node = nodes.get(name).await.map_err(api("get node"))?;
    if node.metadata.uid.as_deref() != uid {
        return Err(Error::Lost { what: "node" });
    }
    let mut taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
    change(&mut taints);
    let patch = json!({
        "metadata": { "resourceVersion": node.metadata.resource_version },
        "spec": { "taints": taints },
    });
    nodes
        .patch(name, &manager::patches(), &Patch::Merge(patch))
        .await
        .map_err(api(call))?;
    Ok(())
}
