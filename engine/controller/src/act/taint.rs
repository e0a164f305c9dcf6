//! Taints of a Node: one list without keys, so that only the resourceVersion keeps us from losing somebody else's.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Taint};
use kube::api::{Api, Patch};
use rectifier_core::repair::autoscaler::Annotations;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, api};
use crate::manager;

/// What is changed of a Node in one patch.
pub(super) struct Changed {
    /// All of them, as they are to be.
    pub(super) taints: Vec<Taint>,
    annotations: BTreeMap<String, String>,
    patch: Annotations,
}

impl Changed {
    /// As they are.
    pub(super) fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// These, too; all others stay.
    pub(super) fn annotate(&mut self, patch: Annotations) {
        self.patch.extend(patch);
    }
}

/// Writes what `change` makes of the Node of this name and UID. `call` is what an error says.
///
/// # Errors
/// [`Error::Lost`] if the name is another Node's by now, or somebody wrote in the meantime.
pub(super) async fn change(
    ctx: &Context,
    (name, uid): (&str, Option<&str>),
    call: &'static str,
    change: impl FnOnce(&mut Changed),
) -> Result<(), Error> {
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    let node = nodes.get(name).await.map_err(api("get node"))?;
    if node.metadata.uid.as_deref() != uid {
        return Err(Error::Lost { what: "node" });
    }
    let mut changed = Changed {
        taints: node.spec.and_then(|spec| spec.taints).unwrap_or_default(),
        annotations: node.metadata.annotations.unwrap_or_default(),
        patch: Annotations::new(),
    };
    change(&mut changed);
    let mut patch = json!({
        "metadata": { "resourceVersion": node.metadata.resource_version },
        "spec": { "taints": changed.taints },
    });
    if !changed.patch.is_empty() {
        patch["metadata"]["annotations"] = json!(changed.patch);
    }
    nodes
        .patch(name, &manager::patches(), &Patch::Merge(patch))
        .await
        .map_err(api(call))?;
    Ok(())
}
