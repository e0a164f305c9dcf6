//! The time by this machine's clock, and spans as people read them.

use rectifier_core::clock::{Timestamp, seconds_between};

/// To the second.
#[expect(
    clippy::disallowed_methods,
    reason = "what is shown is as of now; nothing is decided by it here"
)]
pub(crate) fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = now.map_or(0, |since| since.as_secs());
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// From one to the other, in the two units that say most: `45 s`, `12 min`, `3 h 20 min`, `5 d 2 h`.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> String {
    span(seconds_between(from, to).into())
}

/// Likewise.
pub(crate) fn span(seconds: u64) -> String {
    let with = |large: u64, name: &str, small: u64, below: &str| match small {
        0 => format!("{large} {name}"),
        _ => format!("{large} {name} {small} {below}"),
    };
    match seconds {
        0..120 => format!("{seconds} s"),
        120..3600 => format!("{} min", seconds / 60),
        3600..86_400 => with(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => with(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_the_units_in_which_they_are_read() {
        let spans = [45, 119, 725, 12_000, 7200, 439_200].map(span);
        assert_eq!(
            spans,
            ["45 s", "119 s", "12 min", "3 h 20 min", "2 h", "5 d 2 h"]
        );
    }
}
