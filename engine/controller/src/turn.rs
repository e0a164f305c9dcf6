//! Whose turn it is: in each pool so many repairs are in flight as its breaker and its pace allow, and of those that wait the one
//! with the oldest problem is next.
//!
//! Passes over different nodes run side by side, and what a watch tells comes late; so a turn is taken here, at one place
//! and at once, before the record that begins the repair is written. After a restart or a change of leaders the records
//! alone say who is in flight: nothing is decided before all of them are known.

use rectifier_core::name::{ConditionKind, NodeName};
use rectifier_core::policy::SiteKind;
use rectifier_core::reason::Reason;
use rectifier_core::repair::{Flight, Illegal, Next, Seen, Side, Turn, decide};

use crate::cluster::{Answers, Cluster, Weather, pace};
use crate::context::Context;
use crate::maintenance;

/// The step, if it is this repair's turn; or why it waits.
///
/// # Errors
/// As [`decide`].
pub(crate) fn keep(
    ctx: &Context,
    cluster: &Cluster,
    node: &NodeName,
    seen: &mut Seen,
    next: Next,
) -> Result<Next, Illegal> {
    let next = one_goes_first(cluster, node, seen, next)?;
    if !next.begins(&seen.record) {
        if !Flight::of(&next.record).counts(seen.now) {
            cluster.leave_turn(node);
        }
        return Ok(next);
    }
    match take(ctx, cluster, node, seen, &next) {
        Ok(()) => Ok(next),
        Err((reason, words)) => {
            seen.hands.turn = Turn::Waits(reason, words);
            decide(seen)
        }
    }
}

/// The step, if it does not let the node's server go before its replacement while another of the pool goes so.
fn one_goes_first(
    cluster: &Cluster,
    node: &NodeName,
    seen: &mut Seen,
    next: Next,
) -> Result<Next, Illegal> {
    let (side, before) = (next.record.side(), seen.record.side());
    let is_away = match side {
        Side::MakingRoom => false,
        Side::RoomMade => true,
        Side::Before | Side::Committed => {
            cluster.stays(node);
            return Ok(next);
        }
    };
    let pool = next.record.pool.as_deref().unwrap_or_default();
    match cluster.go_first(pool, node, is_away) {
        Err(other) if side != before => {
            seen.hands.short = Some(other);
            decide(seen)
        }
        // it goes, whoever let it
        Ok(()) | Err(_) => Ok(next),
    }
}

fn take(
    ctx: &Context,
    cluster: &Cluster,
    node: &NodeName,
    seen: &Seen,
    next: &Next,
) -> Result<(), (Reason, String)> {
    let name = next.record.pool.clone().unwrap_or_default();
    let gone = || (Reason::NoPool, String::new());
    let pool = cluster.pool(&name).ok_or_else(gone)?;
    let rung = next.record.rung.ok_or_else(gone)?;
    let weather = weather(ctx, cluster, &pool);
    // who asks for one node's repair has looked at it
    let by_a_person = seen.request.is_a_persons();
    let allowed = match weather.holds {
        // beside all that stand still
        Some(_) if by_a_person => u32::MAX,
        Some(holds) => return Err(holds),
        None => weather.status.allowed,
    };
    let pace = pace(&pool, ctx.settings.hourly);
    let me = (node, seen.request.problem.since);
    let goes_on = Flight::of(&seen.record).counts(seen.now);
    cluster.take_turn(&name, me, (rung, goes_on), (allowed, pace), seen.now)
}

/// How things stand with a pool now.
pub(crate) fn weather(
    ctx: &Context,
    cluster: &Cluster,
    pool: &rectifier_api::RepairPool,
) -> Weather {
    let policies = ctx.policies.set();
    let handles = |kind: &str| {
        let Ok(kind) = ConditionKind::parse(kind) else {
            return false;
        };
        // what waits for its window is no storm, however many nodes have it
        let waits = maintenance::waits(pool, kind.as_str(), ctx.now()).is_some();
        !waits && policies.handles(&kind, SiteKind::ControlPlane)
    };
    let answers = Answers {
        policies: &policies,
        handles: &handles,
    };
    cluster.weather(pool, &answers, ctx.now())
}
