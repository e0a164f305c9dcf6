//! Performs what was decided. Each act may be called again at any time; none is believed to have worked.

mod adopt;
mod archive;
mod autoscaler;
mod balancers;
mod cordon;
mod create;
mod delete;
mod evict;
pub(crate) mod marks;
mod power;
mod taint;
mod token;

use rectifier_api::NodeRepair;
use rectifier_core::name::NodeName;
use rectifier_core::repair::{Act, Seen};

use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::Error;
use crate::evidence;
use crate::stop::Between;

/// Performs one act.
///
/// # Errors
/// Says what refused. The act may have happened all the same: the next pass looks.
pub(crate) async fn perform(
    ctx: &Context,
    cluster: &Cluster,
    repair: &NodeRepair,
    seen: &Seen,
    act: &Act,
) -> Result<(), Error> {
    tracing::debug!(node = %seen.request.node, ?act, "performing");
    match act {
        Act::Cordon => cordon::set(ctx, seen).await,
        Act::Uncordon => cordon::unset(ctx, seen).await,
        Act::Evict(pods) | Act::EvictFromReplacement(pods) => {
            let node = NodeName::parse(&seen.request.node)?;
            // only what is asked for and what was last seen is remembered, however many pods come and go
            let there = seen.pods.iter().chain(&seen.more.guests).flatten();
            cluster.let_go(&node, &there.cloned().collect::<Vec<_>>());
            // what is taken back is taken back under the stop switch, too
            let between = act.is_intrusive().then(|| Between::calls(ctx));
            let (refused, done) = evict::evict(ctx, between.as_ref(), pods).await;
            cluster.hold_back(&node, pods, refused);
            done
        }
        Act::DeletePods(pods) => evict::delete(ctx, pods).await,
        Act::CordonReplacement(uid) => cordon::replacement(ctx, repair, uid).await,
        Act::CreatePorts => create::ports(ctx, cluster, repair, seen).await,
        Act::CreateServer => create::server(ctx, cluster, repair, seen).await,
        Act::RemoveReplacement {
            servers,
            ports,
            node,
        } => delete::replacement(ctx, repair, servers, ports, node.as_ref()).await,
        Act::DeleteSurplus(ports) => delete::ports(ctx, ports).await,
        Act::Adopt => adopt::adopt(ctx, repair, seen).await,
        Act::LeaveBalancers => balancers::leave(ctx, seen).await,
        Act::LetScaleDown { node, uid } => autoscaler::free(ctx, seen, node, uid).await,
        Act::CollectEvidence => evidence::collect(ctx, repair, seen).await,
        Act::PowerCycle { server, start } => power::cycle(ctx, server, *start).await,
        Act::StopServer(id) => power::stop(ctx, id).await,
        Act::OutOfService { node, is } => {
            power::out_of_service(ctx, &seen.request.node, node, *is).await
        }
        Act::DeleteServer(id) => delete::server(ctx, id).await,
        Act::DeletePorts(ports) => delete::ports(ctx, ports).await,
        Act::DeleteNode(uid) => delete::node(ctx, &seen.request.node, uid).await,
        Act::Archive => archive::archive(ctx, cluster, repair).await,
    }
}
