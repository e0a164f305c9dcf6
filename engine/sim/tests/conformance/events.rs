//! What holds of Events, which are one thing in two shapes.

use anyhow::Result;
use serde_json::{Value, json};

use super::talk::Talk;

const CORE: &str = "/api/v1/namespaces/{ns}/events";
const NEWER: &str = "/apis/events.k8s.io/v1/namespaces/{ns}/events";

/// An Event about a pod, as a component of old writes it.
fn core(talk: &Talk, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name},
        "involvedObject": {"kind": "Pod", "name": "web", "namespace": talk.namespace},
        "reason": "OOMKilling", "message": "killed", "type": "Warning",
        "source": {"component": "kernel-monitor", "host": "node-1"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:01Z", "count": 3,
    })
}

/// As one of today does.
fn newer(talk: &Talk, name: &str) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": name},
        "regarding": {"kind": "Pod", "name": "web", "namespace": talk.namespace},
        "reason": "ProblemSeen", "note": "it is there", "type": "Normal", "action": "Observe",
        "eventTime": "2026-01-01T00:00:00.123456Z",
        "reportingController": "rectifier.dev/node", "reportingInstance": "node-1",
    })
}

const OF_CORE: [&str; 13] = [
    "/apiVersion",
    "/involvedObject/name",
    "/message",
    "/reason",
    "/type",
    "/action",
    "/source/component",
    "/count",
    "/series/count",
    "/firstTimestamp",
    "/lastTimestamp",
    "/eventTime",
    "/note",
];

const OF_NEWER: [&str; 13] = [
    "/apiVersion",
    "/regarding/name",
    "/note",
    "/reason",
    "/type",
    "/action",
    "/deprecatedSource/component",
    "/deprecatedCount",
    "/series/count",
    "/deprecatedFirstTimestamp",
    "/deprecatedLastTimestamp",
    "/eventTime",
    "/message",
];

pub(crate) async fn events(talk: &mut Talk) -> Result<()> {
    let (one, other) = (core(talk, "a"), newer(talk, "b"));
    let made = talk.post(CORE, one.clone()).await?;
    talk.show(&made, &OF_CORE);
    let made = talk.post(NEWER, other.clone()).await?;
    talk.show(&made, &OF_NEWER);
    let (a, b) = (
        talk.get(&format!("{NEWER}/a")).await?,
        talk.get(&format!("{CORE}/b")).await?,
    );
    talk.show(&a, &OF_NEWER);
    talk.show(&b, &OF_CORE);
    talk.show(&b, &["/reportingComponent", "/reportingInstance"]);
    // The name is taken, whoever took it.
    talk.post(NEWER, newer(talk, "a")).await?;
    talk.post(CORE, other).await?;
    let path = format!(
        "{CORE}?watch=true&resourceVersion={}",
        made["metadata"]["resourceVersion"]
    );
    let path = path.replace('"', "");
    let mut watch = talk.watch(&path).await?;
    // An Event that repeats itself.
    let counted = talk
        .merge(
            &format!("{CORE}/a"),
            json!({"count": 4, "message": "again"}),
        )
        .await?;
    talk.show(&counted, &["/count", "/message"]);
    let series = json!({"series": {"count": 9, "lastObservedTime": "2026-01-01T00:00:05.000000Z"}});
    let counted = talk.merge(&format!("{NEWER}/b"), series).await?;
    talk.show(&counted, &["/series/count", "/note"]);
    let heard = talk.hear(&mut watch, 2).await?;
    talk.show(
        &heard[1],
        &[
            "/object/apiVersion",
            "/object/message",
            "/object/series/count",
        ],
    );
    for patch in [
        json!({"note": "other"}),
        json!({"regarding": {"name": "x"}}),
    ] {
        talk.merge(&format!("{NEWER}/b"), patch).await?;
    }
    for selector in [
        "/api/v1/namespaces/{ns}/events?fieldSelector=involvedObject.name%3Dweb,reason%3DOOMKilling",
        "/apis/events.k8s.io/v1/namespaces/{ns}/events?fieldSelector=regarding.name%3Dweb,type%3DNormal",
        "/apis/events.k8s.io/v1/namespaces/{ns}/events?fieldSelector=involvedObject.name%3Dweb",
    ] {
        let list = talk.get(selector).await?;
        talk.show(
            &list,
            &[
                "/apiVersion",
                "/items/0/metadata/name",
                "/items/0/note",
                "/items/1",
            ],
        );
    }
    talk.delete(&format!("{CORE}/b")).await?;
    talk.get(&format!("{NEWER}/b")).await?;
    Ok(())
}

pub(crate) async fn what_is_no_event(talk: &mut Talk) -> Result<()> {
    let changed = |mut event: Value, pointer: &str, value: Value| {
        json_patch::merge(&mut event, &json!({pointer: value}));
        event
    };
    for (field, value) in [
        ("action", json!("")),
        ("reason", Value::Null),
        ("reportingController", json!("")),
        ("reportingInstance", Value::Null),
        ("eventTime", Value::Null),
        ("type", json!("Other")),
        ("deprecatedCount", json!(3)),
        ("deprecatedSource", json!({"component": "c"})),
        ("regarding", json!({"namespace": null})),
    ] {
        let event = changed(newer(talk, "a"), field, value);
        talk.post(NEWER, event).await?;
    }
    for (field, value) in [
        ("eventTime", json!("2026-01-01T00:00:00.123456Z")),
        ("involvedObject", json!({"namespace": "default"})),
        ("involvedObject", json!({"namespace": null})),
        ("reason", Value::Null),
    ] {
        let event = changed(core(talk, "a"), field, value);
        talk.post(CORE, event).await?;
    }
    Ok(())
}
