//! Which pods have to leave a node, which may stay, and which forbid the drain. Kubectl's semantics.

use jiff::Timestamp;

use crate::name::Uid;

/// What a pool allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DrainRules {
    /// Evict pods that no controller makes again.
    pub unmanaged_pods: bool,
    /// Evict pods whose emptyDir is lost by it.
    pub local_data: bool,
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
    /// Succeeded or Failed.
    pub finished: bool,
    /// Its deletion is under way; when its grace is over.
    pub leaving: Option<Timestamp>,
    /// It has an emptyDir.
    pub local_data: bool,
    /// It serves, as far as Kubernetes knows.
    pub ready: bool,
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

/// The pods of a node, sorted by what a drain does with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be evicted now.
    pub evict: Vec<PodSeen>,
    /// Evicted, not gone yet.
    pub leaving: Vec<PodSeen>,
    /// Not to be evicted by the pool's rules: the drain cannot end.
    pub forbidden: Vec<PodSeen>,
}

impl Plan {
    /// What is left has had its grace by then, or does not serve; and nothing is kept by the pool's rules. (Kubernetes counts
    /// the pods of a node that it does not hear as not ready, so that a budget may hold them back for ever.)
    pub fn is_only_waiting_for_an_end_since(&self, moment: Timestamp) -> bool {
        let is_over = |pod: &PodSeen| pod.leaving.is_some_and(|until| until <= moment);
        self.forbidden.is_empty()
            && self.evict.iter().all(|pod| !pod.ready)
            && self.leaving.iter().all(is_over)
    }

    /// Nothing is left that has to go.
    pub fn is_done(&self) -> bool {
        self.evict.is_empty() && self.leaving.is_empty() && self.forbidden.is_empty()
    }
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
        } else if (pod.owner == Owner::Nobody && !rules.unmanaged_pods)
            || (pod.local_data && !rules.local_data)
        {
            plan.forbidden.push(pod.clone());
        } else {
            plan.evict.push(pod.clone());
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, owner: Owner) -> PodSeen {
        PodSeen {
            namespace: "default".into(),
            name: name.into(),
            uid: Uid::parse(name).unwrap(),
            owner,
            finished: false,
            leaving: None,
            local_data: false,
            ready: true,
        }
    }

    #[test]
    fn daemons_mirrors_and_finished_pods_do_not_hold_a_drain() {
        let finished = PodSeen {
            finished: true,
            ..pod("done", Owner::Nobody)
        };
        let pods = [
            pod("daemon", Owner::DaemonSet),
            pod("static", Owner::Mirror),
            finished,
        ];
        assert!(plan(&pods, DrainRules::default()).is_done());
    }

    #[test]
    fn a_pod_that_nobody_makes_again_forbids_the_drain_unless_the_pool_allows_it() {
        let pods = [pod("alone", Owner::Nobody)];
        assert_eq!(plan(&pods, DrainRules::default()).forbidden.len(), 1);
        let allowed = DrainRules {
            unmanaged_pods: true,
            local_data: false,
        };
        assert_eq!(plan(&pods, allowed).evict.len(), 1);
    }

    #[test]
    fn a_drain_is_not_done_while_a_pod_is_still_leaving() {
        let pods = [PodSeen {
            leaving: Some(Timestamp::UNIX_EPOCH),
            ..pod("web", Owner::Controller)
        }];
        assert!(!plan(&pods, DrainRules::default()).is_done());
    }
}
