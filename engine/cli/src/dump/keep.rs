//! What is kept of each kind of object: what the engines' decisions read, by name. Everything else is left out, so that what
//! nobody thought of is not in a dump.

use rectifier_api::{CORDONED_BY, NodeRepair, RETRY, RepairPool};
use rectifier_core::acknowledged::{ACKNOWLEDGED, Acknowledged};
use rectifier_core::repair::autoscaler::{SCALE_DOWN_DISABLED, SCALE_DOWN_HELD_BY};
use rectifier_core::repair::{APPROVE, PAUSED, REJECT, owner_annotations};
use serde_json::{Map, Value};

use crate::clock::now;

const NODE: &[&str] = &[
    "metadata.name",
    "metadata.uid",
    "metadata.creationTimestamp",
    "metadata.labels",
    "spec.providerID",
    "spec.unschedulable",
    "spec.taints[].key",
    "spec.taints[].value",
    "spec.taints[].effect",
    "status.conditions[].type",
    "status.conditions[].status",
    "status.conditions[].reason",
    "status.conditions[].message",
    "status.conditions[].lastTransitionTime",
    "status.nodeInfo.bootID",
];

const POD: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.labels",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "metadata.deletionGracePeriodSeconds",
    "metadata.ownerReferences[].apiVersion",
    "metadata.ownerReferences[].kind",
    "metadata.ownerReferences[].name",
    "metadata.ownerReferences[].uid",
    "metadata.ownerReferences[].controller",
    "spec.nodeName",
    "spec.priority",
    "spec.terminationGracePeriodSeconds",
    "status.phase",
    "status.conditions[].type",
    "status.conditions[].status",
];

const BUDGET: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.minAvailable",
    "spec.maxUnavailable",
    "spec.selector.matchLabels",
    "spec.selector.matchExpressions[].key",
    "spec.selector.matchExpressions[].operator",
    "spec.selector.matchExpressions[].values",
    "spec.unhealthyPodEvictionPolicy",
];

const SET: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.replicas",
];

/// Of our own kinds: their metadata; the rest is taken by its type.
const OURS: &[&str] = &[
    "metadata.name",
    "metadata.uid",
    "metadata.creationTimestamp",
];

/// A kubelet's own pod bears this; its value is a hash.
const MIRROR: &str = "kubernetes.io/config.mirror";

pub(super) fn node(object: &Value) -> Option<Value> {
    let mut kept = pick(object, NODE);
    annotate(
        &mut kept,
        object,
        &[CORDONED_BY, SCALE_DOWN_DISABLED, SCALE_DOWN_HELD_BY],
    );
    for key in owner_annotations().chain([PAUSED]) {
        bears(&mut kept, object, key);
    }
    // as we write it: whatever else stands there is nobody's business
    if let Some(text) = object["metadata"]["annotations"][ACKNOWLEDGED].as_str() {
        let (known, _) = Acknowledged::read(text, now());
        kept["metadata"]["annotations"][ACKNOWLEDGED] = known.to_string().into();
    }
    Some(kept)
}

pub(super) fn pod(object: &Value) -> Option<Value> {
    let mut kept = pick(object, POD);
    annotate(&mut kept, object, &[MIRROR]);
    // Those whose data are lost with the node; all others say nothing but what they mount.
    let volumes = object["spec"]["volumes"].as_array().into_iter().flatten();
    let local: Vec<Value> = volumes
        .filter(|volume| volume["emptyDir"].is_object())
        .map(|volume| serde_json::json!({"name": volume["name"], "emptyDir": {}}))
        .collect();
    if !local.is_empty() {
        kept["spec"]["volumes"] = local.into();
    }
    Some(kept)
}

pub(super) fn budget(object: &Value) -> Option<Value> {
    Some(pick(object, BUDGET))
}

/// A set that wants no pods (each rollout of a Deployment leaves one) makes none.
pub(super) fn set(object: &Value) -> Option<Value> {
    (object["spec"]["replicas"] != 0).then(|| pick(object, SET))
}

/// What is no pool of this version is kept as it is named, so that it is missed.
pub(super) fn pool(object: &Value) -> Option<Value> {
    let mut kept = pick(object, OURS);
    bears(&mut kept, object, PAUSED);
    if let Ok(mut pool) = serde_json::from_value::<RepairPool>(object.clone()) {
        if let Some(how) = &mut pool.spec.provisioning {
            how.user_data = variables(&how.user_data);
        }
        kept["spec"] = serde_json::to_value(pool.spec).ok()?;
    }
    Some(kept)
}

