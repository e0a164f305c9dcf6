//! How fast passes begin when there are many.

use std::time::Duration;

use tokio::time::Instant;

/// Lets so many begin in a second, and more at once after a rest.
pub(crate) struct Rate {
    every: Duration,
    /// What a rest allows at once, in time.
    rest: Duration,
    /// When the next would begin if all had kept their distance.
    next: Instant,
}

impl Rate {
    pub(crate) fn new(in_a_second: u32, at_once: u32) -> Self {
        let every = Duration::from_secs(1) / in_a_second.max(1);
        Self {
            every,
            rest: every * at_once.saturating_sub(1),
            next: Instant::now(),
        }
    }

    /// May one begin now? Then it does.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let may = self.next <= now + self.rest;
        if may {
            self.next = self.next.max(now) + self.every;
        }
        may
    }

    /// From when on one may.
    pub(crate) fn free(&self, now: Instant) -> Instant {
        let wait = self.next.duration_since(now).saturating_sub(self.rest);
        now + wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_rest_some_begin_at_once_and_then_so_many_in_a_second() {
        let mut rate = Rate::new(10, 3);
        let began = Instant::now();
        let taken = |rate: &mut Rate| {
            let now = Instant::now();
            (0..100).take_while(|_| rate.take(now)).count()
        };
        assert_eq!(taken(&mut rate), 3);
        assert_eq!(
            rate.free(Instant::now()),
            began + Duration::from_millis(100)
        );
        let mut later = 0;
        for _ in 0..100 {
            tokio::time::advance(Duration::from_millis(50)).await;
            later += taken(&mut rate);
        }
        assert_eq!(later, 50, "in five seconds");
        tokio::time::advance(Duration::from_secs(3600)).await;
        let now = Instant::now();
        assert_eq!(rate.free(now), now);
        assert_eq!(taken(&mut rate), 3, "a long rest allows no more");
    }
}
