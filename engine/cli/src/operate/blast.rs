//! What a rung would do to a node's pods, and how long that took before: what one wants to know before one says yes.

use std::io::Write;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};
use rectifier_api::NodeRepair;
use rectifier_core::clock::seconds_between;
use rectifier_core::name::NodeName;
use rectifier_core::repair::{Phase, Rung};
use serde::Serialize;

use super::look::Look;
use crate::clock::span;
use crate::output::plural;

/// Pods on the node, and what stands in their way.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Radius {
    /// They would be evicted.
    evicted: usize,
    /// A DaemonSet's, kubelet's own, and those that are over: they stay.
    stay: usize,
    /// Of those that would be evicted: nobody makes them again.
    unmanaged: Vec<String>,
    /// They have an emptyDir, which is lost.
    local_data: usize,
    /// They have a PersistentVolumeClaim.
    claims: usize,
    /// Budgets that let none of theirs go now.
    held_by: Vec<String>,
    /// How long such a repair took, in seconds: the median of so many.
    usually: Option<(u64, usize)>,
}

impl Radius {
    pub(super) async fn of(look: &Look, node: &NodeName, rung: Rung) -> anyhow::Result<Self> {
        let pods = look.pods(node).await?;
        let budgets = look.budgets().await?;
        let repairs = look.repairs(None).await?;
        Ok(Self {
            usually: usually(&repairs, rung),
            ..Self::among(&pods, &budgets)
        })
    }

    fn among(pods: &[Pod], budgets: &[PodDisruptionBudget]) -> Self {
        let (stay, evicted): (Vec<_>, Vec<_>) = pods.iter().partition(|pod| stays(pod));
        let volumes = |pod: &Pod| {
            let spec = pod.spec.as_ref();
            spec.and_then(|spec| spec.volumes.clone())
                .unwrap_or_default()
        };
        let named =
            |pod: &&Pod| format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
        let is_managed = |pod: &&Pod| {
            let mut owners = pod.owner_references().iter();
            owners.any(|owner| owner.controller == Some(true))
        };
        let count = |has: &dyn Fn(&Pod) -> bool| evicted.iter().filter(|pod| has(pod)).count();
        Self {
            stay: stay.len(),
            evicted: evicted.len(),
            unmanaged: evicted
                .iter()
                .copied()
                .filter(|pod| !is_managed(pod))
                .map(|pod| named(&pod))
                .collect(),
            local_data: count(&|pod| volumes(pod).iter().any(|volume| volume.empty_dir.is_some())),
            claims: count(&|pod| {
                volumes(pod)
                    .iter()
                    .any(|volume| volume.persistent_volume_claim.is_some())
            }),
            held_by: budgets
                .iter()
                .filter(|budget| evicted.iter().any(|pod| holds(budget, pod)))
                .map(|budget| {
                    format!(
                        "{}/{}",
                        budget.namespace().unwrap_or_default(),
                        budget.name_any()
                    )
                })
                .collect(),
            usually: None,
        }
    }

    pub(super) fn print(
        &self,
        node: &NodeName,
        rung: Rung,
        to: &mut impl Write,
    ) -> anyhow::Result<()> {
        writeln!(
            to,
            "{node}: {} would be evicted, {} stay (of DaemonSets, kubelet's own, or over)",
            plural(self.evicted, "pod", "pods"),
            self.stay
        )?;
        if !self.unmanaged.is_empty() {
            writeln!(to, "  made again by nobody: {}", self.unmanaged.join(", "))?;
        }
        if self.local_data > 0 {
            writeln!(
                to,
                "  {} local data (emptyDir), which is lost",
                have(self.local_data)
            )?;
        }
        if self.claims > 0 {
            writeln!(to, "  {} claimed volumes, which follow", have(self.claims))?;
        }
        if !self.held_by.is_empty() {
            writeln!(
                to,
                "  budgets that let none go now: {}",
                self.held_by.join(", ")
            )?;
        }
        if rung == Rung::Replace {
            writeln!(to, "  what would be made: rectifier cloud show {node}")?;
        }
        match self.usually {
            Some((seconds, of)) => writeln!(
                to,
                "  such repairs took {} (the median of {of})",
                span(seconds)
            )?,
            None => writeln!(
                to,
                "  no such repair is remembered, so how long it takes is not known"
            )?,
        }
        Ok(())
    }
}

