//! Whose turn it is: in each pool one repair is in flight, and of those that wait the one with the oldest problem is next.
//!
//! Passes over different nodes run side by side, and what a watch tells comes late; so a turn is taken here, at one place
//! and at once, before the record that begins the repair is written. After a restart or a change of leaders the records
//! alone say who is in flight: nothing is decided before all of them are known.

use rectifier_core::name::NodeName;
use rectifier_core::repair::{Flight, Illegal, Next, Seen, Turn, decide};

use crate::cluster::Cluster;

/// The step, if it is this repair's turn; or why it waits.
///
/// # Errors
/// As [`decide`].
pub(crate) fn keep(
    cluster: &Cluster,
    node: &NodeName,
    seen: &mut Seen,
    next: Next,
) -> Result<Next, Illegal> {
    if !next.begins(&seen.record) {
        if !Flight::of(&next.record).counts(seen.now) {
            cluster.leave_turn(node);
        }
        return Ok(next);
    }
    let pool = next.record.pool.clone().unwrap_or_default();
    let since = seen.request.problem.since;
    match cluster.take_turn(&pool, (since, node), seen.now) {
        Ok(()) => Ok(next),
        Err(before) => {
            seen.hands.turn = Turn::After(before);
            decide(seen)
        }
    }
}
