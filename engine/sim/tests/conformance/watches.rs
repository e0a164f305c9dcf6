//! What watches are told.

use anyhow::Result;
use serde_json::{Value, json};

use super::objects::one;
use super::talk::Talk;

const MAPS: &str = "/api/v1/namespaces/{ns}/configmaps";

fn map(name: &str, n: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"w": "yes"}}, "data": {"n": n},
    })
}

async fn version(talk: &mut Talk) -> Result<String> {
    let list = talk.get(&format!("{MAPS}?labelSelector=w")).await?;
    let version = list["metadata"]["resourceVersion"].as_str();
    Ok(version.unwrap_or_default().to_owned())
}

pub(crate) async fn changes(talk: &mut Talk) -> Result<()> {
    let before = version(talk).await?;
    talk.post(MAPS, map("a", "1")).await?;
    talk.merge(&one("a"), json!({"data": {"n": "2"}})).await?;
    // What happened before it began, then what happens.
    let path = format!("{MAPS}?watch=true&labelSelector=w&resourceVersion={before}");
    let mut watch = talk.watch(&path).await?;
    talk.hear(&mut watch, 2).await?;
    talk.merge(&one("a"), json!({"data": {"n": "2"}})).await?;
    talk.merge(&one("a"), json!({"data": {"n": "3"}})).await?;
    talk.post(MAPS, map("b", "1")).await?;
    talk.delete(&one("a")).await?;
    let events = talk.hear(&mut watch, 3).await?;
    let versions: Vec<&str> = events
        .iter()
        .filter_map(|event| event["object"]["metadata"]["resourceVersion"].as_str())
        .collect();
    let numbers: Vec<u64> = versions
        .iter()
        .filter_map(|version| version.parse().ok())
        .collect();
    talk.show_whether(
        "each of a later version",
        numbers.is_sorted_by(|a, b| a < b) && numbers.len() == 3,
    );
    // From where it stood, another goes on.
    let path = format!(
        "{MAPS}?watch=true&labelSelector=w&resourceVersion={}",
        versions[0]
    );
    let mut other = talk.watch(&path).await?;
    talk.hear(&mut other, 2).await?;
    Ok(())
}

pub(crate) async fn initial_events(talk: &mut Talk) -> Result<()> {
    talk.post(MAPS, map("a", "1")).await?;
    talk.post(MAPS, map("b", "1")).await?;
    let wish = "watch=true&labelSelector=w&allowWatchBookmarks=true&sendInitialEvents=true";
    let path = format!("{MAPS}?{wish}&resourceVersionMatch=NotOlderThan");
    let mut watch = talk.watch(&path).await?;
    talk.hear(&mut watch, 3).await?;
    talk.merge(&one("b"), json!({"data": {"n": "2"}})).await?;
    talk.hear(&mut watch, 1).await?;
    // Without a version: what is there first.
    let mut other = talk
        .watch(&format!("{MAPS}?watch=true&labelSelector=w"))
        .await?;
    talk.hear(&mut other, 2).await?;
    Ok(())
}

pub(crate) async fn into_and_out_of_a_selector(talk: &mut Talk) -> Result<()> {
    talk.post(MAPS, map("a", "1")).await?;
    let before = version(talk).await?;
    let path = format!("{MAPS}?watch=true&labelSelector=shown&resourceVersion={before}");
    let mut watch = talk.watch(&path).await?;
    for (shown, n) in [
        (Some("1"), "1"),
        (Some("2"), "2"),
        (None, "3"),
        (Some("3"), "4"),
    ] {
        let patch = json!({"metadata": {"labels": {"shown": shown}}, "data": {"n": n}});
        talk.merge(&one("a"), patch).await?;
        talk.hear(&mut watch, 1).await?;
    }
    talk.delete(&one("a")).await?;
    talk.hear(&mut watch, 1).await?;
    Ok(())
}
