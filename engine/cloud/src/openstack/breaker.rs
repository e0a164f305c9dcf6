//! The breaker before a cloud's API. After some failures in a row nothing is sent for a while; then one request finds out
//! whether it answers again. Who is not let through is told why, and waits: that is no evidence against any node.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tower::{Layer, Service};

use super::answer::retry_after;
use super::transport::{Request, Response, TransportError};

/// So many failures in a row open it: a request with its two further tries, and one more.
const FAILURES: u32 = 4;

/// It rests so long at first, and twice as long after each probe that fails. 5 s: a service that was started anew is back.
const FIRST: Duration = Duration::from_secs(5);

/// It rests no longer than this: a repair should not wait long for a cloud that is back.
const LONGEST: Duration = Duration::from_secs(60);

/// One for all that is sent to a cloud.
#[derive(Clone, Default)]
pub(super) struct Breaker(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// In a row.
    failures: u32,
    /// How often it has opened since something succeeded.
    opened: u32,
    /// Nothing is sent before.
    rests_until: Option<Instant>,
    /// One request is under way to find out.
    probed: bool,
    /// The last failure, in words.
    last: String,
}

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        // plain numbers, which the next answer overwrites
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// May it be sent now?
    fn admit(&self) -> Result<Turn, TransportError> {
        let mut state = self.state();
        let Some(until) = state.rests_until else {
            return Ok(self.turn(false));
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() && !state.probed {
            state.probed = true;
            return Ok(self.turn(true));
        }
        Err(TransportError::Resting(format!(
            "nothing is sent for {} s more, after {} failures in a row, the last: {}",
            left.as_secs().max(1),
            state.failures,
            state.last
        )))
    }

    fn turn(&self, is_probe: bool) -> Turn {
        Turn {
            breaker: self.clone(),
            is_probe,
        }
    }

    fn tell(&self, is_probe: bool, result: &Result<Response, TransportError>) {
        let mut state = self.state();
        // What was sent before it opened says nothing new, whether it fails as the others did or was answered all the same: a
        // pause that was asked for is kept.
        if !is_probe && state.rests_until.is_some() {
            return;
        }
        let rests = match verdict(result) {
            Verdict::Answers => {
                *state = State::default();
                return;
            }
            Verdict::Wants(rest) => {
                "it asked for a pause".clone_into(&mut state.last);
                Some(rest.min(LONGEST))
            }
            Verdict::Fails(why) => {
                state.last = why;
                let doubled = FIRST.saturating_mul(2_u32.saturating_pow(state.opened.min(16)));
                (state.failures + 1 >= FAILURES).then(|| doubled.min(LONGEST))
            }
        };
        state.failures = state.failures.saturating_add(1);
        if let Some(rest) = rests {
            tracing::warn!(
                seconds = rest.as_secs(),
                failures = state.failures,
                "the cloud's API is left alone: {}",
                state.last
            );
            state.opened = state.opened.saturating_add(1);
            state.rests_until = Some(Instant::now() + rest);
        }
    }
}

/// A request that was let through. Whoever gives up the one that is to find out leaves that to the next.
struct Turn {
    breaker: Breaker,
    is_probe: bool,
}

impl Turn {
    fn tell(&self, result: &Result<Response, TransportError>) {
        self.breaker.tell(self.is_probe, result);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.state().probed = false;
        }
    }
}

enum Verdict {
    Answers,
    /// It asks for a pause.
    Wants(Duration),
    Fails(String),
}

fn verdict(result: &Result<Response, TransportError>) -> Verdict {
    match result {
        Ok(response) => match (response.status, retry_after(response)) {
            (429 | 503, Some(rest)) => Verdict::Wants(rest),
            (500.., _) => Verdict::Fails(format!("it answered {}", response.status)),
            _ => Verdict::Answers,
        },
        // its cause may be long, and stands in the error of the request itself
        Err(error) => Verdict::Fails(error.to_string()),
    }
}

