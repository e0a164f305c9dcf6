//! A policy that keeps failing is left alone for a while, so that it costs the engine nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open it. Arbitrary: two may be one unlucky episode asked twice.
const FAILURES: u32 = 3;
/// The first pause. A minute is several rounds of an episode.
const FIRST: Duration = Duration::from_secs(60);
/// The longest pause: half an hour, so that a cured policy is back within an operator's patience.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// Closed, open until a moment, or (past it) letting calls through of which the next failure opens it for longer.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    pause: Option<Duration>,
    /// It has answered since the last failure, if there was one.
    answered: bool,
}

impl Breaker {
    /// How long it stays open, or `None` if the policy may be asked.
    pub(crate) fn open_for(&self, now: Instant) -> Option<Duration> {
        self.state()
            .open_until
            .and_then(|until| until.checked_duration_since(now))
            .filter(|left| !left.is_zero())
    }

    /// Was the last answer a failure? `None`: it was not asked yet.
    pub(crate) fn is_failing(&self) -> Option<bool> {
        let state = self.state();
        let is_failing = state.failures > 0;
        (is_failing || state.answered).then_some(is_failing)
    }

    pub(crate) fn succeeded(&self) {
        *self.state() = State {
            answered: true,
            ..State::default()
        };
    }

    pub(crate) fn failed(&self, now: Instant) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures < FAILURES {
            return;
        }
        let pause = state.pause.map_or(FIRST, |last| (last * 2).min(LONGEST));
        state.pause = Some(pause);
        state.open_until = Some(now + pause);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_open_it_and_each_further_one_doubles_the_pause() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        breaker.failed(now);
        breaker.failed(now);
        assert_eq!(breaker.open_for(now), None);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            breaker.failed(now);
            let pause = breaker.open_for(now).unwrap();
            pauses.push(pause.as_secs());
            now += pause;
            assert_eq!(breaker.open_for(now), None);
        }
        assert_eq!(pauses, [60, 120, 240, 480, 960, 1800, 1800]);
    }

    #[test]
    fn one_success_forgets_the_failures() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        assert_eq!(breaker.is_failing(), None);
        breaker.failed(now);
        breaker.failed(now);
        assert_eq!(breaker.is_failing(), Some(true));
        breaker.succeeded();
        assert_eq!(breaker.is_failing(), Some(false));
        breaker.failed(now);
        breaker.failed(now);
        assert_eq!(breaker.open_for(now), None);
    }
}