/// Likewise.
pub(super) fn repair(object: &Value) -> Option<Value> {
    let mut kept = pick(object, OURS);
    annotate(&mut kept, object, &[RETRY, APPROVE]);
    bears(&mut kept, object, REJECT);
    if let Ok(repair) = serde_json::from_value::<NodeRepair>(object.clone()) {
        kept["spec"] = serde_json::to_value(repair.spec).ok()?;
        if let Some(mut record) = repair.status {
            // a server's metadata hold whatever somebody wrote there
            if let Some(room) = &mut record.room {
                room.kept.server.clear();
            }
            kept["status"] = serde_json::to_value(record).ok()?;
        }
    }
    Some(kept)
}

/// The variables that a template uses, `{{ token }} {{ labels }}`: user data hold passwords and keys.
fn variables(template: &str) -> String {
    let is_name = |word: &&str| {
        !word.is_empty()
            && word
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter == '_')
    };
    let inside = template.split("{{").skip(1);
    let words = inside.filter_map(|rest| Some(rest.split_once("}}")?.0.trim()));
    let known: Vec<String> = words
        .filter(is_name)
        .map(|word| format!("{{{{ {word} }}}}"))
        .collect();
    known.join(" ")
}

/// Only these annotations, if they are there.
fn annotate(kept: &mut Value, object: &Value, keys: &[&str]) {
    for key in keys {
        let value = &object["metadata"]["annotations"][*key];
        if !value.is_null() {
            kept["metadata"]["annotations"][*key] = value.clone();
        }
    }
}

/// That it has this annotation, and nothing of what it says.
fn bears(kept: &mut Value, object: &Value, key: &str) {
    if !object["metadata"]["annotations"][key].is_null() {
        kept["metadata"]["annotations"][key] = "".into();
    }
}

/// The fields at these paths; `[]` stands for every element of a list.
fn pick(object: &Value, paths: &[&str]) -> Value {
    let mut kept = Value::Object(Map::new());
    for path in paths {
        let parts: Vec<&str> = path.split('.').collect();
        copy(object, &parts, &mut kept);
    }
    kept
}

