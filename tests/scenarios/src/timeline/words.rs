//! A write at the API server, in words.

use std::collections::BTreeMap;

use rectifier_bed::kubernetes::Record;
use rectifier_core::repair::EXCLUDED;
use serde_json::Value;

use crate::wait::text;

/// Tells one writer's writes, in their order: what only repeats the last one of its kind is no news.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The phase last written into a repair.
    phases: BTreeMap<String, String>,
    /// What was last reported: node and condition, status.
    conditions: BTreeMap<(String, String), String>,
}

impl Words {
    /// `None` for what is no step of the story: leases, events, heartbeats, details of a phase.
    pub(super) fn of(&mut self, record: &Record) -> Option<String> {
        let (object, body) = (&record.object, &record.body);
        let name = object.name.as_str();
        let what = (
            record.verb.as_str(),
            object.resource.as_str(),
            object.subresource.as_str(),
        );
        Some(match what {
            ("patch", "nodes", "status") => self.report(name, body)?,
            ("patch", "nodes", "") => node(name, body),
            ("delete", "nodes", "") => format!("deletes the Node {name}"),
            ("create", "noderepairs", "") => match name.ends_with(".repair") {
                true => format!(
                    "opens the repair {name} for {}",
                    text(body, "/spec/problem/kind")
                ),
                false => format!("archives it as {name}"),
            },
            ("patch", "noderepairs", "") => asks(body)?,
            ("update", "noderepairs", "status") => self.phase(name, body)?,
            ("delete", "noderepairs", "") => format!("sets the name {name} free"),
            ("create", "pods", "eviction") => format!("evicts {name}"),
            ("create", "secrets", "") => "makes a bootstrap token".to_owned(),
            ("delete", "secrets", "") => "deletes the bootstrap token".to_owned(),
            _ => return None,
        })
    }

    /// The conditions whose status is another than before; of the first report those that are bad.
    fn report(&mut self, name: &str, body: &Value) -> Option<String> {
        let mut news = Vec::new();
        for condition in body.pointer("/status/conditions")?.as_array()? {
            let (kind, status) = (text(condition, "/type"), text(condition, "/status"));
            let key = (name.to_owned(), kind.to_owned());
            let before = self.conditions.insert(key, status.to_owned());
            if before.as_deref().unwrap_or("False") != status {
                news.push(format!("{kind}={status}"));
            }
        }
        (!news.is_empty()).then(|| format!("reports {} on {name}", news.join(", ")))
    }

    fn phase(&mut self, name: &str, body: &Value) -> Option<String> {
        // the archive holds what was told already
        let phase = text(body, "/status/phase");
        if !name.ends_with(".repair") {
            return None;
        }
        let before = self.phases.insert(name.to_owned(), phase.to_owned());
        (before.as_deref() != Some(phase)).then(|| plan(phase))
    }
}

/// What is written down before it is done.
fn plan(phase: &str) -> String {
    let words = match phase {
        "HealingInNode" => "leave the node to its own engine",
        "Judging" => "ask the policy",
        "Cordoning" => "cordon the node",
        "RebootDraining" => "drain it for a reboot",
        "GrantOffered" => "offer a reboot",
        "Rebooting" => "wait for another boot",
        "HardRebooting" => "have the cloud boot it",
        "Settling" => "watch whether it stays well",
        "Uncordoning" => "take the cordon away",
        "CreatingPorts" => "make the new server's ports",
        "CreatingServer" => "have a similar server made",
        "Joining" => "wait until it has joined and is Ready",
        "Discarding" => "remove this attempt",
        "Committed" => "adopt the new node: from here only forward",
        "Draining" => "drain the sick node",
        "Stopping" => "stop the machine",
        "Detaching" => "let go of what it still holds",
        "AwaitingOwners" => "wait until the pods are Ready elsewhere",
        "DeletingServer" => "delete the sick server",
        "DeletingNode" => "delete the sick Node",
        "RollingBack" => "take everything back",
        "NeedsHuman" => "ask a person",
        other => return format!("closes the repair: {other}"),
    };
    format!("plans to {words}")
}

