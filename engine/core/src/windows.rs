//! Maintenance windows: when problems that can wait are repaired. Times are the clock's on the wall in the pool's time zone, so
//! that a window stays where people expect it when the clocks change.
//!
//! | the clocks go | a window |
//! |---|---|
//! | forward over its beginning, or its end | begins, or ends, when they do |
//! | forward over all of it | is not there on that day |
//! | back over its end | lasts until the time comes the second time |

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "their names")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    fn of(weekday: Weekday) -> Self {
        match weekday {
            Weekday::Monday => Day::Monday,
            Weekday::Tuesday => Day::Tuesday,
            Weekday::Wednesday => Day::Wednesday,
            Weekday::Thursday => Day::Thursday,
            Weekday::Friday => Day::Friday,
            Weekday::Saturday => Day::Saturday,
            Weekday::Sunday => Day::Sunday,
        }
    }
}

/// When repairs may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// The days on which it begins; every day, if none is named.
    #[serde(default)]
    #[schemars(length(max = 7))]
    pub days: Vec<Day>,
    /// When it begins, as `HH:MM`.
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), length(max = 5))]
    pub from: String,
    /// When it ends, as `HH:MM`: on the next day, unless that is later than it begins.
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), length(max = 5))]
    pub to: String,
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// One is open.
    Open,
    /// The next one opens then.
    Opens(Timestamp),
    /// None does.
    Never,
}

/// How things stand with these windows.
pub fn opening(windows: &[Window], zone: &TimeZone, now: Timestamp) -> Opening {
    let today = zone.to_datetime(now).date();
    let mut next: Option<Timestamp> = None;
    // one that began yesterday may be open; after a week each has come, but for a day that clocks take away
    let days = today
        .yesterday()
        .into_iter()
        .chain(today.series(jiff::Span::new().days(1)));
    for day in days.take(16) {
        for window in windows {
            let Some((from, to)) = window.on(day, zone) else {
                continue;
            };
            if from <= now && now < to {
                return Opening::Open;
            }
            if from > now && from < to {
                next = Some(next.map_or(from, |known| known.min(from)));
            }
        }
    }
    next.map_or(Opening::Never, Opening::Opens)
}

impl Window {
    /// From when to when, if it begins on that day.
    fn on(&self, day: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        if !self.days.is_empty() && !self.days.contains(&Day::of(day.weekday())) {
            return None;
        }
        let time = |text: &str| Time::strptime("%H:%M", text).ok();
        let (from, to) = (time(&self.from)?, time(&self.to)?);
        let last = match to > from {
            true => day,
            false => day.tomorrow().ok()?,
        };
        let begins = instants(day.to_datetime(from), zone)?.0;
        let ends = instants(last.to_datetime(to), zone)?.1;
        Some((begins, ends))
    }
}

