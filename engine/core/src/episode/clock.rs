//! A clock that was put back: moments that are remembered lie in the future then, and what waits for so many seconds after
//! one would wait for as long as the clock was wrong. Such a moment is taken for now: everything that rests on it waits its
//! time again, and no longer. (A clock that is put forward lets things be due sooner; what is begun then is limited by count.)

use jiff::Timestamp;

use super::guard::after;
use super::memory::{AttemptRecord, Course, Episode, Memory, Wait};
use super::verdict::LONGEST;

/// Nothing that is remembered is later than now, and no wait ends later than it could if it began now.
pub(super) fn put_right(memory: &mut Memory, now: Timestamp) {
    let Memory {
        episodes,
        last_remedy,
        remedies,
        failed,
        retried: _,
        last_grant: _,
        withdraw: _,
        lost: _,
    } = memory;
    for moment in remedies.iter_mut().chain(failed).chain(last_remedy) {
        not_after(moment, now);
    }
    for episode in episodes.values_mut() {
        of_episode(episode, now);
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
        forgotten: _,
    } = episode;
    not_after(&mut problem.since, now);
    not_after(&mut sight.since, now);
    if let Some(Wait { until, .. }) = wait {
        not_after(until, after(now, LONGEST));
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
