//! Which repairs are in flight: there is room for so many in a pool, and the others wait for theirs
//! ([`budget`](crate::budget)).
//!
//! Which of those that wait is next is the controller's to keep, in one place for all passes ([`Turn`] is what a decision
//! sees of it); here is what counts.

use jiff::Timestamp;

use super::phase::Phase;
use super::record::{Record, Rung};
use super::room::Side;
use crate::clock::seconds_between;
use crate::policy::Seconds;
use crate::reason::Reason;

/// A repair that rests with its node cordoned keeps the turn of its pool so long, and no longer: a person was told when it
/// began to rest, and one node that nobody can heal must not leave the others sick for ever. An hour, so that a fault which
/// hits every replacement (an image that does not boot) cordons no more than a node an hour until somebody looks.
const RESTING: Seconds = 3600;

/// Whether a repair may begin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Turn {
    /// It may.
    #[default]
    Free,
    /// It waits, for this reason, and more for people.
    Waits(Reason, String),
}

/// As much of a repair as says whether it is in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// Its phase.
    pub phase: Phase,
    /// When that was entered.
    pub since: Option<Timestamp>,
    /// The rung that was begun last, if one was: the node may bear our cordon.
    pub rung: Option<Rung>,
    /// The pool by whose rules it began.
    pub pool: Option<String>,
    /// On which side of the point of no return it is.
    pub side: Side,
}

impl Flight {
    /// Of this record.
    pub fn of(record: &Record) -> Self {
        Self {
            phase: record.phase,
            since: record.since,
            rung: record.rung,
            pool: record.pool.clone(),
            side: record.side(),
        }
    }

    /// Does it keep the others of its pool waiting?
    pub fn counts(&self, now: Timestamp) -> bool {
        let rests_long = self
            .since
            .is_some_and(|since| seconds_between(since, now) >= RESTING);
        match self.phase {
            Phase::HealingInNode | Phase::Recovered | Phase::Replaced | Phase::Cancelled => false,
            // Between two rungs, or before a person: the cordon stands, and nothing moves by itself.
            Phase::Judging | Phase::NeedsHuman => self.rung.is_some() && !rests_long,
            Phase::Cordoning
            | Phase::RebootDraining
            | Phase::GrantOffered
            | Phase::Rebooting
            | Phase::HardRebooting
            | Phase::Settling
            | Phase::Uncordoning
            | Phase::CreatingPorts
            | Phase::CreatingServer
            | Phase::Joining
            | Phase::Discarding
            | Phase::Committed
            | Phase::Draining
            | Phase::Stopping
            | Phase::Detaching
            | Phase::AwaitingOwners
            | Phase::DeletingServer
            | Phase::DeletingNode
            | Phase::RollingBack => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::at;
    use super::*;

    #[test]
    fn a_repair_counts_from_its_first_intrusive_step_until_it_is_over() {
        for phase in Phase::ALL {
            let record = Record {
                phase,
                since: Some(at(0)),
                rung: Some(Rung::Replace),
                ..Record::default()
            };
            let counts = Flight::of(&record).counts(at(60));
            let expected = phase != Phase::HealingInNode && !phase.is_final();
            assert_eq!(counts, expected, "{phase:?}");
            let untouched = Record {
                rung: None,
                ..record
            };
            if [Phase::Judging, Phase::NeedsHuman].contains(&phase) {
                assert!(!Flight::of(&untouched).counts(at(60)), "{phase:?}");
            }
        }
    }

    #[test]
    fn one_that_nobody_resolves_gives_its_turn_up_after_an_hour() {
        for (phase, ends) in [
            (Phase::NeedsHuman, true),
            (Phase::Judging, true),
            (Phase::Draining, false),
        ] {
            let record = Record {
                phase,
                since: Some(at(0)),
                rung: Some(Rung::Replace),
                ..Record::default()
            };
            let flight = Flight::of(&record);
            assert!(flight.counts(at(3599)), "{phase:?}");
            assert_eq!(flight.counts(at(3600)), !ends, "{phase:?}");
        }
    }
}
