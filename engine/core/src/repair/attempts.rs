//! Attempts at a replacement: which is next, in which zone, and when it is a person's. A zone, or a project, without room is nobody's failure.

use std::collections::BTreeMap;

use super::eviction::listed;
use super::next::Next;
use super::record::{Record, Replacement, Rung, Tried};
use super::room::{self, Side};
use super::seen::Seen;
use super::{Phase, age, history};
use crate::policy::{Outcome, Seconds};
use crate::reason::Reason;

/// So many attempts at a replacement of one node may fail within a day; then it is a matter for a person. Arbitrary: one
/// for a bad host, one for a bad port.
pub(super) const ATTEMPTS: usize = 3;

/// After there was no room for a replacement, so many seconds until the first zone is tried again. 5 min: a host seldom gets
/// free sooner, and each try makes ports and a server.
const NO_HOST: Seconds = 300;

/// Attempt `number` of this repair: everything that it will be called is fixed before it is made.
pub(super) fn attempt(seen: &Seen, number: u32, name: String) -> Replacement {
    Replacement {
        attempt: number,
        name,
        tag: format!("rectifier-{}-{number}", seen.repair_uid),
        ..Replacement::default()
    }
}

/// The number of the next attempt. It is new within this repair, even after a person asked for another try: nothing late of
/// an earlier attempt is ever taken for one of this.
pub fn next_attempt(record: &Record) -> u32 {
    let last = record.replacement.as_ref();
    last.map_or(0, |last| last.attempt) + 1
}

/// The next attempt, in the sick server's zone or in another.
pub(super) fn begin(seen: &Seen, zone: Option<&String>) -> Next {
    if let Some(words) = room::is_anothers(seen) {
        return Next::wait(seen, Reason::RoomOfAnother, words);
    }
    let name = match &seen.more.name {
        Some(Ok(name)) => name.clone(),
        // It was looked at before the cordon; who changes it since has to be told. Till then nothing is lost.
        Some(Err(why)) => return Next::wait(seen, Reason::Naming, why),
        None => return Next::wait(seen, Reason::Naming, ""),
    };
    let next = Replacement {
        zone: zone.cloned(),
        ..attempt(seen, next_attempt(&seen.record), name)
    };
    let tried = Tried {
        rung: Rung::Replace,
        since: seen.now,
        outcome: Outcome::Running,
        reason: Reason::CreatingPorts,
    };
    Next::enter(
        seen,
        Phase::CreatingPorts,
        Reason::CreatingPorts,
        &next.name,
    )
    .with(|record| {
        record.replacement = Some(next);
        // a cloud that is full for days is one line of the story
        record.tried.pop_if(|last| history::had_no_room(last));
        record.tried.push(tried);
    })
}

/// The next attempt, or a person, after one was discarded. Nothing of it is left then but the cordon, which stays: a node
/// that can neither be healed nor replaced gets no new pods until somebody has looked at it.
pub(super) fn again(seen: &Seen) -> Next {
    if let Err(none) = &seen.pool
        && seen.record.side() == Side::RoomMade
    {
        let reason = Reason::from(*none);
        return match room::stands_long_without(seen) {
            true => Next::enter(seen, Phase::NeedsHuman, reason, ""),
            false => Next::wait(seen, reason, ""),
        };
    }
    let last = seen.record.tried.last();
    if let Some(last) = last.filter(|last| history::had_no_room(last)) {
        return elsewhere(seen, last.reason);
    }
    let failed = history::failed_replacements(seen);
    if failed < ATTEMPTS {
        if let Some(words) = &seen.hands.no_creates {
            return Next::wait(seen, Reason::CreatesStopped, words);
        }
        return begin(seen, None);
    }
    Next::enter(
        seen,
        Phase::NeedsHuman,
        Reason::AttemptsUsedUp,
        format!("{failed} attempts failed"),
    )
}

/// There was no room for the last one: in the pool's next zone that can have it, or a while later in the first. That is nobody's
/// failure, and does not use up the attempts.
fn elsewhere(seen: &Seen, reason: Reason) -> Next {
    let zones = further_zones(seen);
    let Some(bound) = seen
        .more
        .bound
        .as_ref()
        .or_else(|| zones.is_empty().then_some(&NONE))
    else {
        return Next::wait(seen, reason, "");
    };
    let barred = |zone: &&String| bound.get(*zone).is_none_or(|pods| !pods.is_empty());
    if let Some(zone) = zones.iter().find(|zone| !barred(zone)) {
        return begin(seen, Some(zone));
    }
    let mut words: Vec<String> = zones
        .iter()
        .filter_map(|zone| {
            let pods = bound.get(zone)?;
            Some(format!("not in {zone}: {}", listed(pods, pods.len())))
        })
        .collect();
    if reason == Reason::UsedUp {
        words.extend(refusal(seen));
    } else if zones.is_empty() {
        words.push(match seen.record.side() {
            Side::RoomMade => "somebody else has the room that its server left".to_owned(),
            Side::Before | Side::MakingRoom | Side::Committed => "no other zone is left".to_owned(),
        });
    }
    match room::make(seen) {
        Ok(next) => return next,
        Err(why) if why.is_empty() => {}
        Err(why) => words.push(why),
    }
    if age(seen) < NO_HOST {
        return Next::wait(seen, reason, words.join("; "));
    }
    match room::is_long_without(seen) {
        true => Next::enter(seen, Phase::NeedsHuman, reason, words.join("; ")),
        false => begin(seen, None),
    }
}

/// The cloud's words, as the last attempt ended with them.
fn refusal(seen: &Seen) -> Option<String> {
    let mut steps = seen.record.steps.iter().rev();
    let ended = steps.find(|step| step.phase == Phase::Discarding)?;
    Some(ended.detail.clone()).filter(|words| !words.is_empty())
}

static NONE: BTreeMap<String, Vec<String>> = BTreeMap::new();

/// The pool's zones that follow the one in which the last attempt was made. A server that has gone first left its room in its own,
/// and a quota is the project's.
pub(super) fn further_zones(seen: &Seen) -> &[String] {
    let zones = seen.pool.as_ref().map_or(&[][..], |rules| &rules.zones);
    let last = seen.record.replacement.as_ref();
    let tried = seen.record.tried.last();
    let used_up = tried.is_some_and(|tried| tried.reason == Reason::UsedUp);
    match last.map(|last| &last.zone) {
        _ if seen.record.side() != Side::Before || used_up => &[],
        None => &[],
        Some(None) => zones,
        Some(Some(last)) => {
            // one that the pool does not name any more is before all that it names
            let at = zones.iter().position(|zone| zone == last);
            at.map_or(zones, |at| zones.get(at + 1..).unwrap_or_default())
        }
    }
}
