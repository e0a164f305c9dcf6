//! Problems that come as events and not as a state, which Node Problem Detector calls temporary: a task that hung, a process
//! that was killed for want of memory. It counts each of them since it began; what of that is lately is kept here, and an
//! operator's [rule](super::own) makes a condition of what is often. systemd counts a unit's restarts in the same way.
//!
//! | what happened | what is known then |
//! |---|---|
//! | we begin to look, or the detector began anew | what was counted before is of no known time, and counts for nothing |
//! | we were away for [`AWAY`], or the clock jumped | what was counted meanwhile counts as of now, and what was before is as old as it was then |
//! | it was looked at for less than a rule's window | the rule's condition may be True, and is not False yet |
//! | a remedy for a problem was carried out | for that problem counts what comes after it |

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::clock::seconds_between;
use crate::name::ConditionKind;
use crate::policy::{EventCount, Seconds, Status};

/// So far back it is known what happened when.
pub(super) const WINDOW: Seconds = 3600;

/// After a longer pause between two looks it is not known when what was counted happened. 2 min: readings are seconds apart.
const AWAY: Seconds = 120;

/// Events that were counted within so many seconds are remembered as one sum, so that a log that is flooded fills no memory.
const TOGETHER: Seconds = 10;

/// So many reasons are remembered, the first by name. Node Problem Detector's own configuration knows some dozen.
const REASONS: usize = 256;

/// What a total that is smaller than before says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anew {
    /// Whoever counts was restarted, and may count what it had counted once more.
    Recounted,
    /// It was set to nothing, and what it shows has happened since.
    Since,
}

/// What was counted lately.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Counts {
    looked: Option<Timestamp>,
    reasons: BTreeMap<String, Counted>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Counted {
    /// As its detector has counted.
    total: u64,
    /// Since when every one of them is known.
    since: Timestamp,
    /// How many, and when; the oldest first.
    lately: Vec<(Timestamp, u32)>,
    /// When a remedy was carried out for it, by whose problem that was.
    remedied: BTreeMap<ConditionKind, Timestamp>,
    /// Nothing is added to the last sum: a remedy stands between.
    is_closed: bool,
}

impl Counted {
    fn begun(total: u64, now: Timestamp) -> Self {
        Self {
            total,
            since: now,
            lately: Vec::new(),
            remedied: BTreeMap::new(),
            is_closed: false,
        }
    }

    fn add(&mut self, now: Timestamp, more: u64) {
        if more == 0 {
            return;
        }
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        match self.lately.last_mut() {
            Some((at, count)) if !self.is_closed && seconds_between(*at, now) < TOGETHER => {
                *count = count.saturating_add(more);
            }
            Some(_) | None => self.lately.push((now, more)),
        }
        self.is_closed = false;
    }

    /// In the time between nobody looked, or the clock jumped: all that is known is as old now as it was then.
    fn shift(&mut self, looked: Timestamp, now: Timestamp) {
        let pause = now.duration_since(looked);
        let times = self.lately.iter_mut().map(|(at, _)| at);
        for at in times.chain(self.remedied.values_mut()) {
            *at = at.saturating_add(pause).unwrap_or(now);
        }
        self.since = now;
    }

