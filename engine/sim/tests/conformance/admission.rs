//! What a stolen token can do: what our admission policies (`deploy/admission.yaml`) refuse, and in which words.
//!
//! What the real server's RBAC refuses before them is no difference between the two: it is told as a refusal alone.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::repairs::{REPAIRS, repair};
use super::talk::Talk;

const AGENTS: &str = "rectifier-agents";
const NODE_ENGINE: [&str; 2] = [AGENTS, "rectifier-node"];
const DETECTOR: [&str; 2] = [AGENTS, "node-problem-detector"];
const CONTROLLER: [&str; 2] = ["rectifier-system", "rectifier-controller"];
const EVENTS: &str = "/api/v1/namespaces/default/events";
const NEWER_EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/default/events";

/// A node, as its kubelet would have made it; its UID.
async fn node(talk: &mut Talk, name: &str) -> Result<String> {
    let ready =
        json!({"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "m"});
    let node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
        "status": {"conditions": [ready], "capacity": {"cpu": "2"}, "nodeInfo": {"bootID": "boot-1"}},
    });
    let made = talk.post("/api/v1/nodes", node).await?;
    Ok(made["metadata"]["uid"]
        .as_str()
        .context("a UID")?
        .to_owned())
}

/// Shows what was said, if it was an admission policy that said it.
fn show(talk: &mut Talk, what: &str, answer: &Value) {
    let message = answer["message"].as_str().unwrap_or_default();
    let uid = |word: &str| word.matches('-').count() == 4 && word.len() >= 36;
    // UIDs differ from run to run.
    let words = message
        .split(' ')
        .map(|word| if uid(word) { "UID" } else { word });
    let told = match message.contains("ValidatingAdmissionPolicy") {
        true => words.collect::<Vec<_>>().join(" "),
        false => answer["code"]
            .as_u64()
            .map_or("done", |_| "refused")
            .to_owned(),
    };
    talk.show(&json!({what: told}), &[&format!("/{what}")]);
}

fn repair_of(node: &str, uid: &str) -> Value {
    let mut repair = repair(&format!("{node}.repair"));
    repair["spec"]["nodeName"] = node.into();
    repair["spec"]["nodeUid"] = uid.into();
    repair
}

/// The object, with these fields otherwise.
fn with(mut object: Value, change: Value) -> Value {
    json_patch::merge(&mut object, &change);
    object
}

