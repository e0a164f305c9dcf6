//! What holds of every object.

use anyhow::Result;
use serde_json::{Value, json};

use super::talk::Talk;

const MAPS: &str = "/api/v1/namespaces/{ns}/configmaps";

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": "1"}})
}

pub(crate) fn one(name: &str) -> String {
    format!("{MAPS}/{name}")
}

pub(crate) async fn made_read_changed_and_deleted(talk: &mut Talk) -> Result<()> {
    let a = &one("a");
    let made = talk.post(MAPS, map("a")).await?;
    talk.show(
        &made,
        &[
            "/data",
            "/metadata/generation",
            "/metadata/deletionTimestamp",
            "/metadata/labels",
        ],
    );
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        talk.show_whether(field, made["metadata"][field].is_string());
    }
    talk.post(MAPS, map("a")).await?;
    let read = talk.get(a).await?;
    talk.show_whether(
        "as it was made",
        read["metadata"]["uid"] == made["metadata"]["uid"],
    );
    talk.get(&one("b")).await?;
    let mut other = read.clone();
    other["data"]["n"] = "2".into();
    let changed = talk.put(a, other.clone()).await?;
    talk.show(&changed, &["/data"]);
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    talk.show_whether("another version", version(&changed) != version(&read));
    // The same again changes nothing.
    other["metadata"]["resourceVersion"] = version(&changed);
    let same = talk.put(a, other).await?;
    talk.show_whether("the same version", version(&same) == version(&changed));
    let gone = talk.delete(a).await?;
    talk.show(&gone, &["/status", "/details/name", "/details/kind"]);
    talk.show_whether(
        "by its uid",
        gone["details"]["uid"] == made["metadata"]["uid"],
    );
    talk.get(a).await?;
    talk.delete(a).await?;
    talk.put(a, map("a")).await?;
    talk.merge(a, json!({"data": null})).await?;
    Ok(())
}

pub(crate) async fn stale_versions(talk: &mut Talk) -> Result<()> {
    let a = &one("a");
    let old = talk.post(MAPS, map("a")).await?;
    talk.merge(a, json!({"data": {"n": "2"}})).await?;
    let mut stale = old.clone();
    stale["data"]["n"] = "3".into();
    let refused = talk.put(a, stale.clone()).await?;
    talk.show(&refused, &["/code", "/status"]);
    let version = old["metadata"]["resourceVersion"].clone();
    talk.merge(
        a,
        json!({"metadata": {"resourceVersion": version}, "data": {"n": "4"}}),
    )
    .await?;
    // Without a version it asks for no particular one.
    stale["metadata"]
        .as_object_mut()
        .map(|fields| fields.remove("resourceVersion"));
    let blind = talk.put(a, stale.clone()).await?;
    talk.show(&blind, &["/data"]);
    stale["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000".into();
    talk.put(a, stale).await?;
    let mut made = map("b");
    made["metadata"]["resourceVersion"] = "5".into();
    talk.post(MAPS, made).await?;
    Ok(())
}

pub(crate) async fn patches(talk: &mut Talk) -> Result<()> {
    let a = &one("a");
    talk.post(MAPS, map("a")).await?;
    let merged = talk
        .merge(
            a,
            json!({"data": {"n": null, "m": "1"}, "metadata": {"labels": {"x": "y"}}}),
        )
        .await?;
    talk.show(&merged, &["/data", "/metadata/labels"]);
    let same = talk.merge(a, json!({"data": {"m": "1"}})).await?;
    let version = "/metadata/resourceVersion";
    talk.show_whether(
        "the same version",
        same.pointer(version) == merged.pointer(version),
    );
    let forms = [
        json!([{"op": "test", "path": "/data/m", "value": "1"}, {"op": "add", "path": "/data/k", "value": "2"}]),
        json!([{"op": "test", "path": "/data/m", "value": "2"}, {"op": "remove", "path": "/data/m"}]),
        json!([{"op": "remove", "path": "/data/none"}]),
    ];
    for patch in forms {
        let patched = talk
            .ask("PATCH", a, Some(("json-patch+json", patch)))
            .await?;
        talk.show(&patched, &["/data"]);
    }
    talk.ask("PATCH", a, Some(("nonsense", json!({})))).await?;
    talk.merge(a, json!({"metadata": {"name": "b"}})).await?;
    talk.merge(a, json!({"kind": "Secret"})).await?;
    Ok(())
}

pub(crate) async fn what_makes_no_sense(talk: &mut Talk) -> Result<()> {
    talk.get("/apis/example.com/v1/things").await?;
    talk.get(&format!("{MAPS}/a/nothing")).await?;
    talk.get("/api/v1/configmaps/a").await?;
    talk.post(
        MAPS,
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}),
    )
    .await?;
    talk.post(MAPS, map("Not A Name")).await?;
    talk.post(
        MAPS,
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}),
    )
    .await?;
    let mut elsewhere = map("a");
    elsewhere["metadata"]["namespace"] = "default".into();
    talk.post(MAPS, elsewhere).await?;
    talk.post("/api/v1/namespaces/nowhere/configmaps", map("a"))
        .await?;
    talk.post(MAPS, map("a")).await?;
    talk.put(&one("a"), map("b")).await?;
    talk.post(&one("a"), map("a")).await?;
    talk.post("/api/v1/configmaps", map("a")).await?;
    talk.get(&format!("{MAPS}?fieldSelector=data.n=1")).await?;
    talk.get(&format!("{MAPS}?labelSelector=a%20in%20b"))
        .await?;
    Ok(())
}

