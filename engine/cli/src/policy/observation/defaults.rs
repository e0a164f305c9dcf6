//! What an observation says where nobody said anything: a healthy node, fresh views, open gates.

use rectifier_core::policy::SiteKind;
use serde_json::{Value, json};

/// As many attempts as the contract lets a policy see.
pub(super) const ATTEMPTS_SHOWN: usize = 32;

/// On the node, on a Friday morning (UTC); the problem's kind is still to be said.
pub(super) fn observation() -> Value {
    let mut whole = json!({
        "id": "observation-1",
        "now": {"unixSeconds": 1_800_000_000, "weekday": 5, "minuteOfDay": 480},
        "node": {"name": "node-1", "zone": "", "labels": {}, "ready": "yes", "unschedulable": false},
        "episode": {"problem": problem(), "age": 60, "recurrences": 0, "attempts": []},
        "otherEpisodes": [],
        "events": [],
        "facts": {},
    });
    super::merge(&mut whole, &at(SiteKind::Node));
    whole
}

/// What each engine can see.
pub(super) fn at(site: SiteKind) -> Value {
    match site {
        SiteKind::Node => json!({
            "node": {"pool": null, "uptime": 86_400, "pods": 0},
            "episode": {"problem": {"source": "npd"}},
            "site": {"node": {"units": [], "fixes": [], "reboot": "open", "freshness": "fresh"}},
            "facts": {"agent": null},
        }),
        SiteKind::ControlPlane => json!({
            "node": {"pool": "workers", "uptime": null, "pods": 10},
            "episode": {"problem": {"source": "node-status"}},
            "site": {"controlPlane": {
                "pool": {"nodes": 5, "sick": 1, "repairing": 1},
                "zone": {"nodes": 5, "sick": 1, "repairing": 1},
                "sameProblem": {"nodes": 1, "sick": 1, "repairing": 1},
                "server": {"status": "ACTIVE", "age": 86_400, "provenDead": false},
                "requestedBy": "node-engine",
                "reboot": "open",
                "replace": "open",
                "freshness": "fresh",
            }},
            "facts": {"agent": "present"},
        }),
    }
}

fn problem() -> Value {
    condition("yes")
}

fn condition(status: &str) -> Value {
    json!({"status": status, "reason": "", "message": "", "held": 60, "source": "npd"})
}

/// `site: node` and `site: control-plane` are short for a site of which nothing is said. Which one it is, if it is one.
pub(super) fn spell_out(site: &mut Value) -> Option<SiteKind> {
    match site.as_str() {
        Some("node") => *site = json!({"node": {}}),
        Some("control-plane" | "controlPlane") => *site = json!({"controlPlane": {}}),
        Some(_) | None => {}
    }
    let site = site.as_object()?;
    match (site.contains_key("node"), site.contains_key("controlPlane")) {
        (true, false) => Some(SiteKind::Node),
        (false, true) => Some(SiteKind::ControlPlane),
        _ => None,
    }
}

/// Whatever the items of lists do not say.
pub(super) fn complete(whole: &mut Value) {
    each(whole, "/site/node/units", &mut |unit| {
        let state = unit["activeState"].as_str().unwrap_or("active");
        let below = match state {
            "active" => "running",
            "inactive" => "dead",
            other => other,
        };
        let usual = json!({"activeState": state, "subState": below, "restarts": 0, "held": 60, "gate": "open"});
        fill(unit, &usual);
    });
    each(whole, "/site/node/fixes", &mut |fix| {
        fill(fix, &json!({"params": [], "gate": "open"}))
    });
    each(whole, "/conditions", &mut |other| {
        fill(other, &condition("no"))
    });
    each(whole, "/events", &mut |event| {
        fill(
            event,
            &json!({"message": "", "count": 1, "window": 3600, "lastSeen": 0}),
        );
    });
    each(whole, "/episode/attempts", &mut attempt);
    each(whole, "/otherEpisodes", &mut |episode| {
        fill(
            episode,
            &json!({"problem": problem(), "age": 60, "recurrences": 0, "attempts": []}),
        );
        if let Some(problem) = episode.get_mut("problem") {
            fill(problem, &self::problem());
        }
        each(episode, "/attempts", &mut attempt);
    });
}

fn attempt(attempt: &mut Value) {
    fill(
        attempt,
        &json!({"age": 60, "outcome": "noEffect", "detail": ""}),
    );
}

fn each(whole: &mut Value, list: &str, with: &mut dyn FnMut(&mut Value)) {
    let items = whole.pointer_mut(list).and_then(Value::as_array_mut);
    items
        .into_iter()
        .flatten()
        .filter(|item| item.is_object())
        .for_each(with);
}

/// The usual values of the keys that are not there.
fn fill(item: &mut Value, usual: &Value) {
    let (Some(item), Some(usual)) = (item.as_object_mut(), usual.as_object()) else {
        return;
    };
    for (key, value) in usual {
        if !item.contains_key(key) {
            item.insert(key.clone(), value.clone());
        }
    }
}

/// Time goes by.
pub(super) fn pass(whole: &mut Value, seconds: u32) {
    grow_older(whole, seconds.into());
    if let Some(events) = whole["events"].as_array_mut() {
        events.retain(|event| event["lastSeen"].as_u64() <= event["window"].as_u64());
    }
    let now = &mut whole["now"];
    let read = |now: &Value, key: &str| now[key].as_u64().unwrap_or_default();
    let (unix, weekday) = (read(now, "unixSeconds"), read(now, "weekday"));
    // A time zone is off by whole minutes.
    let local = read(now, "minuteOfDay") * 60 + unix % 60 + u64::from(seconds);
    now["unixSeconds"] = json!(unix + u64::from(seconds));
    now["minuteOfDay"] = json!(local % 86_400 / 60);
    now["weekday"] = json!((weekday.max(1) - 1 + local / 86_400) % 7 + 1);
}

/// These are all the keys of an observation that hold an age.
const AGES: [&str; 4] = ["age", "held", "lastSeen", "uptime"];

fn grow_older(value: &mut Value, seconds: u64) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                match value.as_u64() {
                    Some(age) if AGES.contains(&key.as_str()) => *value = json!(age + seconds),
                    Some(_) | None => grow_older(value, seconds),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| grow_older(item, seconds)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
