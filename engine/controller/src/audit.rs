//! Compares the cloud with the cluster, for people. What is wrong is decided in `rectifier_core::leftovers::audit`; here is the
//! IO around it.

use jiff::Timestamp;
use kube::Client;
use rectifier_cloud::{Cloud, InstanceAction};
use rectifier_core::leftovers::audit::{self, Deleted};
pub use rectifier_core::leftovers::audit::{Finding, Kind};

use crate::error::{Error, cloud as asked};
use crate::leftovers::{found, named};

/// How far back an audit looks for machines that were deleted, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Audited<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// Since when.
    pub since: Timestamp,
    /// The present moment.
    pub now: Timestamp,
}

/// Does the cloud have what the cluster says, and nothing of ours beside it?
///
/// # Errors
/// Somebody could not be asked, or told only a part.
pub async fn audit(
    client: &Client,
    cloud: &dyn Cloud,
    what: Audited<'_>,
) -> Result<Vec<Finding>, Error> {
    // Nodes first: one that joins in between has its server in the later list.
    let (named, removed) = named(client).await?;
    let found = found(cloud, what.cluster).await?;
    let lately = cloud.deleted_since(what.since).await;
    let lately = lately.map_err(asked("list deleted servers"))?;
    let mut deleted = Vec::new();
    for gone in lately {
        if !removed.has(&gone) {
            continue;
        }
        let actions = cloud
            .actions(&gone.id)
            .await
            .map_err(asked("actions of server"))?;
        let mut deletes = actions.iter().filter(|action| action.action == "delete");
        deleted.push(Deleted {
            by_host: deletes.any(InstanceAction::is_done_by_host),
            id: gone.id,
            name: gone.name,
        });
    }
    Ok(audit::audit(
        &found,
        &deleted,
        &named,
        what.cluster,
        what.now,
    )?)
}
