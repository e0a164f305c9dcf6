//! Tells people: each phase that is entered, and each new reason for waiting, is an Event on the Node and a log line.

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use rectifier_api::{CONTROLLER, NodeRepair};
use rectifier_core::repair::{Next, Phase, Seen};

use crate::context::Context;
use crate::error::chain;

/// Events of Nodes, which have no namespace, are kept in this one (as kubelet's are).
const NAMESPACE: &str = "default";

/// Says what was decided, if it is news. An Event that cannot be written never holds a repair up.
pub(crate) async fn tell(ctx: &Context, repair: &NodeRepair, seen: &Seen, next: &Next) {
    if next.record == seen.record {
        return;
    }
    let (node, phase, reason) = (&seen.request.node, next.record.phase, next.reason);
    tracing::info!(%node, ?phase, reason = reason.label(), "{}", next.record.message);
    // the record's own count makes the name: the same step, told again after a crash, is the same Event
    let version = repair.resource_version().unwrap_or_default();
    let event = Event {
        metadata: ObjectMeta {
            name: Some(format!("{node}.{}.{version}", seen.repair_uid)),
            namespace: Some(NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            kind: Some("Node".to_owned()),
            name: Some(node.clone()),
            uid: Some(seen.request.node_uid.clone()),
            ..ObjectReference::default()
        },
        reason: Some(reason.label().to_owned()),
        message: Some(format!("{phase:?}: {}", next.record.message)),
        type_: Some(
            if phase == Phase::NeedsHuman {
                "Warning"
            } else {
                "Normal"
            }
            .to_owned(),
        ),
        source: Some(EventSource {
            component: Some(CONTROLLER.to_owned()),
            host: None,
        }),
        first_timestamp: Some(Time(seen.now)),
        last_timestamp: Some(Time(seen.now)),
        count: Some(1),
        ..Event::default()
    };
    let events: Api<Event> = Api::namespaced(ctx.client.clone(), NAMESPACE);
    match events.create(&PostParams::default(), &event).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => tracing::warn!(%node, "cannot write an Event: {}", chain(&error)),
        Ok(_) => {}
    }
}
