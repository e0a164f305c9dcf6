//! The stop switch: a ConfigMap that halts every intrusive act while it is there, read right before each.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use rectifier_core::repair::{STOP, Stop};
use tokio::time::timeout;

use crate::context::Context;
use crate::error::chain;

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
