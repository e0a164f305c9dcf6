//! Evictions, which PodDisruptionBudgets may refuse.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Refusal;
use super::apply::{Operation, Writer};
use super::label::{matches_labels, of_selector};
use super::object::{at, is_being_deleted, map_of, meta};
use super::store::{Change, Key, Store};
use super::verb::{Done, Part, Verb};

const BUDGETS: &str = "poddisruptionbudgets.policy";

impl Verb<'_> {
    /// Deletes the pod, unless a budget is against it.
    pub(super) fn evict(
        &mut self,
        namespace: &str,
        name: &str,
        eviction: &Value,
    ) -> Result<Done, Refusal> {
        let named = meta(eviction, "name");
        if !named.is_empty() && named != name {
            return Err(Refusal::bad_request(format!(
                "name in URL does not match name in Eviction object: {name}"
            )));
        }
        let pods = self.store.all("pods", Some(namespace));
        let pod = pods
            .map(|(_, pod)| pod)
            .find(|pod| meta(pod, "name") == name)
            .cloned();
        if let Some(pod) = pod {
            may_go(self.store, namespace, &pod)?;
        }
        self.delete(Some(namespace), name, &eviction["deleteOptions"])
    }
}

fn may_go(store: &Store, namespace: &str, pod: &Value) -> Result<(), Refusal> {
    let phase = at(pod, &["status", "phase"]).as_str().unwrap_or_default();
    // Nobody misses what does not run.
    if ["Succeeded", "Failed", "Pending"].contains(&phase) || is_being_deleted(pod) {
        return Ok(());
    }
    let budgets: Vec<_> = store
        .all(BUDGETS, Some(namespace))
        .map(|(_, budget)| budget)
        .filter(|budget| is_of(budget, pod))
        .collect();
    let budget = match budgets.as_slice() {
        [] => return Ok(()),
        [budget] => *budget,
        _ => {
            let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(Refusal::new(500, "", why));
        }
    };
    let counts = counts(store, namespace, budget);
    let Counts {
        healthy, wanted, ..
    } = counts;
    let policy = at(budget, &["spec", "unhealthyPodEvictionPolicy"]).as_str();
    let is_spare =
        !is_ready(pod) && (policy == Some("AlwaysAllow") || (healthy >= wanted && wanted > 0));
    if is_spare || counts.allowed() > 0 {
        return Ok(());
    }
    let name = meta(budget, "name");
    let mut refusal = Refusal::new(
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
    );
    refusal.details = json!({"causes": [{
        "reason": "DisruptionBudget",
        "message": format!("The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently"),
    }]});
    Err(refusal)
}

/// Who makes pods, as the store names them.
const REPLICA_SETS: &str = "replicasets.apps";
const DEPLOYMENTS: &str = "deployments.apps";
const STATEFUL_SETS: &str = "statefulsets.apps";
const CONTROLLERS: &str = "replicationcontrollers";

struct Counts {
    healthy: u64,
    wanted: u64,
    all: u64,
    /// Somebody makes these pods who is not known, so that it is not known either how many there should be.
    unknown: bool,
}

impl Counts {
    /// Of pods that nobody expects none may go.
    fn allowed(&self) -> u64 {
        match self.unknown || self.all == 0 {
            true => 0,
            false => self.healthy.saturating_sub(self.wanted),
        }
    }
}

/// Writes what the budgets of a namespace allow, as the disruption controller does; here at once after each change in it.
pub(super) fn settle(store: &mut Store, namespace: &str) {
    let changes = store.changes_after(store.settled);
    let is_new = |budget: &Value| match &changes {
        Some(changes) => changes.iter().any(|change| concerns(budget, change)),
        None => true,
    };
    let budgets: Vec<_> = store
        .all(BUDGETS, Some(namespace))
        .filter(|(_, budget)| is_new(budget))
        .map(|(key, budget)| (key.clone(), budget.clone()))
        .collect();
    if !budgets.is_empty() {
        store.by = Some(Arc::new(Writer::new(
            Operation::Update,
            "kube-controller-manager",
            Part::Status,
        )));
    }
    for (key, budget) in budgets {
        let counts = counts(store, namespace, &budget);
        let status = json!({
            "currentHealthy": counts.healthy, "desiredHealthy": counts.wanted, "expectedPods": counts.all,
            "disruptionsAllowed": counts.allowed(),
            "observedGeneration": budget["metadata"]["generation"],
        });
        if budget["status"] != status {
            let mut budget = budget.as_ref().clone();
            map_of(&mut budget).insert("status".to_owned(), status);
            store.put(key, budget);
        }
    }
    // What was just written is counted.
    store.settled = store.revision();
}

