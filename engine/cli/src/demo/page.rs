//! The page on loopback: the model as it is, its changes, and what may be broken.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{Form, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use futures::stream::unfold;
use rectifier_view::Page;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::world::{Act, Now};

const PAGE: Page = Page { breaks: true };
/// Between two drawings of the page. 200 ms: faster nobody reads.
const BETWEEN: Duration = Duration::from_millis(200);

#[derive(Clone)]
struct Shared {
    seen: watch::Receiver<Now>,
    acts: Sender<Act>,
    address: SocketAddr,
}

/// It is served as long as this lives.
pub(super) struct Served {
    address: SocketAddr,
    _server: JoinSet<std::io::Result<()>>,
}

impl Served {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

pub(super) async fn serve(
    listen: SocketAddr,
    seen: watch::Receiver<Now>,
    acts: Sender<Act>,
) -> anyhow::Result<Served> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} (--listen, --no-page)"))?;
    let address = listener.local_addr()?;
    let shared = Shared {
        seen,
        acts,
        address,
    };
    let router = Router::new()
        .route("/", get(document))
        .route("/events", get(events))
        .route("/model.json", get(model))
        .route("/act", post(act))
        .route("/style.css", get(|| file("text/css", Page::STYLE)))
        .route("/live.js", get(|| file("text/javascript", Page::SCRIPT)))
        .layer(from_fn_with_state(shared.clone(), guard))
        .with_state(shared);
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await });
    Ok(Served {
        address,
        _server: server,
    })
}

/// Another site's page, open in the same browser, can name this address, too: what does not come from this page itself may
/// neither read nor act.
async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !is_own(headers, header::HOST, "", shared.address)
        || !is_own(headers, header::ORIGIN, "http://", shared.address)
    {
        return (StatusCode::FORBIDDEN, "not from another site\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, Page::POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    response
}

/// The header is not there, or names this server.
fn is_own(headers: &HeaderMap, name: header::HeaderName, scheme: &str, own: SocketAddr) -> bool {
    let Some(value) = headers.get(name) else {
        return true;
    };
    let names = [own.to_string(), format!("localhost:{}", own.port())];
    names
        .iter()
        .any(|name| value.as_bytes() == format!("{scheme}{name}").as_bytes())
}

async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}

async fn document(State(shared): State<Shared>) -> Response {
    let Some(model) = shared.seen.borrow().model.clone() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the world begins\n").into_response();
    };
    axum::response::Html(PAGE.document(&model)).into_response()
}

async fn model(State(shared): State<Shared>) -> Response {
    let Some(model) = shared.seen.borrow().model.clone() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the world begins\n").into_response();
    };
    match serde_json::to_string(&*model) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn events(State(shared): State<Shared>) -> impl IntoResponse {
    let changes = unfold(shared.seen, |mut seen| async move {
        tokio::time::sleep(BETWEEN).await;
        seen.changed().await.ok()?;
        let model = seen.borrow_and_update().model.clone();
        let content = model.map(|model| PAGE.content(&model)).unwrap_or_default();
        Some((Ok::<_, Infallible>(Event::default().data(content)), seen))
    });
    Sse::new(changes).keep_alive(KeepAlive::default())
}

#[derive(serde::Deserialize)]
struct Asked {
    what: String,
    #[serde(default)]
    of: String,
}

async fn act(State(shared): State<Shared>, Form(asked): Form<Asked>) -> Response {
    let Some(act) = Act::parse(&asked.what, &asked.of) else {
        return (StatusCode::BAD_REQUEST, "no such act\n").into_response();
    };
    match shared.acts.send(act) {
        Ok(()) => Redirect::to("/").into_response(),
        Err(_) => (StatusCode::GONE, "the world has ended\n").into_response(),
    }
}
