//! What a repair asks the cloud before it touches its node, asked shortly before it is due: the cloud's answers take longer
//! than all else until the cordon.

use std::time::Duration;

use futures::join;
use rectifier_core::name::NodeName;
use tokio::time::timeout;

use super::further::lacks_of;
use super::{pool, read_node};
use crate::cluster::{Asked, Cluster};
use crate::context::Context;
use crate::error::{Error, chain, cloud};

/// So long before. A cloud that takes longer is asked when the repair is due.
pub(crate) const LEAD: Duration = Duration::from_secs(2);

/// For so many nodes at a time. When more fall sick at once they wait for each other anyway, and a cloud that is in trouble is
/// not asked twice for each of them. Arbitrary: few pools fall sick in one second.
const AT_A_TIME: usize = 4;

/// Asks, for no longer than `within`. What cannot be had is asked again when it is needed, and told then.
pub(crate) async fn look(ctx: &Context, cluster: &Cluster, node: &NodeName, within: Duration) {
    if cluster.is_described(node, ctx.now()) {
        return;
    }
    let Some(_asking) = cluster.may_ask_ahead(AT_A_TIME) else {
        return;
    };
    if let Ok(Err(error)) = timeout(within, ask(ctx, cluster, node)).await {
        tracing::debug!(%node, "cannot look ahead: {}", chain(&error));
    }
}

async fn ask(ctx: &Context, cluster: &Cluster, node: &NodeName) -> Result<(), Error> {
    let present = read_node(ctx, cluster, node).await?;
    let Some(id) = present.and_then(|present| present.server) else {
        return Ok(());
    };
    let server = async {
        let server = ctx.cloud.describe(&id).await;
        if let Some(server) = server.map_err(cloud("describe server"))? {
            cluster.describe(node, server, ctx.now());
        }
        Ok(())
    };
    let lacks = async {
        if let (Ok(rules), Some(provisioning)) = pool::of(cluster, node) {
            let asked = Asked {
                server: id.clone(),
                provisioning,
                retried_at: None,
            };
            // it is kept, if it can be had
            let _ = lacks_of(ctx, cluster, node, &rules.name, asked).await;
        }
    };
    let (server, ()) = join!(server, lacks);
    server
}
