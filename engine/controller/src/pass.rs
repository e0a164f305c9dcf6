//! One pass over one node, on one screen. Each line says what it may touch.

use std::time::Duration;

use rectifier_core::name::NodeName;
use rectifier_core::reason::Reason;
use rectifier_core::repair::{Phase, decide};

use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::Error;
use crate::{act, advise, event, fence, observe, persist};

/// When the node is to be looked at again, if nothing wakes us before.
pub(crate) type Again = Option<Duration>;

/// Looks at a node and takes its repair one step further.
///
/// # Errors
/// Nothing is lost by any: the next pass reads the record and the world again.
pub(crate) async fn pass(
    ctx: &Context,
    cluster: &Cluster,
    term: i64,
    node: &NodeName,
) -> Result<Again, Error> {
    // reads: the NodeRepair; a repair that no agent opened in time is opened here
    let Some(repair) = persist::current(ctx, node).await? else {
        return persist::open_if_due(ctx, cluster, node).await;
    };
    // writes: our term, by compare-and-swap; ends the process if the repair bears a newer one
    let (repair, _) = persist::stamp_term(ctx, repair, term).await?;
    // reads: API server, cloud
    let mut seen = observe::repair(ctx, cluster, &repair).await?;
    // sandbox; a policy that fails is advice too
    seen.advice = advise::ask(ctx, cluster, &seen).await;
    // pure
    let next = decide(&seen)?;
    // writes: the NodeRepair, by compare-and-swap, before anything is done
    let repair = persist::intent(ctx, repair, &seen, &next).await?;
    event::tell(ctx, &repair, &seen, &next).await;
    if let Some(todo) = &next.act {
        if todo.step().is_some_and(|step| ctx.switches.skips(step)) {
            return Ok(Some(ctx.settings.poll));
        }
        // reads: the Lease and the NodeRepair, right before what may not be taken back
        fence::check(ctx, term, &repair).await?;
        // side effects: idempotent, believed only when the next pass sees them
        act::perform(ctx, cluster, &repair, &seen, todo).await?;
    }
    Ok(again(
        ctx,
        next.record.phase,
        seen.record.phase,
        next.act.is_some(),
        next.reason,
    ))
}

fn again(ctx: &Context, phase: Phase, before: Phase, acted: bool, reason: Reason) -> Again {
    if phase != before {
        return Some(Duration::ZERO);
    }
    if acted && reason != Reason::Evicting {
        // its effect is rarely there at once, and often soon
        return Some(ctx.settings.poll.min(Duration::from_millis(500)));
    }
    Some(ctx.settings.poll)
}
