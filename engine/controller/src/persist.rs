//! The only writer of `NodeRepair`s on this side. Every write is a compare-and-swap on what was read.

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Api, PostParams};
use rectifier_api::{NodeRepair, NodeRepairSpec, repair_name};
use rectifier_core::name::NodeName;
use rectifier_core::policy::{SiteKind, Status};
use rectifier_core::repair::{Asks, Next, Problem, RequestedBy, Seen};

use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::{Error, api};
use crate::fence;
use crate::observe::pool;
use crate::pass::Again;

/// The node's open repair.
pub(crate) async fn current(ctx: &Context, node: &NodeName) -> Result<Option<NodeRepair>, Error> {
    let repairs: Api<NodeRepair> = Api::all(ctx.client.clone());
    repairs
        .get_opt(&repair_name(node))
        .await
        .map_err(api("get noderepair"))
}

/// Opens the repair of a node whose problem no agent took up within the pool's grace: its engine is silent.
pub(crate) async fn open_if_due(
    ctx: &Context,
    cluster: &Cluster,
    node: &NodeName,
) -> Result<Again, Error> {
    let Some(facts) = cluster.facts(node) else {
        return Ok(None);
    };
    // Outside of all pools nothing is judged, and nobody is told every minute: `observe` says so once asked.
    let Ok(pool) = pool::selecting(cluster, &facts) else {
        return Ok(None);
    };
    let policies = ctx.policies.set();
    let Some((kind, sight)) = facts.conditions.iter().find(|(kind, sight)| {
        sight.status == Status::Yes && policies.handles(kind, SiteKind::ControlPlane)
    }) else {
        return Ok(None);
    };
    let held = rectifier_core::clock::seconds_between(sight.since, ctx.now());
    if let Some(left) = pool
        .spec
        .timing
        .agent_grace
        .checked_sub(held)
        .filter(|left| *left > 0)
    {
        return Ok(Some(Duration::from_secs(left.into())));
    }
    let Some(present) = crate::observe::read_node(ctx, cluster, node).await? else {
        return Ok(None);
    };
    let repair = NodeRepair::new(
        &repair_name(node),
        NodeRepairSpec {
            node_name: node.to_string(),
            node_uid: present.uid.to_string(),
            problem: Problem {
                kind: kind.to_string(),
                reason: sight.reason.clone(),
                message: sight.message.clone(),
                since: sight.since,
            },
            asks: Asks::Escalate,
            deadline: None,
            withdrawn: false,
            accepted_grant: None,
            requested_by: RequestedBy::Conditions,
        },
    );
    let repairs: Api<NodeRepair> = Api::all(ctx.client.clone());
    repairs
        .create(&PostParams::default(), &repair)
        .await
        .map_err(api("create noderepair"))?;
    Ok(Some(Duration::ZERO))
}

/// The term that a repair bears.
pub(crate) fn term(repair: &NodeRepair) -> i64 {
    repair.status.as_ref().map_or(0, |record| record.term)
}

/// A new leader writes its term into a repair before anything else, so that whatever its predecessor still has in
/// flight loses the swap. Also says whether this was such a taking over.
///
/// # Errors
/// [`Error::NotLeading`] if the repair bears a newer term.
pub(crate) async fn stamp_term(
    ctx: &Context,
    mut repair: NodeRepair,
    ours: i64,
) -> Result<(NodeRepair, bool), Error> {
    if !fence::is_older(term(&repair), ours)? {
        return Ok((repair, false));
    }
    let mut record = repair.status.clone().unwrap_or_default();
    record.term = ours;
    repair.status = Some(record);
    Ok((write(ctx, &repair).await?, true))
}

/// Writes the intent. Unchanged records are not written.
pub(crate) async fn intent(
    ctx: &Context,
    mut repair: NodeRepair,
    seen: &Seen,
    next: &Next,
) -> Result<NodeRepair, Error> {
    if next.record == seen.record {
        return Ok(repair);
    }
    repair.status = Some(next.record.clone());
    write(ctx, &repair).await
}

async fn write(ctx: &Context, repair: &NodeRepair) -> Result<NodeRepair, Error> {
    let repairs: Api<NodeRepair> = Api::all(ctx.client.clone());
    // the object carries the resourceVersion that was read: the API server refuses it with 409 if that is not the last
    repairs
        .replace_status(&repair.name_any(), &PostParams::default(), repair)
        .await
        .map_err(api("write noderepair"))
}
