//! The stop switch: a ConfigMap that halts every intrusive act while it is there, read right before each; and again between
//! the calls of one that takes long.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use rectifier_core::repair::{STOP, Stop};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::context::Context;
use crate::error::{Error, chain};

/// A switch that is not read within this is not known. 10 s: as long as a leader may go on without a renewal.
const WITHIN: Duration = Duration::from_secs(10);

/// Reads it. What cannot be read may say stop: its right is one to read this one object, so a refusal is no proof of its
/// absence.
pub(crate) async fn read(ctx: &Context) -> Stop {
    let maps: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.settings.namespace);
    match timeout(WITHIN, maps.get_opt(STOP)).await {
        Ok(Ok(None)) => Stop::Runs,
        Ok(Ok(Some(map))) => {
            let mut data = map.data.unwrap_or_default();
            Stop::Stopped(data.remove("why").unwrap_or_default())
        }
        Ok(Err(error)) => Stop::Unreadable(chain(&error)),
        Err(_) => Stop::Unreadable("the API server does not answer".to_owned()),
    }
}

/// Between the calls of an act a reading holds so long. Arbitrary: no person throws a switch and looks within a second.
const HOLDS: Duration = Duration::from_secs(1);

/// Stands between the calls of one act, before whose first the switch was read.
pub(crate) struct Between<'a> {
    ctx: &'a Context,
    read: Mutex<Instant>,
}

impl<'a> Between<'a> {
    pub(crate) fn calls(ctx: &'a Context) -> Self {
        Self {
            ctx,
            read: Mutex::new(Instant::now()),
        }
    }

    /// # Errors
    /// [`Error::Stopped`]: the rest is not to be done.
    pub(crate) async fn go_on(&self) -> Result<(), Error> {
        // who comes while it is being read waits for that reading
        let mut last = self.read.lock().await;
        if last.elapsed() < HOLDS {
            return Ok(());
        }
        match read(self.ctx).await {
            Stop::Runs => {
                *last = Instant::now();
                Ok(())
            }
            Stop::Stopped(_) | Stop::Unreadable(_) => Err(Error::Stopped),
        }
    }
}
