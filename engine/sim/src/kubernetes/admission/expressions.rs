//! The expressions of our admission policies (`deploy/admission.yaml`), each as one function.

use serde_json::{Map, Value};

use super::super::object::{at, meta};
use super::{Asked, Operation, UnknownPolicy};

/// An expression that is true or false.
pub(super) type Check = fn(&Asked<'_>) -> bool;

/// Variables that the functions here have as they are written there.
const VARIABLES: [(&str, &str); 8] = [
    (
        "node",
        "request.userInfo.?extra['authentication.kubernetes.io/node-name'].orValue([''])[0]",
    ),
    (
        "nodeUID",
        "request.userInfo.?extra['authentication.kubernetes.io/node-uid'].orValue([''])[0]",
    ),
    ("now", "object.status.?conditions.orValue([])"),
    ("before", "oldObject.status.?conditions.orValue([])"),
    (
        "about",
        "[dyn(object)] + (request.operation == 'UPDATE' ? [dyn(oldObject)] : [])",
    ),
    (
        "secret",
        "request.operation == 'DELETE' ? oldObject : object",
    ),
    ("said", "object.metadata.?annotations.orValue({})"),
    (
        "unsaid",
        "request.operation == 'UPDATE' ? oldObject.metadata.?annotations.orValue({}) : {}",
    ),
];

/// What stands in messages, beside texts.
pub(super) const IN_MESSAGES: [&str; 3] = [
    "variables.node",
    "variables.nodeUID",
    "request.userInfo.username",
];

const NODE_ENGINE: &str = "system:serviceaccount:rectifier-agents:rectifier-node";
const DETECTOR: &str = "system:serviceaccount:rectifier-agents:node-problem-detector";
const CONTROLLER: &str = "system:serviceaccount:rectifier-system:rectifier-controller";

const CHECKS: [(&str, Check); 24] = [
    (
        "request.userInfo.username == 'system:serviceaccount:rectifier-agents:rectifier-node'",
        |asked| asked.who.user == NODE_ENGINE,
    ),
    (
        "request.userInfo.username == 'system:serviceaccount:rectifier-agents:node-problem-detector'",
        |asked| asked.who.user == DETECTOR,
    ),
    (
        "request.userInfo.username in ['system:serviceaccount:rectifier-agents:rectifier-node', \
         'system:serviceaccount:rectifier-agents:node-problem-detector']",
        |asked| [NODE_ENGINE, DETECTOR].contains(&asked.who.user.as_str()),
    ),
    (
        "request.userInfo.username == 'system:serviceaccount:rectifier-system:rectifier-controller'",
        |asked| asked.who.user == CONTROLLER,
    ),
    // a node engine's repairs
    ("request.operation != 'DELETE'", |asked| !asked.deletes()),
    ("!has(request.subResource)", |asked| {
        asked.subresource.is_empty()
    }),
    (
        "request.operation == 'DELETE' || (variables.node != '' && object.spec.nodeName == variables.node)",
        |asked| {
            let is_own = at(asked.object, &["spec", "nodeName"]) == asked.node();
            asked.deletes() || (!asked.node().is_empty() && is_own)
        },
    ),
    (
        "request.operation == 'DELETE' || object.spec.nodeUid == variables.nodeUID",
        |asked| asked.deletes() || at(asked.object, &["spec", "nodeUid"]) == asked.node_uid(),
    ),
    (
        "request.operation == 'DELETE' || object.metadata.name == variables.node + '.repair'",
        |asked| {
            let name = meta(asked.object, "name");
            asked.deletes() || name.strip_suffix(".repair") == Some(asked.node())
        },
    ),
    (
        "request.operation != 'CREATE' || (object.metadata.?finalizers.orValue([]).size() == 0 && \
         object.metadata.?ownerReferences.orValue([]).size() == 0 && object.metadata.?labels.orValue({}).size() == 0 && \
         object.metadata.?annotations.orValue({}).size() == 0)",
        |asked| {
            let fields = ["finalizers", "ownerReferences", "labels", "annotations"];
            let is_empty = |field: &str| is_empty(&asked.object["metadata"][field]);
            asked.operation != Operation::Create || fields.iter().all(|field| is_empty(field))
        },
    ),
    (
        "request.operation != 'UPDATE' || (object.metadata.?finalizers == oldObject.metadata.?finalizers && \
         object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences && object.metadata.?labels == \
         oldObject.metadata.?labels && object.metadata.?annotations == oldObject.metadata.?annotations)",
        |asked| asked.operation != Operation::Update || keeps_metadata(asked),
    ),
    (
        "request.operation != 'CREATE' || object.spec.?requestedBy.orValue('NodeEngine') == 'NodeEngine'",
        |asked| {
            let by = at(asked.object, &["spec", "requestedBy"]);
            asked.operation != Operation::Create || by.is_null() || by == "NodeEngine"
        },
    ),
    // a detector's conditions
    (
        "variables.node != '' && object.metadata.name == variables.node",
        |asked| !asked.node().is_empty() && meta(asked.object, "name") == asked.node(),
    ),
    (
        "request.?subResource.orValue('') == 'status' && dyn(object.status).all(key, key == 'conditions' || \
         (key in dyn(oldObject.status) && dyn(object.status)[key] == dyn(oldObject.status)[key])) && \
         dyn(oldObject.status).all(key, key == 'conditions' || key in dyn(object.status))",
        |asked| {
            let others = |object: &Value| -> Map<String, Value> {
                let status = object["status"].as_object().into_iter().flatten();
                let others = status.filter(|(key, _)| *key != "conditions");
                others
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect()
            };
            asked.subresource == "status" && others(asked.object) == others(asked.old)
        },
    ),
    (
        "['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure', 'NetworkUnavailable'].all(kubelets, \
         variables.now.filter(c, c.type == kubelets) == variables.before.filter(c, c.type == kubelets))",
        |asked| {
            const KUBELETS: [&str; 5] = [
                "Ready",
                "MemoryPressure",
                "DiskPressure",
                "PIDPressure",
                "NetworkUnavailable",
            ];
            let of = |object: &Value, kind: &str| -> Vec<Value> {
                let conditions = object["status"]["conditions"].as_array();
                let conditions = conditions.into_iter().flatten();
                let own = conditions.filter(|condition| condition["type"] == kind);
                own.cloned().collect()
            };
            let is_kept = |kind: &&str| of(asked.object, kind) == of(asked.old, kind);
            KUBELETS.iter().all(is_kept)
        },
    ),
    (
        "object.metadata.?labels == oldObject.metadata.?labels && object.metadata.?annotations == \
         oldObject.metadata.?annotations && object.metadata.?finalizers == oldObject.metadata.?finalizers && \
         object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences",
        keeps_metadata,
    ),
    // both agents' Events
    (
        "variables.node != '' && variables.about.map(event, \
         event.?regarding.orValue(event.?involvedObject.orValue({}))).all(about, about.?kind.orValue('') == 'Node' && \
         about.?name.orValue('') == variables.node)",
        |asked| {
            let is_own = |event: &Value| {
                let about = &event["involvedObject"];
                about["kind"] == "Node" && about["name"] == asked.node()
            };
            let was_own = asked.operation != Operation::Update || is_own(asked.old);
            !asked.node().is_empty() && is_own(asked.object) && was_own
        },
    ),
    // committed repairs
    (
        "request.userInfo.username != 'system:serviceaccount:rectifier-system:rectifier-controller'",
        |asked| asked.who.user != CONTROLLER,
    ),
    (
        "!(oldObject.?status.?committedAt.hasValue() || oldObject.?status.?room.?endedAt.hasValue()) || oldObject.?status.?phase.orValue('') == 'Replaced'",
        |asked| {
            let committed = at(asked.old, &["status", "committedAt"]);
            let ended = at(asked.old, &["status", "room", "endedAt"]);
            let is_past_return = !(committed.is_null() && ended.is_null());
            !is_past_return || at(asked.old, &["status", "phase"]) == "Replaced"
        },
    ),
    // the controller's Secrets
    (
        "variables.secret.metadata.name.startsWith('bootstrap-token-') && variables.secret.type == \
         'bootstrap.kubernetes.io/token'",
        |asked| {
            let secret = if asked.deletes() {
                asked.old
            } else {
                asked.object
            };
            let is_named = meta(secret, "name").starts_with("bootstrap-token-");
            is_named && secret["type"] == "bootstrap.kubernetes.io/token"
        },
    ),
    // the controller's ConfigMaps
    (
        "object.metadata.name.startsWith('rectifier-evidence-')",
        |asked| meta(asked.object, "name").starts_with("rectifier-evidence-"),
    ),
    // people's hands
    (
        "['wants', 'approve', 'reject', 'retry', 'confirmed-dead', 'paused', 'acknowledged'].map(hand, 'rectifier.dev/' + hand).all(hand, \
         !(hand + '-by' in variables.said) || (hand in variables.said && variables.said[hand + '-by'] == \
         request.userInfo.username) || (variables.said[?(hand + '-by')] == variables.unsaid[?(hand + '-by')] && \
         (!(hand in variables.said) || variables.said[?hand] == variables.unsaid[?hand])))",
        |asked| {
            let hands = [
                "wants",
                "approve",
                "reject",
                "retry",
                "confirmed-dead",
                "paused",
                "acknowledged",
            ];
            hands.iter().all(|hand| {
                let word = format!("rectifier.dev/{hand}");
                let signature = format!("{word}-by");
                let is_kept = |key: &str| asked.said(key) == asked.unsaid(key);
                let by = asked.said(&signature);
                let is_said = !asked.said(&word).is_null();
                let is_own = is_said && by == asked.who.user.as_str();
                by.is_null() || is_own || (is_kept(&signature) && (!is_said || is_kept(&word)))
            })
        },
    ),
    (
        "!('rectifier.dev/wants' in variables.said) || variables.said[?'rectifier.dev/wants'] == \
         variables.unsaid[?'rectifier.dev/wants'] || (request.resource.resource == 'noderepairs' && \
         variables.said['rectifier.dev/wants'] in ['Reboot', 'HardReboot', 'Replace'])",
        |asked| {
            let wants = asked.said("rectifier.dev/wants");
            let rungs = ["Reboot", "HardReboot", "Replace"];
            let is_kept = wants == asked.unsaid("rectifier.dev/wants");
            let is_one = rungs.iter().any(|rung| wants == rung);
            wants.is_null() || is_kept || (asked.object["kind"] == "NodeRepair" && is_one)
        },
    ),
    (
        "request.operation != 'CREATE' || request.resource.resource != 'noderepairs' || \
         object.spec.?by.orValue(request.userInfo.username) == request.userInfo.username",
        |asked| {
            let by = at(asked.object, &["spec", "by"]);
            asked.operation != Operation::Create || by.is_null() || by == asked.who.user.as_str()
        },
    ),
];

impl Asked<'_> {
    fn deletes(&self) -> bool {
        self.operation == Operation::Delete
    }

    /// Of which node the token is; empty for one of none.
    fn node(&self) -> &str {
        self.extra("authentication.kubernetes.io/node-name")
    }

    /// One of [`IN_MESSAGES`].
    pub(super) fn variable(&self, name: &str) -> &str {
        match name {
            "variables.node" => self.node(),
            "variables.nodeUID" => self.node_uid(),
            _ => &self.who.user,
        }
    }

    fn node_uid(&self) -> &str {
        self.extra("authentication.kubernetes.io/node-uid")
    }

    fn said(&self, key: &str) -> &Value {
        &self.object["metadata"]["annotations"][key]
    }

    fn unsaid(&self, key: &str) -> &Value {
        &self.old["metadata"]["annotations"][key]
    }

    fn extra(&self, key: &str) -> &str {
        let values = self.who.extra.get(key);
        let first = values.and_then(|values| values.first());
        first.map_or("", String::as_str)
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        other => other.is_null(),
    }
}

/// What is absent and what is empty are the same here: the API server stores no empty ones.
fn keeps_metadata(asked: &Asked<'_>) -> bool {
    let fields = ["labels", "annotations", "finalizers", "ownerReferences"];
    fields.iter().all(|field| {
        let (new, old) = (
            &asked.object["metadata"][field],
            &asked.old["metadata"][field],
        );
        new == old || (is_empty(new) && is_empty(old))
    })
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// The function of an expression.
pub(super) fn check(expression: &str) -> Result<Check, UnknownPolicy> {
    let wanted = words(expression);
    let found = CHECKS.iter().find(|(known, _)| words(known) == wanted);
    found
        .map(|(_, check)| *check)
        .ok_or_else(|| UnknownPolicy::Expression(expression.to_owned()))
}

/// Is this variable what the functions take it for?
pub(super) fn is_known(name: &str, expression: &str) -> bool {
    let is_it = |(known, text): &(&str, &str)| *known == name && words(text) == words(expression);
    VARIABLES.iter().any(is_it)
}
