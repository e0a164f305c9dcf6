//! What stands before a cloud's API, so that a sick one is neither hammered nor waited for by everybody: of the requests a few
//! at a time, a breaker, and another try for what only reads.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, Sleep};
use tower::retry::Policy;
use tower::retry::backoff::{Backoff, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff};
use tower::retry::budget::{Budget, TpsBudget};
use tower::util::{BoxCloneSyncService, rng::HasherRng};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::answer::retry_after;
use super::breaker::Breaker;
use super::transport::{Method, Request, Response, Transport, TransportError};

/// Requests at a time, to all services of one cloud. A look at one repair asks for some six at once; ten repairs are in flight
/// at the most.
const AT_ONCE: usize = 16;

/// More tries after the first, of what only reads.
const TRIES: usize = 2;

/// They begin only if the first failed so soon: whoever waited long waits no longer, and looks again later.
const SOON: Duration = Duration::from_secs(5);

/// The first of them comes after this, the next after twice this, each up to half as long again.
const PAUSE: Duration = Duration::from_millis(200);

/// A transport, guarded.
pub(super) struct Guarded {
    service: BoxCloneSyncService<Request, Response, TransportError>,
    region: Option<String>,
}

impl Guarded {
    pub(super) fn new(transport: impl Transport + 'static) -> Self {
        let region = transport.region().map(str::to_owned);
        let transport = Arc::new(transport);
        let send = move |request| {
            let transport = transport.clone();
            async move { transport.send(request).await }
        };
        let service = ServiceBuilder::new()
            .retry(Again::default())
            .layer(Breaker::default())
            .concurrency_limit(AT_ONCE)
            .service(service_fn(send));
        Self {
            service: BoxCloneSyncService::new(service),
            region,
        }
    }
}

#[async_trait]
impl Transport for Guarded {
    fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.service.clone().oneshot(request).await
    }
}

/// Tries again what only reads. A write is never sent twice: what became of it is looked for first.
#[derive(Clone)]
struct Again {
    left: usize,
    /// When the request was first sent, and the pauses before its further tries: each request draws its own.
    begun: Option<(Instant, ExponentialBackoff<HasherRng>)>,
    /// Of all requests together: when everything fails, more tries are a load and no help.
    budget: Arc<TpsBudget>,
}

impl Default for Again {
    fn default() -> Self {
        Self {
            left: TRIES,
            begun: None,
            budget: Arc::new(TpsBudget::default()),
        }
    }
}

impl Policy<Request, Response, TransportError> for Again {
    type Future = Sleep;

    fn retry(
        &mut self,
        _: &mut Request,
        result: &mut Result<Response, TransportError>,
    ) -> Option<Sleep> {
        if !passes_by(result) {
            self.budget.deposit();
            return None;
        }
        let (begun, pauses) = self.begun.as_mut()?;
        if self.left == 0 || begun.elapsed() >= SOON || !self.budget.withdraw() {
            return None;
        }
        self.left -= 1;
        Some(pauses.next_backoff())
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        if self.begun.is_none() {
            let pauses = ExponentialBackoffMaker::new(PAUSE, PAUSE * 8, 0.5, HasherRng::new());
            let pauses = pauses.ok().map(|mut maker| maker.make_backoff());
            self.begun = Some(Instant::now()).zip(pauses);
        }
        (request.method == Method::Get).then(|| request.clone())
    }
}

