//! Watches: what is there, then what changes, each a little later than it was.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use super::ApiServer;
use super::answer::{Body, Refusal, json_bytes};
use super::kind::Kind;
use super::label::{Filter, is_in};
use super::object::metadata;
use super::store::{Change, Store};

/// Between two bookmarks.
const BOOKMARK: Duration = Duration::from_secs(60);
/// How long a watch lasts that does not say so itself.
const LASTS: Duration = Duration::from_secs(30 * 60);

/// What a client wants to hear.
pub(super) struct Wish {
    pub(super) kind: Arc<Kind>,
    /// The kind's name in the store.
    pub(super) stored_as: String,
    pub(super) namespace: Option<String>,
    pub(super) filter: Filter,
    /// After which revision; `None`: what is there first.
    pub(super) after: Option<u64>,
    /// What is there first, then a bookmark that says so.
    pub(super) initial: bool,
    pub(super) bookmarks: bool,
    pub(super) lasts: Option<Duration>,
}

/// One watch under way.
struct Watch {
    server: ApiServer,
    kind: Arc<Kind>,
    bookmarks: bool,
    /// Lines that are due at once.
    ready: VecDeque<Bytes>,
    /// Lines with their revisions.
    heard: UnboundedReceiver<(u64, Bytes)>,
    /// Events on their way: when each arrives, its revision, its line.
    coming: VecDeque<(Instant, u64, Bytes)>,
    told: u64,
    bookmark_at: Instant,
    ends: Instant,
    is_over: bool,
}

/// The connection broke: what was on its way is lost.
#[derive(Debug, thiserror::Error)]
#[error("connection reset")]
pub(super) struct Cut;

/// The stream of its events. It is the one who reads it that drives it.
pub(super) fn begin(server: &ApiServer, store: &mut Store, wish: Wish) -> Body {
    let mut ready = VecDeque::new();
    match wish.after.filter(|_| !wish.initial) {
        Some(after) => match store.since(after) {
            Some(changes) => {
                let own = changes
                    .iter()
                    .filter(|change| change.key.stored_as == wish.stored_as);
                ready.extend(own.filter_map(|change| line_of(&wish, change)));
            }
            None => {
                let why = format!("too old resource version: {after}");
                let status = Refusal::expired(why).status();
                return body(stream::iter([Ok(line("ERROR", &status))]));
            }
        },
        None => {
            let all = store.all(&wish.stored_as, wish.namespace.as_deref());
            let seen = all
                .map(|(_, object)| object)
                .filter(|object| wish.filter.matches(object));
            ready.extend(seen.map(|object| line("ADDED", &wish.kind.shown(object))));
            if wish.initial && wish.bookmarks {
                ready.push_back(bookmark(&wish.kind, store.revision(), true));
            }
        }
    }
    let now = Instant::now();
    let (kind, bookmarks, lasts) = (wish.kind.clone(), wish.bookmarks, wish.lasts);
    let watch = Watch {
        server: server.clone(),
        kind,
        bookmarks,
        ready,
        heard: store.listen(
            wish.stored_as.clone(),
            Box::new(move |change| line_of(&wish, change)),
        ),
        coming: VecDeque::new(),
        told: store.revision(),
        bookmark_at: now + BOOKMARK,
        ends: now + lasts.unwrap_or(LASTS),
        is_over: false,
    };
    body(stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((line, watch))
    }))
}

fn body(lines: impl futures::Stream<Item = Result<Bytes, Cut>> + Send + 'static) -> Body {
    let frames = lines.map(|line| line.map(http_body::Frame::data));
    StreamBody::new(frames).boxed_unsync()
}

impl Watch {
    /// `None`: it is over.
    async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        loop {
            if self.is_over {
                return None;
            }
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(line));
            }
            let now = Instant::now();
            if now >= self.ends {
                return None;
            }
            let arrives = self.coming.front().map(|(at, _, _)| *at);
            if arrives.is_some_and(|at| now >= at) {
                let (_, revision, line) = self.coming.pop_front()?;
                self.told = revision;
                return Some(Ok(line));
            }
            if self.bookmarks && now >= self.bookmark_at {
                self.bookmark_at += BOOKMARK;
                return Some(Ok(bookmark(&self.kind, self.told, false)));
            }
            let bookmark = self.bookmarks.then_some(self.bookmark_at);
            let due = arrives
                .into_iter()
                .chain(bookmark)
                .fold(self.ends, std::cmp::min);
            tokio::select! {
                biased;
                told = self.heard.recv() => match told {
                    Some((revision, line)) => self.hear(revision, line),
                    None => {
                        self.is_over = true;
                        return Some(Err(Cut));
                    }
                },
                () = sleep_until(due) => {}
            }
        }
    }

    /// Puts an event on its way. None overtakes another.
    fn hear(&mut self, revision: u64, line: Bytes) {
        let at = Instant::now() + self.server.inner.landing.delay();
        let last = self.coming.back().map(|(at, _, _)| *at);
        let at = last.map_or(at, |last| last.max(at));
        self.coming.push_back((at, revision, line));
    }
}

/// What a change is to whoever sees only a part: what comes into it is new, what leaves it is gone.
fn line_of(wish: &Wish, change: &Change) -> Option<Bytes> {
    let is_seen = |object: &&Arc<Value>| {
        is_in(object, wish.namespace.as_deref()) && wish.filter.matches(object)
    };
    let (before, after) = (change.before.as_ref(), change.after.as_ref());
    match (before.filter(is_seen), after.filter(is_seen)) {
        (None, None) => None,
        (None, Some(after)) => Some(line("ADDED", &wish.kind.shown(after))),
        (Some(_), Some(after)) => Some(line("MODIFIED", &wish.kind.shown(after))),
        (Some(before), None) => {
            let mut last = before.as_ref().clone();
            let revision = change.revision.to_string().into();
            metadata(&mut last).insert("resourceVersion".to_owned(), revision);
            Some(line("DELETED", &wish.kind.shown(&last)))
        }
    }
}

fn line(what: &'static str, object: &Value) -> Bytes {
    #[derive(Serialize)]
    struct Line<'a> {
        r#type: &'static str,
        object: &'a Value,
    }
    let mut line = json_bytes(&Line {
        r#type: what,
        object,
    });
    line.push(b'\n');
    line.into()
}

fn bookmark(kind: &Kind, revision: u64, ends_initial: bool) -> Bytes {
    let mut object = json!({
        "kind": kind.kind, "apiVersion": kind.api_version(),
        "metadata": {"resourceVersion": revision.to_string(), "creationTimestamp": null},
    });
    if ends_initial {
        object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    line("BOOKMARK", &object)
}

/// Where to go on from a list's or an object's version.
pub(super) fn revision(text: &str) -> Result<u64, Refusal> {
    text.parse()
        .map_err(|_| Refusal::bad_request(format!("invalid resource version {text:?}")))
}
