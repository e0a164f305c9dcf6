//! What holds of our own kinds: their halves, schemas and rules.

use anyhow::Result;
use serde_json::{Value, json};

use super::talk::Talk;

pub(crate) const REPAIRS: &str = "/apis/rectifier.dev/v1alpha1/noderepairs";

pub(crate) fn repair(name: &str) -> Value {
    json!({
        "apiVersion": "rectifier.dev/v1alpha1", "kind": "NodeRepair", "metadata": {"name": name},
        "spec": {
            "nodeName": "node-1", "nodeUid": "uid-1",
            "problem": {"kind": "KernelDeadlock", "reason": "R", "message": "m", "since": "2026-01-01T00:00:00Z"},
        },
    })
}

pub(crate) fn one(name: &str) -> String {
    format!("{REPAIRS}/{name}")
}

pub(crate) async fn halves(talk: &mut Talk) -> Result<()> {
    let (a, status) = (&one("halves"), &format!("{}/status", one("halves")));
    let mut object = repair("halves");
    object["status"] = json!({"phase": "Cordoned"});
    let made = talk.post(REPAIRS, object).await?;
    talk.show(
        &made,
        &[
            "/metadata/generation",
            "/status",
            "/spec/asks",
            "/spec/withdrawn",
            "/spec/requestedBy",
        ],
    );
    let raised = talk
        .merge(
            a,
            json!({"spec": {"asks": "Escalate"}, "status": {"message": "main"}}),
        )
        .await?;
    talk.show(&raised, &["/metadata/generation", "/status", "/spec/asks"]);
    let patch = json!({"status": {"message": "seen"}, "spec": {"withdrawn": true}, "metadata": {"labels": {"l": "1"}}});
    let told = talk.merge(status, patch).await?;
    talk.show(
        &told,
        &[
            "/metadata/generation",
            "/status/message",
            "/spec/withdrawn",
            "/metadata/labels",
        ],
    );
    let mut whole = told.clone();
    whole["status"]["message"] = "again".into();
    let told = talk.put(status, whole.clone()).await?;
    talk.show(&told, &["/status/message", "/metadata/generation"]);
    // Now it is stale; and without a version it is not taken.
    talk.put(status, whole.clone()).await?;
    whole["metadata"]
        .as_object_mut()
        .map(|fields| fields.remove("resourceVersion"));
    talk.put(status, whole.clone()).await?;
    talk.put(a, whole).await?;
    let labelled = talk
        .merge(a, json!({"metadata": {"labels": {"l": "2"}}}))
        .await?;
    talk.show(&labelled, &["/metadata/generation", "/metadata/labels"]);
    talk.get(status).await?;
    let list = talk
        .get(&format!("{REPAIRS}?fieldSelector=spec.nodeName%3Dnode-1"))
        .await?;
    talk.show(&list, &["/kind", "/items/0/metadata/name", "/items/0/kind"]);
    let none = talk
        .get(&format!("{REPAIRS}?fieldSelector=spec.nodeName%3Dnode-2"))
        .await?;
    talk.show(&none, &["/items"]);
    talk.get(&format!("{REPAIRS}?fieldSelector=spec.nodeUid%3Dx"))
        .await?;
    talk.delete(a).await?;
    Ok(())
}

