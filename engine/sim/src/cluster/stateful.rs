//! StatefulSets, and the volumes of their pods: one that is attached to a node is attached to no other before it is let go.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::dead::is_out_of_service;
use super::{Cluster, condition, text};
use crate::kubernetes::Object;

const DRIVER: &str = "cinder.csi.openstack.org";

/// How long it takes until a volume is attached, or is not any more.
const MOVES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(4);

impl Cluster {
    /// Pods whose name is free are made, with a volume for each claim of the set.
    pub(super) fn make_stateful(&self) {
        let sets = self.api.objects("statefulsets.apps");
        if sets.is_empty() {
            return;
        }
        let pods = self.api.objects("pods");
        for set in sets {
            let (uid, name) = (text(&set, "/metadata/uid"), text(&set, "/metadata/name"));
            let namespace = &set["metadata"]["namespace"];
            for number in 0..set["spec"]["replicas"].as_u64().unwrap_or(1) {
                let pod_name = format!("{name}-{number}");
                let is_it = |pod: &Object| {
                    pod["metadata"]["name"] == pod_name.as_str()
                        && pod["metadata"]["namespace"] == *namespace
                };
                if pods.iter().any(is_it) {
                    continue;
                }
                let claims = set["spec"]["volumeClaimTemplates"].as_array();
                let volumes = claims.into_iter().flatten().map(|claim| {
                    let claim = text(claim, "/metadata/name");
                    let claim_name = format!("{claim}-{pod_name}");
                    json!({"name": claim, "persistentVolumeClaim": {"claimName": claim_name}})
                });
                let mut spec = set["spec"]["template"]["spec"].clone();
                spec["volumes"] = volumes.collect();
                let pod = json!({
                    "metadata": {
                        "name": pod_name, "labels": set["spec"]["template"]["metadata"]["labels"],
                        "ownerReferences": [{
                            "apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "uid": uid, "controller": true,
                        }],
                    },
                    "spec": spec,
                });
                self.api.make("pods", namespace.as_str(), pod);
            }
        }
    }

    /// Each kubelet that is heard has the driver of the volumes: where there are any, its DaemonSet runs everywhere.
    fn register_drivers(&self) {
        let known = self.api.objects("csinodes.storage.k8s.io");
        for node in self.api.objects("nodes") {
            let name = text(&node, "/metadata/name");
            let is_known = known.iter().any(|one| one["metadata"]["name"] == name);
            if is_known || condition(&node, "Ready") != Some("True") {
                continue;
            }
            let driver = json!({"name": DRIVER, "nodeID": name, "topologyKeys": null});
            let csi_node = json!({"metadata": {"name": name}, "spec": {"drivers": [driver]}});
            self.api.make("csinodes.storage.k8s.io", None, csi_node);
        }
    }

    /// The attach-detach controller: a volume that a pod of the node needs is attached when no other node has it; one that none
    /// needs is detached by a kubelet that is heard, or by force from a node that is out of service.
    pub(super) fn attach(&mut self, now: Instant) {
        let (nodes, pods) = (self.api.objects("nodes"), self.api.objects("pods"));
        if pods.iter().any(|pod| !volumes(pod).is_empty()) {
            self.register_drivers();
        }
        let everywhere: BTreeSet<String> = nodes.iter().flat_map(attached).collect();
        self.moving.retain(|(name, _), _| {
            let mut names = nodes.iter().map(|node| text(node, "/metadata/name"));
            names.any(|node| node == name)
        });
        for node in &nodes {
            let name = text(node, "/metadata/name");
            let own = pods.iter().filter(|pod| pod["spec"]["nodeName"] == name);
            let needed: BTreeSet<String> = own.flat_map(volumes).collect();
            let has = attached(node);
            let lets_go = condition(node, "Ready") == Some("True") || is_out_of_service(node);
            let arrives = needed.difference(&everywhere);
            let leaves = has.difference(&needed).filter(|_| lets_go);
            let mut due = Vec::new();
            for volume in arrives.chain(leaves) {
                let key = (name.to_owned(), volume.clone());
                let at = match self.moving.get(&key) {
                    Some(at) => *at,
                    None => now + self.draw(&MOVES),
                };
                match at <= now {
                    true => {
                        self.moving.remove(&key);
                        due.push(volume.clone());
                    }
                    false => {
                        self.moving.insert(key, at);
                    }
                }
            }
            if due.is_empty() {
                continue;
            }
            let then = has.iter().filter(|volume| !due.contains(volume));
            let then = then.chain(due.iter().filter(|volume| !has.contains(*volume)));
            let list: Value = then
                .map(|volume| json!({"name": volume, "devicePath": ""}))
                .collect();
            self.api.change("nodes", node, true, |node| {
                node["status"]["volumesAttached"] = list;
            });
        }
    }
}

/// Are all volumes of the pod attached to its node?
pub(super) fn has_volumes(pod: &Object, node: &Object) -> bool {
    let mut needed = volumes(pod).into_iter();
    needed.all(|volume| attached(node).contains(&volume))
}

fn attached(node: &Object) -> BTreeSet<String> {
    let list = node["status"]["volumesAttached"].as_array();
    let names = list.into_iter().flatten().map(|one| text(one, "/name"));
    names.map(str::to_owned).collect()
}

/// By the name that a CSI driver's volume has.
fn volumes(pod: &Object) -> Vec<String> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes
        .filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
        .map(|claim| format!("kubernetes.io/csi/{DRIVER}^{claim}"))
        .collect()
}