fn have(count: usize) -> String {
    format!("{count} {}", if count == 1 { "has" } else { "have" })
}

/// Those that an eviction leaves where they are.
fn stays(pod: &Pod) -> bool {
    let of_daemon = pod
        .owner_references()
        .iter()
        .any(|owner| owner.kind == "DaemonSet");
    let is_mirror = pod
        .annotations()
        .contains_key("kubernetes.io/config.mirror");
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    of_daemon || is_mirror || matches!(phase, Some("Succeeded" | "Failed"))
}

/// Does this budget let none of its pods go, and is this one of them?
fn holds(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    let allowed = budget
        .status
        .as_ref()
        .map_or(0, |status| status.disruptions_allowed);
    let selector = budget.spec.as_ref().and_then(|spec| spec.selector.clone());
    let selects = selector.is_some_and(|selector| {
        Selector::try_from(selector).is_ok_and(|selector| selector.matches(pod.labels()))
    });
    allowed == 0 && selects && budget.namespace() == pod.namespace()
}

/// How long repairs that ended well with that rung took, and how many they were.
fn usually(repairs: &[NodeRepair], rung: Rung) -> Option<(u64, usize)> {
    let took = |repair: &NodeRepair| {
        let record = repair.status.as_ref()?;
        let well = matches!(record.phase, Phase::Replaced | Phase::Recovered);
        let last = record.rung.filter(|last| *last == rung && well);
        let begun = record
            .steps
            .iter()
            .find(|step| step.phase == Phase::Cordoning)?;
        last.map(|_| u64::from(seconds_between(begun.at, record.since.unwrap_or(begun.at))))
    };
    let mut times: Vec<u64> = repairs.iter().filter_map(took).collect();
    times.sort_unstable();
    let median = times.get(times.len() / 2)?;
    Some((*median, times.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, more: Value) -> Pod {
        let mut pod =
            json!({"metadata": {"name": name, "namespace": "shop", "labels": {"app": name}}});
        merge(&mut pod, more);
        serde_json::from_value(pod).unwrap()
    }

    fn merge(into: &mut Value, more: Value) {
        match (into, more) {
            (Value::Object(into), Value::Object(more)) => {
                for (key, value) in more {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
            (into, more) => *into = more,
        }
    }

    fn owned(kind: &str) -> Value {
        json!({"metadata": {"ownerReferences": [
            {"apiVersion": "apps/v1", "kind": kind, "name": "o", "uid": "u", "controller": true}
        ]}})
    }

    #[test]
    fn pods_are_told_apart_by_what_becomes_of_them() {
        let mut local = owned("ReplicaSet");
        merge(
            &mut local,
            json!({"spec": {"containers": [], "volumes": [
                {"name": "tmp", "emptyDir": {}}, {"name": "data", "persistentVolumeClaim": {"claimName": "c"}}
            ]}}),
        );
        let pods = [
            pod("web", local),
            pod("bare", json!({})),
            pod("proxy", owned("DaemonSet")),
            pod(
                "etcd",
                json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "1"}}}),
            ),
            pod("job", json!({"status": {"phase": "Succeeded"}})),
        ];
        let budget = |name: &str, app: &str, allowed: i32| -> PodDisruptionBudget {
            serde_json::from_value(json!({
                "metadata": {"name": name, "namespace": "shop"},
                "spec": {"selector": {"matchLabels": {"app": app}}},
                "status": {"disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1},
            }))
            .unwrap()
        };
        let budgets = [
            budget("strict", "web", 0),
            budget("lax", "web", 1),
            budget("other", "proxy", 0),
        ];
        let radius = Radius::among(&pods, &budgets);
        assert_eq!(
            radius,
            Radius {
                evicted: 2,
                stay: 3,
                unmanaged: vec!["shop/bare".to_owned()],
                local_data: 1,
                claims: 1,
                held_by: vec!["shop/strict".to_owned()],
                usually: None,
            }
        );
    }
}
