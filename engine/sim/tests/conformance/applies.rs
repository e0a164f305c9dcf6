//! What holds of server-side apply: whose a field is, and what becomes of it.

use anyhow::Result;
use serde_json::{Value, json};

use super::objects::one;
use super::repairs;
use super::talk::Talk;

const MAPS: &str = "/api/v1/namespaces/{ns}/configmaps";
const FORM: &str = "apply-patch+yaml";

fn map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
}

async fn apply(talk: &mut Talk, path: &str, manager: &str, object: Value) -> Result<Value> {
    let path = format!("{path}?fieldManager={manager}");
    talk.ask("PATCH", &path, Some((FORM, object))).await
}

async fn force(talk: &mut Talk, path: &str, manager: &str, object: Value) -> Result<Value> {
    apply(talk, path, &format!("{manager}&force=true"), object).await
}

async fn update(talk: &mut Talk, path: &str, manager: &str, patch: Value) -> Result<Value> {
    talk.merge(&format!("{path}?fieldManager={manager}"), patch)
        .await
}

/// Whose what is, by name: in the object's own order come those of different seconds.
fn show_managers(talk: &mut Talk, answer: &Value, known: &[&str]) {
    let entries = answer["metadata"]["managedFields"].as_array();
    let mut lines: Vec<String> = entries
        .into_iter()
        .flatten()
        .filter(|entry| known.iter().any(|known| entry["manager"] == **known))
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or("-").to_owned();
            let who = [text("manager"), text("operation"), text("subresource")].join(" ");
            format!("{who}: {} {}", text("fieldsType"), entry["fieldsV1"])
        })
        .collect();
    lines.sort();
    let told = json!({"managers": lines});
    for at in 0..lines.len() {
        talk.show(&told, &[&format!("/managers/{at}")]);
    }
}

/// Why an apply is refused; the real server tells the managers in no order.
fn show_conflicts(talk: &mut Talk, answer: &Value) {
    talk.show(answer, &["/message"]);
    let causes = answer["details"]["causes"].as_array();
    let mut causes: Vec<String> = causes.into_iter().flatten().map(Value::to_string).collect();
    causes.sort();
    talk.show(&json!({"causes": causes}), &["/causes"]);
}

pub(crate) async fn applied(talk: &mut Talk) -> Result<()> {
    let a = &one("a");
    let managers = ["one", "two", "three"];
    let made = apply(talk, a, "one", map(json!({"n": "1", "m": "1"}))).await?;
    talk.show(&made, &["/data"]);
    show_managers(talk, &made, &managers);
    let same = apply(talk, a, "one", map(json!({"n": "1", "m": "1"}))).await?;
    let version = "/metadata/resourceVersion";
    talk.show_whether(
        "the same version",
        same.pointer(version) == made.pointer(version),
    );
    // What it says no more is gone.
    let less = apply(talk, a, "one", map(json!({"n": "1"}))).await?;
    talk.show(&less, &["/data"]);
    let refused = apply(talk, a, "two", map(json!({"n": "2", "k": "1"}))).await?;
    show_conflicts(talk, &refused);
    // Two may say the same; then it stays until neither does.
    let both = apply(talk, a, "two", map(json!({"n": "1", "k": "1"}))).await?;
    talk.show_whether(
        "another version",
        both.pointer(version) != less.pointer(version),
    );
    show_managers(talk, &both, &managers);
    let left = apply(talk, a, "one", map(json!({}))).await?;
    talk.show(&left, &["/data"]);
    show_managers(talk, &left, &managers);
    let forced = force(talk, a, "one", map(json!({"n": "3"}))).await?;
    talk.show(&forced, &["/data"]);
    show_managers(talk, &forced, &managers);
    // Other writes take what they change, without asking.
    let patch = json!({"data": {"n": "4", "z": "1"}, "metadata": {"labels": {"l": "1"}}});
    let taken = update(talk, a, "three", patch).await?;
    show_managers(talk, &taken, &managers);
    let refused = apply(talk, a, "one", map(json!({"n": "5", "z": "2"}))).await?;
    show_conflicts(talk, &refused);
    update(talk, a, "three", json!({"data": {"n": "6"}})).await?;
    let gone = update(talk, a, "three", json!({"metadata": {"labels": null}})).await?;
    show_managers(talk, &gone, &managers);
    let put = format!("{a}?fieldManager=three");
    let put = talk.put(&put, map(json!({"k": "1", "y": "1"}))).await?;
    show_managers(talk, &put, &managers);
    let last = apply(talk, a, "two", map(json!({"j": "1"}))).await?;
    talk.show(&last, &["/data"]);
    Ok(())
}

