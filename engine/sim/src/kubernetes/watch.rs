//! Watches: what is there, then what changes, each a little later than it was.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use super::ApiServer;
use super::answer::{Body, Refusal};
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
    wish: Wish,
    /// Lines that are due at once.
    ready: VecDeque<Bytes>,
    heard: UnboundedReceiver<Arc<Change>>,
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
                ready.extend(changes.iter().filter_map(|change| line_of(&wish, change)));
            }
            None => {
                let why = format!("too old resource version: {after}");
                let status = Refusal::expired(why).status();
                return body(stream::iter([Ok(line("ERROR", &status))]));
            }
        },
        None => {
            let stored_as = wish.kind.stored_as();
            let all = store.all(&stored_as, wish.namespace.as_deref());
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
    let watch = Watch {
        server: server.clone(),
        ready,
        heard: store.listen(),
        coming: VecDeque::new(),
        told: store.revision(),
        bookmark_at: now + BOOKMARK,
        ends: now + wish.lasts.unwrap_or(LASTS),
        is_over: false,
        wish,
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
            let arrives = self.coming.front().map(|(at, _, _)| *at);
            tokio::select! {
                biased;
                () = sleep_until(self.ends) => return None,
                change = self.heard.recv() => match change {
                    Some(change) => self.hear(&change),
                    None => {
                        self.is_over = true;
                        return Some(Err(Cut));
                    }
                },
                () = sleep_until(arrives.unwrap_or(self.ends)), if arrives.is_some() => {
                    let (_, revision, line) = self.coming.pop_front()?;
                    self.told = revision;
                    return Some(Ok(line));
                }
                () = sleep_until(self.bookmark_at), if self.wish.bookmarks => {
                    self.bookmark_at += BOOKMARK;
                    return Some(Ok(bookmark(&self.wish.kind, self.told, false)));
                }
            }
        }
    }

    /// Puts an event on its way, if it is one for this watch. None overtakes another.
    fn hear(&mut self, change: &Change) {
        let Some(line) = line_of(&self.wish, change) else {
            return;
        };
        let at = Instant::now() + self.server.inner.landing.delay();
        let last = self.coming.back().map(|(at, _, _)| *at);
        let at = last.map_or(at, |last| last.max(at));
        self.coming.push_back((at, change.revision, line));
    }
}

/// What a change is to whoever sees only a part: what comes into it is new, what leaves it is gone.
fn line_of(wish: &Wish, change: &Change) -> Option<Bytes> {
    if change.key.stored_as != wish.kind.stored_as() {
        return None;
    }
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

fn line(what: &str, object: &Value) -> Bytes {
    let mut line = json!({"type": what, "object": object}).to_string();
    line.push('\n');
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
