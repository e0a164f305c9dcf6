//! Where a client's requests enter the world.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use http::Response;
use http_body_util::BodyExt;
use kube::client::Body as Asked;
use tower_service::Service;

use super::ApiServer;
use super::answer::{Body, Refusal};
use super::identity::Credential;

/// The service below a [`kube::Client`].
pub(super) struct Door {
    server: ApiServer,
    who: String,
    credential: Credential,
}

impl Door {
    pub(super) fn new(server: ApiServer, who: &str, credential: Credential) -> Self {
        Self {
            server,
            who: who.to_owned(),
            credential,
        }
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
        let (server, who) = (self.server.clone(), self.who.clone());
        let credential = self.credential.clone();
        let (head, body) = request.into_parts();
        // It is all in memory.
        let body = body.collect().now_or_never();
        let answered = self.server.inner.landing.send(move || match body {
            Some(Ok(body)) => server.serve(&who, &credential, &head, &body.to_bytes()),
            Some(Err(error)) => Refusal::bad_request(error.to_string()).respond(),
            None => Refusal::bad_request("the world takes no body that comes in pieces").respond(),
        });
        Box::pin(async move {
            Ok(answered.await.unwrap_or_else(|ended| {
                Refusal::new(500, "InternalError", ended.to_string()).respond()
            }))
        })
    }
}
