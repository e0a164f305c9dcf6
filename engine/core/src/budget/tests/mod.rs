//! Line by line, and what the tests of both share.

mod breaker;
mod pace;

use jiff::Timestamp;

use super::*;
use crate::repair::Rung;

pub(super) const LIMITS: Limits = Limits {
    sick: 30,
    zone_sick: 50,
    together: 10,
    trickles: true,
};

pub(super) const PACE: Pace = Pace {
    in_flight: 5,
    at_most: 10,
    every: 300,
    hourly: 1,
};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn sight(nodes: u32, ailing: u32) -> Sight {
    Sight {
        nodes,
        ailing,
        cap: PACE.cap(nodes),
        ..Sight::default()
    }
}

pub(super) fn one(zone: &str, rung: Rung) -> Candidate {
    Candidate {
        zone: zone.to_owned(),
        rung,
        goes_on: false,
    }
}
