//! Which pods have to leave a node, which may stay, and which forbid the drain: kubectl's semantics. And in which order
//! they leave, which kubectl does not have: those of the lowest priority first.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::owners::OwnerRef;
use crate::clock::SignedDuration;
use crate::name::Uid;
use crate::policy::Seconds;

/// What a pool allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DrainRules {
    /// Evict pods that no controller makes again.
    pub unmanaged_pods: bool,
    /// Evict pods whose emptyDir is lost by it.
    pub local_data: bool,
    /// Evict pods whose volume is on this node alone.
    pub node_volumes: bool,
}

/// What is done when pods have not left in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum LastResort {
    /// A person is asked.
    #[default]
    Ask,
    /// The pods that are left, and that the pool lets be evicted, are deleted with their grace, whatever their budgets say.
    Delete,
}

/// A pod bound to the node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodSeen {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: Uid,
    /// What will make it again.
    pub owner: Owner,
    /// The object that made it, if one did.
    pub controller: Option<OwnerRef>,
    /// The priority of its class: the higher, the later it leaves.
    pub priority: i32,
    /// Its condition Ready is True.
    pub ready: bool,
    /// Succeeded or Failed.
    pub finished: bool,
    /// Its deletion is under way; when its grace is over.
    pub leaving: Option<Timestamp>,
    /// It has an emptyDir, or an ephemeral volume: data that goes when it goes.
    pub local_data: bool,
    /// A volume of its that no other node can have; read only before a replacement begins.
    pub node_volume: Option<String>,
    /// It tolerates the taint of a replacement that is not committed yet.
    pub tolerates_provisional: bool,
}

impl PodSeen {
    /// As people name it.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// Who makes a pod again when it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A controller such as a ReplicaSet: elsewhere.
    Controller,
    /// A DaemonSet: here, so that evicting it is pointless.
    DaemonSet,
    /// The kubelet's own file: it cannot be evicted.
    Mirror,
    /// Nobody.
    Nobody,
}

/// A pod that the API server refused to evict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// The pod's UID.
    pub pod: Uid,
    /// Its namespace and name.
    pub name: String,
    /// What refuses it.
    pub by: Refusal,
    /// The API server's words.
    pub words: String,
    /// Not to be asked again before this.
    pub again: Timestamp,
}

/// What refuses an eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A disruption budget, for now.
    Budget,
    /// Two budgets, until somebody changes one.
    TwoBudgets,
    /// Something else, such as a webhook.
    Other,
}

/// How far a drain has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// So many pods had to leave.
    pub total: u32,
    /// So many of them have.
    pub gone: u32,
    /// So many are on their way out.
    pub leaving: u32,
    /// So many are to be evicted yet.
    pub to_evict: u32,
    /// So many may not be evicted by the pool's rules.
    #[serde(default)]
    pub forbidden: u32,
    /// Those that the API server held back when it was last asked, and its words; at most 8.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub held_back: Vec<Held>,
}

/// A pod that waits for its budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// Its namespace and name.
    pub pod: String,
    /// What the API server says.
    pub by: String,
}

/// So many of those that are held back are named in a record.
const NAMED: usize = 8;

/// 60 s: what a kubelet that is well needs beyond a pod's grace, several times over.
pub(super) const BEYOND_GRACE: Seconds = 60;

/// The pods of a node, sorted by what a drain does with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be evicted, the lowest priority first.
    pub evict: Vec<PodSeen>,
    /// Evicted, not gone yet.
    pub leaving: Vec<PodSeen>,
    /// Not to be evicted by the pool's rules: the drain cannot end.
    pub forbidden: Vec<PodSeen>,
}

impl Plan {
    /// What is left was evicted, has had its grace long ago, and nothing else has to go.
    pub fn is_only_waiting_in_vain(&self, now: Timestamp) -> bool {
        self.evict.is_empty() && self.serves_no_more(now)
    }

    /// What is left was evicted and has had its grace long ago, or does not serve; and nothing is kept by the pool's rules.
    /// (Kubernetes counts the pods of a node that it does not hear as not ready, so that a budget may hold them for ever.)
    pub fn serves_no_more(&self, now: Timestamp) -> bool {
        self.forbidden.is_empty()
            && self.evict.iter().all(|pod| !pod.ready)
            && self.leaving.iter().all(|pod| ends_in_vain(pod, now))
    }

