//! From what is seen to what is remembered: episodes open, recur and end here.

use std::collections::BTreeMap;

use super::guard::recent;
use super::limits::Limits;
use super::memory::{Episode, Memory, Sight};
use super::plan::{News, Word};
use super::seen::{Seen, SeenCondition};
use super::{attempt, clock, own};
use crate::clock::seconds_between;
use crate::policy::{Freshness, Status};
use crate::repair::Problem;
use crate::repair::told::is_reset;

/// Takes in what was seen. What is news is pushed to `news`.
pub fn see(memory: Memory, seen: &Seen, limits: &Limits, news: &mut Vec<Word>) -> Memory {
    let mut memory = memory;
    set_back(&mut memory, seen);
    if let Some(node) = &seen.node.value {
        memory.paused.clone_from(&node.paused);
        memory.acknowledged.clone_from(&node.acknowledged);
    }
    if seen.stop_heard {
        memory.stopped.clone_from(&seen.stop);
    }
    clock::put_right(&mut memory, seen.now);
    let Memory {
        episodes,
        last_remedy,
        remedies,
        failed,
        retried,
        paused,
        acknowledged,
        stopped,
        behind,
        last_grant,
        mut withdraw,
        mut withdraw_for,
        mut lost,
    } = memory;
    let mut open = BTreeMap::new();
    for (kind, mut episode) in episodes {
        let tell = &mut |told| {
            news.push(Word {
                problem: kind.clone(),
                news: told,
            })
        };
        look(&mut episode, seen.condition(&kind), seen, tell);
        attempt::follow(&mut episode, seen, limits, tell);
        // the rule that made it a problem is gone: nobody will ever say that it is well
        let is_unmade = episode.problem.source.is_some() && !seen.made.contains(&kind);
        if handed_back(&episode, seen) {
            tell(News::HandedBack);
        } else if is_over(&episode, seen, limits) || is_unmade && episode.running().is_none() {
            tell(News::Closed);
            if let Some(repair) = episode.handover.and_then(|handover| handover.repair) {
                withdraw = Some(repair);
                withdraw_for = Some(kind.to_string());
            }
        } else {
            open.insert(kind, episode);
        }
    }
    for condition in &seen.conditions {
        if opens(condition, seen) && !open.contains_key(&condition.kind) {
            open.insert(condition.kind.clone(), first_sight(condition, seen, lost));
            news.push(Word {
                problem: condition.kind.clone(),
                news: News::Opened,
            });
        }
    }
    // One full look tells what may have had a history; whatever appears after it is new.
    lost &= seen.npd != Freshness::Fresh;
    Memory {
        episodes: open,
        last_remedy,
        remedies: recent(&remedies, seen.now).to_vec(),
        failed: recent(&failed, seen.now).to_vec(),
        retried,
        paused,
        acknowledged,
        stopped,
        behind,
        last_grant,
        withdraw,
        withdraw_for,
        lost,
    }
}

/// A person lets the engine try again what it may not try any more.
fn set_back(memory: &mut Memory, seen: &Seen) {
    let mark = seen.node.value.as_ref().and_then(|node| node.retry.clone());
    if mark.is_some() && mark != memory.retried {
        memory.retried = mark;
        memory.remedies.clear();
        memory.failed.clear();
    }
}

/// Only what is reported True now, and what a policy answers for. `Ready` is health when it is True; a kubelet that
/// is ill has a condition of NPD's.
fn opens(condition: &SeenCondition, seen: &Seen) -> bool {
    condition.status == Status::Yes
        && condition.kind.as_str() != "Ready"
        && seen.handled.contains(&condition.kind)
}

fn first_sight(condition: &SeenCondition, seen: &Seen, forgotten: bool) -> Episode {
    Episode {
        problem: Problem {
            kind: condition.kind.as_str().to_owned(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
            since: seen.now,
            source: own::is_own(&condition.source).then(|| condition.source.clone()),
        },
        sight: sight_of(condition, seen),
        recurrences: 0,
        attempts: Vec::new(),
        wait: None,
        handover: None,
        stands: None,
        turn: None,
        forgotten,
    }
}

fn sight_of(condition: &SeenCondition, seen: &Seen) -> Sight {
    Sight {
        status: condition.status,
        since: seen.now,
        transition: condition.transition,
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        source: condition.source.clone(),
        boot: seen.boot.clone(),
        reset: false,
    }
}

/// Its detector says False of all that it reports since the same moment.
fn begins_anew(condition: &SeenCondition, seen: &Seen) -> bool {
    let beside = seen
        .conditions
        .iter()
        .filter(|other| other.source == condition.source && other.kind != condition.kind);
    let transitions = beside.filter_map(|other| other.transition);
    condition.status == Status::No
        && !own::is_own(&condition.source)
        && condition
            .transition
            .is_some_and(|own| is_reset(own, transitions))
}

fn look(
    episode: &mut Episode,
    condition: Option<&SeenCondition>,
    seen: &Seen,
    tell: &mut dyn FnMut(News),
) {
    let Some(condition) = condition else {
        // Absent is not healthy: NPD may be down. The clock of the quiet time starts anew when it is back.
        if episode.sight.status != Status::Unknown {
            episode.sight.status = Status::Unknown;
            episode.sight.since = seen.now;
            episode.sight.transition = None;
        }
        return;
    };
    let before = &episode.sight;
    // The same status with another transition: it was something else in between, or its source was restarted and
    // knows nothing of before. Neither is "unchanged since".
    if before.status == condition.status && before.transition == condition.transition {
        episode.sight = Sight {
            since: before.since,
            reset: before.reset,
            ..sight_of(condition, seen)
        };
        return;
    }
    episode.wait = None;
    let came_back = before.status == Status::No && condition.status == Status::Yes;
    // after a boot a detector rightly knows nothing of before; and what was seen to go needs no other proof
    let reset = match before.status {
        Status::No => before.reset,
        Status::Yes | Status::Unknown => {
            before.boot.is_some() && before.boot == seen.boot && begins_anew(condition, seen)
        }
    };
    episode.sight = Sight {
        reset: reset && condition.status == Status::No,
        ..sight_of(condition, seen)
    };
    if came_back {
        episode.recurrences += 1;
        tell(News::Opened);
    }
}

/// Only a condition that we saw become False, and stay so for the quiet time, closes the episode; and not while the
/// effect of a remedy is still awaited.
fn is_over(episode: &Episode, seen: &Seen, limits: &Limits) -> bool {
    episode.sight.status == Status::No
        && seconds_between(episode.sight.since, seen.now) >= episode.sight.away_for(limits.quiet)
        && episode.running().is_none()
}

/// The repair that we knew is gone, by a fresh look: the control plane has finished with this episode.
fn handed_back(episode: &Episode, seen: &Seen) -> bool {
    let known = episode
        .handover
        .as_ref()
        .and_then(|handover| handover.repair.as_deref());
    let Some(known) = known else { return false };
    seen.repair.freshness == Freshness::Fresh
        && seen
            .repair
            .value
            .as_ref()
            .is_none_or(|repair| repair.uid != known)
}