pub(crate) async fn finalizers(talk: &mut Talk) -> Result<()> {
    let a = &one("a");
    let mut held = map("a");
    held["metadata"]["finalizers"] = json!(["example.com/one", "example.com/two"]);
    talk.post(MAPS, held).await?;
    let going = talk.delete(a).await?;
    talk.show_whether("it is still there", going["kind"] == "ConfigMap");
    talk.show_whether(
        "being deleted",
        going["metadata"]["deletionTimestamp"].is_string(),
    );
    talk.show(&going, &["/metadata/deletionGracePeriodSeconds"]);
    talk.delete(a).await?;
    let three = json!(["example.com/one", "example.com/two", "example.com/three"]);
    talk.merge(a, json!({"metadata": {"finalizers": three}}))
        .await?;
    let changed = talk
        .merge(
            a,
            json!({"metadata": {"finalizers": ["example.com/two"]}, "data": {"n": "2"}}),
        )
        .await?;
    talk.show(&changed, &["/metadata/finalizers", "/data"]);
    talk.merge(a, json!({"metadata": {"finalizers": null}}))
        .await?;
    talk.get(a).await?;
    Ok(())
}

pub(crate) async fn preconditions(talk: &mut Talk) -> Result<()> {
    let a = &one("a");
    let made = talk.post(MAPS, map("a")).await?;
    let options = |preconditions: Value| {
        Some((
            "json",
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}),
        ))
    };
    let wrong = "00000000-0000-4000-8000-000000000000";
    talk.ask("DELETE", a, options(json!({"uid": wrong})))
        .await?;
    talk.ask("DELETE", a, options(json!({"resourceVersion": "1"})))
        .await?;
    talk.get(a).await?;
    let own = json!({"uid": made["metadata"]["uid"], "resourceVersion": made["metadata"]["resourceVersion"]});
    talk.ask("DELETE", a, options(own)).await?;
    talk.get(a).await?;
    Ok(())
}

pub(crate) async fn selectors(talk: &mut Talk) -> Result<()> {
    for (name, color) in [("a", "red"), ("b", "blue"), ("c", "")] {
        let mut object = map(name);
        if !color.is_empty() {
            object["metadata"]["labels"] = json!({"color": color, "suite": "yes"});
        }
        talk.post(MAPS, object).await?;
    }
    for selector in [
        "labelSelector=color%3Dred",
        "labelSelector=color%21%3Dred,suite",
        "labelSelector=color+in+(red,blue)",
        "labelSelector=color+notin+(red),color",
        "labelSelector=suite,%21color",
        "fieldSelector=metadata.name%3Db",
        "fieldSelector=metadata.name%21%3Db&labelSelector=suite",
    ] {
        let list = talk.get(&format!("{MAPS}?{selector}")).await?;
        let names: Vec<&str> = list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item["metadata"]["name"].as_str())
            .filter(|name| *name != "kube-root-ca.crt")
            .collect();
        let told = json!({"names": names});
        talk.show(&told, &["/names"]);
    }
    Ok(())
}

