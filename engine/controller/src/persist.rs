//! The only writer of an open repair's record. Every write is a compare-and-swap on what was read.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::Api;
use rectifier_api::{NodeRepair, repair_name};
use rectifier_core::name::NodeName;
use rectifier_core::repair::{Next, Record, Seen, conditions};

use crate::context::Context;
use crate::error::{Error, api};
use crate::{fence, finalizer, manager};

/// When the node is to be looked at again, if nothing wakes us before.
pub(crate) type Again = Option<Duration>;

/// The node's open repair.
pub(crate) async fn current(ctx: &Context, node: &NodeName) -> Result<Option<NodeRepair>, Error> {
    let repairs: Api<NodeRepair> = Api::all(ctx.client.clone());
    repairs
        .get_opt(&repair_name(node))
        .await
        .map_err(api("get noderepair"))
}

/// A new leader writes its term into a repair before anything else, so that whatever its predecessor still has in
/// flight loses the swap; and the finalizer, so that nothing is lost with the object. Into a repair without any record it comes
/// with the first [`intent`]: no predecessor has one for it. Also says whether this was such a taking over.
///
/// # Errors
/// [`Error::NotLeading`] if the repair bears a newer term.
pub(crate) async fn stamp_term(
    ctx: &Context,
    repair: NodeRepair,
    ours: i64,
) -> Result<(NodeRepair, bool), Error> {
    let is_older = fence::is_older(fence::term_of(&repair), ours)?;
    let mut repair = finalizer::set(ctx, repair).await?;
    let Some(record) = repair.status.as_mut() else {
        return Ok((repair, true));
    };
    if !is_older {
        return Ok((repair, false));
    }
    record.term = ours;
    Ok((write(ctx, &repair).await?, true))
}

/// Writes the intent, with our term. Unchanged records are not written.
pub(crate) async fn intent(
    ctx: &Context,
    mut repair: NodeRepair,
    seen: &Seen,
    next: &Next,
    term: i64,
) -> Result<NodeRepair, Error> {
    let mut record = complete(&repair, next.record.clone(), seen.now);
    record.term = term;
    if repair.status.as_ref() == Some(&record) {
        return Ok(repair);
    }
    repair.status = Some(record);
    write(ctx, &repair).await
}

/// The record, with what the standard fields say of it.
fn complete(repair: &NodeRepair, mut record: Record, now: Timestamp) -> Record {
    record.observed_generation = repair.metadata.generation;
    record.conditions = conditions(&record, record.observed_generation, now);
    record
}

async fn write(ctx: &Context, repair: &NodeRepair) -> Result<NodeRepair, Error> {
    let repairs: Api<NodeRepair> = Api::all(ctx.client.clone());
    // the object carries the resourceVersion that was read: the API server refuses it with 409 if that is not the last
    repairs
        .replace_status(&repair.name_any(), &manager::posts(), repair)
        .await
        .map_err(api("write noderepair"))
}
