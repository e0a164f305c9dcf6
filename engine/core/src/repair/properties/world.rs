//! The small world: what an engine sees of it, and what its acts do in it.

use std::collections::BTreeMap;

use super::super::autoscaler::{Annotations, hold, let_go};
use super::super::drain::PodSeen;
use super::super::fitness::Fitness;
use super::super::owners::OwnerSeen;
use super::super::tests::{NEW, NODE, OLD, REPAIR_UID, at, node, owner, pod, rules, seen, server};
use super::super::*;
use crate::name::{PortId, Uid};
use crate::policy::{Advice, Decision, PolicyRef, Remedy, Status};

/// A sick node, its server, and what was made for it.
pub(super) struct World {
    pub(super) second: i64,
    pub(super) request: Request,
    pub(super) record: Record,
    pub(super) hands: Hands,
    pub(super) owned: bool,
    pub(super) node: Option<NodeSeen>,
    pub(super) problem: ProblemSeen,
    pub(super) pods: Vec<PodSeen>,
    /// On the replacement.
    pub(super) guests: Vec<PodSeen>,
    pub(super) old: Option<ServerSeen>,
    pub(super) old_ports: Vec<PortId>,
    pub(super) new: Vec<ServerSeen>,
    pub(super) ports: Vec<PortSeen>,
    pub(super) new_node: Option<NodeSeen>,
    pub(super) made: u32,
    pub(super) evidence: EvidenceSeen,
    /// The policy has the cloud reboot before it replaces.
    pub(super) hard_reboots: bool,
    /// No host has room for a replacement, as long as the sick server is there; and for nobody's, if that is so.
    pub(super) is_full: bool,
    pub(super) is_taken: bool,
    /// The pool lets the sick server go first.
    pub(super) goes_first: bool,
    pub(super) ever_first: bool,
    pub(super) observes: bool,
    /// No policy answers for the problem any more.
    pub(super) withdrawn: bool,
    /// The machine has power. What it does then nobody can tell from outside.
    pub(super) runs: bool,
    pub(super) host_is_up: bool,
    /// Counts the renewals of the node's Lease.
    pub(super) heartbeat: u32,
    pub(super) heard_since: i64,
    pub(super) actions: Vec<ActionSeen>,
}

impl World {
    pub(super) fn new(asks: Asks, hard_reboots: bool, is_full: bool, goes_first: bool) -> Self {
        Self {
            second: 0,
            request: Request {
                asks,
                ..seen(Phase::HealingInNode).request
            },
            record: Record::default(),
            hands: Hands::default(),
            owned: false,
            node: Some(node()),
            problem: ProblemSeen::There,
            pods: vec![owned("web")],
            guests: Vec::new(),
            old: Some(server(OLD, NODE)),
            old_ports: server(OLD, NODE).ports,
            new: Vec::new(),
            ports: Vec::new(),
            new_node: None,
            made: 0,
            evidence: EvidenceSeen::Absent,
            hard_reboots,
            is_full,
            is_taken: false,
            goes_first,
            ever_first: goes_first,
            observes: false,
            withdrawn: false,
            runs: true,
            host_is_up: true,
            heartbeat: 0,
            heard_since: -1000,
            actions: Vec::new(),
        }
    }

    pub(super) fn is_heard(&self) -> bool {
        self.node
            .as_ref()
            .is_some_and(|node| node.ready == Status::Yes)
    }

    pub(super) fn hear(&mut self, ready: Status) {
        let now = self.second;
        if let Some(node) = &mut self.node {
            node.ready = ready;
        }
        self.heard_since = now;
    }

    /// Something is asked of the machine's host; it does it, if it is there.
    pub(super) fn ask_host(&mut self, action: &str, by: &str) {
        let is_there = self.host_is_up;
        let request = format!("req-{}-{}", self.actions.len(), self.second);
        self.actions.insert(
            0,
            ActionSeen {
                action: action.to_owned(),
                request,
                by: Some(by.to_owned()),
                done: is_there,
            },
        );
        if !is_there {
            if let Some(server) = self.old.as_mut().filter(|_| action != "delete") {
                server.task = Some("under way".to_owned());
            }
            return;
        }
        match action {
            "stop" | "delete" => {
                self.runs = false;
                self.hear(Status::Unknown);
            }
            _ => {
                self.runs = true;
                let boot = format!("boot-{}", self.second);
                if let Some(node) = &mut self.node {
                    node.boot_id = crate::name::BootId::parse(boot).ok();
                }
                self.hear(Status::Yes);
            }
        }
        let is_off = !self.runs;
        if let Some(server) = &mut self.old {
            server.is_off = is_off;
            server.status = if is_off { "SHUTOFF" } else { "ACTIVE" }.to_owned();
        }
    }

