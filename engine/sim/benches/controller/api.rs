//! As much of an API server as the engine asks for when nothing is repaired. It keeps no Node.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{Stream, StreamExt};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower_service::Service;

use crate::node::node;

/// An API server that keeps nothing but a Lease.
#[derive(Clone)]
pub(crate) struct Api(Arc<State>);

struct State {
    nodes: usize,
    lease: Mutex<Option<Value>>,
    watchers: Mutex<Vec<mpsc::UnboundedSender<Bytes>>>,
    tell: mpsc::UnboundedSender<Instant>,
}

type Answered = Response<UnsyncBoxBody<Bytes, std::convert::Infallible>>;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn answer(code: u16, body: impl Into<Bytes>) -> Answered {
    let mut response = Response::new(Full::new(body.into()).boxed_unsync());
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    response
}

fn refuse(code: u16, reason: &str) -> Answered {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code});
    answer(code, status.to_string())
}

fn streamed(lines: impl Stream<Item = Bytes> + Send + 'static) -> Answered {
    let frames = lines.map(|line| Ok(Frame::data(line)));
    Response::new(StreamBody::new(frames).boxed_unsync())
}

impl Api {
    /// With so many nodes. Whoever writes an Event is told of with `tell`.
    pub(crate) fn new(nodes: usize, tell: mpsc::UnboundedSender<Instant>) -> Self {
        Self(Arc::new(State {
            nodes,
            lease: Mutex::default(),
            watchers: Mutex::default(),
            tell,
        }))
    }

    /// A line for all that watch nodes.
    pub(crate) fn send(&self, line: Bytes) {
        lock(&self.0.watchers).retain(|watcher| watcher.send(line.clone()).is_ok());
    }

    fn page(&self, query: &BTreeMap<String, String>) -> Answered {
        let from: usize = query
            .get("continue")
            .and_then(|from| from.parse().ok())
            .unwrap_or(0);
        let limit: usize = query
            .get("limit")
            .and_then(|limit| limit.parse().ok())
            .unwrap_or(500);
        let end = self.0.nodes.min(from + limit);
        let next = if end < self.0.nodes {
            end.to_string()
        } else {
            String::new()
        };
        let mut body = format!(
            r#"{{"kind":"NodeList","apiVersion":"v1","metadata":{{"resourceVersion":"1","continue":"{next}"}},"items":["#
        );
        for n in from..end {
            if n > from {
                body.push(',');
            }
            body.push_str(&node(n, false).to_string());
        }
        body.push_str("]}");
        answer(200, body)
    }

    fn lease(&self, method: &str, body: &[u8]) -> Answered {
        let mut lease = lock(&self.0.lease);
        match (method, &mut *lease) {
            ("GET", Some(lease)) => answer(200, lease.to_string()),
            ("GET", None) => refuse(404, "NotFound"),
            (_, kept) => {
                let mut new: Value = serde_json::from_slice(body).unwrap_or_default();
                new["metadata"]["resourceVersion"] = "1".into();
                let told = new.to_string();
                *kept = Some(new);
                answer(200, told)
            }
        }
    }

    async fn serve(self, request: Request<Body>) -> Answered {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default();
        let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let is_watch = query.contains_key("watch");
        let body = body
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        match parts.uri.path() {
            path if path.contains("/leases") => self.lease(parts.method.as_str(), &body),
            "/api/v1/nodes" if is_watch => {
                let (sender, receiver) = mpsc::unbounded_channel();
                lock(&self.0.watchers).push(sender);
                streamed(futures::stream::unfold(receiver, async |mut receiver| {
                    Some((receiver.recv().await?, receiver))
                }))
            }
            "/api/v1/nodes" => self.page(&query),
            path if path.ends_with("/events") => {
                self.0.tell.send(Instant::now()).ok();
                answer(201, body)
            }
            path if path.ends_with("/noderepairs") || path.ends_with("/repairpools") => {
                match is_watch {
                    true => streamed(futures::stream::pending()),
                    false => {
                        let kind = if path.ends_with("pools") {
                            "RepairPoolList"
                        } else {
                            "NodeRepairList"
                        };
                        let list = json!({"apiVersion": "rectifier.dev/v1alpha1", "kind": kind, "metadata": {"resourceVersion": "1"}, "items": []});
                        answer(200, list.to_string())
                    }
                }
            }
            _ => refuse(404, "NotFound"),
        }
    }
}

impl Service<Request<Body>> for Api {
    type Response = Answered;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let api = self.clone();
        Box::pin(async move { Ok(api.serve(request).await) })
    }
}
