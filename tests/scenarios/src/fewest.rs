//! How few ready pods the workload ever had, while somebody watched.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::watcher;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::wait::{sets, within};

/// All of them were made before it is asked.
const SHORT: Duration = Duration::from_secs(60);

/// The smallest number of ready pods that there were, while they were watched.
pub struct Fewest {
    seen: watch::Receiver<Option<usize>>,
    _watch: JoinSet<()>,
}

impl Fewest {
    /// Begins to watch those with that label; back when all are known.
    ///
    /// # Errors
    /// If their watch ends.
    pub async fn watch(pods: Api<Pod>, label: &str) -> Result<Self> {
        let mut all = sets(pods, watcher::Config::default().labels(label));
        let (least, mut seen) = watch::channel(None);
        let mut watch = JoinSet::new();
        watch.spawn(async move {
            while let Some(pods) = all.next().await {
                let ready = pods.iter().filter(|pod| crate::world::ready(pod)).count();
                least.send_modify(|least: &mut Option<usize>| {
                    *least = Some(least.map_or(ready, |least| least.min(ready)));
                });
            }
        });
        let known = seen.wait_for(Option::is_some);
        within("the pods' watch", SHORT, async {
            known.await.map(drop).context("their watch ended")
        })
        .await?;
        Ok(Self {
            seen,
            _watch: watch,
        })
    }

    /// How few there have been until now.
    #[must_use]
    pub fn so_far(&self) -> usize {
        self.seen.borrow().unwrap_or_default()
    }
}