fn node(name: &str, body: &Value) -> String {
    match (
        body.pointer("/spec/unschedulable"),
        body.pointer("/spec/taints"),
    ) {
        (Some(Value::Bool(true)), _) => format!("cordons {name}"),
        (Some(_), _) => format!("uncordons {name}"),
        (None, Some(_)) => format!("takes the provisional taint off {name}"),
        (None, None) if is_excluded(body) => format!("takes {name} off load balancers"),
        (None, None) => format!("patches {name}"),
    }
}

fn asks(body: &Value) -> Option<String> {
    let spec = body.get("spec")?;
    if let Some(asks) = spec.get("asks").and_then(Value::as_str) {
        return Some(format!("asks for more: {asks}"));
    }
    if spec.get("withdrawn").and_then(Value::as_bool) == Some(true) {
        return Some("withdraws: the node is well".to_owned());
    }
    spec.get("acceptedGrant")
        .map(|_| "accepts the grant to reboot".to_owned())
}

fn is_excluded(body: &Value) -> bool {
    let labels = body.pointer("/metadata/labels");
    labels.is_some_and(|labels| labels.get(EXCLUDED).is_some())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rectifier_bed::kubernetes::Object;
    use serde_json::json;

    use super::*;

    fn record(verb: &str, resource: &str, subresource: &str, name: &str, body: Value) -> Record {
        Record {
            received: Timestamp::UNIX_EPOCH,
            answered: Timestamp::UNIX_EPOCH,
            user: "controller".to_owned(),
            agent: String::new(),
            verb: verb.to_owned(),
            object: Object {
                resource: resource.to_owned(),
                subresource: subresource.to_owned(),
                name: name.to_owned(),
                ..Object::default()
            },
            code: 200,
            body,
        }
    }

    #[test]
    fn a_cordon_and_its_end_are_told_apart() {
        let told = |body| Words::default().of(&record("patch", "nodes", "", "n", body));
        let on = told(json!({"spec": {"unschedulable": true}}));
        assert_eq!(on.as_deref(), Some("cordons n"));
        let off = told(json!({"spec": {"unschedulable": null}}));
        assert_eq!(off.as_deref(), Some("uncordons n"));
        let taints = told(json!({"spec": {"taints": []}}));
        assert_eq!(taints.as_deref(), Some("takes the provisional taint off n"));
        let excluded = told(json!({"metadata": {"labels": {EXCLUDED: ""}}}));
        assert_eq!(excluded.as_deref(), Some("takes n off load balancers"));
    }

    #[test]
    fn a_report_is_told_when_it_has_news() {
        let mut words = Words::default();
        let mut told = |status| {
            let body = json!({"status": {"conditions": [{"type": "Sick", "status": status}]}});
            words.of(&record("patch", "nodes", "status", "n", body))
        };
        assert_eq!(told("False"), None);
        assert_eq!(told("True").as_deref(), Some("reports Sick=True on n"));
        assert_eq!(told("True"), None);
        assert_eq!(told("False").as_deref(), Some("reports Sick=False on n"));
    }

    #[test]
    fn a_phase_is_told_when_it_changes() {
        let mut words = Words::default();
        let mut told = |name, phase| {
            let body = json!({"status": {"phase": phase}});
            words.of(&record("update", "noderepairs", "status", name, body))
        };
        assert_eq!(
            told("n.repair", "Draining").as_deref(),
            Some("plans to drain the sick node")
        );
        assert_eq!(told("n.repair", "Draining"), None);
        assert_eq!(
            told("n.repair", "Replaced").as_deref(),
            Some("closes the repair: Replaced")
        );
        assert_eq!(told("n.repair.2026", "Replaced"), None);
    }
}