pub(crate) async fn schemas(talk: &mut Talk) -> Result<()> {
    let changed = |pointer: &str, value: Value| {
        let mut object = repair("schemas");
        if let Some(field) = object.pointer_mut(pointer) {
            *field = value;
        }
        object
    };
    for (pointer, value) in [
        ("/spec/nodeName", json!("")),
        ("/spec/nodeName", json!("x".repeat(254))),
        ("/spec/nodeName", json!(1)),
        ("/spec/nodeUid", Value::Null),
        ("/spec/problem/since", json!("yesterday")),
        ("/spec/problem", json!({"kind": "KernelDeadlock"})),
        ("/spec", json!({})),
    ] {
        talk.post(REPAIRS, changed(pointer, value)).await?;
    }
    let mut unknown = repair("schemas");
    unknown["spec"]["asks"] = "Nothing".into();
    talk.post(REPAIRS, unknown).await?;
    let mut unknown = repair("schemas");
    unknown["spec"]["more"] = json!({"a": 1});
    talk.post(
        &format!("{REPAIRS}?fieldValidation=Strict"),
        unknown.clone(),
    )
    .await?;
    let pruned = talk
        .post(&format!("{REPAIRS}?fieldValidation=Ignore"), unknown)
        .await?;
    talk.show(&pruned, &["/spec/more"]);
    let nulled = talk
        .merge(
            &one("schemas"),
            json!({"spec": {"acceptedGrant": null, "deadline": null}}),
        )
        .await?;
    talk.show(&nulled, &["/spec/acceptedGrant", "/spec/deadline"]);
    let refused = talk
        .merge(
            &format!("{}/status", one("schemas")),
            json!({"status": {"phase": 1}}),
        )
        .await?;
    talk.show(&refused, &["/reason"]);
    talk.delete(&one("schemas")).await?;
    Ok(())
}

pub(crate) async fn rules(talk: &mut Talk) -> Result<()> {
    let a = &one("rules");
    talk.post(REPAIRS, repair("rules")).await?;
    for spec in [
        json!({"nodeName": "node-2"}),
        json!({"nodeUid": "uid-2"}),
        json!({"problem": {"kind": "Other"}}),
        json!({"requestedBy": "Operator"}),
        // of a graver problem, with more that is asked, and then no other
        json!({"problem": {"kind": "Graver", "since": "2026-01-01T00:00:00Z"}}),
        json!({"problem": {"kind": "Graver", "since": "2026-01-01T00:00:00Z"}, "asks": "Reboot"}),
        json!({"problem": {"kind": "Gravest", "since": "2026-01-01T00:00:00Z"}, "asks": "Escalate"}),
        json!({"asks": "Reboot"}),
        json!({"asks": "InNode"}),
        json!({"asks": "Escalate"}),
        json!({"asks": "Reboot"}),
        json!({"withdrawn": true}),
        json!({"withdrawn": false}),
        json!({"withdrawn": null}),
        json!({"acceptedGrant": "grant-1"}),
        json!({"deadline": "2026-01-01T00:10:00Z"}),
        json!({"deadline": "2026-01-01T00:05:00Z"}),
        json!({"deadline": null}),
        json!({"deadline": "2026-01-01T00:20:00Z"}),
        json!({"wants": "Replace"}),
        json!({"by": "me"}),
    ] {
        let answer = talk.merge(a, json!({"spec": spec})).await?;
        let spec = json!({"asked": spec});
        talk.show(&spec, &["/asked"]);
        talk.show(
            &answer,
            &["/spec/asks", "/spec/withdrawn", "/spec/problem/kind"],
        );
    }
    talk.delete(a).await?;
    // only a person says what is to be done
    for [by, asks, wants] in [
        ["NodeEngine", "Escalate", "Replace"],
        ["Operator", "InNode", "Replace"],
        ["Operator", "Escalate", "Nothing"],
        ["Operator", "Escalate", "Replace"],
    ] {
        let mut wanting = repair("rules");
        let asked = json!({"requestedBy": by, "asks": asks, "wants": wants});
        json_patch::merge(&mut wanting["spec"], &asked);
        let answer = talk.post(REPAIRS, wanting).await?;
        talk.show(&json!({"asked": asked}), &["/asked"]);
        talk.show(&answer, &["/spec/wants", "/reason"]);
    }
    for spec in [json!({"wants": "Reboot"}), json!({"wants": null})] {
        let answer = talk.merge(a, json!({"spec": spec})).await?;
        talk.show(&json!({"asked": spec}), &["/asked"]);
        talk.show(&answer, &["/reason"]);
    }
    talk.delete(a).await?;
    Ok(())
}