pub(crate) async fn a_node_engines_repairs(talk: &mut Talk) -> Result<()> {
    let (own, other) = (node(talk, "engine-1").await?, node(talk, "engine-2").await?);
    talk.as_account(NODE_ENGINE, Some(["engine-1", &own]))
        .await?;
    let stranger = repair_of("engine-2", &other);
    talk.until_refused(REPAIRS, &stranger).await?;
    let honest = repair_of("engine-1", &own);
    let meta = |fields: Value| json!({"metadata": fields});
    let owner = json!({"apiVersion": "v1", "kind": "Node", "name": "engine-1", "uid": own});
    for (what, wrong) in [
        ("another-node", stranger.clone()),
        (
            "another-uid",
            with(honest.clone(), json!({"spec": {"nodeUid": other}})),
        ),
        (
            "another-name",
            with(honest.clone(), meta(json!({"name": "engine-2.repair"}))),
        ),
        (
            "any-name",
            with(honest.clone(), meta(json!({"name": "repair"}))),
        ),
        (
            "finalizers",
            with(
                honest.clone(),
                meta(json!({"finalizers": ["example.com/forever"]})),
            ),
        ),
        (
            "owners",
            with(honest.clone(), meta(json!({"ownerReferences": [owner]}))),
        ),
        (
            "labels",
            with(honest.clone(), meta(json!({"labels": {"l": "1"}}))),
        ),
        (
            "annotations",
            with(honest.clone(), meta(json!({"annotations": {"a": "1"}}))),
        ),
        (
            "no-labels",
            with(
                honest.clone(),
                meta(json!({"labels": {}, "name": "engine-2.repair"})),
            ),
        ),
        (
            "the-operators-name",
            with(honest.clone(), json!({"spec": {"requestedBy": "Operator"}})),
        ),
    ] {
        let answer = talk.post(REPAIRS, wrong).await?;
        show(talk, what, &answer);
    }
    talk.post(REPAIRS, honest.clone()).await?;
    let path = &format!("{REPAIRS}/engine-1.repair");
    for (what, patch) in [
        ("upwards", json!({"spec": {"asks": "Reboot"}})),
        ("downwards", json!({"spec": {"asks": "InNode"}})),
        ("a-grant", json!({"spec": {"acceptedGrant": "grant-1"}})),
        (
            "another-problem",
            json!({"spec": {"problem": {"kind": "Other"}}}),
        ),
        (
            "an-annotation",
            meta(json!({"annotations": {"rectifier.dev/retry": "1"}})),
        ),
        (
            "an-approval",
            meta(json!({"annotations": {"rectifier.dev/approve": "Replace-1"}})),
        ),
        (
            "a-rejection",
            meta(json!({"annotations": {"rectifier.dev/reject": ""}})),
        ),
        ("a-label", meta(json!({"labels": {"l": "1"}}))),
        (
            "a-finalizer",
            meta(json!({"finalizers": ["example.com/forever"]})),
        ),
        ("withdrawn", json!({"spec": {"withdrawn": true}})),
    ] {
        let answer = talk.merge(path, patch).await?;
        show(talk, what, &answer);
    }
    talk.as_oneself();
    // A person's annotation stays, and does not hinder.
    talk.merge(
        path,
        meta(json!({"annotations": {"rectifier.dev/retry": "1"}})),
    )
    .await?;
    talk.post(REPAIRS, stranger).await?;
    talk.as_account(NODE_ENGINE, None).await?;
    let answer = talk
        .merge(path, json!({"spec": {"asks": "Escalate"}}))
        .await?;
    show(talk, "by-no-nodes-token", &answer);
    talk.as_oneself();
    for name in ["engine-1", "engine-2"] {
        talk.delete(&format!("{REPAIRS}/{name}.repair")).await?;
        talk.delete(&format!("/api/v1/nodes/{name}")).await?;
    }
    Ok(())
}

pub(crate) async fn repairs_by_a_token_without_a_node(talk: &mut Talk) -> Result<()> {
    let own = node(talk, "unbound-1").await?;
    talk.as_account(NODE_ENGINE, None).await?;
    let repair = repair_of("unbound-1", &own);
    talk.until_refused(REPAIRS, &repair).await?;
    let answer = talk.post(REPAIRS, repair).await?;
    show(talk, "a-node", &answer);
    talk.as_oneself();
    talk.delete("/api/v1/nodes/unbound-1").await?;
    Ok(())
}

