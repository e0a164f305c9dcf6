//! Nodes and repairs as the watches read them: the few fields that decisions rest on. The rest, of a Node nine tenths, is
//! passed over as it is parsed: managed fields, images, and the annotations that nobody here reads.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use kube::api::{Api, ListParams};
use rectifier_api::{CORDONED_BY, NodeRepair};
use rectifier_core::acknowledged::ACKNOWLEDGED;
use rectifier_core::reason::Reason;
use rectifier_core::repair::autoscaler::{SCALE_DOWN_DISABLED, SCALE_DOWN_HELD_BY};
use rectifier_core::repair::{Flight, PAUSED, Phase, Rung, Side, Tried, owner_annotations};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// A Node.
#[derive(Debug, Clone, Deserialize, Resource)]
#[resource(inherit = Node)]
pub(crate) struct SlimNode {
    #[serde(deserialize_with = "metadata")]
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    pub(crate) spec: Spec,
    #[serde(default)]
    pub(crate) status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec {
    #[serde(default)]
    pub(crate) unschedulable: bool,
    #[serde(rename = "providerID")]
    pub(crate) provider_id: Option<String>,
    #[serde(default)]
    pub(crate) taints: Vec<Taint>,
}

#[derive(Debug, Clone, Hash, Deserialize)]
pub(crate) struct Taint {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: String,
    pub(crate) effect: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    #[serde(default)]
    pub(crate) addresses: Vec<Address>,
    #[serde(default)]
    pub(crate) conditions: Vec<Condition>,
    #[serde(default)]
    pub(crate) node_info: Info,
    #[serde(default)]
    pub(crate) allocatable: BTreeMap<String, Quantity>,
    #[serde(default)]
    pub(crate) capacity: BTreeMap<String, Quantity>,
    #[serde(default)]
    pub(crate) volumes_attached: Vec<Volume>,
}

/// One of its addresses, or names.
#[derive(Debug, Clone, Hash, Deserialize)]
pub(crate) struct Address {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) address: String,
}

/// A volume that is attached to it.
#[derive(Debug, Clone, Hash, Deserialize)]
pub(crate) struct Volume {
    pub(crate) name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) message: String,
    /// When its reporter said it last, and since when it says the same, both by its own clock.
    #[serde(default)]
    pub(crate) last_heartbeat_time: Option<Timestamp>,
    #[serde(default)]
    pub(crate) last_transition_time: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Info {
    /// A kubelet that has not reported yet leaves it empty.
    #[serde(default, rename = "bootID")]
    pub(crate) boot_id: String,
}

/// A repair, open or archived.
#[derive(Debug, Clone, Deserialize, Resource)]
#[resource(inherit = NodeRepair)]
pub(crate) struct SlimRepair {
    #[serde(deserialize_with = "metadata")]
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: RepairSpec,
    #[serde(default)]
    pub(crate) status: RepairStatus,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RepairSpec {
    pub(crate) node_name: String,
    #[serde(default)]
    pub(crate) node_uid: String,
    #[serde(default)]
    pub(crate) problem: SlimProblem,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct SlimProblem {
    #[serde(default)]
    pub(crate) kind: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct RepairStatus {
    #[serde(default)]
    pub(crate) phase: Phase,
    #[serde(default)]
    pub(crate) reason: Option<Reason>,
    #[serde(default)]
    pub(crate) term: i64,
    #[serde(default)]
    pub(crate) since: Option<Timestamp>,
    #[serde(default)]
    pub(crate) rung: Option<Rung>,
    #[serde(default)]
    pub(crate) pool: Option<String>,
    #[serde(default)]
    pub(crate) replacement: Option<SlimReplacement>,
    #[serde(default, rename = "committedAt")]
    pub(crate) committed_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) room: Option<SlimRoom>,
    #[serde(default)]
    pub(crate) tried: Vec<Tried>,
}

/// Whether its server goes first.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlimRoom {
    #[serde(default)]
    pub(crate) ended_at: Option<Timestamp>,
}

/// What a repair made, or makes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlimReplacement {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) zone: Option<String>,
    #[serde(default)]
    pub(crate) server_id: Option<String>,
}

