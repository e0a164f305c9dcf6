//! Pods: made by ReplicaSets, placed by a scheduler, started and ended by kubelets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::taints::may_be_on;
use super::{Cluster, condition, set_condition, stateful, text};
use crate::kubernetes::Object;

impl Cluster {
    /// ReplicaSets make the pods that are missing.
    pub(super) fn scale(&self) {
        let pods = self.api.objects("pods");
        let mut owned: BTreeMap<&str, u64> = BTreeMap::new();
        for pod in &pods {
            let owners = pod["metadata"]["ownerReferences"].as_array();
            if pod["metadata"]["deletionTimestamp"].is_null() {
                for owner in owners.into_iter().flatten() {
                    *owned.entry(text(owner, "/uid")).or_default() += 1;
                }
            }
        }
        for set in self.api.objects("replicasets.apps") {
            let (uid, name) = (text(&set, "/metadata/uid"), text(&set, "/metadata/name"));
            let there = owned.get(uid).copied().unwrap_or(0);
            let wanted = set["spec"]["replicas"].as_u64().unwrap_or(1);
            for _ in there..wanted {
                let template = &set["spec"]["template"];
                let pod = json!({
                    "metadata": {
                        "generateName": format!("{name}-"), "labels": template["metadata"]["labels"],
                        "ownerReferences": [{
                            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": uid, "controller": true,
                        }],
                    },
                    "spec": template["spec"],
                });
                self.api
                    .make("pods", set["metadata"]["namespace"].as_str(), pod);
            }
        }
    }

    /// The scheduler: to the fitting node that has the fewest pods.
    pub(super) fn place(&self) {
        for pod in self.api.objects("pods") {
            if !pod["spec"]["nodeName"].is_null() || !pod["metadata"]["deletionTimestamp"].is_null()
            {
                continue;
            }
            let placed = self.api.objects("pods");
            let count = |name: &str| {
                placed
                    .iter()
                    .filter(|pod| pod["spec"]["nodeName"] == name)
                    .count()
            };
            let nodes = self.api.objects("nodes");
            let fits = |node: &&Object| may_be_on(&pod["spec"], node);
            let names = nodes
                .iter()
                .filter(fits)
                .map(|node| text(node, "/metadata/name"));
            if let Some(name) = names.min_by_key(|name| (count(name), (*name).to_owned())) {
                self.api.change("pods", &pod, false, |pod| {
                    pod["spec"]["nodeName"] = name.into()
                });
            }
        }
    }

    /// Kubelets start pods and end them; pods of nodes that are gone go with them.
    pub(super) fn run_pods(&mut self, now: Instant) {
        let nodes = self.api.objects("nodes");
        let pods = self.api.objects("pods");
        let wall = self.api.now();
        let by_name: BTreeMap<&str, &Object> = nodes
            .iter()
            .map(|node| (text(node, "/metadata/name"), node))
            .collect();
        let uids: BTreeSet<&str> = pods.iter().map(|pod| text(pod, "/metadata/uid")).collect();
        self.starting.retain(|uid, _| uids.contains(uid.as_str()));
        self.ending.retain(|uid, _| uids.contains(uid.as_str()));
        for pod in &pods {
            let uid = text(pod, "/metadata/uid").to_owned();
            let Some(node) = pod["spec"]["nodeName"].as_str() else {
                continue;
            };
            let Some(node) = by_name.get(node) else {
                self.api.end(pod);
                continue;
            };
            // A kubelet that does not speak starts and ends nothing.
            if condition(node, "Ready") != Some("True") {
                continue;
            }
            if let Some(grace) = pod["metadata"]["deletionGracePeriodSeconds"].as_u64() {
                let range = self.options.pod_end.clone();
                let ends = match self.ending.get(&uid) {
                    Some(ends) => *ends,
                    None => now + self.draw(&range).min(Duration::from_secs(grace)),
                };
                if ends <= now {
                    self.ending.remove(&uid);
                    self.api.end(pod);
                } else {
                    self.ending.insert(uid, ends);
                }
            } else if pod["status"]["phase"] == "Pending" && stateful::has_volumes(pod, node) {
                let range = self.options.pod_start.clone();
                let starts = match self.starting.get(&uid) {
                    Some(starts) => *starts,
                    None => now + self.draw(&range) + probed_after(pod),
                };
                if starts <= now {
                    self.starting.remove(&uid);
                    self.api.change("pods", pod, true, |pod| {
                        pod["status"]["phase"] = "Running".into();
                        set_condition(pod, "Ready", "True", "PodReady", "", wall);
                    });
                } else {
                    self.starting.insert(uid, starts);
                }
            }
        }
    }
}

/// Before that its container is not asked whether it is ready.
fn probed_after(pod: &Value) -> Duration {
    let delay = &pod["spec"]["containers"][0]["readinessProbe"]["initialDelaySeconds"];
    Duration::from_secs(delay.as_u64().unwrap_or(0))
}
