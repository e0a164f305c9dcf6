//! The sick machine's power, and what Kubernetes is told once it is off.

use k8s_openapi::api::core::v1::Taint;
use rectifier_cloud::{CloudError, Reboot};
use rectifier_core::name::{ServerId, Uid};

use super::taint;
use crate::context::Context;
use crate::error::{Error, cloud};

const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// Starts a server that is off, and reboots any other hard.
pub(super) async fn cycle(ctx: &Context, server: &ServerId, start: bool) -> Result<(), Error> {
    let (call, asked) = match start {
        true => ("start server", ctx.cloud.start(server).await),
        false => (
            "reboot server",
            ctx.cloud.reboot(server, Reboot::Hard).await,
        ),
    };
    taken(call, asked)
}

pub(super) async fn stop(ctx: &Context, server: &ServerId) -> Result<(), Error> {
    taken("stop server", ctx.cloud.stop(server).await)
}

/// A server that is busy, or was in that state already, tells so in its next look.
fn taken(call: &'static str, asked: Result<(), CloudError>) -> Result<(), Error> {
    match asked {
        Ok(()) => Ok(()),
        Err(CloudError::Busy { message, .. }) => {
            tracing::debug!(call, message, "not now");
            Ok(())
        }
        Err(error) => Err(cloud(call)(error)),
    }
}

/// Sets or takes away the taint by which Kubernetes ends the node's pods and detaches its volumes by force. The caller has a
/// proof that the machine is off.
pub(super) async fn out_of_service(
    ctx: &Context,
    name: &str,
    uid: &Uid,
    is: bool,
) -> Result<(), Error> {
    let whose = (name, Some(uid.as_str()));
    taint::change(ctx, whose, "mark the node as out of service", |node| {
        node.taints.retain(|taint| taint.key != OUT_OF_SERVICE);
        if is {
            node.taints.push(Taint {
                key: OUT_OF_SERVICE.to_owned(),
                value: Some("nodeshutdown".to_owned()),
                effect: "NoExecute".to_owned(),
                time_added: None,
            });
        }
    })
    .await
}
