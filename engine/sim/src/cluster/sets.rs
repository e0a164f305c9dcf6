//! Those who make pods, beside ReplicaSets: DaemonSets, and the counts that all of them write down.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::taints::{chosen, may_be_on};
use super::{Cluster, condition, text};
use crate::kubernetes::Object;

/// What the counts are made of.
pub(super) const KINDS: &[&str] = &[
    "pods",
    "nodes",
    "replicasets.apps",
    "deployments.apps",
    "daemonsets.apps",
];

const DAEMON_SETS: &str = "daemonsets.apps";
const REPLICA_SETS: &str = "replicasets.apps";
const DEPLOYMENTS: &str = "deployments.apps";

/// How many pods somebody has.
#[derive(Default, Clone, Copy)]
struct Count {
    all: u64,
    ready: u64,
}

impl Cluster {
    /// DaemonSets make a pod on each node where one may be; the scheduler places it there.
    pub(super) fn run_daemons(&self) {
        let (nodes, pods) = (self.api.objects("nodes"), self.api.objects("pods"));
        for set in self.api.objects(DAEMON_SETS) {
            let (uid, name) = (text(&set, "/metadata/uid"), text(&set, "/metadata/name"));
            let spec = daemon(&set["spec"]["template"]["spec"]);
            for node in &nodes {
                let on = text(node, "/metadata/name");
                let is_there = |pod: &&Object| {
                    let own = controller(pod).is_some_and(|owner| owner["uid"] == uid);
                    own && (text(pod, "/spec/nodeName") == on || chosen(&pod["spec"]) == Some(on))
                };
                let wanted = selects(&spec, node) && may_be_on(&spec, node);
                if !wanted || pods.iter().any(|pod| is_there(&pod)) {
                    continue;
                }
                let mut spec = spec.clone();
                spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] = json!({
                    "nodeSelectorTerms": [{
                        "matchFields": [{"key": "metadata.name", "operator": "In", "values": [on]}],
                    }],
                });
                let pod = json!({
                    "metadata": {
                        "generateName": format!("{name}-"),
                        "labels": set["spec"]["template"]["metadata"]["labels"],
                        "ownerReferences": [{
                            "apiVersion": "apps/v1", "kind": "DaemonSet", "name": name, "uid": uid, "controller": true,
                        }],
                    },
                    "spec": spec,
                });
                self.api
                    .make("pods", set["metadata"]["namespace"].as_str(), pod);
            }
        }
    }

    /// Controllers write down how many pods they have, and how many of these are Ready.
    pub(super) fn count(&self) {
        let pods = self.api.objects("pods");
        let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
        for pod in &pods {
            let is_going = !pod["metadata"]["deletionTimestamp"].is_null();
            if let Some(owner) = controller(pod).filter(|_| !is_going) {
                let count = counts.entry(text(owner, "/uid")).or_default();
                count.all += 1;
                count.ready += u64::from(condition(pod, "Ready") == Some("True"));
            }
        }
        let of = |set: &Value| {
            let count = counts.get(text(set, "/metadata/uid"));
            count.copied().unwrap_or_default()
        };
        let sets = self.api.objects(REPLICA_SETS);
        for set in &sets {
            self.write_down(REPLICA_SETS, set, replicas(set, of(set)));
        }
        for deployment in self.api.objects(DEPLOYMENTS) {
            let uid = text(&deployment, "/metadata/uid");
            let own = sets
                .iter()
                .filter(|set| controller(set).is_some_and(|owner| owner["uid"] == uid));
            let sum = own
                .map(|set| of(set))
                .fold(Count::default(), |sum, one| Count {
                    all: sum.all + one.all,
                    ready: sum.ready + one.ready,
                });
            self.write_down(DEPLOYMENTS, &deployment, replicas(&deployment, sum));
        }
        let nodes = self.api.objects("nodes");
        for set in self.api.objects(DAEMON_SETS) {
            let spec = daemon(&set["spec"]["template"]["spec"]);
            let wanted = nodes
                .iter()
                .filter(|node| selects(&spec, node) && may_be_on(&spec, node));
            let Count { all, ready } = of(&set);
            let status = json!({
                "desiredNumberScheduled": wanted.count(), "currentNumberScheduled": all, "numberReady": ready,
                "numberMisscheduled": 0, "observedGeneration": set["metadata"]["generation"],
            });
            self.write_down(DAEMON_SETS, &set, status);
        }
    }

    fn write_down(&self, kind: &str, set: &Object, status: Value) {
        if set["status"] != status {
            self.api
                .change(kind, set, true, |set| set["status"] = status);
        }
    }
}

fn replicas(set: &Value, Count { all, ready }: Count) -> Value {
    json!({
        "replicas": all, "readyReplicas": ready, "availableReplicas": ready,
        "observedGeneration": set["metadata"]["generation"],
    })
}

fn controller(object: &Value) -> Option<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)
}

fn selects(spec: &Value, node: &Value) -> bool {
    let wanted = spec["nodeSelector"].as_object().into_iter().flatten();
    let labels = &node["metadata"]["labels"];
    wanted.into_iter().all(|(key, value)| labels[key] == *value)
}

/// A DaemonSet's pods tolerate, besides what its template says, what tells of a node's troubles.
fn daemon(template: &Value) -> Value {
    let mut spec = template.clone();
    let mut tolerations = spec["tolerations"].as_array().cloned().unwrap_or_default();
    for (key, effect) in [
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    ] {
        let key = format!("node.kubernetes.io/{key}");
        tolerations.push(json!({"key": key, "operator": "Exists", "effect": effect}));
    }
    spec["tolerations"] = tolerations.into();
    spec
}