    /// Nothing is left that has to go.
    pub fn is_done(&self) -> bool {
        self.evict.is_empty() && self.leaving.is_empty() && self.forbidden.is_empty()
    }

    /// Those that are to be evicted now. A priority waits until those below it are gone or held back; who is held back is
    /// asked again at a pace of his own.
    pub fn due(&self, held_back: &[HeldBack], now: Timestamp) -> Vec<PodSeen> {
        let held = |pod: &PodSeen| held_back.iter().find(|held| held.pod == pod.uid);
        let asked = self.evict.iter().filter(|pod| held(pod).is_none());
        // One that does not end though its grace is over would hold all others for ever.
        let ending = self.leaving.iter().filter(|pod| !ends_in_vain(pod, now));
        let lowest = asked.chain(ending).map(|pod| pod.priority).min();
        self.evict
            .iter()
            .filter(|pod| lowest.is_none_or(|lowest| pod.priority <= lowest))
            .filter(|pod| held(pod).is_none_or(|held| held.again <= now))
            .cloned()
            .collect()
    }

    /// How far it has come, after what was written down before.
    pub fn progress(&self, before: Option<&Progress>, held_back: &[HeldBack]) -> Progress {
        let count = |pods: &[PodSeen]| u32::try_from(pods.len()).unwrap_or(u32::MAX);
        let (leaving, to_evict) = (count(&self.leaving), count(&self.evict));
        let forbidden = count(&self.forbidden);
        let left = leaving.saturating_add(to_evict).saturating_add(forbidden);
        // One that comes while others leave is one more.
        let total = before.map_or(0, |before| before.total).max(left);
        let held = self.held(held_back).take(NAMED);
        Progress {
            total,
            gone: total - left,
            leaving,
            to_evict,
            forbidden,
            held_back: held
                .map(|held| Held {
                    pod: held.name.clone(),
                    by: shortened(&held.words),
                })
                .collect(),
        }
    }

    /// What was said of those that are still to be evicted, in their order.
    pub fn held<'a>(
        &'a self,
        held_back: &'a [HeldBack],
    ) -> impl Iterator<Item = &'a HeldBack> + use<'a> {
        let of = |pod: &PodSeen| held_back.iter().find(|held| held.pod == pod.uid);
        self.evict.iter().filter_map(of)
    }
}

/// 256 characters: a budget's own words take half of that, a webhook's may take any number.
fn shortened(words: &str) -> String {
    words.chars().take(256).collect()
}

/// Its grace is long over, and nobody ends it: its kubelet is dead, or a finalizer holds it.
fn ends_in_vain(pod: &PodSeen, now: Timestamp) -> bool {
    let moment = now - SignedDuration::from_secs(i64::from(BEYOND_GRACE));
    pod.leaving.is_some_and(|until| until <= moment)
}

/// Why the pool's rules keep a pod where it is, if they do.
pub(super) fn forbids(pod: &PodSeen, rules: DrainRules) -> Option<String> {
    if pod.owner == Owner::Nobody && !rules.unmanaged_pods {
        return Some("no controller makes it again".to_owned());
    }
    if let Some(volume) = pod.node_volume.as_ref().filter(|_| !rules.node_volumes) {
        return Some(format!("its volume {volume} is on this node alone"));
    }
    (pod.local_data && !rules.local_data)
        .then(|| "its emptyDir or ephemeral volume would be lost".to_owned())
}

/// Sorts the pods of a node.
pub fn plan(pods: &[PodSeen], rules: DrainRules) -> Plan {
    let mut plan = Plan::default();
    for pod in pods {
        match pod.owner {
            Owner::DaemonSet | Owner::Mirror => continue,
            Owner::Controller | Owner::Nobody => {}
        }
        // A finished pod has nothing left to lose, whoever owns it: the node's deletion takes it along.
        if pod.finished {
            continue;
        }
        if pod.leaving.is_some() {
            plan.leaving.push(pod.clone());
        } else if forbids(pod, rules).is_some() {
            plan.forbidden.push(pod.clone());
        } else {
            plan.evict.push(pod.clone());
        }
    }
    plan.evict.sort_by_key(|pod| pod.priority);
    plan
}