pub(crate) async fn pages(talk: &mut Talk) -> Result<()> {
    for n in 0..5 {
        let mut object = map(&format!("m{n}"));
        object["metadata"]["labels"] = json!({"page": "yes"});
        talk.post(MAPS, object).await?;
    }
    let mut token = String::new();
    let mut version = None;
    for page in 0..3 {
        let path = format!(
            "{}?labelSelector=page&limit=2&continue={token}",
            MAPS.replace("{ns}", &talk.namespace)
        );
        let list = talk.page(&path).await?;
        let names: Vec<&Value> = list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| &item["metadata"]["name"])
            .collect();
        let told = json!({"names": names, "more": list["metadata"]["continue"].is_string()});
        talk.show(&told, &["/names", "/more"]);
        let is = list["metadata"]["resourceVersion"].clone();
        talk.show_whether("of one version", *version.get_or_insert(is.clone()) == is);
        if page == 0 {
            // What comes between two pages is in none of them.
            let mut object = map("m3a");
            object["metadata"]["labels"] = json!({"page": "yes"});
            talk.post(MAPS, object).await?;
            talk.delete(&one("m4")).await?;
        }
        token = list["metadata"]["continue"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
    }
    Ok(())
}

pub(crate) async fn generated_names(talk: &mut Talk) -> Result<()> {
    let nameless =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "some-"}});
    let mut names = Vec::new();
    for _ in 0..2 {
        let made = talk.post(MAPS, nameless.clone()).await?;
        names.push(
            made["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        );
    }
    let fits = |name: &String| name.starts_with("some-") && name.len() == 10;
    talk.show_whether("they fit", names.iter().all(fits));
    talk.show_whether("they differ", names[0] != names[1]);
    Ok(())
}

pub(crate) async fn dry_runs(talk: &mut Talk) -> Result<()> {
    let a = &one("a");
    let made = talk.post(&format!("{MAPS}?dryRun=All"), map("a")).await?;
    talk.show(&made, &["/data"]);
    talk.get(a).await?;
    talk.post(MAPS, map("a")).await?;
    let changed = talk
        .merge(&format!("{a}?dryRun=All"), json!({"data": {"n": "2"}}))
        .await?;
    talk.show(&changed, &["/data"]);
    talk.delete(&format!("{a}?dryRun=All")).await?;
    let still = talk.get(a).await?;
    talk.show(&still, &["/data"]);
    Ok(())
}

pub(crate) async fn leases_and_secrets(talk: &mut Talk) -> Result<()> {
    let leases = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases";
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"},
        "spec": {"holderIdentity": "one", "leaseDurationSeconds": 15},
    });
    // Replacing one that is not there makes it.
    let made = talk.put(&format!("{leases}/a"), lease.clone()).await?;
    let blind = talk.put(&format!("{leases}/a"), lease).await?;
    talk.show(&blind, &["/code"]);
    let mut other = made.clone();
    other["spec"]["holderIdentity"] = "two".into();
    let held = talk.put(&format!("{leases}/a"), other.clone()).await?;
    talk.show(&held, &["/spec/holderIdentity", "/metadata/generation"]);
    talk.put(&format!("{leases}/a"), other).await?;
    // But not one that says which it was: whoever held it learns that it is gone.
    talk.delete(&format!("{leases}/a")).await?;
    talk.put(&format!("{leases}/a"), held).await?;
    talk.get(&format!("{leases}/a")).await?;

    let secrets = "/api/v1/namespaces/{ns}/secrets";
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"key": "value"},
    });
    let made = talk.post(secrets, secret).await?;
    talk.show(&made, &["/data", "/stringData", "/type"]);
    Ok(())
}
