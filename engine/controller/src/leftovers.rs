//! Collects what nobody needs any more of what we made in the cloud. What that is is decided in
//! `rectifier_core::leftovers`; here is the IO around it.
//!
//! Whatever cannot be read ends a round: a list that failed names nothing, and nothing is taken on half a look. Before
//! each single deletion the Lease and the thing itself are read again.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Client;
use kube::ResourceExt;
use kube::api::Api;
use rectifier_api::NodeRepair;
use rectifier_cloud::{Cloud, Port, Server, ServerStatus};
use rectifier_core::leftovers::{
    Found, Leftover, Named, PortFound, ServerFound, leftovers, takes_port, takes_server,
};
use rectifier_core::repair::naming::stem_of_ids;
use rectifier_core::repair::{Record, Stop};

use crate::act::marks;
use crate::context::Context;
use crate::error::{Error, api, chain, cloud as asked};
use crate::observe::node::server_of;
use crate::slim::{SlimNode, in_pages};
use crate::{fence, stop};

/// Between two looks. 10 min: two lists, one of them of all servers of the project, for what is two hours old at the least.
const EVERY: Duration = Duration::from_secs(600);

/// Looks again and again, as long as this process leads.
pub(crate) async fn keep(ctx: Context, term: i64) -> Error {
    loop {
        tokio::time::sleep(EVERY).await;
        match collect(&ctx, term).await {
            Ok(()) => {}
            Err(error) if error.is_end() => return error,
            Err(error) => {
                ctx.telemetry.failed(&error);
                tracing::warn!(
                    "leftovers in the cloud are not collected now: {}",
                    chain(&error)
                );
            }
        }
    }
}

async fn collect(ctx: &Context, term: i64) -> Result<(), Error> {
    let cluster = &ctx.settings.cluster;
    let found = found(ctx.cloud.as_ref(), cluster).await?;
    // nearly always there is nothing, and no list of all Nodes is needed to know that
    if leftovers(&found, &Named::default(), cluster, ctx.now())?.is_empty() {
        return Ok(());
    }
    let (named, _) = named(&ctx.client).await?;
    for leftover in leftovers(&found, &named, cluster, ctx.now())? {
        match leftover {
            Leftover::Server(id) => {
                let now = ctx.cloud.describe(&id).await;
                let Some(now) = now.map_err(asked("describe a leftover"))? else {
                    continue;
                };
                if !takes_server(&server(&now), &named, cluster, ctx.now()) {
                    continue;
                }
                if !may_delete(ctx, term).await? {
                    return Ok(());
                }
                tracing::info!(server = %id, name = now.name, "deleting a server of ours that no Node and no repair names");
                let deleted = ctx.cloud.delete_server(&id).await;
                deleted.map_err(asked("delete a leftover server"))?;
                ctx.telemetry.collected("server");
            }
            Leftover::Port(id) => {
                let now = ctx.cloud.port(&id).await;
                let Some(now) = now.map_err(asked("describe a leftover port"))? else {
                    continue;
                };
                if !takes_port(&port(&now), &named, ctx.now()) {
                    continue;
                }
                if !may_delete(ctx, term).await? {
                    return Ok(());
                }
                tracing::info!(port = %id, name = now.name, "deleting a port of ours that no repair names");
                let deleted = ctx.cloud.delete_port(&id).await;
                deleted.map_err(asked("delete a leftover port"))?;
                ctx.telemetry.collected("port");
            }
        }
    }
    Ok(())
}

/// Right before each deletion: do we lead, and has nobody halted the engines?
async fn may_delete(ctx: &Context, term: i64) -> Result<bool, Error> {
    fence::leading(ctx, term).await?;
    let stop = stop::read(ctx).await;
    if stop != Stop::Runs {
        tracing::info!(
            ?stop,
            "leftovers in the cloud stay where they are: the engines are halted"
        );
    }
    Ok(stop == Stop::Runs)
}

pub(crate) async fn found(cloud: &dyn Cloud, cluster: &str) -> Result<Found, Error> {
    let servers = cloud.servers().await.map_err(asked("list servers"))?;
    let ports = cloud
        .ports_by_description(&marks::description(cluster))
        .await;
    let ports = ports.map_err(asked("list ports"))?;
    Ok(Found {
        servers: servers.iter().map(server).collect(),
        ports: ports.iter().map(port).collect(),
    })
}

fn server(server: &Server) -> ServerFound {
    let mark = |key: &str| server.metadata.get(key).cloned();
    ServerFound {
        id: server.id.clone(),
        name: server.name.clone(),
        cluster: mark(marks::CLUSTER),
        repair: mark(marks::REPAIR),
        state: mark(marks::STATE),
        tags: server.tags.clone(),
        created: server.created,
        known: server.status != ServerStatus::Unknown,
    }
}

fn port(port: &Port) -> PortFound {
    PortFound {
        id: port.id.clone(),
        name: port.name.clone(),
        adopted: port.tags.iter().any(|tag| tag == marks::ADOPTED_PORT),
        device: port.device.clone(),
        created: port.created,
    }
}

/// What repairs have taken away, or will: a server that is deleted bears no marks any more.
#[derive(Default)]
pub(crate) struct Removed {
    ids: BTreeSet<String>,
    names: BTreeSet<String>,
}

impl Removed {
    fn note(&mut self, uid: &str, record: Record) {
        self.names.insert(stem_of_ids(uid));
        let goes = record.side().is_past_return();
        self.ids.extend(record.server_id.filter(|_| goes));
        self.ids
            .extend(record.replacement.and_then(|own| own.server_id));
    }

    /// By its id, or by its name: of an attempt that failed no record keeps the id.
    pub(crate) fn has(&self, server: &Server) -> bool {
        let by_name = |stem: &String| server.name.contains(stem.as_str());
        self.ids.contains(server.id.as_str()) || self.names.iter().any(by_name)
    }
}

/// What is named, and what repairs have taken away; from the API server itself, not from a cache.
pub(crate) async fn named(client: &Client) -> Result<(Named, Removed), Error> {
    let mut named = Named::default();
    let mut removed = Removed::default();
    let nodes: Api<SlimNode> = Api::all(client.clone());
    let told = in_pages(&nodes, |node| {
        let server = node.spec.provider_id.as_deref().and_then(server_of);
        named.node(&node.name_any(), server.as_ref());
    });
    told.await.map_err(api("list nodes"))?;
    let repairs: Api<NodeRepair> = Api::all(client.clone());
    let told = in_pages(&repairs, |repair| {
        let record = repair.status.clone().unwrap_or_default();
        named.repair(&repair.uid().unwrap_or_default(), &record);
        removed.note(&repair.uid().unwrap_or_default(), record);
    });
    told.await.map_err(api("list noderepairs"))?;
    Ok((named, removed))
}
