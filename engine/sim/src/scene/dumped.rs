//! A scene that is somebody's cluster, as a [`Dump`] has it: its nodes with a server and a machine below each, its pods with
//! those who make them, its budgets, pools and repairs.
//!
//! What a dump does not say is assumed, and [`Furnishing`] names it. Below a sick node the machine is given what explains
//! how the node looks: a problem for each condition that is True; one that hangs where nobody hears the kubelet; a
//! container runtime that is down where the kubelet says that it is not ready.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rectifier_core::clock::Timestamp;
use rectifier_node::Config;
use rectifier_policy_host::Advisor;
use serde_json::{Value, json};

use super::{Options, Scene, USER_DATA};
use crate::cluster::{addresses, condition};
use crate::dump::{Dump, name, zone};
use crate::machine::{self, Break, Check, Cure, Problem};

/// Where nodes that name no zone are. (Nova's own name for it.)
const NO_ZONE: &str = "nova";
/// Conditions that are True when all is well.
const READY: &str = "Ready";

/// What a dump does not say.
#[derive(Debug, Clone)]
pub struct Furnishing {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// As the controller's `--hourly-replacements`.
    pub hourly: u32,
    /// The node engines' configuration.
    pub agent: Config,
    /// Conditions that are reported besides those that the dump has; and those behind which there is a unit.
    pub checks: Vec<Check>,
    /// What makes the problems go away that the dump has.
    pub cure: Cure,
}

impl Scene {
    /// Sets up a dump's cluster, which begins at the moment in which it was read. See [`Scene::set`].
    pub fn dumped(dump: &Dump, how: Furnishing, policies: Arc<dyn Advisor>) -> Self {
        let mut zones = dump.zones();
        if zones.is_empty() {
            zones.push(NO_ZONE.to_owned());
        }
        let units = how.agent.systemd.units.iter().map(ToString::to_string);
        let units = units.chain(how.checks.iter().filter_map(|check| check.unit.clone()));
        let machines = machine::Options {
            checks: checks(dump, &how.checks).into(),
            units: units.collect(),
            ..machine::Options::default()
        };
        let options = Options {
            seed: how.seed,
            hourly: how.hourly,
            nodes: dump.nodes.len(),
            zones,
            pods: dump.pods.len(),
            begins: dump.taken_at,
            agent: Some(how.agent),
            ..Options::default()
        };
        let (mut scene, cluster) = Self::bare(options, machines, policies);
        for node in &dump.nodes {
            scene.give_server(node);
        }
        let seen = scene.machines.look(&scene.cloud.machines());
        for node in &dump.nodes {
            let mut node = node.clone();
            if let Some(machine) = seen.iter().find(|machine| machine.name == name(&node)) {
                node["status"]["nodeInfo"]["bootID"] = machine.boot_id.clone().into();
                node["status"]["addresses"] = addresses(machine);
            }
            scene.sicken(&node, how.cure);
            scene.api.give("nodes", node);
        }
        scene.give_work(dump);
        scene.give_pools(dump);
        scene._nature.spawn(cluster.run());
        scene
    }

    fn give_server(&self, node: &Value) {
        let id = node["spec"]["providerID"].as_str().unwrap_or_default();
        let id = id.strip_prefix("openstack://");
        match id.and_then(|place| place.rsplit('/').next()) {
            Some(id) if !id.is_empty() => self.cloud.given_server(id, name(node), zone(node)),
            Some(_) | None => self.cloud.foreign_server(name(node), zone(node)),
        };
    }

    /// The machine becomes such that the node looks as it does.
    fn sicken(&self, node: &Value, cure: Cure) {
        for problem in problems(node, cure) {
            self.machines.ail(name(node), &problem);
        }
        let broken = match condition(node, READY) {
            Some("True") => return,
            Some("False") => Break::Unit("containerd.service".to_owned(), cure),
            Some(_) | None => Break::Machine(cure),
        };
        self.machines.break_it(name(node), &broken);
    }

