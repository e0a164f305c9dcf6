//! How much of a cluster may be under repair at once: what keeps a wrong signal that is everywhere from emptying it.
//!
//! [`Breaker`] stops the repairs of a pool when so many of its nodes are ill that the cause is hardly theirs, and lets them
//! begin again, a few at first. [`Pace`] spreads over time and zones what the breaker lets begin. Both follow from what is
//! seen of the cluster and from the repairs' own records, so that a restart brings no burst.

mod breaker;
mod pace;

pub use breaker::{Breaker, Limits, Rule, Sight, State, Tripped, Turned, Zone, rules};
pub use pace::{Attempt, Candidate, Pace, Work};

use crate::policy::Seconds;

/// A node that a repair removed counts among the ill for so long, and replacements are counted over as long.
pub const HOUR: Seconds = 3600;

/// What turns in so short a time turns together.
pub const TOGETHER: Seconds = 300;

/// So many of `nodes`, rounded up.
fn share_up(percent: u32, nodes: u32) -> u32 {
    whole(u64::from(percent) * u64::from(nodes)).div_ceil(100)
}

/// So many of `nodes`, rounded down.
fn share_down(percent: u32, nodes: u32) -> u32 {
    whole(u64::from(percent) * u64::from(nodes)) / 100
}

fn whole(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
