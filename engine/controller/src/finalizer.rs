//! The finalizer of an open repair: who deletes it calls it off, and the object goes when all is taken back. Without it a
//! deletion would leave servers, ports and a cordon of which nobody knows any more.

use kube::ResourceExt;
use kube::api::{Api, Patch};
use rectifier_api::NodeRepair;
use rectifier_core::repair::FINALIZER;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, api};
use crate::manager;

fn is_set(repair: &NodeRepair) -> bool {
    repair.finalizers().iter().any(|name| name == FINALIZER)
}

/// Sets it on a repair that is not over. One that is being deleted without it gets none: the API server refuses that.
pub(crate) async fn set(ctx: &Context, repair: NodeRepair) -> Result<NodeRepair, Error> {
    let is_over = repair
        .status
        .as_ref()
        .is_some_and(|record| record.phase.is_final());
    if is_set(&repair) || is_over || repair.metadata.deletion_timestamp.is_some() {
        return Ok(repair);
    }
    let mut finalizers = repair.finalizers().to_vec();
    finalizers.push(FINALIZER.to_owned());
    write(ctx, &repair, finalizers).await
}

/// Takes it away. A repair that was being deleted is gone then.
pub(crate) async fn unset(ctx: &Context, repair: &NodeRepair) -> Result<NodeRepair, Error> {
    if !is_set(repair) {
        return Ok(repair.clone());
    }
    let mut finalizers = repair.finalizers().to_vec();
    finalizers.retain(|name| name != FINALIZER);
    write(ctx, repair, finalizers).await
}

/// A list without keys: only the resourceVersion keeps us from losing somebody else's finalizer.
async fn write(
    ctx: &Context,
    repair: &NodeRepair,
    finalizers: Vec<String>,
) -> Result<NodeRepair, Error> {
    let repairs: Api<NodeRepair> = Api::all(ctx.client.clone());
    let patch = json!({"metadata": {
        "resourceVersion": repair.resource_version(),
        "finalizers": finalizers,
    }});
    repairs
        .patch(
            &repair.name_any(),
            &manager::patches(),
            &Patch::Merge(patch),
        )
        .await
        .map_err(api("write the repair's finalizer"))
}