fn copy(from: &Value, path: &[&str], to: &mut Value) {
    let [part, rest @ ..] = path else {
        *to = from.clone();
        return;
    };
    let (key, is_list) = match part.strip_suffix("[]") {
        Some(key) => (key, true),
        None => (*part, false),
    };
    match &from[key] {
        Value::Null => {}
        Value::Array(elements) if is_list => {
            if !to[key].is_array() {
                to[key] = vec![Value::Object(Map::new()); elements.len()].into();
            }
            for (at, element) in elements.iter().enumerate() {
                copy(element, rest, &mut to[key][at]);
            }
        }
        // Not of the kind's shape.
        _ if is_list => {}
        value => copy(value, rest, &mut to[key]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Wherever something secret can stand.
    const SECRET: &str = "hunter2";

    #[test]
    fn nothing_of_a_pod_but_what_decisions_read() {
        let kept = pod(&json!({
            "metadata": {
                "name": "web-1", "namespace": "shop", "uid": "u", "labels": {"app": "web"},
                "annotations": {
                    "kubectl.kubernetes.io/last-applied-configuration": SECRET, "vault.hashicorp.com/token": SECRET,
                    MIRROR: "hash",
                },
                "managedFields": [{"fieldsV1": {"f:x": SECRET}}], "generateName": SECRET,
                "ownerReferences": [{"kind": "ReplicaSet", "name": "web", "uid": "o", "controller": true, "apiVersion": "apps/v1", "x": SECRET}],
            },
            "spec": {
                "nodeName": "worker-1", "terminationGracePeriodSeconds": 5, "priority": 7, "serviceAccountName": SECRET,
                "containers": [{"name": "c", "env": [{"name": "A", "value": SECRET}], "args": [SECRET], "command": [SECRET]}],
                "initContainers": [{"args": [SECRET]}],
                "volumes": [{"name": "tmp", "emptyDir": {"medium": SECRET}}, {"name": SECRET, "secret": {"secretName": SECRET}}],
            },
            "status": {
                "phase": "Running", "podIP": SECRET, "message": SECRET,
                "conditions": [{"type": "Ready", "status": "True", "message": SECRET}],
            },
        }))
        .unwrap();
        assert!(!kept.to_string().contains(SECRET), "{kept}");
        assert_eq!(
            kept,
            json!({
                "metadata": {
                    "name": "web-1", "namespace": "shop", "uid": "u", "labels": {"app": "web"}, "annotations": {MIRROR: "hash"},
                    "ownerReferences": [{"kind": "ReplicaSet", "name": "web", "uid": "o", "controller": true, "apiVersion": "apps/v1"}],
                },
                "spec": {
                    "nodeName": "worker-1", "terminationGracePeriodSeconds": 5, "priority": 7,
                    "volumes": [{"name": "tmp", "emptyDir": {}}],
                },
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            })
        );
    }

    #[test]
    fn a_node_keeps_what_is_wrong_with_it_and_who_cordoned_it() {
        let kept = node(&json!({
            "metadata": {"name": "w", "annotations": {
                CORDONED_BY: "uid", "csi.volume.kubernetes.io/nodeid": SECRET, "cluster.x-k8s.io/machine": SECRET, PAUSED: SECRET,
                ACKNOWLEDGED: format!("{SECRET},KernelDeadlock=2026-01-01T00:00:00Z"),
            }},
            "spec": {"providerID": "openstack:///1", "podCIDR": SECRET, "taints": [{"key": "a", "effect": "NoSchedule", "timeAdded": SECRET}]},
            "status": {
                "addresses": [{"address": SECRET}], "nodeInfo": {"bootID": "b", "machineID": SECRET}, "images": [{"names": [SECRET]}],
                "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": SECRET}],
            },
        }))
        .unwrap();
        assert!(!kept.to_string().contains(SECRET), "{kept}");
        assert_eq!(kept["metadata"]["annotations"][CORDONED_BY], "uid");
        assert_eq!(kept["metadata"]["annotations"][PAUSED], "");
        assert_eq!(
            kept["metadata"]["annotations"][ACKNOWLEDGED],
            "KernelDeadlock=2026-01-01T00:00:00Z"
        );
        assert_eq!(
            kept["metadata"]["annotations"]["cluster.x-k8s.io/machine"],
            ""
        );
        assert_eq!(kept["spec"]["taints"][0]["effect"], "NoSchedule");
        assert_eq!(kept["status"]["nodeInfo"]["bootID"], "b");
    }

    #[test]
    fn a_repair_keeps_nothing_of_its_server_but_the_id() {
        let kept = repair(&json!({
            "apiVersion": "rectifier.dev/v1alpha1", "kind": "NodeRepair", "metadata": {"name": "w.repair"},
            "spec": {
                "nodeName": "w", "nodeUid": "u", "problem": {"kind": "KernelDeadlock", "since": "2026-01-01T00:00:00Z"},
            },
            "status": {
                "phase": "Draining", "serverId": "s",
                "room": {"since": "2026-01-01T00:00:00Z", "kept": {"server": SECRET, "node": {"labels": {"rack": "7"}}}},
            },
        }))
        .unwrap();
        assert!(!kept.to_string().contains(SECRET), "{kept}");
        assert_eq!(kept["status"]["serverId"], "s");
        assert_eq!(
            kept["status"]["room"]["kept"]["node"]["labels"]["rack"],
            "7"
        );
    }

    #[test]
    fn of_user_data_only_its_variables_stay() {
        let kept = pool(&json!({
            "apiVersion": "rectifier.dev/v1alpha1", "kind": "RepairPool", "metadata": {"name": "p"},
            "spec": {
                "nodeSelector": {}, "mode": "Auto",
                "provisioning": {
                    "apiServer": "https://a:6443",
                    "userData": format!("password: {SECRET}\n{{{{ token }}}} {{{{ \"{SECRET}\" }}}} {{{{labels}}}} {{{{ unclosed {SECRET}"),
                },
            },
        }))
        .unwrap();
        assert!(!kept.to_string().contains(SECRET), "{kept}");
        assert_eq!(
            kept["spec"]["provisioning"]["userData"],
            "{{ token }} {{ labels }}"
        );
        assert_eq!(kept["spec"]["mode"], "Auto");
    }

    #[test]
    fn a_set_that_wants_no_pods_is_left_out() {
        assert_eq!(set(&json!({"spec": {"replicas": 0}})), None);
        assert!(set(&json!({"spec": {"replicas": 2}})).is_some());
    }
}
