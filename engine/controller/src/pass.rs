//! One pass over one node, on one screen. Each line says what it may touch.

use std::time::Duration;

use futures::join;
use jiff::Timestamp;
use rectifier_api::NodeRepair;
use rectifier_core::name::NodeName;
use rectifier_core::repair::{Act, Flight, Phase, Seen, Stop, decide};

use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::Error;
use crate::opening::{self, Opening};
use crate::persist::Again;
use crate::{act, advise, event, evidence, fence, observe, persist, stop, turn};

/// So many steps that only write may follow each other in one pass; what is left goes on in the next. Arbitrary: a pass has an
/// end, whatever is decided.
const STEPS: usize = 4;

/// Looks at a node and takes its repair further: one step, or several of which all but the last only write. `since` is when
/// this engine began to watch.
///
/// # Errors
/// Nothing is lost by any: the next pass reads the record and the world again.
pub(crate) async fn pass(
    ctx: &Context,
    cluster: &Cluster,
    term: i64,
    since: Timestamp,
    node: &NodeName,
) -> Result<Again, Error> {
    // reads: the NodeRepair, if the watch shows one; a repair that no agent opened in time is opened here
    let open = match cluster.is_open(node) {
        true => persist::current(ctx, node).await?,
        false => None,
    };
    let mut repair = match open {
        Some(repair) => repair,
        None => match opening::open_if_due(ctx, cluster, node).await? {
            Opening::Opened(repair) => *repair,
            Opening::NotNow(again) => {
                cluster.leave_turn(node);
                return Ok(again);
            }
        },
    };
    for _ in 0..STEPS {
        match step(ctx, cluster, term, since, node, repair).await? {
            // it is as we have just written it: whoever changed it since lets our next write fail
            Step::Wrote(written) => repair = *written,
            Step::Done(again) => return Ok(again),
        }
    }
    Ok(Some(Duration::ZERO))
}

/// Who waits for what others wait for too looks again after so long, if it is not next: what it waits for does not come by its
/// looking. Half of the time after which it would count as gone.
const OTHERS_LOOK: Duration = Duration::from_secs(30);

enum Step {
    /// Another phase begins, and nothing was done to the world.
    Wrote(Box<NodeRepair>),
    /// The next step needs another look at the repair, then.
    Done(Again),
}

async fn step(
    ctx: &Context,
    cluster: &Cluster,
    term: i64,
    since: Timestamp,
    node: &NodeName,
    repair: NodeRepair,
) -> Result<Step, Error> {
    // writes: our term, by compare-and-swap; ends the process if the repair bears a newer one
    let (repair, taken_over) = persist::stamp_term(ctx, repair, term).await?;
    // reads: API server, cloud
    let looked = observe::repair(ctx, cluster, &repair, since).await;
    let mut seen = match looked {
        Ok(seen) => seen,
        Err(error) => {
            event::unseen(ctx, cluster, &repair, &error).await;
            return Err(error);
        }
    };
    // sandbox; a policy that fails is advice too
    let (observation, advice) = advise::ask(ctx, cluster, &seen).await.unzip();
    seen.advice = advice;
    // reads: what only this phase and this advice make necessary
    if let Err(error) = observe::further(ctx, cluster, &mut seen).await {
        event::unseen(ctx, cluster, &repair, &error).await;
        return Err(error);
    }
    // pure
    let next = decide(&seen)?;
    // in memory: so many repairs of a pool are in flight
    let next = turn::keep(ctx, cluster, node, &mut seen, next)?;
    if next.grants(&seen.record) {
        // from the moment in which it is written the node may go down
        fence::leading(ctx, term).await?;
        if stop::read(ctx).await != Stop::Runs {
            return Ok(Step::Done(Some(ctx.settings.poll)));
        }
    }
    let is_new = repair.status.is_none();
    // writes: what the policy saw and said, into the repair's ConfigMap, if it is followed from here on
    let kept = evidence::keep_decision(ctx, &repair, observation.as_ref(), &seen, &next);
    // writes: the NodeRepair, by compare-and-swap, before anything is done
    let intent = persist::intent(ctx, repair.clone(), &seen, &next, term);
    let (repair, ()) = join!(intent, kept);
    let repair = repair?;
    let pool = cluster.pool_of(node).ok();
    let pool = pool.as_ref().and_then(|pool| pool.metadata.name.as_deref());
    ctx.telemetry
        .wrote(pool.unwrap_or_default(), &seen.record, &next.record);
    // Events, beside what they tell of: they hold nothing up; after a kill the successor tells what the record says
    let told = async {
        // what it began with was written with this
        if is_new && next.is_news(&seen.record) && seen.record.reason.is_some() {
            event::tell(ctx, &seen, &seen.record).await;
        }
        if taken_over || next.is_news(&seen.record) {
            event::tell(ctx, &seen, &next.record).await;
        }
    };
    let acted = async {
        match &next.act {
            Some(todo) => carry_out(ctx, cluster, term, &repair, &seen, todo).await,
            None => Ok(()),
        }
    };
    let ((), acted) = join!(told, acted);
    acted?;
    if next.act.is_none() && next.record.phase != seen.record.phase {
        return Ok(Step::Wrote(Box::new(repair)));
    }
    let (now, before) = (next.record.phase, seen.record.phase);
    let again = again(ctx, now, before, next.act.as_ref());
    let waits = next.act.is_none() && now == before && !Flight::of(&next.record).counts(seen.now);
    let among_many = next.reason.waits_among_many();
    if !(waits || among_many) || cluster.is_next(node) {
        return Ok(Step::Done(again));
    }
    let crowd = cluster.crowd();
    let patience = match among_many {
        true => crowd.max(OTHERS_LOOK),
        false => crowd,
    };
    Ok(Step::Done(again.max(Some(patience))))
}

/// Does what the record says is about to be done, if nobody forbids it now.
async fn carry_out(
    ctx: &Context,
    cluster: &Cluster,
    term: i64,
    repair: &NodeRepair,
    seen: &Seen,
    todo: &Act,
) -> Result<(), Error> {
    if todo.step().is_some_and(|step| ctx.switches.skips(step)) {
        return Ok(());
    }
    let stop = async {
        match todo.is_intrusive() {
            true => stop::read(ctx).await,
            false => Stop::Runs,
        }
    };
    // reads: the Lease and the NodeRepair, right before what may not be taken back; and the stop switch, of which the next
    // pass tells
    let (fence, stop) = join!(fence::check(ctx, term, repair), stop);
    fence?;
    if stop != Stop::Runs {
        return Ok(());
    }
    // side effects: idempotent, believed only when the next pass sees them
    match act::perform(ctx, cluster, repair, seen, todo).await {
        // the next pass tells
        Ok(()) | Err(Error::Stopped) => Ok(()),
        Err(error) => {
            event::failed(ctx, cluster, seen, &error).await;
            Err(error)
        }
    }
}

fn again(ctx: &Context, phase: Phase, before: Phase, acted: Option<&Act>) -> Again {
    if phase != before {
        return Some(Duration::ZERO);
    }
    match acted {
        // its effect is rarely there at once, and often soon; an eviction's takes a pod's grace period
        Some(act)
            if !matches!(
                act,
                Act::Evict(_) | Act::DeletePods(_) | Act::EvictFromReplacement(_)
            ) =>
        {
            Some(ctx.settings.poll.min(Duration::from_millis(500)))
        }
        Some(_) | None => Some(ctx.settings.poll),
    }
}
