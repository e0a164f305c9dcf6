//! A finished repair is kept as `NODE.repair.TIME`, and the name `NODE.repair` is set free for the next.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Preconditions};
use rectifier_api::NodeRepair;

use crate::cluster::{Archived, Cluster};
use crate::context::Context;
use crate::error::{Error, api};
use crate::{evidence, finalizer, manager};

pub(super) async fn archive(
    ctx: &Context,
    cluster: &Cluster,
    repair: &NodeRepair,
) -> Result<(), Error> {
    let repairs: Api<NodeRepair> = Api::all(ctx.client.clone());
    let since = repair
        .status
        .as_ref()
        .and_then(|record| record.since)
        .ok_or(Error::Missing("a finished repair has no time"))?;
    // drawn from the record, so that a crash between the steps finds its own copy again
    let name = format!("{}.{}", repair.name_any(), since.strftime("%Y%m%dt%H%M%Sz"));
    let mut copy = NodeRepair::new(&name, repair.spec.clone());
    copy.metadata = ObjectMeta {
        name: Some(name.clone()),
        ..ObjectMeta::default()
    };
    match repairs.create(&manager::posts(), &copy).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(api("archive")(error)),
    }
    let mut kept = repairs
        .get(&name)
        .await
        .map_err(api("read the archived copy"))?;
    if kept.status != repair.status {
        kept.status.clone_from(&repair.status);
        repairs
            .replace_status(&name, &manager::posts(), &kept)
            .await
            .map_err(api("archive the status"))?;
    }
    if let Some(copy) = Archived::new(&kept) {
        cluster.has_archived(name, copy);
    }
    evidence::pass_on(ctx, repair, &kept).await?;
    // One that somebody had deleted before is gone with its finalizer.
    let repair = finalizer::unset(ctx, repair).await?;
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: repair.uid(),
            resource_version: repair.resource_version(),
        }),
        ..DeleteParams::default()
    };
    match repairs.delete(&repair.name_any(), &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(api("set the repair's name free")(error)),
    }
}
