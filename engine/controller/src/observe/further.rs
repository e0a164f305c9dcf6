//! What is read only because the rest of a look makes it necessary (`rectifier_core::repair::further`).

use std::collections::BTreeSet;

use futures::{FutureExt, TryStreamExt};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::storage::v1::CSINode;
use kube::api::Api;
use rectifier_core::name::{NodeName, ServerId};
use rectifier_core::repair::fitness::{Fitness, daemons};
use rectifier_core::repair::naming::Parts;
use rectifier_core::repair::owners::{OwnerReady, OwnerRef};
use rectifier_core::repair::{
    self, CloudSeen, Further, Kept, Lack, NodeSeen, Record, Seen, Traits,
};

use super::{owner, pods, pool, seen_of, volume};
use crate::abreast::abreast;
use crate::cluster::{Asked, Cluster};
use crate::context::Context;
use crate::error::{Error, api, chain};
use crate::similar::{self, Sick, template};
use crate::slim::SlimNode;

/// What is read may make more necessary, but no further than this: whether another zone can be tried, whether the sick server can
/// go first, then the name of the next attempt.
const ROUNDS: usize = 3;

/// Completes a look.
pub(crate) async fn further(
    ctx: &Context,
    cluster: &Cluster,
    seen: &mut Seen,
) -> Result<(), Error> {
    for _ in 0..ROUNDS {
        let wanted = repair::further(seen);
        if wanted == Further::default() {
            break;
        }
        read(ctx, cluster, seen, wanted).await?;
    }
    Ok(())
}

async fn read(
    ctx: &Context,
    cluster: &Cluster,
    seen: &mut Seen,
    wanted: Further,
) -> Result<(), Error> {
    let Further {
        losses,
        likeness,
        owners,
        fitness,
        guests,
        zones,
        name,
        kept,
    } = wanted;
    if losses {
        let name = NodeName::parse(&seen.request.node)?;
        let bound = pods(ctx, &name).await?;
        let pods = volume::of_pods(ctx, cluster, seen.node.as_ref(), &bound).await?;
        seen.pods = Some(pods);
    }
    if likeness {
        let name = NodeName::parse(&seen.request.node)?;
        seen.more.lacks = lacks(ctx, cluster, &name, seen).await;
    }
    if !zones.is_empty()
        && let Some(node) = &seen.node
    {
        let pods = pods(ctx, &node.name).await?;
        seen.more.bound = Some(volume::bound_to_zones(ctx, node, &pods, zones).await?);
    }
    if name {
        seen.more.name = Some(unused_name(ctx, cluster, seen).await?);
    }
    if let Some(owners) = owners {
        seen.more.owners = Some(owner::all(ctx, &owners).await?);
    }
    if fitness && let Some(new) = joined(seen) {
        let had = match (seen.record.kept(), &seen.node) {
            (Some(kept), _) => (kept.drivers.clone(), kept.daemon_sets.clone()),
            (None, Some(old)) => has(ctx, old).await?,
            (None, None) => return Err(Error::Lost { what: "node" }),
        };
        seen.more.fitness = Some(compare(ctx, had, new).await?);
    }
    if kept && let Some(node) = &seen.node {
        let (_, how) = pool::of_repair(cluster, &node.name, &seen.record);
        let flavor = how.and_then(|how| how.flavor);
        seen.more.kept = Some(keep(ctx, &seen.record, node, flavor.as_deref()).await?);
    }
    if guests && let Some(node) = joined(seen) {
        seen.more.guests = Some(seen_of(&pods(ctx, &node.name).await?)?);
    }
    Ok(())
}

/// `None`: it is not known of which server, or there is no provisioning; then nothing is made.
async fn lacks(
    ctx: &Context,
    cluster: &Cluster,
    name: &NodeName,
    seen: &Seen,
) -> Option<Result<Vec<Lack>, String>> {
    let CloudSeen::Fresh(view) = &seen.cloud else {
        return None;
    };
    let (Ok(rules), Some(provisioning)) = pool::of(cluster, name) else {
        return None;
    };
    let asked = Asked {
        server: view.server.as_ref()?.id.clone(),
        provisioning,
        retried_at: seen.record.retried_at,
    };
    Some(lacks_of(ctx, cluster, name, &rules.name, asked).await)
}

/// What a similar server would lack: as it was a short while ago, or asked and kept.
pub(super) async fn lacks_of(
    ctx: &Context,
    cluster: &Cluster,
    node: &NodeName,
    pool: &str,
    asked: Asked,
) -> Result<Vec<Lack>, String> {
    if let Some(lacks) = cluster.lacks(node, &asked, ctx.now()) {
        return Ok(lacks);
    }
    let sick = Sick {
        node: node.as_str(),
        pool,
        server: &asked.server,
    };
    let look = similar::lacks(ctx.cloud.as_ref(), sick, &asked.provisioning);
    let lacks = look.await.map_err(|error| chain(&error))?;
    cluster.keep_lacks(node, asked, lacks.clone(), ctx.now());
    Ok(lacks)
}

/// So many names are tried: there are so many ids for one repair.
const NAMES: u32 = 16;

