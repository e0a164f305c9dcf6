//! After the commit: the replacement is let go to work.

use rectifier_api::{NodeRepair, PROVISIONAL_TAINT};
use rectifier_core::leftovers::ADOPTED;
use rectifier_core::name::{PortId, ServerId};
use rectifier_core::repair::{Seen, autoscaler};

use super::create::replacement;
use super::{marks, taint, token};
use crate::context::Context;
use crate::error::{Error, cloud};

/// Marks the server and its ports as adopted, deletes the token, and takes the taint away last: its absence is what is looked for.
/// As it has no pods yet, the cluster autoscaler is kept off.
pub(super) async fn adopt(ctx: &Context, repair: &NodeRepair, seen: &Seen) -> Result<(), Error> {
    let replacement = replacement(repair)?;
    let id = replacement
        .server_id
        .as_ref()
        .ok_or(Error::Missing("the record names no replacement server"))?;
    let adopted = [(marks::STATE.to_owned(), ADOPTED.to_owned())].into();
    ctx.cloud
        .set_metadata(&ServerId::parse(id)?, &adopted)
        .await
        .map_err(cloud("mark the server as adopted"))?;
    for port in &replacement.ports {
        ctx.cloud
            .tag_port(&PortId::parse(port)?, marks::ADOPTED_PORT)
            .await
            .map_err(cloud("mark the port as adopted"))?;
    }
    token::revoke(ctx, replacement).await?;
    let whose = (replacement.name.as_str(), replacement.node_uid.as_deref());
    taint::change(ctx, whose, "remove the provisional taint", |node| {
        node.taints.retain(|taint| taint.key != PROVISIONAL_TAINT);
        let held = autoscaler::hold(node.annotations(), seen.repair_uid.as_str());
        node.annotate(held);
    })
    .await
}
