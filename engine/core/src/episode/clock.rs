//! A clock that was put back: moments that are remembered lie in the future then, and what waits for so many seconds after
//! one would wait for as long as the clock was wrong. Once it is believed, such a moment is taken for now: everything that
//! rests on it waits its time again, and no longer. Until then it waits.
//!
//! A clock that is put forward lets things be due sooner; what is begun then is limited by count.

use jiff::Timestamp;

use super::guard::after;
use super::memory::{AttemptRecord, Course, Episode, Memory, Wait};
use super::verdict::LONGEST;
use crate::clock::seconds_between;
use crate::policy::Seconds;

/// A clock that lags behind for so long is taken for the right one: until then it may only not have been set yet, after a boot.
/// Ten minutes: time servers answer within seconds.
const BELIEVED: Seconds = 600;

/// Nothing that is remembered is later than now, and no wait ends later than it could if it began now; once the clock has
/// been behind for long enough to be believed.
pub(super) fn put_right(memory: &mut Memory, now: Timestamp) {
    let mut right = memory.clone();
    let Memory {
        episodes,
        last_remedy,
        remedies,
        failed,
        retried: _,
        paused: _,
        acknowledged: _,
        stopped: _,
        behind: _,
        last_grant: _,
        withdraw: _,
        withdraw_for: _,
        lost: _,
    } = &mut right;
    for moment in remedies.iter_mut().chain(failed).chain(last_remedy) {
        not_after(moment, now);
    }
    for episode in episodes.values_mut() {
        of_episode(episode, now);
    }
    match memory.behind.filter(|since| *since <= now) {
        _ if right == *memory => memory.behind = None,
        Some(since) if seconds_between(since, now) >= BELIEVED => {
            *memory = right;
            memory.behind = None;
        }
        Some(_) => {}
        None => memory.behind = Some(now),
    }
}

fn of_episode(episode: &mut Episode, now: Timestamp) {
    let Episode {
        problem,
        sight,
        recurrences: _,
        attempts,
        wait,
        handover: _,
        stands: _,
        turn,
        forgotten: _,
    } = episode;
    not_after(&mut problem.since, now);
    not_after(&mut sight.since, now);
    let latest = after(now, LONGEST);
    if let Some(Wait { until, .. }) = wait {
        not_after(until, latest);
    }
    if turn.is_some_and(|turn| turn > latest) {
        *turn = None;
    }
    for AttemptRecord { began, course, .. } in attempts {
        not_after(began, now);
        match course {
            Course::Begun => {}
            Course::Settling { since } => not_after(since, now),
            Course::Ended { at, .. } => not_after(at, now),
        }
    }
}

fn not_after(moment: &mut Timestamp, now: Timestamp) {
    *moment = (*moment).min(now);
}