    pub(super) fn look(&self, cloud_down: bool) -> Seen {
        let recorded = &self.record.server_ports;
        let needed = needs(&self.record);
        let with_ports = |server: &ServerSeen, needed: bool| {
            let mut server = server.clone();
            server.ports.retain(|_| needed);
            server
        };
        let old = self.old.as_ref();
        let view = CloudView {
            region: None,
            server: old.map(|old| with_ports(old, needed.server_ports)),
            replacements: self.new.iter().map(|new| with_ports(new, false)).collect(),
            ports: match needed.attempt_ports {
                true => self.ports.clone(),
                false => Vec::new(),
            },
            old_ports: self
                .old_ports
                .iter()
                .filter(|port| recorded.iter().any(|one| one == port.as_str()))
                .cloned()
                .collect(),
            replacement_node: self.new_node.clone(),
            actions: self.actions.clone(),
            missing_labels: Vec::new(),
            missing_taints: Vec::new(),
            ports_wanted: 1,
        };
        // As the policy that ships: first the reboot, and never twice.
        let rebooted = self
            .record
            .tried
            .iter()
            .any(|tried| tried.rung == Rung::HardReboot);
        let decision = Decision {
            remedy: match self.hard_reboots && !rebooted {
                true => Remedy::Reboot,
                false => Remedy::Replace,
            },
            reason: String::new(),
            settle: None,
            notes: [].into(),
        };
        let policy = PolicyRef {
            name: crate::name::PolicyName::parse("p").unwrap(),
            digest: String::new(),
        };
        Seen {
            now: at(self.second),
            repair_uid: Uid::parse(REPAIR_UID).unwrap(),
            request: self.request.clone(),
            record: self.record.clone(),
            hands: self.hands.clone(),
            pool: Ok(Rules {
                no_capacity: match self.goes_first {
                    true => NoCapacity::TerminateFirst,
                    false => NoCapacity::Wait,
                },
                acts: !self.observes,
                ..rules()
            }),
            node: self.node.clone().map(|node| NodeSeen {
                ready_held: u32::try_from(self.second - self.heard_since).unwrap_or(0),
                taints: self
                    .owned
                    .then(|| "ToBeDeletedByClusterAutoscaler:NoSchedule".to_owned())
                    .into_iter()
                    .chain(node.taints)
                    .collect(),
                ..node
            }),
            problem: self.problem,
            heartbeat: Some(self.heartbeat.to_string()),
            pods: needed.pods.then(|| self.pods.clone()),
            held_back: Vec::new(),
            used_up: None,
            archive: Vec::new(),
            lineage: None,
            watched: 9999,
            cloud: if cloud_down {
                CloudSeen::Unavailable(String::new())
            } else {
                CloudSeen::Fresh(view)
            },
            evidence: match needed.evidence {
                true => self.evidence.clone(),
                false => EvidenceSeen::NotAsked,
            },
            withdrawn: self.withdrawn,
            advice: match self.withdrawn {
                true => Some(Advice::None),
                false => Some(Advice::Decided { policy, decision }),
            },
            more: More::default(),
        }
    }

    /// The same, with what the engine reads because of it.
    pub(super) fn look_further(&self, cloud_down: bool) -> Seen {
        let mut seen = self.look(cloud_down);
        let Further {
            losses,
            likeness,
            owners,
            fitness,
            guests,
            zones,
            name: _,
            kept,
        } = further(&seen);
        if losses {
            seen.pods = Some(self.pods.clone());
        }
        seen.more = More {
            lacks: likeness.then(|| match cloud_down {
                true => Err("down".to_owned()),
                false => Ok(Vec::new()),
            }),
            owners: owners.map(|owners| {
                let seen = owners.into_iter().map(|owner| OwnerSeen {
                    owner,
                    // it comes up when there is time
                    ready: u32::from(self.second % 3 > 0),
                    wanted: 1,
                });
                seen.collect()
            }),
            fitness: fitness.then(Fitness::default),
            guests: guests.then(|| self.guests.clone()),
            bound: (!zones.is_empty()).then(Default::default),
            name: None,
            kept: kept.then(|| Ok(Kept::default())),
        };
        if further(&seen).name {
            seen.more.name = Some(Ok(NEW.to_owned()));
        }
        seen
    }

