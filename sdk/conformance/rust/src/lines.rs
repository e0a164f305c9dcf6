//! Every value of an observation as a line: the names of the contract's JSON form joined by dots, and the value as text.

use rectifier_policy::prelude::*;
use rectifier_policy::types::{EventCount, FixCall, Group, Moment, Pair, UnitCall};

/// Collects lines below one place.
struct Lines {
    lines: Vec<(String, String)>,
}

trait Value {
    fn put(&self, lines: &mut Lines, place: &str);
}

impl Lines {
    fn text(&mut self, place: &str, value: impl ToString) {
        self.lines.push((place.to_owned(), value.to_string()));
    }

    fn put(&mut self, place: &str, name: &str, value: &impl Value) {
        let place = match place {
            "" => name.to_owned(),
            place => format!("{place}.{name}"),
        };
        value.put(self, &place);
    }
}

macro_rules! texts {
    ($($ty:ty),*) => {$(
        impl Value for $ty {
            fn put(&self, lines: &mut Lines, place: &str) {
                lines.text(place, self);
            }
        }
    )*};
}
texts!(String, bool, u8, u16, u32, u64);

impl<T: Value> Value for Option<T> {
    fn put(&self, lines: &mut Lines, place: &str) {
        if let Some(value) = self {
            value.put(lines, place);
        }
    }
}

/// A list that is empty is told apart from one that is not there.
fn list<T>(lines: &mut Lines, place: &str, items: &[T], mut item: impl FnMut(&mut Lines, &str, &T)) {
    if items.is_empty() {
        lines.text(place, "[]");
    }
    for (at, value) in items.iter().enumerate() {
        item(lines, &format!("{place}.{at}"), value);
    }
}

macro_rules! lists {
    ($($ty:ty),*) => {$(
        impl Value for Vec<$ty> {
            fn put(&self, lines: &mut Lines, place: &str) {
                list(lines, place, self, |lines, place, item| item.put(lines, place));
            }
        }
    )*};
}
lists!(String, Unit, Fix, Attempt, Episode, Condition, EventCount);

impl Value for Vec<Pair> {
    fn put(&self, lines: &mut Lines, place: &str) {
        if self.is_empty() {
            lines.text(place, "{}");
        }
        for pair in self {
            lines.put(place, &pair.name, &pair.value);
        }
    }
}

macro_rules! records {
    ($($ty:ident { $($field:ident: $name:literal),* })*) => {$(
        impl Value for $ty {
            fn put(&self, lines: &mut Lines, place: &str) {
                // every field by name: a new one does not compile until it stands here
                let $ty { $($field),* } = self;
                $(lines.put(place, $name, $field);)*
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
        impl Value for $ty {
            fn put(&self, lines: &mut Lines, place: &str) {
                lines.text(place, match self { $($ty::$case => $name),* });
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

impl Value for Gate {
    fn put(&self, lines: &mut Lines, place: &str) {
        match self {
            Gate::Open => lines.text(place, "open"),
            Gate::Closed(rail) => lines.put(place, "closed", rail),
        }
    }
}

impl Value for Site {
    fn put(&self, lines: &mut Lines, place: &str) {
        match self {
            Site::Node(view) => lines.put(place, "node", view),
            Site::ControlPlane(view) => lines.put(place, "controlPlane", view),
        }
    }
}

impl Value for Remedy {
    fn put(&self, lines: &mut Lines, place: &str) {
        match self {
            Remedy::Decline => lines.text(place, "decline"),
            Remedy::Wait(seconds) => lines.put(place, "wait", seconds),
            Remedy::Unit(call) => lines.put(place, "unit", call),
            Remedy::Fix(call) => lines.put(place, "fix", call),
            Remedy::Reboot => lines.text(place, "reboot"),
            Remedy::Escalate => lines.text(place, "escalate"),
            Remedy::Replace => lines.text(place, "replace"),
        }
    }
}

pub fn of_observation(seen: &Observation) -> Vec<(String, String)> {
    let mut lines = Lines { lines: Vec::new() };
    seen.put(&mut lines, "");
    lines.lines
}
