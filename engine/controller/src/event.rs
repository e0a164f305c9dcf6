//! Tells people: each phase that is entered, and each new reason for waiting, is an Event on the Node and a log line.
//!
//! An Event's name is drawn from what it says and of which repair, so that telling it again, as a successor does that
//! cannot know how far its predecessor came, makes no second one.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Api, PostParams};
use rectifier_api::{CONTROLLER, NodeRepair};
use rectifier_core::clock::Timestamp;
use rectifier_core::name::NodeName;
use rectifier_core::reason::Reason;
use rectifier_core::repair::{Phase, Record, Seen};

use crate::cluster::{Cluster, NodeFacts};
use crate::context::Context;
use crate::error::{Error, chain};

/// Events of Nodes, which have no namespace, are kept in this one (as kubelet's are).
const NAMESPACE: &str = "default";
/// The API server's limit for a message, in bytes.
const LONGEST: usize = 1024;

/// What is said, of which node, on whose behalf.
struct Word<'a> {
    node: &'a str,
    node_uid: &'a str,
    /// The repair's UID and the moment of its phase, or nothing: what makes it another Event than the same words before.
    of: String,
    reason: Reason,
    message: String,
    warns: bool,
}

/// Milliseconds before each try to write an Event.
const PAUSES: [u64; 4] = [0, 100, 200, 400];

/// Says where a repair stands. An Event that cannot be written never holds a repair up.
pub(crate) async fn tell(ctx: &Context, seen: &Seen, record: &Record) {
    let (node, phase) = (&seen.request.node, record.phase);
    let reason = record.reason.unwrap_or(Reason::HealingInNode);
    tracing::info!(%node, ?phase, reason = reason.label(), "{}", record.message);
    write(ctx, word(seen, record, reason)).await;
}

fn word<'a>(seen: &'a Seen, record: &Record, reason: Reason) -> Word<'a> {
    Word {
        node: &seen.request.node,
        node_uid: &seen.request.node_uid,
        of: of(seen, record),
        reason,
        message: format!("{:?}: {}", record.phase, record.message),
        warns: record.phase == Phase::NeedsHuman
            || [Reason::RollbackHeld, Reason::LastResort].contains(&reason),
    }
}

fn of(seen: &Seen, record: &Record) -> String {
    let since = record.since.map_or(0, Timestamp::as_second);
    format!("{} {since}", seen.repair_uid)
}

/// Says that an act failed. A lost swap is no failure: somebody wrote first, and the next look comes at once.
pub(crate) async fn failed(ctx: &Context, cluster: &Cluster, seen: &Seen, error: &Error) {
    let node = (seen.request.node.as_str(), seen.request.node_uid.as_str());
    warn(
        ctx,
        cluster,
        node,
        of(seen, &seen.record),
        (Reason::ActFailed, error),
    )
    .await;
}

/// Says that a look failed, so that nothing is decided: what stands on the repair is older than that.
/// An API server that does not answer takes no Event either, and one that has too much to do is not asked for more.
pub(crate) async fn unseen(ctx: &Context, cluster: &Cluster, repair: &NodeRepair, error: &Error) {
    if matches!(error, Error::Api { .. } | Error::NoAnswer(_)) {
        return;
    }
    let node = (
        repair.spec.node_name.as_str(),
        repair.spec.node_uid.as_str(),
    );
    let of = repair.metadata.uid.clone().unwrap_or_default();
    warn(ctx, cluster, node, of, (Reason::LookFailed, error)).await;
}

async fn warn(
    ctx: &Context,
    cluster: &Cluster,
    (name, node_uid): (&str, &str),
    of: String,
    (reason, error): (Reason, &Error),
) {
    let Ok(node) = NodeName::parse(name) else {
        return;
    };
    let words = chain(error);
    let quiet = error.is_lost() || error.is_end();
    if quiet || !cluster.is_news(&node, reason, &words, ctx.now()) {
        return;
    }
    let word = Word {
        node: name,
        node_uid,
        of,
        reason,
        message: format!("{reason}: {words}"),
        warns: true,
    };
    if !write(ctx, word).await {
        cluster.was_not_told(&node, reason, &words);
    }
}