    fn within(&self, now: Timestamp, window: Seconds, from: Option<Timestamp>) -> u32 {
        let counts = |(at, _): &&(Timestamp, u32)| {
            seconds_between(*at, now) < window && from.is_none_or(|from| *at > from)
        };
        let recent = self.lately.iter().rev().take_while(counts);
        recent.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

impl Counts {
    /// Takes in what was counted, by reason, since whoever counts began.
    pub(super) fn take_in(&mut self, now: Timestamp, totals: &BTreeMap<String, u64>, anew: Anew) {
        let before = self.looked.replace(now);
        let is_gap = |looked: &Timestamp| *looked > now || seconds_between(*looked, now) > AWAY;
        let gap = before.filter(is_gap);
        let totals: BTreeMap<&String, u64> = totals
            .iter()
            .take(REASONS)
            .map(|(reason, total)| (reason, *total))
            .collect();
        self.reasons.retain(|reason, _| totals.contains_key(reason));
        for (reason, total) in totals {
            let counted = self.reasons.entry(reason.clone());
            let counted = counted.or_insert_with(|| Counted::begun(total, now));
            if let Some(looked) = gap {
                counted.shift(looked, now);
            }
            match (total.checked_sub(counted.total), anew) {
                (Some(more), _) => counted.add(now, more),
                (None, Anew::Since) => counted.add(now, total),
                (None, Anew::Recounted) => counted.since = now,
            }
            counted.total = total;
            let is_old = |at: Timestamp| seconds_between(at, now) >= WINDOW;
            let old = counted.lately.partition_point(|(at, _)| is_old(*at));
            counted.lately.drain(..old);
            counted.remedied.retain(|_, at| !is_old(*at));
        }
    }

    /// A remedy was carried out for a problem that rests on this reason: for that problem it is counted from now on.
    pub(super) fn remedied(&mut self, reason: &str, kind: &ConditionKind, now: Timestamp) {
        if let Some(counted) = self.reasons.get_mut(reason) {
            counted.remedied.insert(kind.clone(), now);
            counted.is_closed = true;
        }
    }

    /// Was it counted so often within so many seconds, for this problem? `None`: nobody counts this, which says nothing.
    pub(super) fn is_often(
        &self,
        reason: &str,
        (count, within): (u32, Seconds),
        kind: &ConditionKind,
        now: Timestamp,
    ) -> Option<Status> {
        let counted = self.reasons.get(reason)?;
        let from = counted.remedied.get(kind).copied();
        // what came after the remedy is all known, if nobody began anew since
        let is_known = from.is_some_and(|from| from >= counted.since)
            || seconds_between(counted.since, now) >= within;
        Some(match counted.within(now, within, from) >= count {
            true => Status::Yes,
            false if !is_known => Status::Unknown,
            false => Status::No,
        })
    }

    /// What happened within the last [`WINDOW`], by reason.
    pub(super) fn events(&self, now: Timestamp) -> Vec<EventCount> {
        let event = |(reason, counted): (&String, &Counted)| {
            let (last, _) = counted.lately.last()?;
            Some(EventCount {
                reason: reason.clone(),
                message: String::new(),
                count: counted.within(now, WINDOW, None),
                window: WINDOW,
                last_seen: seconds_between(*last, now),
            })
        };
        let events = self.reasons.iter().filter_map(event);
        events.filter(|event| event.count > 0).collect()
    }

    /// Is this reason counted by anybody?
    pub(super) fn knows(&self, reason: &str) -> bool {
        self.reasons.contains_key(reason)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn kind(text: &str) -> ConditionKind {
        ConditionKind::parse(text).unwrap()
    }

    fn look(counts: &mut Counts, second: i64, total: u64) -> Status {
        let totals = [("TaskHung".to_owned(), total)].into();
        counts.take_in(at(second), &totals, Anew::Recounted);
        status(counts, second)
    }

    fn status(counts: &Counts, second: i64) -> Status {
        counts
            .is_often("TaskHung", (3, 600), &kind("TasksHang"), at(second))
            .unwrap()
    }

    /// Looks without a gap in which nothing happens.
    fn quiet(counts: &mut Counts, from: i64, to: i64, total: u64) -> Status {
        let all = (from..=to).step_by(60);
        all.map(|second| look(counts, second, total))
            .last()
            .unwrap()
    }

    #[test]
    fn what_is_often_is_a_problem_until_its_window_is_over() {
        let mut counts = Counts::default();
        assert_eq!(quiet(&mut counts, 0, 540, 7), Status::Unknown);
        assert_eq!(look(&mut counts, 600, 7), Status::No);
        assert_eq!(look(&mut counts, 605, 9), Status::No);
        assert_eq!(look(&mut counts, 660, 10), Status::Yes);
        assert_eq!(quiet(&mut counts, 720, 1200, 10), Status::Yes);
        assert_eq!(look(&mut counts, 1204, 10), Status::Yes);
        assert_eq!(look(&mut counts, 1205, 10), Status::No);
    }

    #[test]
    fn after_a_remedy_it_is_counted_anew() {
        let mut counts = Counts::default();
        look(&mut counts, 0, 0);
        assert_eq!(look(&mut counts, 60, 5), Status::Yes);
        counts.remedied("TaskHung", &kind("TasksHang"), at(61));
        assert_eq!(look(&mut counts, 63, 5), Status::No);
        assert_eq!(look(&mut counts, 64, 7), Status::No);
        // nor does what was read in the very moment of the remedy
        let mut same = counts.clone();
        same.take_in(
            at(65),
            &[("TaskHung".to_owned(), 10)].into(),
            Anew::Recounted,
        );
        same.remedied("TaskHung", &kind("TasksHang"), at(65));
        assert_eq!(look(&mut same, 66, 10), Status::No);
        // for another problem, and for whoever looks at what happened, nothing is forgotten
        let other = counts.is_often("TaskHung", (3, 600), &kind("Other"), at(64));
        assert_eq!(other, Some(Status::Yes));
        assert_eq!(counts.events(at(64))[0].count, 7);
        assert_eq!(look(&mut counts, 80, 8), Status::Yes);
        // its detector begins anew: what came after the remedy is not all known any more
        counts.remedied("TaskHung", &kind("TasksHang"), at(81));
        assert_eq!(look(&mut counts, 90, 0), Status::Unknown);
    }

    #[test]
    fn what_is_set_to_nothing_goes_on_from_there() {
        let mut counts = Counts::default();
        let restarts = |counts: &mut Counts, second, total| {
            let totals = [("a".to_owned(), total)].into();
            counts.take_in(at(second), &totals, Anew::Since);
            let all = counts.is_often("a", (3, 600), &kind("A"), at(second));
            all.unwrap()
        };
        assert_eq!(restarts(&mut counts, 0, 5), Status::Unknown);
        assert_eq!(restarts(&mut counts, 30, 7), Status::Unknown);
        assert_eq!(restarts(&mut counts, 60, 0), Status::Unknown);
        assert_eq!(restarts(&mut counts, 90, 1), Status::Yes);
    }

    #[test]
    fn what_is_far_apart_stays_so_over_a_pause() {
        let mut counts = Counts::default();
        quiet(&mut counts, 0, 600, 0);
        assert_eq!(look(&mut counts, 660, 2), Status::No);
        assert_eq!(quiet(&mut counts, 700, 1180, 2), Status::No);
        // 521 s after the two, and away for long: they are 521 s old, and gone soon
        assert_eq!(look(&mut counts, 9000, 2), Status::Unknown);
        assert_eq!(look(&mut counts, 9085, 3), Status::Unknown);
        assert_eq!(quiet(&mut counts, 9100, 9640, 3), Status::No);
    }

    #[test]
    fn what_was_counted_before_we_looked_is_of_no_known_time() {
        let mut counts = Counts::default();
        assert_eq!(look(&mut counts, 0, 1000), Status::Unknown);
        assert_eq!(counts.events(at(0)), []);
    }

    #[test]
    fn a_detector_that_begins_anew_neither_heals_nor_counts_twice() {
        let mut counts = Counts::default();
        quiet(&mut counts, 0, 600, 0);
        assert_eq!(look(&mut counts, 610, 2), Status::No);
        // it reads its log again, and counts the two once more
        assert_eq!(look(&mut counts, 620, 2), Status::No);
        assert_eq!(look(&mut counts, 630, 0), Status::Unknown);
        assert_eq!(look(&mut counts, 640, 1), Status::Yes);
        assert_eq!(quiet(&mut counts, 650, 1190, 1), Status::Yes);
        // the two of before are over, and the one after is not enough
        assert_eq!(look(&mut counts, 1215, 1), Status::Unknown);
        assert_eq!(look(&mut counts, 1230, 1), Status::No);
    }

    #[test]
    fn a_clock_that_jumps_and_a_pause_of_ours_end_no_problem() {
        for next in [660 + 86_400, 660 - 86_400] {
            let mut counts = Counts::default();
            quiet(&mut counts, 0, 600, 0);
            assert_eq!(look(&mut counts, 660, 3), Status::Yes);
            assert_eq!(look(&mut counts, next, 3), Status::Yes, "{next}");
            assert_eq!(quiet(&mut counts, next, next + 599, 3), Status::Yes);
            assert_eq!(look(&mut counts, next + 600, 3), Status::No);
        }
    }

    #[test]
    fn a_reason_that_nobody_counts_any_more_is_not_reported() {
        let mut counts = Counts::default();
        look(&mut counts, 0, 0);
        assert!(counts.knows("TaskHung"));
        counts.take_in(at(3), &BTreeMap::new(), Anew::Recounted);
        let told = counts.is_often("TaskHung", (3, 600), &kind("TasksHang"), at(3));
        assert_eq!(told, None);
        assert!(!counts.knows("TaskHung"));
    }

    #[test]
    fn a_policy_sees_what_happened_within_the_hour() {
        let mut counts = Counts::default();
        look(&mut counts, 0, 5);
        look(&mut counts, 60, 6);
        look(&mut counts, 100, 8);
        let events = counts.events(at(130));
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].count, events[0].last_seen), (3, 30));
        assert_eq!(events[0].reason, "TaskHung");
        quiet(&mut counts, 160, 3640, 8);
        assert_eq!(counts.events(at(3660))[0].count, 2);
        quiet(&mut counts, 3660, 3720, 8);
        assert_eq!(counts.events(at(3720)), []);
    }

    proptest! {
        /// Whatever is counted, whenever it is looked at: memory is bounded, what was not counted is no problem, and what was
        /// counted while we looked is never missed.
        #[test]
        fn nothing_is_made_up_and_nothing_missed(steps in proptest::collection::vec((1_i64..100, 0_u64..3), 1..200)) {
            let mut counts = Counts::default();
            let (mut second, mut total, mut seen) = (0, 40, Vec::new());
            look(&mut counts, second, total);
            for (pause, more) in steps {
                second += pause;
                total += more;
                seen.push((second, more));
                let status = look(&mut counts, second, total);
                let sum = |from: i64| -> u64 {
                    seen.iter().filter(|(at, _)| *at > from).map(|(_, more)| more).sum()
                };
                // sums of a few seconds are dated by the first of them
                let (least, most) = (sum(second - 600 + i64::from(TOGETHER)), sum(second - 600));
                prop_assert!(least < 3 || status == Status::Yes);
                prop_assert!(most >= 3 || status != Status::Yes);
                prop_assert!(status != Status::No || second >= 600);
                prop_assert!(counts.reasons["TaskHung"].lately.len() <= 361);
            }
        }
    }
}
