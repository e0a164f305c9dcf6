//! Where a client's requests enter the world.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body_util::BodyExt;
use kube::client::Body as Asked;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tower_service::Service;

use super::answer::{Body, Refusal};
use super::{ApiServer, lock};

/// The service below a [`kube::Client`].
pub(super) struct Door {
    server: ApiServer,
    who: String,
}

impl Door {
    pub(super) fn new(server: ApiServer, who: &str) -> Self {
        let who = who.to_owned();
        Self { server, who }
    }
}

impl Service<http::Request<Asked>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// From here on the request belongs to the world: it lands though its sender be gone by then.
    fn call(&mut self, request: http::Request<Asked>) -> Self::Future {
        let (answer, answered) = oneshot::channel();
        let (server, who) = (self.server.clone(), self.who.clone());
        let (there, back) = (server.delay(), server.delay());
        let lands = async move {
            let (head, body) = request.into_parts();
            // It is all in memory.
            let body = body.collect().await;
            sleep(there).await;
            let response = match body {
                Ok(body) => server.serve(&who, &head, &body.to_bytes()),
                Err(error) => Refusal::bad_request(error.to_string()).respond(),
            };
            sleep(back).await;
            // Nobody may be there to hear it.
            drop(answer.send(response));
        };
        let mut landing = lock(&self.server.inner.landing);
        while landing.try_join_next().is_some() {}
        landing.spawn(lands);
        drop(landing);
        Box::pin(async move {
            Ok(answered.await.unwrap_or_else(|_| {
                let why = "the world ended before it answered";
                Refusal::new(500, "InternalError", why).respond()
            }))
        })
    }
}
