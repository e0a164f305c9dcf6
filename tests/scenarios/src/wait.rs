//! Waiting for what must happen: by watches, within a limit, with a word about what was awaited.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, pin_mut};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde_json::Value;

/// Ends a wait that lasts too long. The limits are generous: a slow computer is no failure.
///
/// # Errors
/// The future's, or that the limit was reached.
pub async fn within<T>(
    what: &str,
    limit: Duration,
    future: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(limit, future).await {
        Ok(result) => result.with_context(|| format!("while waiting for: {what}")),
        Err(_) => bail!("waited {} s in vain for: {what}", limit.as_secs()),
    }
}

/// The first state of the object `name`, present or to come, that `wanted` accepts.
///
/// # Errors
/// If the watch ends.
pub async fn object<K>(api: Api<K>, name: &str, mut wanted: impl FnMut(&K) -> bool) -> Result<K>
where
    K: Resource + Clone + Debug + Send + serde::de::DeserializeOwned + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let states = watcher(api, config).default_backoff().applied_objects();
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
    K: Resource + Clone + Debug + Send + serde::de::DeserializeOwned + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let events = watcher(api, config).default_backoff();
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

/// A JSON value's text at that pointer, or "".
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
