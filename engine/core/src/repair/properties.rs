//! No sequence of events breaks an invariant: a small world in which acts may fail, work late or lose their answer, the
//! engine may be killed between its write and its act, and humans interfere.

use proptest::prelude::*;

use super::drain::PodSeen;
use super::fitness::Fitness;
use super::owners::OwnerSeen;
use super::tests::{NODE, NODE_UID, OLD, REPAIR_UID, at, cordoned, node, pod, rules, seen, server};
use super::*;
use crate::clock::seconds_between;
use crate::name::{PortId, Uid};
use crate::policy::{Advice, Decision, PolicyRef, Remedy, Status};

/// What happens besides the engine's next pass.
#[derive(Debug, Clone, Copy)]
enum Chance {
    Nothing,
    /// The engine is killed after its write, before its act.
    Killed,
    /// The act is not taken.
    ActFails,
    CloudDown,
    HumanCordons,
    HumanUncordons,
    ProblemClears,
    ProblemComesBack,
    ServerFails,
    /// A create of ports that a killed engine had sent comes to its end.
    LatePort,
    /// The replacement's node stops being Ready, or is so again.
    ReplacementSick,
    ReplacementWell,
    /// A person asks for another try.
    Retry,
    NodeReboots,
    /// A pod that tolerates its taint gets onto the replacement.
    GuestComes,
    /// A pod gets onto the sick node, cordoned or not.
    PodComes,
    LongTime,
}

fn chance() -> impl Strategy<Value = Chance> {
    prop_oneof![
        20 => Just(Chance::Nothing),
        4 => Just(Chance::Killed),
        3 => Just(Chance::ActFails),
        2 => Just(Chance::CloudDown),
        1 => Just(Chance::HumanCordons),
        1 => Just(Chance::HumanUncordons),
        1 => Just(Chance::ProblemClears),
        1 => Just(Chance::ProblemComesBack),
        1 => Just(Chance::ServerFails),
        2 => Just(Chance::LatePort),
        1 => Just(Chance::ReplacementSick),
        2 => Just(Chance::ReplacementWell),
        1 => Just(Chance::Retry),
        2 => Just(Chance::NodeReboots),
        2 => Just(Chance::GuestComes),
        1 => Just(Chance::PodComes),
        3 => Just(Chance::LongTime),
    ]
}

struct World {
    second: i64,
    request: Request,
    record: Record,
    node: Option<NodeSeen>,
    problem: ProblemSeen,
    pods: Vec<PodSeen>,
    /// On the replacement.
    guests: Vec<PodSeen>,
    old: Option<ServerSeen>,
    old_ports: Vec<PortId>,
    new: Vec<ServerSeen>,
    ports: Vec<PortSeen>,
    new_node: Option<NodeSeen>,
    made: u32,
}

impl World {
    fn new(asks: Asks) -> Self {
        Self {
            second: 0,
            request: Request {
                asks,
                ..seen(Phase::HealingInNode).request
            },
            record: Record::default(),
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
        }
    }

    fn look(&self, cloud_down: bool) -> Seen {
        let recorded = &self.record.server_ports;
        let view = CloudView {
            server: self.old.clone(),
            replacements: self.new.clone(),
            ports: self.ports.clone(),
            old_ports: self
                .old_ports
                .iter()
                .filter(|port| recorded.iter().any(|one| one == port.as_str()))
                .cloned()
                .collect(),
            replacement_node: self.new_node.clone(),
            missing_labels: Vec::new(),
            missing_taints: Vec::new(),
            ports_wanted: 1,
        };
        let decision = Decision {
            remedy: Remedy::Replace,
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
            pool: Ok(rules()),
            node: self.node.clone(),
            problem: self.problem,
            pods: needs(self.record.phase).pods.then(|| self.pods.clone()),
            held_back: Vec::new(),
            archive: Vec::new(),
            watched: 9999,
            cloud: if cloud_down {
                CloudSeen::Unavailable(String::new())
            } else {
                CloudSeen::Fresh(view)
            },
            advice: Some(Advice::Decided { policy, decision }),
            more: More::default(),
        }
    }

    /// The same, with what the engine reads because of it.
    fn look_further(&self, cloud_down: bool) -> Seen {
        let mut seen = self.look(cloud_down);
        let Further {
            losses,
            owners,
            fitness,
            guests,
        } = further(&seen);
        if losses {
            seen.pods = Some(self.pods.clone());
        }
        seen.more = More {
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
        };
        seen
    }