pub(crate) async fn a_detectors_conditions(talk: &mut Talk) -> Result<()> {
    let own = node(talk, "sick-1").await?;
    node(talk, "sick-2").await?;
    let says = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "R", "message": "m"});
    talk.as_account(DETECTOR, Some(["sick-1", &own])).await?;
    let dead = says("Ready", "False");
    // It is in force when another node's is refused.
    for _ in 0..3000 {
        let path = "/api/v1/nodes/sick-2/status?dryRun=All";
        let (code, _) = talk
            .quietly("PATCH", path, &json!({"status": {"phase": "x"}}))
            .await?;
        if code >= 400 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for (what, node, condition) in [
        ("its-own", "sick-1", says("KernelDeadlock", "True")),
        ("another-nodes", "sick-2", says("KernelDeadlock", "True")),
        ("ready", "sick-1", dead),
        ("memory", "sick-1", says("MemoryPressure", "True")),
        ("disk", "sick-1", says("DiskPressure", "True")),
        ("pids", "sick-1", says("PIDPressure", "True")),
        ("network", "sick-1", says("NetworkUnavailable", "False")),
        ("its-own-again", "sick-1", says("KernelDeadlock", "False")),
    ] {
        let path = format!("/api/v1/nodes/{node}/status");
        let (_, seen) = talk
            .quietly("GET", &format!("/api/v1/nodes/{node}"), &Value::Null)
            .await?;
        let mut conditions = seen["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        conditions.retain(|old| old["type"] != condition["type"]);
        conditions.push(condition);
        let answer = talk
            .merge(&path, json!({"status": {"conditions": conditions}}))
            .await?;
        show(talk, what, &answer);
    }
    for (what, patch) in [
        ("capacity", json!({"status": {"capacity": {"cpu": "1"}}})),
        (
            "boot-id",
            json!({"status": {"nodeInfo": {"bootID": "another"}}}),
        ),
        ("label", json!({"metadata": {"labels": {"pool": "none"}}})),
        (
            "annotation",
            json!({"metadata": {"annotations": {"rectifier.dev/cordoned-by": "me"}}}),
        ),
        (
            "pause",
            json!({"metadata": {"annotations": {"rectifier.dev/paused": ""}}}),
        ),
        (
            "finalizer",
            json!({"metadata": {"finalizers": ["example.com/forever"]}}),
        ),
    ] {
        let answer = talk.merge("/api/v1/nodes/sick-1/status", patch).await?;
        show(talk, what, &answer);
    }
    talk.as_oneself();
    for name in ["sick-1", "sick-2"] {
        talk.delete(&format!("/api/v1/nodes/{name}")).await?;
    }
    Ok(())
}

/// An Event of the core group, and one of the other.
fn events(name: &str, kind: &str, about: &str) -> [(&'static str, Value); 2] {
    let about =
        json!({"kind": kind, "name": about, "namespace": (kind == "Pod").then_some("default")});
    let core = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "involvedObject": about,
        "reason": "KernelDeadlock", "message": "it hangs", "type": "Warning", "source": {"component": "kernel-monitor"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
    });
    let newer = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": format!("{name}-new")}, "regarding": about,
        "reason": "ProblemSeen", "note": "it is there", "type": "Warning", "action": "Observe",
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "rectifier-node", "reportingInstance": "node",
    });
    [(EVENTS, core), (NEWER_EVENTS, newer)]
}

pub(crate) async fn agents_events(talk: &mut Talk) -> Result<()> {
    let own = node(talk, "telling-1").await?;
    for (path, event) in events("foreign", "Node", "telling-2") {
        talk.post(path, event).await?;
    }
    for account in [NODE_ENGINE, DETECTOR] {
        let name = account[1];
        talk.as_account(account, Some(["telling-1", &own])).await?;
        let [(path, event), _] = events("other", "Node", "telling-2");
        talk.until_refused(path, &event).await?;
        for (kind, about) in [("Node", "telling-2"), ("Pod", "web"), ("Node", "telling-1")] {
            for (path, event) in events(&format!("{name}-{about}"), kind, about) {
                let answer = talk.post(path, event).await?;
                show(talk, about, &answer);
            }
        }
        let series =
            json!({"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:05.000000Z"}});
        let mine = format!("{name}-telling-1");
        for (event, newer) in [("foreign", "foreign-new"), (&mine, &format!("{mine}-new"))] {
            let answer = talk
                .merge(&format!("{EVENTS}/{event}"), json!({"count": 2}))
                .await?;
            show(talk, "count", &answer);
            let answer = talk
                .merge(&format!("{NEWER_EVENTS}/{newer}"), series.clone())
                .await?;
            show(talk, "series", &answer);
        }
        let stolen = json!({"involvedObject": {"name": "telling-2"}});
        let answer = talk.merge(&format!("{EVENTS}/{mine}"), stolen).await?;
        show(talk, "about-another-now", &answer);
    }
    talk.as_oneself();
    talk.delete("/api/v1/nodes/telling-1").await?;
    Ok(())
}