/// Is it a failure that may be over in a moment?
fn passes_by(result: &Result<Response, TransportError>) -> bool {
    match result {
        Ok(response) => {
            matches!(response.status, 500 | 502 | 503 | 504) && retry_after(response).is_none()
        }
        Err(TransportError::NotSent(_) | TransportError::Lost(_)) => true,
        Err(TransportError::Login(_) | TransportError::Resting(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::transport::Service;
    use super::*;

    /// Answers what was prepared, the last of it for ever, and notes how many requests it has at a time.
    #[derive(Default)]
    struct Api {
        answers: Mutex<Vec<Result<u16, &'static str>>>,
        sent: AtomicUsize,
        now: AtomicUsize,
        most: AtomicUsize,
        takes: Duration,
    }

    struct Shared(Arc<Api>);

    #[async_trait]
    impl Transport for Shared {
        async fn send(&self, _: Request) -> Result<Response, TransportError> {
            let api = &self.0;
            api.sent.fetch_add(1, Ordering::SeqCst);
            let now = api.now.fetch_add(1, Ordering::SeqCst) + 1;
            api.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(api.takes).await;
            api.now.fetch_sub(1, Ordering::SeqCst);
            let mut answers = api.answers.lock().unwrap();
            let answer = match answers.len() {
                0 => Ok(200),
                1 => answers[0],
                _ => answers.remove(0),
            };
            match answer {
                Ok(status) => Ok(Response {
                    status,
                    headers: Vec::new(),
                    body: Vec::new(),
                }),
                Err("login") => Err(TransportError::Login("no".to_owned())),
                Err(why) => Err(TransportError::Lost(why.into())),
            }
        }
    }

    fn guarded(answers: &[Result<u16, &'static str>], takes: Duration) -> (Arc<Api>, Guarded) {
        let api = Arc::new(Api {
            answers: Mutex::new(answers.to_vec()),
            takes,
            ..Api::default()
        });
        (api.clone(), Guarded::new(Shared(api)))
    }

    fn request(method: Method) -> Request {
        Request::new(Service::Compute, method, ["servers"])
    }

    const AT_ONCE_ANSWERED: Duration = Duration::ZERO;

    #[tokio::test(start_paused = true)]
    async fn what_only_reads_is_tried_again_and_a_write_never() {
        for failure in [Ok(503), Ok(500), Err("lost")] {
            let (api, guarded) = guarded(&[failure, failure, Ok(200)], AT_ONCE_ANSWERED);
            let response = guarded.send(request(Method::Get)).await.unwrap();
            assert_eq!((response.status, api.sent.load(Ordering::SeqCst)), (200, 3));
            for method in [Method::Post, Method::Put, Method::Delete] {
                let (api, guarded) = self::guarded(&[failure, Ok(200)], AT_ONCE_ANSWERED);
                let answer = guarded.send(request(method)).await;
                assert!(answer.map_or(true, |response| response.status != 200));
                assert_eq!(api.sent.load(Ordering::SeqCst), 1, "{method:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_no_failure_and_refused_credentials_are_not_tried_again() {
        for answer in [Ok(404), Ok(401), Ok(429), Err("login")] {
            let (api, guarded) = guarded(&[answer], AT_ONCE_ANSWERED);
            let _ = guarded.send(request(Method::Get)).await;
            assert_eq!(api.sent.load(Ordering::SeqCst), 1, "{answer:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waited_long_is_not_made_to_wait_longer() {
        let (api, guarded) = guarded(&[Ok(503)], SOON);
        guarded.send(request(Method::Get)).await.unwrap();
        assert_eq!(api.sent.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_requests_are_under_way_at_a_time() {
        let (api, guarded) = guarded(&[], Duration::from_millis(10));
        let all = (0..3 * AT_ONCE).map(|_| guarded.send(request(Method::Get)));
        let answers = futures::future::join_all(all).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(api.most.load(Ordering::SeqCst), AT_ONCE);
    }

    #[tokio::test(start_paused = true)]
    async fn when_everything_fails_the_tries_end_too() {
        let (api, guarded) = guarded(&[Err("lost")], AT_ONCE_ANSWERED);
        let requests = 400;
        for _ in 0..requests {
            let _ = guarded.send(request(Method::Get)).await;
        }
        // the breaker lets hardly any of them through
        assert!(api.sent.load(Ordering::SeqCst) < 20, "{:?}", api.sent);
    }
}
