//! A server whose kubelet KWOK plays, once it has joined by itself.

use std::path::Path;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::join::{self, Identity};
use super::server::ServerFolder;
use super::user_data::{BOOTSTRAP, CloudConfig};
use super::{Event, KUBECONFIG, Outcome};
use crate::kubernetes::node::KWOK_LABEL;

/// Its guest is up: the first time it joins. After that it has a certificate, and does what a
/// kubelet does when it starts: it registers if its Node is gone, and else says that it has booted.
pub(super) async fn boot(bed: &Path, folder: &ServerFolder, event: &Event) -> Result<Outcome> {
    let config = CloudConfig::parse(&event.user_data()?)?;
    let node = Identity {
        name: event.name.clone(),
        provider_id: event.provider_id(),
        address: event.address()?,
        boot_id: random_uuid()?,
    };
    let first = !folder.kubeconfig().exists();
    if first {
        let kubeconfig = join::certificate(config.file(BOOTSTRAP)?, &event.name).await?;
        std::fs::write(folder.kubeconfig(), kubeconfig)?;
    }
    let own = std::fs::read_to_string(folder.kubeconfig())?;
    let own = join::client(&own).await?;
    let booted = json!({"status": {"nodeInfo": {"bootID": node.boot_id}}});
    let nodes: Api<Node> = Api::all(own.clone());
    let patched = nodes
        .patch_status(
            &node.name,
            &PatchParams::default(),
            &Patch::Strategic(booted),
        )
        .await;
    if is_there(patched)? {
        heartbeat(bed, &node.name, json!(KWOK_LABEL.1)).await
    } else {
        join::register(own, &node, &config.registration()?).await?;
        Ok(Outcome::Done)
    }
}

/// Its guest is down: KWOK lets its lease run out, and touches it no more.
pub(super) async fn silence(bed: &Path, folder: &ServerFolder, event: &Event) -> Result<Outcome> {
    if !folder.kubeconfig().exists() {
        return Ok(Outcome::NothingThere);
    }
    heartbeat(bed, &event.name, Value::Null).await
}

/// Sets or removes the label by which KWOK knows its nodes. Not with the node's own certificate: it
/// is the current that fails, and the audit log should not name the node for it.
async fn heartbeat(bed: &Path, node: &str, label: Value) -> Result<Outcome> {
    let kubeconfig = std::fs::read_to_string(bed.join(KUBECONFIG)).context("its own kubeconfig")?;
    let nodes: Api<Node> = Api::all(join::client(&kubeconfig).await?);
    let patch = json!({"metadata": {"labels": {KWOK_LABEL.0: label}}});
    let patched = nodes
        .patch(node, &PatchParams::default(), &Patch::Merge(patch))
        .await;
    Ok(if is_there(patched)? {
        Outcome::Done
    } else {
        Outcome::NothingThere
    })
}

fn is_there(patched: kube::Result<Node>) -> Result<bool> {
    match patched {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The kernel's own: a boot id is one of these.
fn random_uuid() -> Result<String> {
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    Ok(uuid.trim().to_owned())
}