/// A name for the next attempt that no Node and no server has.
async fn unused_name(
    ctx: &Context,
    cluster: &Cluster,
    seen: &Seen,
) -> Result<Result<String, String>, Error> {
    let node = &seen.request.node;
    let (Ok(rules), Some(how)) = pool::of_repair(cluster, &NodeName::parse(node)?, &seen.record)
    else {
        return Ok(Err("the pool has no provisioning".to_owned()));
    };
    let first = repair::next_attempt(&seen.record);
    let nodes: Api<SlimNode> = Api::all(ctx.client.clone());
    // one that an earlier attempt had is free again, and something late of it may still come
    let last = seen.record.replacement.as_ref();
    let mut taken = String::new();
    for number in first..first.saturating_add(NAMES) {
        let parts = Parts::of(node, seen.repair_uid.as_str(), number);
        let name = match template::name(&how, &parts, node, &rules.name) {
            Ok(name) => name,
            Err(why) => return Ok(Err(format!("provisioning.name: {why}"))),
        };
        if last.is_some_and(|last| last.name == name) {
            continue;
        }
        let found = nodes.get_opt(&name).await.map_err(api("get node"))?;
        let server = match ctx.cloud.find_by_name(&name).await {
            Ok(servers) => servers.into_iter().next(),
            Err(error) => return Ok(Err(chain(&error))),
        };
        taken = match (found, server) {
            (None, None) => return Ok(Ok(name)),
            (Some(_), _) => format!("a Node is called {name}"),
            (None, Some(server)) => format!("server {} is called {name}", server.id),
        };
    }
    Ok(Err(taken))
}

/// The replacement's node.
fn joined(seen: &Seen) -> Option<&NodeSeen> {
    match &seen.cloud {
        CloudSeen::Fresh(view) => view.replacement_node.as_ref(),
        CloudSeen::Unavailable(_) | CloudSeen::NotAsked => None,
    }
}

/// What the sick node has beside its Node object: its CSI drivers, and DaemonSets.
async fn has(ctx: &Context, node: &NodeSeen) -> Result<(Vec<String>, Vec<OwnerReady>), Error> {
    let mut drivers = drivers(ctx, &node.name).await?;
    drivers.extend(node.attached.iter().cloned());
    let pods = seen_of(&pods(ctx, &node.name).await?)?;
    Ok((drivers.into_iter().collect(), daemons(&pods)))
}

async fn compare(
    ctx: &Context,
    (drivers_had, daemons_had): (Vec<String>, Vec<OwnerReady>),
    new: &NodeSeen,
) -> Result<Fitness, Error> {
    let mut fitness = Fitness {
        drivers_had: drivers_had.into_iter().collect(),
        drivers: drivers(ctx, &new.name).await?,
        daemons_had,
        pods: seen_of(&pods(ctx, &new.name).await?)?,
        daemon_sets: Vec::new(),
    };
    let lacking = fitness.daemons_lacking().into_iter();
    let lacking = lacking.map(|(owner, _)| daemon_set(ctx, owner).boxed());
    let read: Vec<Option<(String, u32)>> = abreast(lacking.collect()).try_collect().await?;
    fitness.daemon_sets = read.into_iter().flatten().collect();
    Ok(fitness)
}

/// 64 KiB, as the record's schema has it.
const KEPT: usize = 65_536;

/// Everything that a replacement is made from and measured by, once its server is gone; or why that cannot be read.
async fn keep(
    ctx: &Context,
    record: &Record,
    node: &NodeSeen,
    flavor: Option<&str>,
) -> Result<Result<Kept, String>, Error> {
    let Some(id) = &record.server_id else {
        return Ok(Err("the record names no server".to_owned()));
    };
    let template = match ctx.cloud.template(&ServerId::parse(id)?).await {
        Ok(template) => template,
        Err(error) => return Ok(Err(chain(&error))),
    };
    if flavor.is_some_and(|flavor| flavor != template.shape.flavor) {
        let why =
            "the pool names another flavor, for which the room that it leaves may be too small";
        return Ok(Err(why.to_owned()));
    }
    let server = match serde_json::to_string(&template) {
        Ok(server) if server.len() <= KEPT => server,
        Ok(server) => {
            let bytes = server.len();
            return Ok(Err(format!(
                "what its server is takes {bytes} bytes: it cannot go first"
            )));
        }
        Err(error) => return Ok(Err(error.to_string())),
    };
    let (drivers, daemon_sets) = has(ctx, node).await?;
    Ok(Ok(Kept {
        server,
        node: Traits::from(node),
        drivers,
        daemon_sets,
    }))
}

/// The CSI drivers that are registered on a node.
async fn drivers(ctx: &Context, node: &NodeName) -> Result<BTreeSet<String>, Error> {
    let nodes: Api<CSINode> = Api::all(ctx.client.clone());
    let found = nodes
        .get_opt(node.as_str())
        .await
        .map_err(api("get csinode"))?;
    let drivers = found.into_iter().flat_map(|node| node.spec.drivers);
    Ok(drivers.map(|driver| driver.name).collect())
}

/// On how many nodes it is Ready; `None`: it is gone.
async fn daemon_set(ctx: &Context, owner: OwnerRef) -> Result<Option<(String, u32)>, Error> {
    let sets: Api<DaemonSet> = Api::namespaced(ctx.client.clone(), &owner.namespace);
    let found = sets
        .get_opt(&owner.name)
        .await
        .map_err(api("get daemonset"))?;
    let found = found.filter(|set| set.metadata.uid.as_ref() == Some(&owner.uid));
    Ok(found.map(|set| {
        let ready = set.status.map_or(0, |status| status.number_ready);
        (owner.uid, u32::try_from(ready).unwrap_or(0))
    }))
}
