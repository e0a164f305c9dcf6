//! The world's wall clock: tokio's, which a test can pause, counted from a given moment.

use rectifier_core::clock::{Clock, SignedDuration, Timestamp};
use tokio::time::Instant;

/// Runs a world's future to its end, on one thread, in virtual time: it moves on when everybody waits.
///
/// # Errors
/// There is no runtime to be had.
pub fn in_virtual_time<T>(future: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    Ok(runtime.block_on(future))
}

/// Moves with tokio's clock.
#[derive(Debug, Clone)]
pub struct WorldClock {
    began: Instant,
    at: Timestamp,
}

impl WorldClock {
    /// It is `at` now.
    pub fn starting(at: Timestamp) -> Self {
        Self {
            began: Instant::now(),
            at,
        }
    }
}

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        self.at.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_moves_with_the_paused_clock_alone() {
        let clock = WorldClock::starting(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert_eq!(clock.now().as_second(), 90);
    }
}
