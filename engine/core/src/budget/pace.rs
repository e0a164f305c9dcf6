//! How fast repairs of a pool begin, when its breaker lets them.

use jiff::Timestamp;

use super::{HOUR, share_down, share_up};
use crate::clock::{SignedDuration, seconds_between};
use crate::name::NodeName;
use crate::policy::Seconds;
use crate::reason::Reason;
use crate::repair::Rung;

/// So many replacements of a pool that fail one after the other are none of their nodes' fault.
const IN_A_ROW: usize = 3;
/// One is tried again after this: 30 min.
const PROBE: Seconds = 1800;

/// How fast a pool is repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// So many of its nodes in percent, rounded down, are in repair at once; one always may be.
    pub in_flight: u32,
    /// And so many at most.
    pub at_most: u32,
    /// From one repair's begin to the next.
    pub every: Seconds,
    /// In the whole cluster, so many of its nodes in percent, rounded up, are replaced within an hour; one always may be.
    pub hourly: u32,
}

impl Pace {
    /// How many repairs of a pool with so many nodes may be in flight.
    pub fn cap(&self, nodes: u32) -> u32 {
        share_down(self.in_flight, nodes).min(self.at_most).max(1)
    }
}

/// An attempt to replace a node of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub began: Timestamp,
    /// Whether it came to a commit, or failed; a cloud that is full is no failure.
    pub went_well: Option<bool>,
}

/// What is under way, and was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Work {
    /// Which nodes of the pool are in repair, and in which zone each is.
    pub in_flight: Vec<(NodeName, String)>,
    /// How many zones the pool has.
    pub zones: u32,
    /// When a repair of the pool last began.
    pub began: Option<Timestamp>,
    /// Its replacements of the last day.
    pub attempts: Vec<Attempt>,
    /// When replacements of the whole cluster began.
    pub replaced: Vec<Timestamp>,
    /// How many nodes the whole cluster has.
    pub nodes: u32,
}

/// Who wants to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The zone of its node.
    pub zone: String,
    /// By which rung.
    pub rung: Rung,
    /// It is in flight already: an earlier rung did not help.
    pub goes_on: bool,
}

impl Work {
    /// May it begin beside `allowed` in flight? Else why not.
    ///
    /// # Errors
    /// The reason, and more of it for people.
    pub fn admits(
        &self,
        one: &Candidate,
        allowed: u32,
        pace: &Pace,
        now: Timestamp,
    ) -> Result<(), (Reason, String)> {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        if !one.goes_on {
            self.has_room(&one.zone, allowed, pace, now)?;
        }
        if one.rung != Rung::Replace {
            return Ok(());
        }
        if self.stopped(now).is_some() {
            return Err((Reason::CreatesStopped, String::new()));
        }
        let most = share_up(pace.hourly, self.nodes).max(1);
        let recent = self.replaced.iter();
        let recent = recent.filter(|at| waits(**at, HOUR, now).is_some());
        match count(recent.count()) >= most {
            true => Err((Reason::HourlyUsedUp, format!("{most} in an hour"))),
            false => Ok(()),
        }
    }

    /// Is there room beside those in flight, and is it time?
    fn has_room(
        &self,
        zone: &str,
        allowed: u32,
        pace: &Pace,
        now: Timestamp,
    ) -> Result<(), (Reason, String)> {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        if let Some((first, _)) = self.in_flight.first()
            && count(self.in_flight.len()) >= allowed
        {
            // by name alone: who waits is not to be told each step of another's repair
            return Err((Reason::AnotherRepairRuns, first.to_string()));
        }
        let share = allowed.div_ceil(self.zones.max(1));
        let here = self.in_flight.iter().filter(|(_, of)| of == zone);
        if count(here.count()) >= share && !self.in_flight.is_empty() {
            let words = format!("{share} in zone {zone}");
            return Err((Reason::ZoneInRepair, words));
        }
        // words that change with every begin would be written anew by all who wait
        if self
            .began
            .is_some_and(|began| waits(began, pace.every, now).is_some())
        {
            return Err((Reason::Paced, format!("one in {} s", pace.every)));
        }
        Ok(())
    }

    /// Until when no replacement of the pool is made: the last three failed.
    pub fn stopped(&self, now: Timestamp) -> Option<Timestamp> {
        let mut ended: Vec<&Attempt> = self.attempts.iter().collect();
        ended.sort_by_key(|attempt| attempt.began);
        let last = ended.iter().rev().filter(|one| one.went_well.is_some());
        let failed = last.take_while(|one| one.went_well == Some(false));
        if failed.count() < IN_A_ROW {
            return None;
        }
        // the newest, whether it has ended or not: a probe under way is one
        let newest = ended.last()?;
        waits(newest.began, PROBE, now)
    }
}

fn after(at: Timestamp, wait: Seconds) -> Timestamp {
    at + SignedDuration::from_secs(wait.into())
}

/// Until when it counts. What lies further ahead than it would count is of a clock that was put back, and holds nothing.
fn waits(since: Timestamp, wait: Seconds, now: Timestamp) -> Option<Timestamp> {
    let is_recent = seconds_between(since, now) < wait && seconds_between(now, since) <= wait;
    is_recent.then(|| after(since, wait))
}
