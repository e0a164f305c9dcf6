//! One object watched at the API server. The engine goes on without it: what is known turns stale, and says so.

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use rectifier_core::episode::Watched;
use rectifier_core::policy::Freshness;
use serde::de::DeserializeOwned;
use tokio::sync::watch::Sender;

use crate::trouble::{Trouble, chain};

/// Between two tries: 1 s doubling to 32 s, so that a thousand nodes do not stand at the door of a server that comes up.
const LONGEST_PAUSE: u32 = 5;

/// Watches the object of that name, for ever.
pub(crate) async fn watch<K>(api: Api<K>, name: String, to: Sender<Watched<Arc<K>>>) -> Infallible
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let (mut failures, trouble) = (0, Trouble::default());
    loop {
        let mut events = watcher(api.clone(), only.clone()).boxed();
        let mut listed = None;
        // After an error the list is made anew: a watch that merely resumes says nothing until something changes, and
        // what is known would stay stale.
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed = None,
                Ok(Event::InitApply(object)) => listed = Some(Arc::new(object)),
                Ok(Event::InitDone) => {
                    failures = 0;
                    if trouble.ends() {
                        tracing::info!(object = name, "the API server is watched again");
                    }
                    to.send_replace(Watched {
                        value: listed.take(),
                        freshness: Freshness::Fresh,
                    });
                }
                Ok(Event::Apply(object)) => {
                    to.send_replace(Watched {
                        value: Some(Arc::new(object)),
                        freshness: Freshness::Fresh,
                    });
                }
                Ok(Event::Delete(_)) => {
                    to.send_replace(Watched {
                        value: None,
                        freshness: Freshness::Fresh,
                    });
                }
                Err(error) => {
                    match trouble.begins() {
                        true => {
                            tracing::warn!(object = name, error = %chain(&error), "the API server cannot be watched");
                        }
                        false => {
                            tracing::debug!(object = name, error = %chain(&error), "still not watched");
                        }
                    }
                    to.send_if_modified(turn_stale);
                    break;
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(1 << failures)).await;
        failures = (failures + 1).min(LONGEST_PAUSE);
    }
}

/// What was never read stays missing.
fn turn_stale<K>(watched: &mut Watched<K>) -> bool {
    let was_fresh = watched.freshness == Freshness::Fresh;
    if was_fresh {
        watched.freshness = Freshness::Stale;
    }
    was_fresh
}