    /// Pods, and ReplicaSets in the place of all that make pods anew: the world knows no others.
    fn give_work(&self, dump: &Dump) {
        let wanted = |sets: &[Value]| -> Vec<(String, u64)> {
            let wanted = sets.iter().filter_map(|set| {
                let uid = set["metadata"]["uid"].as_str()?.to_owned();
                Some((uid, set["spec"]["replicas"].as_u64().unwrap_or(1)))
            });
            wanted.collect()
        };
        let wanted: BTreeMap<String, u64> = [&dump.replica_sets, &dump.stateful_sets]
            .into_iter()
            .flat_map(|sets| wanted(sets))
            .collect();
        let mut taken = BTreeSet::new();
        let mut named: BTreeMap<String, String> = BTreeMap::new();
        for (uid, maker) in makers(dump) {
            let key = (maker.namespace.clone(), maker.name.clone());
            let name = match taken.insert(key) {
                true => maker.name.clone(),
                false => format!("{}-{}", maker.name, maker.kind.to_lowercase()),
            };
            let labels = &maker.pod["metadata"]["labels"];
            let replicas = wanted.get(&uid).copied().unwrap_or(maker.pods);
            let set = json!({
                "metadata": {"name": name, "namespace": maker.namespace, "uid": uid},
                "spec": {
                    "replicas": replicas, "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": template(&maker.pod["spec"])},
                },
            });
            self.api.give("replicasets.apps", set);
            named.insert(uid, name);
        }
        for pod in &dump.pods {
            let mut pod = pod.clone();
            let owners = pod["metadata"]["ownerReferences"].as_array_mut();
            for owner in owners.into_iter().flatten() {
                let uid = owner["uid"].as_str().unwrap_or_default();
                if let Some(name) = named.get(uid) {
                    owner["name"] = name.as_str().into();
                    owner["apiVersion"] = "apps/v1".into();
                    owner["kind"] = "ReplicaSet".into();
                }
            }
            self.api.give("pods", pod);
        }
        for budget in &dump.pod_disruption_budgets {
            self.api.give("poddisruptionbudgets.policy", budget.clone());
        }
        let namespaces = dump.pod_disruption_budgets.iter();
        let namespaces: BTreeSet<&str> = namespaces
            .filter_map(|budget| budget["metadata"]["namespace"].as_str())
            .collect();
        self.api.settle_budgets(namespaces);
    }

    fn give_pools(&self, dump: &Dump) {
        for pool in &dump.repair_pools {
            let mut pool = pool.clone();
            if pool["spec"]["provisioning"].is_object() {
                pool["spec"]["provisioning"]["userData"] = USER_DATA.into();
            }
            // the control plane that looks on has done so for long
            pool["spec"]["breaker"]["steady"] = 0.into();
            self.api.give("repairpools.rectifier.dev", pool);
        }
        for repair in &dump.node_repairs {
            let mut repair = repair.clone();
            if begins_anew(&repair)
                && let Some(fields) = repair.as_object_mut()
            {
                fields.remove("status");
            }
            self.api.give("noderepairs.rectifier.dev", repair);
        }
    }
}

/// Is it under way in a step whose traces are in the cloud, or on the machine, of which the dump knows nothing?
pub(crate) fn begins_anew(repair: &Value) -> bool {
    let phase = repair["status"]["phase"].as_str().unwrap_or_default();
    !matches!(
        phase,
        "" | "HealingInNode" | "Judging" | "NeedsHuman" | "Recovered" | "Replaced" | "Cancelled"
    )
}

impl Dump {
    /// The nodes whose repair is under way in a step of which the dump knows only half: a scene begins it anew.
    pub fn begun_anew(&self) -> Vec<String> {
        let anew = self
            .node_repairs
            .iter()
            .filter(|repair| begins_anew(repair));
        anew.filter_map(|repair| repair["spec"]["nodeName"].as_str().map(str::to_owned))
            .collect()
    }
}

/// A condition that is True and should not be is a problem.
fn problems(node: &Value, cure: Cure) -> impl Iterator<Item = Problem> {
    let conditions = node["status"]["conditions"].as_array();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    conditions.into_iter().flatten().filter_map(move |seen| {
        let kind = text(&seen["type"]);
        let is_problem = seen["status"] == "True" && kind != READY;
        is_problem.then(|| Problem {
            kind,
            reason: text(&seen["reason"]),
            message: text(&seen["message"]),
            cure,
            since: text(&seen["lastTransitionTime"])
                .parse()
                .ok()
                .or(Some(Timestamp::UNIX_EPOCH)),
        })
    })
}

/// Every condition that any node has is reported on all of them.
fn checks(dump: &Dump, also: &[Check]) -> Vec<Check> {
    let conditions = dump.nodes.iter().flat_map(|node| {
        let all = node["status"]["conditions"].as_array();
        all.into_iter().flatten()
    });
    let kinds = conditions.filter_map(|condition| condition["type"].as_str());
    let kinds: BTreeSet<&str> = kinds
        .filter(|kind| *kind != READY && also.iter().all(|check| check.kind != *kind))
        .collect();
    let checks = kinds.into_iter().map(|kind| Check {
        kind: kind.to_owned(),
        unit: None,
    });
    checks.chain(also.iter().cloned()).collect()
}

/// Whoever makes pods anew.
struct Maker {
    kind: String,
    namespace: String,
    name: String,
    /// How many there are.
    pods: u64,
    /// One of them.
    pod: Value,
}

/// By UID. A DaemonSet's pods, and a kubelet's own, are made by nobody on another node.
fn makers(dump: &Dump) -> BTreeMap<String, Maker> {
    let mut makers: BTreeMap<String, Maker> = BTreeMap::new();
    for pod in &dump.pods {
        let owners = pod["metadata"]["ownerReferences"].as_array();
        let mut owners = owners.into_iter().flatten();
        let Some(owner) = owners.find(|owner| owner["controller"] == true) else {
            continue;
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = text(&owner["kind"]);
        if ["DaemonSet", "Node"].contains(&kind.as_str()) {
            continue;
        }
        let maker = makers.entry(text(&owner["uid"])).or_insert_with(|| Maker {
            kind,
            namespace: text(&pod["metadata"]["namespace"]),
            name: text(&owner["name"]),
            pods: 0,
            pod: pod.clone(),
        });
        if pod["metadata"]["deletionTimestamp"].is_null() {
            maker.pods += 1;
        }
    }
    makers
}

/// What a new pod is like: one that is there, but not on its node.
fn template(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("nodeName");
    }
    spec
}