impl RepairStatus {
    /// Whether it is in flight.
    pub(crate) fn flight(&self) -> Flight {
        Flight {
            phase: self.phase,
            since: self.since,
            rung: self.rung,
            pool: self.pool.clone(),
            side: match (self.committed_at, &self.room) {
                (Some(_), _) => Side::Committed,
                (None, Some(room)) if room.ended_at.is_some() => Side::RoomMade,
                (None, Some(_)) => Side::MakingRoom,
                (None, None) => Side::Before,
            },
        }
    }
}

/// So many objects are in memory at once.
const PAGE: u32 = 250;

/// All of them, page by page.
///
/// # Errors
/// A page cannot be read: what was told until then is not all.
pub(crate) async fn in_pages<K>(api: &Api<K>, mut each: impl FnMut(&K)) -> Result<(), kube::Error>
where
    K: Clone + std::fmt::Debug + DeserializeOwned,
{
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let list = api.list(&page).await?;
        list.items.iter().for_each(&mut each);
        match list.metadata.continue_ {
            Some(token) if !token.is_empty() => page = page.continue_token(&token),
            Some(_) | None => return Ok(()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<Time>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Those that are read.
fn is_read(annotation: &str) -> bool {
    let ours = [
        ACKNOWLEDGED,
        CORDONED_BY,
        PAUSED,
        SCALE_DOWN_DISABLED,
        SCALE_DOWN_HELD_BY,
    ];
    ours.contains(&annotation) || owner_annotations().any(|own| own == annotation)
}

fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let slim = Metadata::deserialize(deserializer)?;
    let mut annotations = slim.annotations;
    annotations.retain(|name, _| is_read(name));
    Ok(ObjectMeta {
        name: slim.name,
        uid: slim.uid,
        resource_version: slim.resource_version,
        labels: slim.labels,
        creation_timestamp: slim.creation_timestamp,
        annotations: (!annotations.is_empty()).then_some(annotations),
        ..ObjectMeta::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_read_without_what_nobody_reads() {
        let node: SlimNode = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {
                "name": "worker-1", "uid": "u", "resourceVersion": "7", "labels": {"pool": "web"},
                "annotations": {(CORDONED_BY): "repair", "csi.volume.kubernetes.io/nodeid": "{}"},
                "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}],
            },
            "spec": {
                "providerID": "openstack:///s", "unschedulable": true, "podCIDR": "10.0.0.0/24",
                "taints": [{"key": "k", "effect": "NoSchedule", "timeAdded": "2026-01-01T00:00:00Z"}],
            },
            "status": {
                "nodeInfo": {"bootID": "b", "kernelVersion": "6.1"}, "images": [{"names": ["a"], "sizeBytes": 1}],
                "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
            },
        }))
        .unwrap();
        assert_eq!(node.metadata.managed_fields, None);
        assert_eq!(node.metadata.annotations.unwrap().len(), 1);
        assert_eq!(node.metadata.labels.unwrap()["pool"], "web");
        assert_eq!(node.spec.provider_id.as_deref(), Some("openstack:///s"));
        assert!(node.spec.unschedulable && node.spec.taints[0].value.is_empty());
        assert_eq!(
            (
                node.status.conditions.len(),
                node.status.node_info.boot_id.as_str()
            ),
            (1, "b")
        );
    }

    #[test]
    fn a_node_that_says_nothing_yet_is_one() {
        let bare = json!({"metadata": {"name": "worker-1"}});
        let node: SlimNode = serde_json::from_value(bare).unwrap();
        assert!(node.status.conditions.is_empty() && !node.spec.unschedulable);
        let repair =
            json!({"metadata": {"name": "a.repair"}, "spec": {"nodeName": "a", "problem": {}}});
        let repair: SlimRepair = serde_json::from_value(repair).unwrap();
        assert_eq!(
            (repair.status.phase, repair.status.reason),
            (Phase::HealingInNode, None)
        );
    }
}
