//! Reads everything that the next decision rests on, and nothing else (`rectifier_core::repair::needs`).
//!
//! Nodes and the repair are read from the API server itself, not from a cache: a decision that ends in a delete must
//! not rest on what was true some seconds ago.

pub(crate) mod cloud;
pub(crate) mod node;
pub(crate) mod pool;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, ListParams};
use rectifier_api::NodeRepair;
use rectifier_core::name::{NodeName, Uid};
use rectifier_core::policy::Status;
use rectifier_core::repair::drain::PodSeen;
use rectifier_core::repair::{CloudSeen, NodeSeen, ProblemSeen, Seen, needs};

use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::{Error, api};

/// Looks at everything that this repair's next step depends on.
pub(crate) async fn repair(
    ctx: &Context,
    cluster: &Cluster,
    repair: &NodeRepair,
) -> Result<Seen, Error> {
    let request = repair.spec.request();
    let record = repair.status.clone().unwrap_or_default();
    let name = NodeName::parse(&request.node)?;
    let wanted = needs(record.phase);
    let node = read_node(ctx, cluster, &name).await?;
    let now = ctx.now();
    let problem = match cluster.held(&name, &request.problem.kind, now) {
        Some((Status::Yes, _)) => ProblemSeen::There,
        Some((Status::No, held)) => ProblemSeen::Cleared { held },
        Some((Status::Unknown, _)) | None => ProblemSeen::NotReported,
    };
    let (pool, provisioning) = pool::of(cluster, &name);
    let cloud = if wanted.cloud {
        cloud::look(ctx, cluster, &record, node.as_ref(), provisioning.as_ref()).await?
    } else {
        CloudSeen::NotAsked
    };
    Ok(Seen {
        now: ctx.now(),
        repair_uid: Uid::parse(repair.metadata.uid.clone().unwrap_or_default())?,
        pool,
        problem,
        pods: if wanted.pods {
            Some(pods(ctx, &name).await?)
        } else {
            None
        },
        node,
        cloud,
        advice: None,
        request,
        record,
    })
}

/// The node as the API server has it now; `None` only if it says so itself.
pub(crate) async fn read_node(
    ctx: &Context,
    cluster: &Cluster,
    name: &NodeName,
) -> Result<Option<NodeSeen>, Error> {
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    match nodes
        .get_opt(name.as_str())
        .await
        .map_err(api("get node"))?
    {
        Some(node) => {
            cluster.see(&node, ctx.now());
            Ok(Some(node::seen(&node, cluster, ctx.now())?))
        }
        None => Ok(None),
    }
}

async fn pods(ctx: &Context, name: &NodeName) -> Result<Vec<PodSeen>, Error> {
    let pods: Api<Pod> = Api::all(ctx.client.clone());
    let bound = ListParams::default().fields(&format!("spec.nodeName={name}"));
    let list = pods.list(&bound).await.map_err(api("list pods"))?;
    Ok(list.items.iter().map(node::pod).collect::<Result<_, _>>()?)
}