pub(crate) async fn the_controllers_secrets(talk: &mut Talk) -> Result<()> {
    const SECRETS: &str = "/api/v1/namespaces/kube-system/secrets";
    let secret = |name: &str, kind: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind, "stringData": {"token-id": "abcdef"},
        })
    };
    talk.post(SECRETS, secret("others", "Opaque")).await?;
    talk.as_account(CONTROLLER, None).await?;
    talk.until_refused(SECRETS, &secret("mine", "Opaque"))
        .await?;
    for (what, name, kind) in [
        (
            "a-token",
            "bootstrap-token-abcdef",
            "bootstrap.kubernetes.io/token",
        ),
        ("another-type", "bootstrap-token-abcdeg", "Opaque"),
        ("another-name", "mine", "bootstrap.kubernetes.io/token"),
    ] {
        let answer = talk.post(SECRETS, secret(name, kind)).await?;
        show(talk, what, &answer);
    }
    for name in ["others", "bootstrap-token-abcdef"] {
        let answer = talk.delete(&format!("{SECRETS}/{name}")).await?;
        show(talk, name, &answer);
    }
    talk.as_oneself();
    talk.delete(&format!("{SECRETS}/others")).await?;
    Ok(())
}

pub(crate) async fn the_controllers_config_maps(talk: &mut Talk) -> Result<()> {
    const MAPS: &str = "/api/v1/namespaces/rectifier-system/configmaps";
    const POLICIES: &str = "/api/v1/namespaces/rectifier-system/configmaps/rectifier-policies";
    let map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}});
    // the real server has it from `deploy/`
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "rectifier-system"}});
    talk.quietly("POST", "/api/v1/namespaces", &namespace)
        .await?;
    talk.post(MAPS, map("rectifier-policies")).await?;
    talk.as_account(CONTROLLER, None).await?;
    talk.until_refused(MAPS, &map("mine")).await?;
    let forged = json!({"data": {"a": "forged"}});
    let answer = talk.merge(POLICIES, forged.clone()).await?;
    show(talk, "the-policies", &answer);
    let answer = talk.post(MAPS, map("rectifier-stop")).await?;
    show(talk, "a-stop-switch", &answer);
    let answer = talk.post(MAPS, map("rectifier-evidence-1")).await?;
    show(talk, "evidence", &answer);
    let answer = talk
        .merge(&format!("{MAPS}/rectifier-evidence-1"), forged)
        .await?;
    show(talk, "more-evidence", &answer);
    talk.as_oneself();
    for name in ["rectifier-policies", "rectifier-evidence-1"] {
        talk.delete(&format!("{MAPS}/{name}")).await?;
    }
    Ok(())
}