    pub(super) fn perform(&mut self, act: &Act) {
        match act {
            Act::Cordon => {
                self.node = self.node.take().map(|old| NodeSeen {
                    unschedulable: true,
                    cordoned_by: Uid::parse(REPAIR_UID).ok(),
                    annotations: written(&old, hold(&old.annotations, REPAIR_UID)),
                    ..old
                })
            }
            Act::Uncordon => {
                self.node = self.node.take().map(|old| NodeSeen {
                    unschedulable: false,
                    cordoned_by: None,
                    annotations: written(&old, let_go(&old.annotations, REPAIR_UID)),
                    ..old
                })
            }
            Act::LetScaleDown { uid, .. } => {
                let nodes = self.node.iter_mut().chain(&mut self.new_node);
                for node in nodes.filter(|node| node.uid == *uid) {
                    node.annotations = written(node, let_go(&node.annotations, REPAIR_UID));
                }
            }
            Act::Evict(pods) | Act::DeletePods(pods) if self.is_heard() => {
                self.pods.retain(|pod| !pods.contains(pod));
            }
            Act::Evict(pods) | Act::DeletePods(pods) => {
                let until = at(self.second + 30);
                self.pods
                    .iter_mut()
                    .filter(|pod| pods.contains(pod))
                    .for_each(|pod| pod.leaving = pod.leaving.or(Some(until)));
            }
            Act::EvictFromReplacement(pods) => self.guests.retain(|pod| !pods.contains(pod)),
            Act::CordonReplacement(uid) => {
                let node = self.new_node.iter_mut().find(|node| node.uid == *uid);
                node.unwrap().unschedulable = true;
            }
            Act::PowerCycle { start, .. } => {
                self.ask_host(if *start { "start" } else { "reboot" }, "rectifier");
            }
            Act::StopServer(_) => self.ask_host("stop", "rectifier"),
            Act::OutOfService { is, .. } => {
                if let Some(node) = &mut self.node {
                    node.taints.clear();
                    if *is {
                        let taint = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute";
                        node.taints.push(taint.to_owned());
                        node.volumes.clear();
                        self.pods.clear();
                    }
                }
            }
            Act::CreatePorts => {
                if self.ports.is_empty() {
                    self.port("first");
                }
            }
            Act::CreateServer => {
                // a port in use refuses a late duplicate
                if self.ports.iter().all(|port| port.device.is_none()) {
                    self.made += 1;
                    let mut new = server(&format!("new-{}", self.made), "new");
                    if self.is_taken || self.is_full && self.old.is_some() {
                        (new.status, new.no_host) = ("ERROR".to_owned(), true);
                        new.fault = Some("no valid host".to_owned());
                        self.new.push(new);
                        return;
                    }
                    let given = &self.record.replacement.as_ref().unwrap().ports;
                    self.ports
                        .iter_mut()
                        .filter(|port| given.iter().any(|id| id == port.id.as_str()))
                        .for_each(|port| port.device = Some(new.id.clone()));
                    let taints = vec!["rectifier.dev/provisional:NoSchedule".to_owned()];
                    let uid = Uid::parse(format!("new-node-{}", self.made)).unwrap();
                    self.new_node = Some(NodeSeen {
                        uid,
                        server: Some(new.id.clone()),
                        taints,
                        ready: Status::Yes,
                        ..node()
                    });
                    self.new.push(new);
                }
            }
            Act::RemoveReplacement {
                servers,
                ports,
                node,
            } => {
                if !servers.is_empty() {
                    self.guests.clear();
                }
                self.new.retain(|server| !servers.contains(&server.id));
                if servers.is_empty() {
                    self.ports.retain(|port| !ports.contains(&port.id));
                    if node.is_some() {
                        self.new_node = None;
                    }
                }
            }
            Act::DeleteSurplus(gone) => self.ports.retain(|port| !gone.contains(&port.id)),
            Act::Adopt => self.new_node.iter_mut().for_each(|node| {
                node.taints.clear();
                node.annotations = written(node, hold(&node.annotations, REPAIR_UID));
            }),
            Act::LeaveBalancers => self.node.iter_mut().for_each(|node| {
                node.labels.insert(EXCLUDED.to_owned(), String::new());
            }),
            Act::CollectEvidence => {
                self.evidence = EvidenceSeen::There {
                    missing: Vec::new(),
                }
            }
            Act::DeleteServer(_) => {
                self.ask_host("delete", "rectifier");
                self.old = None;
            }
            Act::DeletePorts(gone) => self.old_ports.retain(|port| !gone.contains(port)),
            Act::DeleteNode(_) => self.node = None,
            Act::Archive => {}
        }
    }

    pub(super) fn port(&mut self, suffix: &str) {
        let name = self.record.replacement.as_ref().unwrap().port_name(0);
        let id = PortId::parse(format!("{name}-{suffix}-{}", self.second)).unwrap();
        self.ports.push(PortSeen {
            id,
            name,
            device: None,
        });
    }
}

pub(super) fn owned(name: &str) -> PodSeen {
    PodSeen {
        controller: Some(owner("web")),
        ..pod(name)
    }
}

/// The node's annotations after such a patch.
fn written(node: &NodeSeen, patch: Annotations) -> BTreeMap<String, String> {
    let mut annotations = node.annotations.clone();
    for (key, value) in patch {
        match value {
            Some(value) => annotations.insert(key.to_owned(), value),
            None => annotations.remove(key),
        };
    }
    annotations
}
