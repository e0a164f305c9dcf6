//! Time is an input. The engines take it from a [`Clock`] that `main` hands them, so that a simulator can own it.

pub use jiff::{SignedDuration, Timestamp};

/// Tells the wall clock's time. Sleeping is the runtime's affair (tokio's clock can be paused); this is only
/// for stamps that outlive the process.
pub trait Clock: Send + Sync {
    /// The present moment, UTC.
    fn now(&self) -> Timestamp;
}

/// Whole seconds from `earlier` to `later`, and 0 if the clock was set back between them: an age is never negative.
pub fn seconds_between(earlier: Timestamp, later: Timestamp) -> u32 {
    u32::try_from(later.duration_since(earlier).as_secs().max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_in_whole_seconds_and_never_negative() {
        let at = |milliseconds| Timestamp::from_millisecond(milliseconds).unwrap();
        assert_eq!(seconds_between(at(0), at(2_999)), 2);
        assert_eq!(seconds_between(at(2_999), at(0)), 0);
        assert_eq!(seconds_between(Timestamp::MIN, Timestamp::MAX), u32::MAX);
    }
}