    fn perform(&mut self, act: &Act) {
        match act {
            Act::Cordon => {
                self.node = self.node.take().map(|old| NodeSeen {
                    boot_id: old.boot_id,
                    ..cordoned(Some(REPAIR_UID))
                })
            }
            Act::Uncordon => {
                self.node = self.node.take().map(|old| NodeSeen {
                    boot_id: old.boot_id,
                    ..node()
                })
            }
            Act::Evict(pods) | Act::DeletePods(pods) => self.pods.retain(|pod| !pods.contains(pod)),
            Act::EvictFromReplacement(pods) => self.guests.retain(|pod| !pods.contains(pod)),
            Act::CordonReplacement(uid) => {
                let node = self.new_node.iter_mut().find(|node| node.uid == *uid);
                node.unwrap().unschedulable = true;
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
                    let new = server(&format!("new-{}", self.made), "new");
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
            Act::Adopt => self
                .new_node
                .iter_mut()
                .for_each(|node| node.taints.clear()),
            Act::DeleteServer(_) => self.old = None,
            Act::DeletePorts(gone) => self.old_ports.retain(|port| !gone.contains(port)),
            Act::DeleteNode(_) => self.node = None,
            Act::Archive => {}
        }
    }

    fn port(&mut self, suffix: &str) {
        let name = self.record.replacement.as_ref().unwrap().port_name(0);
        let id = PortId::parse(format!("{name}-{suffix}-{}", self.second)).unwrap();
        self.ports.push(PortSeen {
            id,
            name,
            device: None,
        });
    }

    fn happen(&mut self, chance: Chance) {
        match chance {
            Chance::Nothing | Chance::Killed | Chance::ActFails | Chance::CloudDown => {}
            Chance::HumanCordons => {
                if self.node.as_ref().is_some_and(|node| !node.unschedulable) {
                    self.node = Some(cordoned(None));
                }
            }
            Chance::HumanUncordons => {
                if self.node.is_some() {
                    self.node = Some(node());
                }
            }
            Chance::ProblemClears => self.problem = ProblemSeen::Cleared { held: 1000 },
            Chance::ProblemComesBack => self.problem = ProblemSeen::There,
            Chance::ServerFails => {
                if !self.record.phase.is_committed() {
                    self.new
                        .iter_mut()
                        .for_each(|server| server.status = "ERROR".to_owned());
                }
            }
            Chance::LatePort => {
                // what was sent comes within the settling time, or never
                let sent = self
                    .record
                    .replacement
                    .as_ref()
                    .and_then(|one| one.ports_at);
                let late =
                    sent.is_some_and(|at| seconds_between(at, super::tests::at(self.second)) < 50);
                if late {
                    self.port("late");
                }
            }
            Chance::ReplacementSick | Chance::ReplacementWell => {
                let ready = match chance {
                    Chance::ReplacementSick => Status::No,
                    _ => Status::Yes,
                };
                self.new_node.iter_mut().for_each(|node| node.ready = ready);
            }
            Chance::Retry => self.request.retry = Some(self.second.to_string()),
            Chance::NodeReboots => {
                if let (Some(node), Some(grant)) = (&mut self.node, &self.record.grant) {
                    self.request.accepted_grant = Some(grant.id.clone());
                    node.boot_id = crate::name::BootId::parse(format!("boot-{}", self.second)).ok();
                }
            }
            Chance::GuestComes => {
                if self
                    .new_node
                    .as_ref()
                    .is_some_and(|node| !node.unschedulable)
                {
                    self.guests.push(owned(&format!("guest-{}", self.second)));
                }
            }
            Chance::PodComes => {
                if self.old.is_some() && self.node.is_some() {
                    self.pods.push(owned(&format!("late-{}", self.second)));
                }
            }
            Chance::LongTime => self.second += 200,
        }
    }
}

fn owned(name: &str) -> PodSeen {
    PodSeen {
        controller: Some(super::tests::owner("web")),
        ..pod(name)
    }
}

/// What must be true of a decision, whatever came before it.
fn check(world: &World, seen: &Seen, next: &Next) {
    let committed = next.record.committed_at.is_some();
    let replacing = next.record.rung == Some(Rung::Replace);
    match &next.act {
        Some(Act::DeleteServer(_) | Act::DeletePorts(_) | Act::DeleteNode(_)) => {
            assert!(
                committed,
                "nothing is deleted before its replacement is committed"
            );
            let ready = world
                .new_node
                .as_ref()
                .is_some_and(|node| node.ready == Status::Yes);
            // once that is written the server may be going already: who comes then comes too late
            let begins_to_delete = matches!(next.act, Some(Act::DeleteServer(_)))
                && seen.record.phase != Phase::DeletingServer;
            assert!(
                !begins_to_delete || world.pods.is_empty(),
                "no server is deleted under a pod"
            );
            // its ports and its Node follow a server that is gone, whatever becomes of the replacement meanwhile
            assert!(
                (ready && world.new.len() == 1) || world.old.is_none(),
                "no server is deleted without exactly one replacement that is Ready"
            );
        }
        Some(Act::DeletePods(_)) => {
            panic!("no pod is deleted past its budget unless the pool says so")
        }
        Some(Act::Evict(_)) if replacing => {
            assert!(committed, "nothing is evicted before the commit");
            assert!(
                world
                    .new_node
                    .as_ref()
                    .is_some_and(|node| node.ready == Status::Yes),
                "nothing is evicted while the replacement is not Ready"
            );
        }
        Some(Act::Uncordon) => {
            let by = seen
                .node
                .as_ref()
                .and_then(|node| node.cordoned_by.as_ref())
                .map(Uid::as_str);
            assert_eq!(by, Some(REPAIR_UID), "a human's cordon is never undone");
        }
        Some(Act::CreateServer) => {
            let written = next
                .record
                .replacement
                .as_ref()
                .and_then(|one| one.posted_at);
            assert_eq!(
                written,
                Some(seen.now),
                "a post is written down before it is made"
            );
        }
        Some(Act::RemoveReplacement { servers, .. }) => {
            assert!(!committed, "what was adopted is not taken back");
            assert!(
                servers.is_empty() || world.guests.is_empty() || world.new_node.is_none(),
                "before the commit no pod is lost with a replacement"
            );
        }
        Some(Act::EvictFromReplacement(_) | Act::CordonReplacement(_)) => {
            assert!(!committed, "what was adopted is not taken back")
        }
        Some(Act::CreatePorts) => {
            let written = next
                .record
                .replacement
                .as_ref()
                .and_then(|one| one.ports_at);
            assert_eq!(
                written,
                Some(seen.now),
                "that ports are made is written down before they are"
            );
        }
        Some(Act::DeleteSurplus(gone)) => {
            let used = &next.record.replacement.as_ref().unwrap().ports;
            assert!(
                gone.iter()
                    .all(|port| !used.iter().any(|id| id == port.as_str())),
                "a port in use is not surplus"
            );
        }
        Some(Act::Evict(_) | Act::Cordon | Act::Adopt | Act::Archive) | None => {}
    }
    assert!(
        seen.record.committed_at.is_none() || next.record.phase.fits(true),
        "after the commit only forward, or a person"
    );
    assert!(world.new.len() <= 1, "at most one replacement at a time");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_events_breaks_an_invariant(
        reboot in any::<bool>(),
        chances in proptest::collection::vec(chance(), 1..200),
    ) {
        let mut world = World::new(if reboot { Asks::Reboot } else { Asks::Escalate });
        for chance in chances {
            world.second += 7;
            world.happen(chance);
            let seen = world.look_further(matches!(chance, Chance::CloudDown));
            let next = decide(&seen).expect("in the diagram");
            check(&world, &seen, &next);
            world.record = next.record;
            if let Some(act) = next.act.filter(|_| !matches!(chance, Chance::Killed | Chance::ActFails)) {
                world.perform(&act);
            }
        }
    }

    /// Left alone, every repair ends, and nothing of ours is left behind.
    #[test]
    fn when_the_faults_end_every_repair_ends_and_leaves_nothing(
        reboot in any::<bool>(),
        chances in proptest::collection::vec(chance(), 0..100),
    ) {
        let mut world = World::new(if reboot { Asks::Reboot } else { Asks::Escalate });
        for chance in chances.into_iter().map(Some).chain(std::iter::repeat_n(None, 400)) {
            world.second += 20;
            if let Some(chance) = chance {
                world.happen(chance);
            }
            let seen = world.look_further(matches!(chance, Some(Chance::CloudDown)));
            let next = decide(&seen).expect("in the diagram");
            world.record = next.record;
            if let Some(act) = next.act.filter(|_| !matches!(chance, Some(Chance::Killed | Chance::ActFails))) {
                world.perform(&act);
            }
        }
        // a human's cordon, or a person who is asked, may hold it for ever
        let held = matches!(world.record.phase, Phase::NeedsHuman)
            || world.record.reason == Some(Reason::CordonedByOther);
        prop_assert!(held || world.record.phase.is_final(), "{:?}: {}", world.record.phase, world.record.message);
        match world.record.phase {
            Phase::Replaced => {
                prop_assert!(world.old.is_none() && world.old_ports.is_empty() && world.node.is_none());
                prop_assert_eq!((world.new.len(), world.ports.len()), (1, 1));
            }
            Phase::Cancelled | Phase::Recovered => {
                prop_assert!(world.new.is_empty() && world.ports.is_empty() && world.new_node.is_none());
                prop_assert!(world.node.as_ref().is_none_or(|node| node.cordoned_by.is_none()));
                prop_assert_eq!(world.node.map(|node| node.uid.to_string()), Some(NODE_UID.to_owned()));
            }
            _ => {}
        }
    }
}
