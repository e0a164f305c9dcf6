//! How long each step of a test took, told while it runs.

use std::time::Instant;

/// A clock that is read step by step.
#[derive(Debug)]
pub struct Timeline {
    start: Instant,
    last: Instant,
}

impl Timeline {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            last: now,
        }
    }

    /// Prints that `what` is done: the seconds since the start, and those that it took.
    pub fn step(&mut self, what: &str) {
        let now = Instant::now();
        let (all, this) = (now - self.start, now - self.last);
        println!(
            "{:8.3} s  (+{:.3})  {what}",
            all.as_secs_f64(),
            this.as_secs_f64()
        );
        self.last = now;
    }
}