/// Says why nothing is done about a problem of a node that has no repair.
pub(crate) async fn hold(
    ctx: &Context,
    cluster: &Cluster,
    node: &NodeName,
    facts: &NodeFacts,
    reason: Reason,
    detail: &str,
) {
    if !cluster.is_news(node, reason, detail, ctx.now()) {
        return;
    }
    tracing::info!(%node, reason = reason.label(), "{reason}: {detail}");
    let word = Word {
        node: node.as_str(),
        node_uid: &facts.uid,
        of: String::new(),
        reason,
        message: format!("{reason}: {detail}"),
        // a time that nearly always ends by itself
        warns: reason != Reason::AwaitingAgent,
    };
    if !write(ctx, word).await {
        cluster.was_not_told(node, reason, detail);
    }
}

/// Whether it is told. An API server that has too much to do is asked again, but no pass waits long for an Event.
async fn write(ctx: &Context, word: Word<'_>) -> bool {
    let event = event(&word, ctx.now());
    let events: Api<Event> = Api::namespaced(ctx.client.clone(), NAMESPACE);
    for pause in PAUSES {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        match events.create(&PostParams::default(), &event).await {
            Ok(_) => return true,
            // told already
            Err(kube::Error::Api(status)) if status.code == 409 => return true,
            Err(kube::Error::Api(status)) if [429, 503, 504].contains(&status.code) => {}
            Err(error) => {
                tracing::warn!(node = word.node, "no Event: {}", chain(&error));
                return false;
            }
        }
    }
    tracing::warn!(
        node = word.node,
        reason = word.reason.label(),
        "no Event: the API server has too much to do"
    );
    false
}

fn event(word: &Word<'_>, now: Timestamp) -> Event {
    let message = &word.message[..word.message.floor_char_boundary(LONGEST)];
    Event {
        metadata: ObjectMeta {
            name: Some(name(word)),
            namespace: Some(NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            kind: Some("Node".to_owned()),
            name: Some(word.node.to_owned()),
            uid: Some(word.node_uid.to_owned()),
            ..ObjectReference::default()
        },
        reason: Some(word.reason.label().to_owned()),
        message: Some(message.to_owned()),
        type_: Some(if word.warns { "Warning" } else { "Normal" }.to_owned()),
        source: Some(EventSource {
            component: Some(CONTROLLER.to_owned()),
            host: None,
        }),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        ..Event::default()
    }
}

/// The node's name and a number drawn from the words (FNV-1a); at most 253 characters, as an object's name may have.
fn name(word: &Word<'_>) -> String {
    let parts = [
        word.node_uid,
        word.of.as_str(),
        word.reason.label(),
        word.message.as_str(),
    ];
    let hash = parts
        .join("\n")
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let node: String = word.node.chars().take(253 - 17).collect();
    format!("{}.{hash:016x}", node.trim_end_matches(['-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(of: &str, message: &str) -> Word<'static> {
        Word {
            node: "worker-1",
            node_uid: "uid",
            of: of.to_owned(),
            reason: Reason::Evicting,
            message: message.to_owned(),
            warns: false,
        }
    }

    #[test]
    fn what_is_told_again_after_a_kill_is_the_same_event() {
        let told = name(&word("repair 100", "Draining: default/web"));
        assert_eq!(told, name(&word("repair 100", "Draining: default/web")));
        assert_ne!(told, name(&word("repair 100", "Draining: default/db")));
        assert_ne!(told, name(&word("repair 200", "Draining: default/web")));
        assert!(told.starts_with("worker-1."), "{told}");
    }

    #[test]
    fn an_event_of_any_node_has_a_name_that_the_api_server_takes() {
        let node = format!("{}.example.com", "a".repeat(241));
        let long = Word {
            node: &node,
            ..word("", "")
        };
        assert!(name(&long).len() <= 253, "{}", name(&long).len());
    }
}
