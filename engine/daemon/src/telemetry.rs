//! What an engine says of itself over HTTP, to whoever scrapes or probes it: `/metrics` (OpenMetrics text), `/healthz`,
//! `/policies` (JSON: how each file of the policy directory stands), and `/history` (JSON: what a node engine told). Read-only, nothing secret, on loopback unless the
//! operator says otherwise.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use rectifier_node::History;
use rectifier_policy_host::Telemetry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Requests under way at once; more wait. Scrapers and probes are few.
const CONNECTIONS: usize = 16;
/// A client that says nothing for so long is left: it must not hold one of the few places.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long an engine that is on its way out may still hold the address: twice the pod's grace period.
const PREDECESSOR: Duration = Duration::from_secs(10);

/// The listener, bound: an address that cannot be had ends the engine at its start, not at the first scrape.
pub(crate) struct Server {
    listener: TcpListener,
    board: Board,
}

struct Board {
    registry: Registry,
    policies: Telemetry,
    /// A node engine's alone.
    history: Option<History>,
}

impl Server {
    /// What this engine counts beside its policies, it registers itself.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(crate) async fn bind(
        address: SocketAddr,
        policies: Telemetry,
        register: impl FnOnce(&mut Registry),
    ) -> anyhow::Result<Self> {
        let patience = Instant::now() + PREDECESSOR;
        let listener = loop {
            match TcpListener::bind(address).await {
                Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < patience => {
                    tokio::time::sleep(PREDECESSOR / 50).await;
                }
                bound => {
                    break bound
                        .with_context(|| format!("cannot listen on {address} (--listen)"))?;
                }
            }
        };
        let mut registry = Registry::default();
        policies.register(&mut registry);
        register(&mut registry);
        let board = Board {
            registry,
            policies,
            history: None,
        };
        Ok(Self { listener, board })
    }

    /// With what a node engine tells.
    pub(crate) fn with_history(mut self, history: History) -> Self {
        self.board.history = Some(history);
        self
    }

    /// Never ends.
    pub(crate) async fn run(self) -> Infallible {
        let mut connections = JoinSet::new();
        let board = Arc::new(self.board);
        loop {
            while connections.len() >= CONNECTIONS {
                connections.join_next().await;
            }
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Too many open files, most likely: it passes, and must not spin meanwhile.
                    tracing::warn!(%error, "a connection for metrics cannot be taken");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let board = board.clone();
            connections.spawn(async move {
                let answer = service_fn(move |request| {
                    let response = board.answer(&request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .keep_alive(false);
                let served = http.serve_connection(TokioIo::new(stream), answer);
                // Who hangs up, or is too slow, has hurt nobody but himself.
                let _ = tokio::time::timeout(PATIENCE, served).await;
            });
        }
    }
}

impl Board {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n");
        }
        match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "text/plain", "ok\n"),
            "/metrics" => {
                let mut metrics = String::new();
                match prometheus_client::encoding::text::encode(&mut metrics, &self.registry) {
                    Ok(()) => text(
                        StatusCode::OK,
                        "application/openmetrics-text; version=1.0.0; charset=utf-8",
                        metrics,
                    ),
                    Err(error) => text(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "text/plain",
                        error.to_string(),
                    ),
                }
            }
            "/policies" => json(&self.policies.status()),
            "/history" if self.history.is_some() => json(&self.history.as_ref().map(History::all)),
            _ => text(
                StatusCode::NOT_FOUND,
                "text/plain",
                "/metrics, /healthz, /policies; a node engine's /history\n",
            ),
        }
    }
}

fn json(value: &impl serde::Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_string_pretty(value) {
        Ok(json) => text(StatusCode::OK, "application/json", json + "\n"),
        Err(error) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain",
            error.to_string(),
        ),
    }
}

fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn health_metrics_and_policies_are_served_and_nothing_else() {
        let any = "127.0.0.1:0".parse().unwrap();
        let server = Server::bind(any, Telemetry::default(), |_| {})
            .await
            .unwrap();
        let address = server.listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(server.run());
        assert!(get(address, "/healthz").await.ends_with("ok\n"));
        let metrics = get(address, "/metrics").await;
        assert!(
            metrics.contains("rectifier_policy_set_swaps_total 0"),
            "{metrics}"
        );
        assert!(metrics.ends_with("# EOF\n"), "{metrics}");
        assert!(get(address, "/policies").await.ends_with("[]\n"));
        assert!(
            get(address, "/etc/passwd")
                .await
                .starts_with("HTTP/1.1 404")
        );
    }
}
