//! The contract's JSON form: for policies that work on documents instead of types.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::types::{
    Attempt, ClusterView, Condition, Episode, EventCount, Fix, FixCall, Freshness, Gate, Group,
    Moment, Node, NodeView, Observation, Outcome, Pair, Remedy, Server, Site, Status, Unit,
    UnitCall, UnitVerb,
};

impl Observation {
    /// As `sdk/schema/v0.1/question.json` has it: names in camelCase, a list of pairs as an object, a case with a payload as an object
    /// with one key, and what is absent as an absent key.
    pub fn to_json(&self) -> Value {
        self.json().unwrap_or_default()
    }
}

impl Remedy {
    /// Of its JSON form: `"reboot"`, `{"wait": 30}`, `{"unit": {"name": "kubelet.service", "verb": "restart"}}`.
    ///
    /// # Errors
    /// It is no remedy: what is wrong with it.
    pub fn from_json(value: Value) -> Result<Self, String> {
        let written: Written = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(match written {
            Written::Decline => Remedy::Decline,
            Written::Wait(seconds) => Remedy::Wait(seconds),
            Written::Unit(call) => Remedy::unit_verb(call.name, call.verb.into()),
            Written::Fix(call) => {
                let args = call.args.iter();
                let args = args.map(|(key, value)| (key.as_str(), value.as_str()));
                Remedy::run_fix(call.name, args)
            }
            Written::Reboot => Remedy::Reboot,
            Written::Escalate => Remedy::Escalate,
            Written::Replace => Remedy::Replace,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Written {
    Decline,
    Wait(u32),
    Unit(WrittenUnit),
    Fix(WrittenFix),
    Reboot,
    Escalate,
    Replace,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUnit {
    name: String,
    verb: Verb,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFix {
    name: String,
    #[serde(default)]
    args: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Verb {
    Restart,
    Start,
    StopStart,
    ResetFailed,
}

impl From<Verb> for UnitVerb {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Restart => UnitVerb::Restart,
            Verb::Start => UnitVerb::Start,
            Verb::StopStart => UnitVerb::StopStart,
            Verb::ResetFailed => UnitVerb::ResetFailed,
        }
    }
}

trait Json {
    /// `None`: it is absent.
    fn json(&self) -> Option<Value>;
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Option<Value> {
    let there = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Some(Value::Object(there.collect()))
}

macro_rules! plain {
    ($($ty:ty),*) => {$(
        impl Json for $ty {
            fn json(&self) -> Option<Value> {
                Some(Value::from(self.clone()))
            }
        }
    )*};
}
plain!(String, bool, u8, u16, u32, u64);

impl<T: Json> Json for Option<T> {
    fn json(&self) -> Option<Value> {
        self.as_ref()?.json()
    }
}

macro_rules! lists {
    ($($ty:ty),*) => {$(
        impl Json for Vec<$ty> {
            fn json(&self) -> Option<Value> {
                Some(Value::Array(self.iter().filter_map(Json::json).collect()))
            }
        }
    )*};
}
lists!(String, Unit, Fix, Attempt, Episode, Condition, EventCount);

impl Json for Vec<Pair> {
    fn json(&self) -> Option<Value> {
        let pairs = self
            .iter()
            .map(|pair| (pair.name.clone(), Value::from(pair.value.clone())));
        Some(Value::Object(pairs.collect::<Map<_, _>>()))
    }
}

macro_rules! records {
    ($($ty:ident { $($field:ident: $name:literal),* })*) => {$(
        impl Json for $ty {
            fn json(&self) -> Option<Value> {
                // every field by name: a new one does not compile until it stands here
                let $ty { $($field),* } = self;
                object([$(($name, $field.json())),*])
            }
        }
    )*};
}

records! {
    Observation { id: "id", now: "now", node: "node", site: "site", episode: "episode", other_episodes: "otherEpisodes",
        conditions: "conditions", events: "events", facts: "facts" }
    Moment { unix_seconds: "unixSeconds", weekday: "weekday", minute_of_day: "minuteOfDay" }
    Node { name: "name", pool: "pool", zone: "zone", labels: "labels", ready: "ready", unschedulable: "unschedulable",
        uptime: "uptime", pods: "pods" }
    NodeView { units: "units", fixes: "fixes", reboot: "reboot", freshness: "freshness" }
    ClusterView { pool: "pool", zone: "zone", same_problem: "sameProblem", server: "server", requested_by: "requestedBy",
        reboot: "reboot", replace: "replace", freshness: "freshness" }
    Unit { name: "name", active_state: "activeState", sub_state: "subState", restarts: "restarts", held: "held", gate: "gate" }
    Fix { name: "name", params: "params", gate: "gate" }
    Group { nodes: "nodes", sick: "sick", repairing: "repairing" }
    Server { status: "status", task: "task", fault: "fault", age: "age", proven_dead: "provenDead" }
    Episode { problem: "problem", age: "age", recurrences: "recurrences", attempts: "attempts" }
    Attempt { remedy: "remedy", age: "age", outcome: "outcome", detail: "detail" }
    Condition { kind: "kind", status: "status", reason: "reason", message: "message", held: "held", source: "source" }
    EventCount { reason: "reason", message: "message", count: "count", window: "window", last_seen: "lastSeen" }
    UnitCall { name: "name", verb: "verb" }
    FixCall { name: "name", args: "args" }
}

macro_rules! enums {
    ($($ty:ident { $($case:ident: $name:literal),* })*) => {$(
        impl Json for $ty {
            fn json(&self) -> Option<Value> {
                Some(Value::from(match self { $($ty::$case => $name),* }))
            }
        }
    )*};
}

enums! {
    Status { Yes: "yes", No: "no", Unknown: "unknown" }
    Freshness { Fresh: "fresh", Stale: "stale", Missing: "missing" }
    Outcome { Running: "running", Recovered: "recovered", NoEffect: "noEffect", Failed: "failed", Refused: "refused",
        Unknown: "unknown" }
    UnitVerb { Restart: "restart", Start: "start", StopStart: "stopStart", ResetFailed: "resetFailed" }
}

impl Json for Gate {
    fn json(&self) -> Option<Value> {
        match self {
            Gate::Open => Some("open".into()),
            Gate::Closed(rail) => object([("closed", rail.json())]),
        }
    }
}

impl Json for Site {
    fn json(&self) -> Option<Value> {
        match self {
            Site::Node(view) => object([("node", view.json())]),
            Site::ControlPlane(view) => object([("controlPlane", view.json())]),
        }
    }
}

impl Json for Remedy {
    fn json(&self) -> Option<Value> {
        match self {
            Remedy::Decline => Some("decline".into()),
            Remedy::Wait(seconds) => object([("wait", seconds.json())]),
            Remedy::Unit(call) => object([("unit", call.json())]),
            Remedy::Fix(call) => object([("fix", call.json())]),
            Remedy::Reboot => Some("reboot".into()),
            Remedy::Escalate => Some("escalate".into()),
            Remedy::Replace => Some("replace".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_remedy_is_read_as_it_is_written() {
        for written in [
            json!("decline"),
            json!("reboot"),
            json!("escalate"),
            json!("replace"),
            json!({"wait": 30}),
            json!({"unit": {"name": "kubelet.service", "verb": "stopStart"}}),
            json!({"fix": {"name": "vacuum", "args": {"size": "1G"}}}),
        ] {
            let remedy = Remedy::from_json(written.clone()).unwrap();
            assert_eq!(remedy.json(), Some(written));
        }
    }

    #[test]
    fn what_is_no_remedy_is_refused_by_name() {
        for (written, names) in [
            (json!("rebot"), "rebot"),
            (
                json!({"unit": {"name": "a.service", "verb": "kill"}}),
                "kill",
            ),
            (
                json!({"unit": {"name": "a.service", "verb": "start", "force": true}}),
                "force",
            ),
            (json!({"wait": -1}), "-1"),
        ] {
            let error = Remedy::from_json(written).unwrap_err();
            assert!(error.contains(names), "{error}");
        }
    }
}
