//! What a replacement's node gets of the sick one's labels and taints.

use rectifier_api::Provisioning;
use rectifier_core::repair::Traits;

/// The labels of the sick node that the pool copies to its replacement, as `name=value` pairs. `zone`: the replacement is made
/// in another than the sick node's, and its cloud says which.
pub(crate) fn labels(
    node: Option<&Traits>,
    provisioning: &Provisioning,
    zone: Option<&str>,
) -> Vec<(String, String)> {
    let labels = node.into_iter().flat_map(|node| &node.labels);
    labels
        .filter(|(name, _)| names(&provisioning.copy_labels, name))
        .filter(|(name, _)| zone.is_none() || !name.ends_with("/zone"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The taints of the sick node that the pool copies, as `key=value:Effect`. Those of Kubernetes' own say how the sick node is,
/// and ours what becomes of it.
pub(crate) fn taints(node: Option<&Traits>, provisioning: &Provisioning) -> Vec<String> {
    let taints = node.into_iter().flat_map(|node| &node.taints);
    let wanted = |taint: &str| {
        let key = taint.split([':', '=']).next().unwrap_or_default();
        !key.starts_with("node.kubernetes.io/")
            && !key.starts_with("rectifier.dev/")
            && names(&provisioning.copy_taints, key)
    };
    taints.filter(|taint| wanted(taint)).cloned().collect()
}

/// Is it named there, or does it begin with a prefix that is?
fn names(copied: &[String], name: &str) -> bool {
    copied
        .iter()
        .any(|copy| copy == name || (copy.ends_with('/') && name.starts_with(copy.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Cluster;

    #[test]
    fn only_taints_on_the_list_are_copied_and_none_of_kubernetes_own() {
        let how: Provisioning = serde_json::from_value(serde_json::json!({
            "userData": "", "apiServer": "https://x",
            "copyTaints": ["dedicated", "example.com/", "node.kubernetes.io/", "rectifier.dev/"],
        }))
        .unwrap();
        let node = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "n", "uid": "u"},
            "spec": {"taints": [
                {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"},
                {"key": "example.com/a", "effect": "NoExecute"},
                {"key": "other", "effect": "NoSchedule"},
                {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
                {"key": "rectifier.dev/provisional", "effect": "NoSchedule"},
            ]},
        }))
        .unwrap();
        let now = jiff::Timestamp::UNIX_EPOCH;
        let node = crate::observe::node::seen(&node, &Cluster::default(), now).unwrap();
        let node = Traits::from(&node);
        assert_eq!(
            taints(Some(&node), &how),
            ["dedicated=gpu:NoSchedule", "example.com/a:NoExecute"]
        );
    }

    #[test]
    fn a_zones_label_is_not_copied_into_another_zone() {
        let how: Provisioning = serde_json::from_value(serde_json::json!({
            "userData": "", "apiServer": "https://x", "copyLabels": ["topology.kubernetes.io/", "pool"],
        }))
        .unwrap();
        let node = serde_json::from_value(serde_json::json!({"metadata": {"name": "n", "uid": "u", "labels": {
            "topology.kubernetes.io/zone": "az-1", "topology.kubernetes.io/region": "r", "pool": "web", "other": "x",
        }}}))
        .unwrap();
        let now = jiff::Timestamp::UNIX_EPOCH;
        let node = crate::observe::node::seen(&node, &Cluster::default(), now).unwrap();
        let node = Traits::from(&node);
        let names = |zone| -> Vec<String> {
            let labels = labels(Some(&node), &how, zone).into_iter();
            labels.map(|(name, _)| name).collect()
        };
        let all = [
            "pool",
            "topology.kubernetes.io/region",
            "topology.kubernetes.io/zone",
        ];
        assert_eq!(names(None), all);
        assert_eq!(names(Some("az-2")), all[..2]);
    }
}