impl<S> Layer<S> for Breaker {
    type Service = Broken<S>;

    fn layer(&self, inner: S) -> Broken<S> {
        Broken {
            breaker: self.clone(),
            inner,
        }
    }
}

/// What is behind a breaker.
#[derive(Clone)]
pub(super) struct Broken<S> {
    breaker: Breaker,
    inner: S,
}

impl<S> Service<Request> for Broken<S>
where
    S: Service<Request, Response = Response, Error = TransportError>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let turn = match self.breaker.admit() {
            Ok(turn) => turn,
            Err(error) => return Box::pin(async { Err(error) }),
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let result = answer.await;
            turn.tell(&result);
            result
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, after: Option<&str>) -> Result<Response, TransportError> {
        let header = |after: &str| ("retry-after".to_owned(), after.to_owned());
        Ok(Response {
            status,
            headers: after.map(header).into_iter().collect(),
            body: Vec::new(),
        })
    }

    fn lost() -> Result<Response, TransportError> {
        Err(TransportError::Lost("cut".into()))
    }

    /// Is one let through? It is told to have ended so.
    fn sends(breaker: &Breaker, result: &Result<Response, TransportError>) -> bool {
        breaker.admit().is_ok_and(|turn| {
            turn.tell(result);
            true
        })
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn after_some_failures_in_a_row_it_rests_and_then_one_request_finds_out() {
        let breaker = Breaker::default();
        for failure in [
            lost(),
            answer(500, None),
            answer(404, None),
            lost(),
            lost(),
            lost(),
        ] {
            assert!(sends(&breaker, &failure));
        }
        assert!(sends(&breaker, &answer(502, None)), "the 404 was an answer");
        let why = breaker.admit().err().unwrap().to_string();
        assert!(
            why.contains("5 s more, after 4 failures in a row, the last: it answered 502"),
            "{why}"
        );
        pass(4).await;
        assert!(!sends(&breaker, &lost()));
        pass(1).await;
        let probe = breaker.admit().ok();
        assert!(probe.is_some() && breaker.admit().is_err(), "one at a time");
        drop(probe);
        assert!(
            sends(&breaker, &lost()),
            "it was given up: the next one finds out"
        );
        pass(9).await;
        assert!(!sends(&breaker, &lost()));
        pass(1).await;
        assert!(sends(&breaker, &answer(200, None)));
        assert!(
            sends(&breaker, &lost()) && sends(&breaker, &lost()),
            "as before"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_under_way_when_it_opened_makes_it_rest_no_longer() {
        let breaker = Breaker::default();
        let turns: Vec<Turn> = (0..16).filter_map(|_| breaker.admit().ok()).collect();
        assert_eq!(turns.len(), 16);
        for turn in turns {
            turn.tell(&lost());
        }
        pass(5).await;
        let probe = breaker.admit().ok();
        assert!(probe.is_some() && breaker.admit().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn it_never_rests_longer_than_a_minute() {
        let breaker = Breaker::default();
        for _ in 0..40 {
            sends(&breaker, &lost());
            pass(60).await;
        }
        assert!(sends(&breaker, &lost()));
        pass(59).await;
        assert!(!sends(&breaker, &lost()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cloud_that_asks_for_a_pause_gets_it() {
        for (after, rests) in [("7", 7), ("7200", 60)] {
            let breaker = Breaker::default();
            let under_way = breaker.admit().ok().unwrap();
            assert!(sends(&breaker, &answer(429, Some(after))));
            under_way.tell(&answer(200, None));
            let why = breaker.admit().err().unwrap().to_string();
            assert!(why.contains("the last: it asked for a pause"), "{why}");
            pass(rests - 1).await;
            assert!(!sends(&breaker, &lost()), "{after}");
            pass(1).await;
            assert!(sends(&breaker, &lost()), "{after}");
        }
        let breaker = Breaker::default();
        assert!(
            sends(&breaker, &answer(429, None)) && sends(&breaker, &lost()),
            "without a time"
        );
    }
}
