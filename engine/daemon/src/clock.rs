//! The wall clock: the one place that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

use rectifier_core::clock::{Clock, Timestamp};

/// The machine's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the clock comes from"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let nanos = i128::try_from(since.as_nanos()).unwrap_or(i128::MAX);
        // A clock beyond the year 9999 is no clock.
        Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::MAX)
    }
}
