//! The similar server: the sick one's shape, on ports of its own that exist before it does.

use rectifier_api::NodeRepair;
use rectifier_cloud::{CloudError, PortSpec, ServerTemplate};
use rectifier_core::name::{NodeName, ServerId};
use rectifier_core::repair::{CloudSeen, Replacement, Seen};

use super::{marks, token};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::{Error, cloud};
use crate::observe::pool;
use crate::similar::template::{self, FirstBoot};
use crate::similar::{self, root_ca};
use crate::stop::Between;

/// Makes the ports of this attempt that are not there yet. Each is found again by its name.
pub(super) async fn ports(
    ctx: &Context,
    cluster: &Cluster,
    repair: &NodeRepair,
    seen: &Seen,
) -> Result<(), Error> {
    let between = Between::calls(ctx);
    let replacement = replacement(repair)?;
    let CloudSeen::Fresh(view) = &seen.cloud else {
        return Err(Error::Missing("what is there of this attempt was not read"));
    };
    let template = template(ctx, seen).await?;
    let name = NodeName::parse(&seen.request.node)?;
    let (_, provisioning) = pool::of_repair(cluster, &name, &seen.record);
    let provisioning = provisioning.ok_or(Error::Missing("the pool has no provisioning"))?;
    let ports = similar::ports(&template, &provisioning);
    if ports.is_empty() {
        return Err(Error::Missing(
            "the sick server has no ports of its own to copy",
        ));
    }
    // as many as the record says, whatever the sick server or its pool got since: only those are looked for
    for (number, port) in (0..replacement.ports_wanted).zip(ports) {
        let name = replacement.port_name(number);
        if view.ports.iter().any(|port| port.name == name) {
            continue;
        }
        between.go_on().await?;
        let spec = PortSpec {
            name,
            description: marks::description(&ctx.settings.cluster),
            template: port,
        };
        let made = ctx.cloud.create_port(&spec).await;
        if is_used_up(cluster, seen, replacement, made.as_ref().err()) {
            return Ok(());
        }
        made.map_err(cloud("create port"))?;
    }
    Ok(())
}

/// Posts the server. The record already says that it was posted, so this is done once for each such stamp.
pub(super) async fn server(
    ctx: &Context,
    cluster: &Cluster,
    repair: &NodeRepair,
    seen: &Seen,
) -> Result<(), Error> {
    let between = Between::calls(ctx);
    let replacement = replacement(repair)?;
    let name = NodeName::parse(&seen.request.node)?;
    let (_, provisioning) = pool::of_repair(cluster, &name, &seen.record);
    let provisioning = provisioning.ok_or(Error::Missing("the pool has no provisioning"))?;
    let template = template(ctx, seen).await?;
    let token = token::issue(ctx, replacement, seen).await?;
    let zone = replacement.zone.as_deref();
    let node = seen.record.traits(seen.node.as_ref());
    let user_data = template::user_data(
        &provisioning,
        &FirstBoot {
            node: &replacement.name,
            token: &token,
            server: &provisioning.api_server,
            ca: &root_ca(&ctx.client, &ctx.settings.namespace).await?,
            labels: &similar::labels(node.as_ref(), &provisioning, zone),
            taints: &similar::taints(node.as_ref(), &provisioning),
        },
    )?;
    let whose = (ctx.settings.cluster.as_str(), seen.repair_uid.as_str());
    let spec = similar::spec(&template, &provisioning, replacement, whose, user_data)?;
    between.go_on().await?;
    let made = ctx.cloud.create_server(&spec).await;
    if is_used_up(cluster, seen, replacement, made.as_ref().err()) {
        return Ok(());
    }
    let id = made.map_err(cloud("create server"))?;
    tracing::info!(node = %seen.request.node, server = %id, name = spec.name, "the cloud took the replacement's creation");
    Ok(())
}

/// A quota left no room for it, and nothing was made: no error, but something that the next look decides by.
fn is_used_up(
    cluster: &Cluster,
    seen: &Seen,
    replacement: &Replacement,
    error: Option<&CloudError>,
) -> bool {
    let words = match error {
        Some(CloudError::Exhausted { message, .. }) => Some(message.clone()),
        Some(_) | None => None,
    };
    let is = words.is_some();
    if is {
        let (node, words) = (&seen.request.node, words.as_deref());
        tracing::warn!(%node, words, "nothing is made: a quota is used up");
    }
    if let Ok(node) = NodeName::parse(&seen.request.node) {
        cluster.use_up(&node, &replacement.tag, words);
    }
    is
}

async fn template(ctx: &Context, seen: &Seen) -> Result<ServerTemplate, Error> {
    let kept = similar::kept(&seen.record);
    let unreadable = |_| Error::Missing("what was kept of the sick server cannot be read");
    if let Some(kept) = kept.map_err(unreadable)? {
        return Ok(kept);
    }
    let id = seen
        .record
        .server_id
        .as_ref()
        .ok_or(Error::Missing("the record names no server"))?;
    ctx.cloud
        .template(&ServerId::parse(id)?)
        .await
        .map_err(cloud("describe the sick server"))
}

pub(super) fn replacement(repair: &NodeRepair) -> Result<&Replacement, Error> {
    let record = repair.status.as_ref();
    record
        .and_then(|record| record.replacement.as_ref())
        .ok_or(Error::Missing("the record names no replacement"))
}
