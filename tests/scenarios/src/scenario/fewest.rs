//! How few ready pods the workload ever had, while somebody watched.

use anyhow::{Context, Result};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::watcher;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::short;
use crate::wait::{sets, within};
use crate::world::World;

/// The smallest number of ready pods that the Deployment had, while it was watched.
pub(super) struct Fewest {
    seen: watch::Receiver<Option<usize>>,
    _watch: JoinSet<()>,
}

impl Fewest {
    /// Begins to watch; back when all its pods are known.
    pub(super) async fn watch(world: &World) -> Result<Self> {
        let pods: Api<Pod> = Api::namespaced(world.kubernetes.admin(), "default");
        let mut all = sets(pods, watcher::Config::default().labels("app=web"));
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
        within("the Deployment's pods", short(), async {
            known.await.map(drop).context("their watch ended")
        })
        .await?;
        Ok(Self {
            seen,
            _watch: watch,
        })
    }

    pub(super) fn so_far(&self) -> usize {
        self.seen.borrow().unwrap_or_default()
    }
}
