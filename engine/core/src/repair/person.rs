//! What a person is told to whom a repair is handed: where it stands, what holds it, and the command to go on.

use super::Phase;
use super::next::Next;
use super::room::Side;
use super::seen::Seen;
use crate::reason::Reason;

/// 600 characters: with the command behind them they fit into an Event.
const LONGEST: usize = 600;

/// A step that hands the repair to a person says in its message what that person can do.
pub(super) fn ask(seen: &Seen, next: Next) -> Next {
    let before = seen.record.phase;
    if next.record.phase != Phase::NeedsHuman || before == Phase::NeedsHuman {
        return next;
    }
    let words: String = next.record.message.chars().take(LONGEST).collect();
    let side = next.record.side().words();
    // Each new value is another try: the time is one that was not there before.
    let command = format!(
        "kubectl annotate --overwrite noderepair {}.repair rectifier.dev/retry={} rectifier.dev/retry-by-",
        seen.request.node,
        seen.now.as_second()
    );
    // A word that stands in the place of the host's is worth more than another try.
    let server = next.record.server_id.as_ref();
    let word = match server.filter(|_| next.reason == Reason::HostUnreachable) {
        Some(id) => format!(
            "; or, once you have seen the machine without power: kubectl annotate noderepair {}.repair \
             rectifier.dev/confirmed-dead={id}",
            seen.request.node
        ),
        None => String::new(),
    };
    let without = match next.record.no_way_back() {
        None if next.record.side() == Side::RoomMade => format!(
            "; or, to do without a replacement: kubectl annotate noderepair {}.repair rectifier.dev/reject=WHY",
            seen.request.node
        ),
        Some(_) | None => String::new(),
    };
    next.with(|record| {
        record.message =
            format!("{words} (in {before:?}, {side}). To go on: {command}{word}{without}");
    })
}