/// May it count otherwise after that change?
fn concerns(budget: &Value, change: &Change) -> bool {
    match change.key.stored_as.as_str() {
        "pods" => {
            let pods = [&change.before, &change.after];
            pods.into_iter().flatten().any(|pod| is_of(budget, pod))
        }
        BUDGETS => change.key.name == meta(budget, "name"),
        REPLICA_SETS | DEPLOYMENTS | STATEFUL_SETS | CONTROLLERS => true,
        _ => false,
    }
}

/// As the disruption controller counts them.
fn counts(store: &Store, namespace: &str, budget: &Value) -> Counts {
    let selector = &budget["spec"]["selector"];
    let wanted = of_selector(selector);
    let pods: Vec<_> = store
        .all("pods", Some(namespace))
        .map(|(_, pod)| pod)
        .filter(|pod| !selector.is_null() && matches_labels(&wanted, pod))
        .collect();
    let is_healthy = |pod: &&&Arc<Value>| is_ready(pod) && !is_being_deleted(pod);
    let healthy = pods.iter().filter(is_healthy).count() as u64;
    let spec = &budget["spec"];
    let present = pods.len() as u64;
    let made = expected(store, namespace, &pods);
    let all = made.unwrap_or(0);
    let (wanted, all, unknown) = match (&spec["minAvailable"], &spec["maxUnavailable"]) {
        (Value::Number(least), _) => (least.as_u64().unwrap_or_default(), present, false),
        (Value::String(least), _) => (share(least, all), all, made.is_none()),
        (_, Value::Number(most)) => {
            let most = most.as_u64().unwrap_or_default();
            (all.saturating_sub(most), all, made.is_none())
        }
        (_, Value::String(most)) => (all.saturating_sub(share(most, all)), all, made.is_none()),
        _ => (0, present, false),
    };
    Counts {
        healthy,
        wanted,
        all,
        unknown,
    }
}

/// No selector selects nothing; an empty one everything.
fn is_of(budget: &Value, pod: &Value) -> bool {
    let selector = &budget["spec"]["selector"];
    !selector.is_null() && matches_labels(&of_selector(selector), pod)
}

/// A percentage, rounded up.
fn share(percent: &str, of: u64) -> u64 {
    let percent: u64 = percent.trim_end_matches('%').parse().unwrap_or(100);
    (of * percent).div_ceil(100)
}

/// How many pods there should be, by those who make them: pods that nobody makes count for nothing. `None`: one is made by
/// somebody who is not known here.
fn expected(store: &Store, namespace: &str, pods: &[&Arc<Value>]) -> Option<u64> {
    let mut scales = BTreeMap::new();
    for pod in pods {
        if let Some(owner) = controller(pod) {
            let (uid, scale) = scale(store, namespace, owner)?;
            scales.insert(uid, scale);
        }
    }
    Some(scales.values().sum())
}

/// Who makes it.
fn controller(object: &Value) -> Option<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)
}

/// How many pods whoever is at the top of it wants, and by which UID he is known. (The real controller knows everything that has
/// a scale; here these four are.)
fn scale(store: &Store, namespace: &str, owner: &Value) -> Option<(String, u64)> {
    let text = |key: &str| owner[key].as_str().unwrap_or_default();
    let group = text("apiVersion")
        .rsplit_once('/')
        .map_or("", |(group, _)| group);
    let stored_as = match (group, text("kind")) {
        ("apps", "ReplicaSet") => REPLICA_SETS,
        ("apps", "Deployment") => DEPLOYMENTS,
        ("apps", "StatefulSet") => STATEFUL_SETS,
        ("", "ReplicationController") => CONTROLLERS,
        _ => return None,
    };
    let key = Key {
        stored_as: stored_as.to_owned(),
        namespace: namespace.to_owned(),
        name: text("name").to_owned(),
    };
    let set = store.get(&key)?;
    let uid = meta(&set, "uid");
    if uid != text("uid") {
        return None;
    }
    match controller(&set).filter(|_| text("kind") == "ReplicaSet") {
        Some(above) if above["kind"] == "Deployment" => scale(store, namespace, above),
        Some(_) | None => {
            let replicas = at(&set, &["spec", "replicas"]).as_u64();
            Some((uid.to_owned(), replicas.unwrap_or(1)))
        }
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = at(pod, &["status", "conditions"]).as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