/// Who deletes a repair whose replacement is committed is told what to do instead; but for the controller.
pub(crate) async fn committed_repairs(talk: &mut Talk) -> Result<()> {
    let (open, status) = (
        &format!("{REPAIRS}/committed-1.repair"),
        &format!("{REPAIRS}/committed-1.repair/status"),
    );
    let repair = repair_of("committed-1", "uid-1");
    talk.post(REPAIRS, repair.clone()).await?;
    talk.delete(open).await?;
    let mut stays = repair.clone();
    stays["metadata"]["finalizers"] = json!(["rectifier.dev/repair"]);
    talk.post(REPAIRS, stays.clone()).await?;
    let committed =
        |phase: &str| json!({"status": {"phase": phase, "committedAt": "2026-01-01T00:00:00Z"}});
    talk.merge(status, committed("Draining")).await?;
    // It is in force when it refuses.
    for _ in 0..3000 {
        let dry = format!("{open}?dryRun=All");
        if talk.quietly("DELETE", &dry, &Value::Null).await?.0 >= 400 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let answer = talk.delete(open).await?;
    show(talk, "committed", &answer);
    talk.merge(status, committed("NeedsHuman")).await?;
    let answer = talk.delete(open).await?;
    show(talk, "committed-and-held", &answer);
    // its server goes first, and there is no replacement yet
    let room = |ended: Value| {
        let room = json!({"since": "2026-01-01T00:00:00Z", "endedAt": ended, "kept": {"server": "{}", "node": {}}});
        json!({"status": {"phase": "DeletingServer", "committedAt": null, "room": room}})
    };
    let at = Value::from("2026-01-01T00:00:00Z");
    talk.merge(status, room(at)).await?;
    let answer = talk.delete(open).await?;
    show(talk, "going-first", &answer);
    talk.as_account(CONTROLLER, None).await?;
    let answer = talk.delete(open).await?;
    show(talk, "by-the-controller", &answer);
    talk.as_oneself();
    // What is over may go.
    talk.merge(status, committed("Replaced")).await?;
    talk.merge(open, json!({"metadata": {"finalizers": null}}))
        .await?;
    talk.get(open).await?;
    talk.post(REPAIRS, repair).await?;
    talk.merge(status, committed("Replaced")).await?;
    talk.delete(open).await?;
    Ok(())
}

/// A person's name beside their hand is their own.
pub(crate) async fn hands(talk: &mut Talk) -> Result<()> {
    let annotated = |annotations: Value| json!({"metadata": {"annotations": annotations}});
    let uid = node(talk, "hands-1").await?;
    let opened = |by: &str| {
        let spec =
            json!({"requestedBy": "Operator", "asks": "Escalate", "wants": "Reboot", "by": by});
        with(repair_of("hands-1", &uid), json!({"spec": spec}))
    };
    talk.until_refused(REPAIRS, &opened("somebody")).await?;
    let answer = talk.post(REPAIRS, opened("somebody")).await?;
    let told = answer["message"].as_str().unwrap_or_default();
    // One is called otherwise at each of the two.
    let me = told.rsplit('"').nth(1).unwrap_or_default().to_owned();
    let mut forged = answer.clone();
    forged["message"] = told.replace(&me, "me").into();
    show(talk, "opened-in-anothers-name", &forged);
    talk.post(REPAIRS, opened(&me)).await?;
    let (repair, node) = (
        &format!("{REPAIRS}/hands-1.repair"),
        "/api/v1/nodes/hands-1",
    );
    for (what, path, annotations) in [
        ("unsigned", repair, json!({"rectifier.dev/retry": "1"})),
        (
            "signed",
            repair,
            json!({"rectifier.dev/approve": "Reboot-1", "rectifier.dev/approve-by": me}),
        ),
        (
            "forged",
            repair,
            json!({"rectifier.dev/reject": "no", "rectifier.dev/reject-by": "somebody"}),
        ),
        (
            "forged-later",
            repair,
            json!({"rectifier.dev/approve-by": "somebody"}),
        ),
        (
            "no-such-rung",
            repair,
            json!({"rectifier.dev/wants": "replace"}),
        ),
        ("a-rung", repair, json!({"rectifier.dev/wants": "Replace"})),
        (
            "a-signature-alone",
            repair,
            json!({"rectifier.dev/retry": null, "rectifier.dev/retry-by": me}),
        ),
        (
            "a-word-without-the-old-signature",
            repair,
            json!({"rectifier.dev/approve": "Replace-2", "rectifier.dev/approve-by": null}),
        ),
        (
            "a-rung-on-a-node",
            &node.to_owned(),
            json!({"rectifier.dev/wants": "Replace"}),
        ),
        (
            "a-pause",
            &node.to_owned(),
            json!({"rectifier.dev/paused": "mine", "rectifier.dev/paused-by": me}),
        ),
        (
            "a-forged-pause",
            &node.to_owned(),
            json!({"rectifier.dev/paused": "mine", "rectifier.dev/paused-by": "somebody"}),
        ),
    ] {
        let answer = talk.merge(path, annotated(annotations)).await?;
        let mut said = answer.clone();
        said["message"] = answer["message"]
            .as_str()
            .unwrap_or_default()
            .replace(&me, "me")
            .into();
        show(talk, what, &said);
    }
    talk.delete(repair).await?;
    Ok(())
}