pub(crate) async fn applied_over_others(talk: &mut Talk) -> Result<()> {
    let a = &one("a");
    let mut object = map(json!({"n": "1"}));
    object["metadata"]["labels"] = json!({"l": "1"});
    talk.post(&format!("{MAPS}?fieldManager=maker"), object.clone())
        .await?;
    update(talk, a, "changer", json!({"data": {"m": "1"}})).await?;
    object["data"] = json!({"n": "2", "m": "2"});
    let refused = apply(talk, a, "one", object.clone()).await?;
    show_conflicts(talk, &refused);
    let forced = force(talk, a, "one", object).await?;
    show_managers(talk, &forced, &["one", "maker", "changer"]);
    let reset = json!({"metadata": {"managedFields": [{}]}});
    let reset = talk.merge(a, reset).await?;
    talk.show(&reset, &["/metadata/managedFields"]);
    Ok(())
}

pub(crate) async fn what_cannot_be_applied(talk: &mut Talk) -> Result<()> {
    let a = &one("a");
    let object = map(json!({"n": "1"}));
    talk.ask("PATCH", a, Some((FORM, object.clone()))).await?;
    let name = "x".repeat(129);
    apply(talk, a, &name, object.clone()).await?;
    talk.merge(&format!("{a}?force=true"), json!({})).await?;
    apply(talk, MAPS, "one", object.clone()).await?;
    apply(talk, &one("b"), "one", object.clone()).await?;
    let elsewhere = "/api/v1/namespaces/nowhere/configmaps/a";
    apply(talk, elsewhere, "one", object.clone()).await?;
    apply(talk, a, "one", json!({"metadata": {"name": "a"}})).await?;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}});
    apply(talk, a, "one", secret).await?;
    let mut managed = object.clone();
    managed["metadata"]["managedFields"] = json!([{"manager": "x", "operation": "Apply"}]);
    apply(talk, a, "one", managed).await?;
    let dry = apply(talk, a, "one&dryRun=All", object.clone()).await?;
    talk.show(&dry, &["/data"]);
    talk.get(a).await?;
    apply(talk, a, "one", object.clone()).await?;
    // As whoever read it before another wrote would do.
    let mut stale = object.clone();
    stale["metadata"]["resourceVersion"] = "1".into();
    let refused = apply(talk, a, "one", stale.clone()).await?;
    talk.show(&refused, &["/reason", "/details/causes"]);
    force(talk, a, "two", stale).await?;
    let mut fresh = talk.get(a).await?;
    fresh["data"]["n"] = "2".into();
    fresh["metadata"]["managedFields"] = Value::Null;
    let applied = apply(talk, a, "one", fresh).await?;
    talk.show(&applied, &["/data"]);
    talk.ask(
        "PATCH",
        &format!("{a}?fieldManager=one"),
        Some(("apply-patch+xml", object)),
    )
    .await?;
    Ok(())
}

pub(crate) async fn applied_lists(talk: &mut Talk) -> Result<()> {
    let own = "/api/v1/nodes/applied-node/status";
    let managers = ["one", "two", "three"];
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "applied-node"}});
    talk.post("/api/v1/nodes", node.clone()).await?;
    let says = |conditions: &[(&str, &str)]| {
        let conditions = conditions.iter().map(
            |(kind, status)| json!({"type": kind, "status": status, "reason": "R", "message": "m"}),
        );
        let mut node = node.clone();
        node["status"]["conditions"] = conditions.collect();
        node
    };
    let shown = |talk: &mut Talk, node: &Value| {
        let told = |condition: &Value| {
            let text = |key: &str| condition[key].as_str().unwrap_or_default().to_owned();
            text("type") + "=" + &text("status")
        };
        let conditions = node["status"]["conditions"].as_array();
        let told: Vec<String> = conditions.into_iter().flatten().map(told).collect();
        talk.show(&json!({"conditions": told}), &["/conditions"]);
        show_managers(talk, node, &managers);
    };
    let node = apply(talk, own, "one", says(&[("A", "True"), ("B", "True")])).await?;
    shown(talk, &node);
    let node = apply(talk, own, "two", says(&[("C", "True"), ("B", "True")])).await?;
    shown(talk, &node);
    let refused = apply(talk, own, "two", says(&[("C", "True"), ("B", "False")])).await?;
    show_conflicts(talk, &refused);
    let node = apply(talk, own, "one", says(&[("A", "False")])).await?;
    shown(talk, &node);
    let node = apply(talk, own, "two", says(&[("D", "True"), ("C", "True")])).await?;
    shown(talk, &node);
    apply(talk, own, "one", says(&[("A", "True"), ("A", "False")])).await?;
    let patch = json!({"status": {"conditions": [{"type": "C", "status": "Unknown"}]}});
    let node = update(talk, own, "three", patch).await?;
    shown(talk, &node);
    apply(talk, "/api/v1/nodes/no-node/status", "one", says(&[])).await?;
    talk.delete("/api/v1/nodes/applied-node").await?;
    Ok(())
}

