//! Waiting for what must happen: by watches, within a limit, with a word about what was awaited.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt, pin_mut};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::unmet;

/// Ends a wait that lasts too long. The limits are generous: a slow computer is no failure.
///
/// # Errors
/// The future's, or that the limit was reached: an unmet claim.
pub async fn within<T>(
    what: &str,
    limit: Duration,
    future: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(limit, future).await {
        Ok(result) => result.with_context(|| format!("while waiting for: {what}")),
        Err(_) => Err(unmet!("waited {} s in vain for: {what}", limit.as_secs())),
    }
}

/// The first state of the object `name`, present or to come, that `wanted` accepts.
///
/// # Errors
/// If the watch ends.
pub async fn object<K>(api: Api<K>, name: &str, mut wanted: impl FnMut(&K) -> bool) -> Result<K>
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    let states = watcher(api, named(name))
        .default_backoff()
        .applied_objects();
    pin_mut!(states);
    loop {
        match states.next().await {
            Some(Ok(state)) if wanted(&state) => return Ok(state),
            Some(Ok(_) | Err(_)) => {}
            None => bail!("the watch of {name} ended"),
        }
    }
}

/// Until no object of that name is there.
///
/// # Errors
/// If the watch ends.
pub async fn gone<K>(api: Api<K>, name: &str) -> Result<()>
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    let events = watcher(api, named(name)).default_backoff();
    pin_mut!(events);
    let mut seen = false;
    while let Some(event) = events.try_next().await? {
        match event {
            watcher::Event::Apply(_) | watcher::Event::InitApply(_) => seen = true,
            watcher::Event::Delete(_) => return Ok(()),
            watcher::Event::Init => seen = false,
            watcher::Event::InitDone if !seen => return Ok(()),
            watcher::Event::InitDone => {}
        }
    }
    bail!("the watch of {name} ended")
}

fn named(name: &str) -> watcher::Config {
    watcher::Config::default().fields(&format!("metadata.name={name}"))
}

/// All objects that the watch covers, after each change; the first time once they are complete.
pub fn sets<K>(api: Api<K>, config: watcher::Config) -> BoxStream<'static, Vec<K>>
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    let events = watcher(api, config).default_backoff().boxed();
    let begin = (events, Known::default());
    stream::unfold(begin, |(mut events, mut known)| async move {
        loop {
            // a watch that was cut is taken up again, and begins with a new list
            if let Ok(event) = events.next().await?
                && known.apply(event)
            {
                let all = known.there.values().cloned().collect();
                return Some((all, (events, known)));
            }
        }
    })
    .boxed()
}

/// The first thing that `wanted` finds in all objects that the watch covers.
///
/// # Errors
/// If the watch ends.
pub async fn until<K, T>(
    api: Api<K>,
    config: watcher::Config,
    mut wanted: impl FnMut(&[K]) -> Option<T>,
) -> Result<T>
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    let mut sets = sets(api, config);
    while let Some(all) = sets.next().await {
        if let Some(found) = wanted(&all) {
            return Ok(found);
        }
    }
    bail!("a watch ended")
}

/// What a watch has told so far, by UID.
struct Known<K> {
    there: BTreeMap<String, K>,
    complete: bool,
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self {
            there: BTreeMap::new(),
            complete: false,
        }
    }
}

impl<K: Resource> Known<K> {
    /// Says whether what is known is complete, and so worth telling.
    fn apply(&mut self, event: watcher::Event<K>) -> bool {
        let uid = |object: &K| object.uid().unwrap_or_default();
        match event {
            // what was there before the new list may be gone, and nobody will say so
            watcher::Event::Init => {
                self.there.clear();
                self.complete = false;
            }
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                self.there.insert(uid(&object), object);
            }
            watcher::Event::Delete(object) => {
                self.there.remove(&uid(&object));
            }
            watcher::Event::InitDone => self.complete = true,
        }
        self.complete
    }
}

/// A JSON value's text at that pointer, or "".
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use kube::runtime::watcher::Event;

    use super::*;

    fn pod(uid: &str) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.uid = Some(uid.to_owned());
        pod
    }

    #[test]
    fn a_list_tells_nothing_before_it_is_complete() {
        let mut known = Known::default();
        assert!(!known.apply(Event::Init));
        assert!(!known.apply(Event::InitApply(pod("a"))));
        assert!(known.apply(Event::InitDone));
        assert!(known.apply(Event::Apply(pod("b"))));
        assert_eq!(known.there.len(), 2);
        assert!(known.apply(Event::Delete(pod("a"))));
        assert_eq!(known.there.len(), 1);
    }

    #[test]
    fn what_went_while_a_watch_was_cut_is_forgotten() {
        let mut known = Known::default();
        for event in [Event::Init, Event::InitApply(pod("a")), Event::InitDone] {
            known.apply(event);
        }
        assert!(!known.apply(Event::Init));
        assert!(!known.apply(Event::InitApply(pod("b"))));
        assert!(known.apply(Event::InitDone));
        assert_eq!(known.there.keys().collect::<Vec<_>>(), ["b"]);
    }
}
