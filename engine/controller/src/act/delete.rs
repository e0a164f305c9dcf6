//! Deletes. What is deleted after the commit has an id or a UID that was recorded; what is taken back before it was found
//! by the attempt's own tag and names, which nothing else in the cloud bears. Nothing is deleted by the name of a node.

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, DeleteParams, Preconditions};
use rectifier_api::NodeRepair;
use rectifier_core::name::{PortId, ServerId, Uid};

use super::create;
use super::token;
use crate::context::Context;
use crate::error::{Error, api, cloud};

pub(super) async fn server(ctx: &Context, id: &ServerId) -> Result<(), Error> {
    ctx.cloud
        .delete_server(id)
        .await
        .map_err(cloud("delete server"))
}

pub(super) async fn ports(ctx: &Context, ports: &[PortId]) -> Result<(), Error> {
    for port in ports {
        ctx.cloud
            .delete_port(port)
            .await
            .map_err(cloud("delete port"))?;
    }
    Ok(())
}

/// A Node of this name with another UID is another node: the API server itself refuses then.
pub(super) async fn node(ctx: &Context, name: &str, uid: &Uid) -> Result<(), Error> {
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_string()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match nodes.delete(name, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(api("delete node")(error)),
    }
}

/// A replacement that never bore a pod: servers first, so that nothing registers again; then ports and Node.
pub(super) async fn replacement(
    ctx: &Context,
    repair: &NodeRepair,
    servers: &[ServerId],
    free: &[PortId],
    registered: Option<&Uid>,
) -> Result<(), Error> {
    let replacement = create::replacement(repair)?;
    token::revoke(ctx, replacement).await?;
    for id in servers {
        server(ctx, id).await?;
    }
    if !servers.is_empty() {
        return Ok(());
    }
    ports(ctx, free).await?;
    match registered {
        Some(uid) => node(ctx, &replacement.name, uid).await,
        None => Ok(()),
    }
}
