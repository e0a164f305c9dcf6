//! On which nodes a pod may be: as the scheduler has it, as far as taints, tolerations and a DaemonSet's choice of its node go.

use serde_json::{Value, json};

use super::{condition, text};

/// May a pod of this spec be placed on this node?
pub(super) fn may_be_on(spec: &Value, node: &Value) -> bool {
    let own = |key: &str| json!({"key": key, "effect": "NoSchedule"});
    let mut taints: Vec<Value> = node["spec"]["taints"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    // The real node controller writes these down.
    if node["spec"]["unschedulable"] == true {
        taints.push(own("node.kubernetes.io/unschedulable"));
    }
    if condition(node, "Ready") != Some("True") {
        taints.push(own("node.kubernetes.io/not-ready"));
    }
    let repels = |taint: &&Value| taint["effect"] != "PreferNoSchedule" && !tolerates(spec, taint);
    let chosen = chosen(spec);
    taints.iter().find(repels).is_none()
        && chosen.is_none_or(|chosen| chosen == text(node, "/metadata/name"))
}

fn tolerates(spec: &Value, taint: &Value) -> bool {
    let mut tolerations = spec["tolerations"].as_array().into_iter().flatten();
    let is_same = |toleration: &Value, field: &str| {
        let (wanted, is) = (&toleration[field], &taint[field]);
        wanted.as_str().unwrap_or_default() == is.as_str().unwrap_or_default()
    };
    tolerations.any(|toleration| {
        let is_any = toleration["operator"] == "Exists";
        let no_key = toleration["key"].as_str().unwrap_or_default().is_empty();
        let no_effect = toleration["effect"].as_str().unwrap_or_default().is_empty();
        (no_effect || is_same(toleration, "effect"))
            && match no_key {
                true => is_any,
                false => is_same(toleration, "key") && (is_any || is_same(toleration, "value")),
            }
    })
}

/// The node that a DaemonSet has chosen for its pod.
pub(super) fn chosen(spec: &Value) -> Option<&str> {
    let required =
        &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let field = &required["nodeSelectorTerms"][0]["matchFields"][0];
    let is_name = field["key"] == "metadata.name" && field["operator"] == "In";
    field["values"][0].as_str().filter(|_| is_name)
}