/// When clocks show this time for the first and for the last time; if they never do, when they pass over it.
fn instants(time: DateTime, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => {
            let at = offset.to_timestamp(time).ok()?;
            Some((at, at))
        }
        AmbiguousOffset::Fold { before, after } => {
            let at = |offset: Offset| offset.to_timestamp(time).ok();
            Some((at(before)?, at(after)?))
        }
        AmbiguousOffset::Gap { after, .. } => {
            // as they will show it, this is before the change
            let early = after.to_timestamp(time).ok()?;
            let change = zone.following(early).next()?.timestamp();
            Some((change, change))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &[Day], from: &str, to: &str) -> Window {
        Window {
            days: days.to_vec(),
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn look(windows: &[Window], zone: &TimeZone, now: &str) -> String {
        match opening(windows, zone, at(now)) {
            Opening::Open => "open".to_owned(),
            Opening::Opens(when) => when.to_string(),
            Opening::Never => "never".to_owned(),
        }
    }

    /// One hour ahead of UTC, two in summer.
    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    #[test]
    fn it_is_open_from_its_first_minute_and_not_in_its_last() {
        let windows = [window(&[], "01:00", "05:00")];
        let look = |now| look(&windows, &TimeZone::UTC, now);
        assert_eq!(look("2026-11-28T00:59:59Z"), "2026-11-28T01:00:00Z");
        assert_eq!(look("2026-11-28T01:00:00Z"), "open");
        assert_eq!(look("2026-11-28T04:59:59Z"), "open");
        assert_eq!(look("2026-11-28T05:00:00Z"), "2026-11-29T01:00:00Z");
    }

    #[test]
    fn over_midnight_it_is_the_day_of_its_beginning_that_counts() {
        // the 28th is a Saturday
        let windows = [window(&[Day::Saturday], "22:00", "06:00")];
        let look = |now| look(&windows, &TimeZone::UTC, now);
        assert_eq!(look("2026-11-28T05:00:00Z"), "2026-11-28T22:00:00Z");
        assert_eq!(look("2026-11-29T05:59:00Z"), "open");
        assert_eq!(look("2026-11-29T06:00:00Z"), "2026-12-05T22:00:00Z");
        let whole = [window(&[Day::Saturday], "00:00", "00:00")];
        assert_eq!(
            super::tests::look(&whole, &TimeZone::UTC, "2026-11-28T23:59:00Z"),
            "open"
        );
    }

    #[test]
    fn of_several_the_next_one_is_named() {
        let windows = [
            window(&[Day::Wednesday], "01:00", "02:00"),
            window(&[Day::Monday, Day::Tuesday], "03:00", "04:00"),
        ];
        let look = |now| look(&windows, &TimeZone::UTC, now);
        assert_eq!(look("2026-11-28T12:00:00Z"), "2026-11-30T03:00:00Z");
        assert_eq!(look("2026-12-01T05:00:00Z"), "2026-12-02T01:00:00Z");
    }

    #[test]
    fn it_stays_where_it_is_on_the_wall() {
        let windows = [window(&[], "01:00", "05:00")];
        let look = |now| look(&windows, &berlin(), now);
        assert_eq!(look("2026-01-15T12:00:00Z"), "2026-01-16T00:00:00Z");
        assert_eq!(look("2026-07-15T12:00:00Z"), "2026-07-15T23:00:00Z");
    }

    #[test]
    fn clocks_that_go_forward_shorten_it_or_take_it_away() {
        // at 02:00 it is 03:00
        let begins_in_it = [window(&[], "02:30", "05:00")];
        let ends_in_it = [window(&[], "01:30", "02:30")];
        let look = |windows: &[Window]| look(windows, &berlin(), "2026-03-28T22:00:00Z");
        assert_eq!(look(&begins_in_it), "2026-03-29T01:00:00Z");
        assert_eq!(look(&ends_in_it), "2026-03-29T00:30:00Z");
        let after =
            |windows: &[Window]| super::tests::look(windows, &berlin(), "2026-03-29T01:00:00Z");
        assert_eq!(after(&begins_in_it), "open");
        assert_eq!(after(&ends_in_it), "2026-03-29T23:30:00Z");
        for (from, to, next) in [
            ("02:00", "03:00", "2026-03-30T00:00:00Z"),
            ("02:15", "02:45", "2026-03-30T00:15:00Z"),
        ] {
            assert_eq!(look(&[window(&[], from, to)]), next);
        }
    }

    #[test]
    fn clocks_that_go_back_make_it_longer() {
        // at 03:00 it is 02:00 once more
        let windows = [window(&[], "02:00", "02:30")];
        let look = |now| look(&windows, &berlin(), now);
        assert_eq!(look("2026-10-24T23:59:00Z"), "2026-10-25T00:00:00Z");
        assert_eq!(look("2026-10-25T00:15:00Z"), "open");
        assert_eq!(look("2026-10-25T01:15:00Z"), "open");
        assert_eq!(look("2026-10-25T01:30:00Z"), "2026-10-26T01:00:00Z");
    }

    #[test]
    fn a_window_that_is_none_never_opens() {
        for windows in [Vec::new(), vec![window(&[], "25:00", "26:00")]] {
            assert_eq!(
                look(&windows, &TimeZone::UTC, "2026-11-28T12:00:00Z"),
                "never"
            );
        }
    }
}