pub(crate) async fn applied_pods(talk: &mut Talk) -> Result<()> {
    let own = "/api/v1/namespaces/{ns}/pods/a";
    let pod = |containers: Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {
                "automountServiceAccountToken": false, "schedulerName": "nobody", "containers": containers,
            },
        })
    };
    let first = pod(json!([
        {"name": "c", "image": "none:1", "env": [{"name": "E", "value": "1"}], "ports": [{"containerPort": 80}]},
        {"name": "d", "image": "none:1"},
    ]));
    let made = apply(talk, own, "one", first).await?;
    show_managers(talk, &made, &["one"]);
    let image = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "d", "image": "none:2"}]},
    });
    let refused = apply(talk, own, "two", image.clone()).await?;
    show_conflicts(talk, &refused);
    let forced = force(talk, own, "two", image).await?;
    talk.show(
        &forced,
        &[
            "/spec/containers/0/name",
            "/spec/containers/1/name",
            "/spec/containers/1/image",
        ],
    );
    show_managers(talk, &forced, &["one", "two"]);
    Ok(())
}

pub(crate) async fn applied_repairs(talk: &mut Talk) -> Result<()> {
    let a = &repairs::one("applied");
    let managers = ["one", "two", "three"];
    let mut object = repairs::repair("applied");
    object["status"] = json!({"message": "not by this way"});
    let made = apply(talk, a, "one", object).await?;
    talk.show(&made, &["/status", "/metadata/generation", "/spec/asks"]);
    show_managers(talk, &made, &managers);
    let less = |fields: Value| {
        let mut object = json!({
            "apiVersion": "rectifier.dev/v1alpha1", "kind": "NodeRepair", "metadata": {"name": "applied"},
        });
        json_patch::merge(&mut object, &fields);
        object
    };
    let raised = apply(talk, a, "two", less(json!({"spec": {"asks": "Reboot"}}))).await?;
    talk.show(&raised, &["/spec/asks", "/metadata/generation"]);
    show_managers(talk, &raised, &managers);
    // A rule of the CRD's holds here, too; and what nobody says has its default again.
    apply(talk, a, "two", less(json!({"spec": {"asks": "InNode"}}))).await?;
    apply(talk, a, "two", less(json!({}))).await?;
    apply(talk, a, "one", less(json!({"spec": {"nodeName": 1}}))).await?;
    apply(talk, a, "one", less(json!({"spec": {"other": 1}}))).await?;
    let bad = repairs::one("applied-bad");
    let mut incomplete = less(json!({"spec": {"nodeName": "node-1"}}));
    incomplete["metadata"]["name"] = "applied-bad".into();
    apply(talk, &bad, "one", incomplete).await?;

    let status = &format!("{a}/status");
    let patch = less(json!({
        "spec": {"withdrawn": true}, "metadata": {"labels": {"l": "1"}}, "status": {"message": "hello"},
    }));
    let told = apply(talk, status, "two", patch).await?;
    talk.show(
        &told,
        &[
            "/status/message",
            "/status/phase",
            "/spec/withdrawn",
            "/metadata/labels",
            "/metadata/generation",
        ],
    );
    show_managers(talk, &told, &managers);
    let other = json!({"status": {"message": "other"}});
    let told = update(talk, status, "three", other).await?;
    show_managers(talk, &told, &managers);
    let hello = less(json!({"status": {"message": "hello"}}));
    let refused = apply(talk, status, "two", hello.clone()).await?;
    show_conflicts(talk, &refused);
    let told = force(talk, status, "two", hello).await?;
    show_managers(talk, &told, &managers);

    let held = |finalizers: &[&str]| {
        less(json!({"metadata": {
            "finalizers": finalizers, "labels": {"l": "1"}, "annotations": {"example.com/a": "1"},
        }}))
    };
    let both = held(&["example.com/one", "example.com/two"]);
    let told = apply(talk, a, "three", both).await?;
    show_managers(talk, &told, &["three"]);
    let third = less(json!({"metadata": {"finalizers": ["example.com/three"]}}));
    let told = apply(talk, a, "four", third).await?;
    talk.show(&told, &["/metadata/finalizers"]);
    let told = apply(talk, a, "three", held(&["example.com/two"])).await?;
    talk.show(&told, &["/metadata/finalizers"]);
    let told = apply(talk, a, "three", less(json!({}))).await?;
    let gone = [
        "/metadata/finalizers",
        "/metadata/labels",
        "/metadata/annotations",
    ];
    talk.show(&told, &gone);
    talk.merge(a, json!({"metadata": {"finalizers": null}}))
        .await?;
    talk.delete(a).await?;
    Ok(())
}
