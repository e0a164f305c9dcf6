//! A sick node, its server and its repair, as most tests begin with them.

use jiff::Timestamp;

use super::super::*;
use crate::name::{NodeName, PortId, ServerId, Uid};
use crate::policy::{Decision, PolicyRef, Remedy, Status};

pub(in crate::repair) const KIND: &str = "ProxyUnhealthy";
pub(in crate::repair) const NODE: &str = "worker-1";
pub(in crate::repair) const NODE_UID: &str = "node-uid";
pub(in crate::repair) const REPAIR_UID: &str = "repair-uid";
/// What the next replacement will be called.
pub(in crate::repair) const NEW: &str = "worker-1-new";
pub(in crate::repair) const OLD: &str = "old-server";

pub(in crate::repair) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(in crate::repair) fn rules() -> Rules {
    Rules {
        name: "web".to_owned(),
        acts: true,
        approves: false,
        ignores: Vec::new(),
        provisions: true,
        without: Vec::new(),
        zones: Vec::new(),
        no_capacity: NoCapacity::Wait,
        drain: drain::DrainRules {
            unmanaged_pods: false,
            local_data: true,
            node_volumes: false,
        },
        drain_within: 3600,
        last_resort: drain::LastResort::Ask,
        owners: 300,
        balancers: 30,
        ignore_taints: Vec::new(),
        grant: 60,
        reboot: 600,
        power: 300,
        settle: 60,
        ready: 30,
        join: 600,
        create_settle: 60,
    }
}

pub(in crate::repair) fn node() -> NodeSeen {
    NodeSeen {
        name: NodeName::parse(NODE).unwrap(),
        uid: Uid::parse(NODE_UID).unwrap(),
        version: "1".to_owned(),
        boot_id: Some(crate::name::BootId::parse("boot-1").unwrap()),
        ready: Status::Yes,
        ready_held: 1000,
        unschedulable: false,
        cordoned_by: None,
        server: Some(ServerId::parse(OLD).unwrap()),
        region: None,
        twin: None,
        addresses: vec![[10, 0, 0, 1].into()],
        network_unavailable: false,
        allocatable: [].into(),
        capacity: [].into(),
        attached: Vec::new(),
        taints: Vec::new(),
        volumes: Vec::new(),
        labels: [].into(),
        annotations: [].into(),
    }
}

pub(in crate::repair) fn cordoned(by: Option<&str>) -> NodeSeen {
    NodeSeen {
        unschedulable: true,
        cordoned_by: by.map(|uid| Uid::parse(uid).unwrap()),
        ..node()
    }
}

pub(in crate::repair) fn server(id: &str, name: &str) -> ServerSeen {
    ServerSeen {
        id: ServerId::parse(id).unwrap(),
        name: name.to_owned(),
        status: "ACTIVE".to_owned(),
        task: None,
        locked: false,
        is_off: false,
        age: 1000,
        fault: None,
        no_host: false,
        addresses: vec![[10, 0, 0, 1].into()],
        ports: vec![PortId::parse(format!("port-of-{id}")).unwrap()],
    }
}

pub(in crate::repair) fn seen(phase: Phase) -> Seen {
    Seen {
        now: at(100),
        repair_uid: Uid::parse(REPAIR_UID).unwrap(),
        request: Request {
            node: NODE.to_owned(),
            node_uid: NODE_UID.to_owned(),
            problem: Problem {
                kind: KIND.to_owned(),
                reason: String::new(),
                message: String::new(),
                since: at(0),
                source: None,
            },
            asks: Asks::Escalate,
            deadline: Some(at(1000)),
            withdrawn: false,
            accepted_grant: None,
            requested_by: RequestedBy::NodeEngine,
            retry: None,
            confirmed_dead: None,
            wants: None,
        },
        record: Record {
            phase,
            since: Some(at(90)),
            rung: Some(Rung::Replace),
            server_id: Some(OLD.to_owned()),
            committed_at: (!phase.fits(Side::Before)).then(|| at(50)),
            ..Record::default()
        },
        hands: Hands::default(),
        pool: Ok(rules()),
        node: Some(cordoned(Some(REPAIR_UID))),
        problem: ProblemSeen::There,
        heartbeat: None,
        pods: Some(Vec::new()),
        held_back: Vec::new(),
        used_up: None,
        archive: Vec::new(),
        lineage: None,
        watched: 9999,
        cloud: CloudSeen::Fresh(CloudView {
            server: Some(server(OLD, NODE)),
            ports_wanted: 1,
            ..CloudView::default()
        }),
        evidence: EvidenceSeen::default(),
        withdrawn: false,
        advice: None,
        more: More {
            lacks: Some(Ok(Vec::new())),
            name: Some(Ok(NEW.to_owned())),
            ..More::default()
        },
    }
}

/// The problem is away, without a doubt, for so long.
pub(in crate::repair) fn gone(held: u32) -> ProblemSeen {
    ProblemSeen::Cleared { held, doubt: None }
}

/// A pod that a ReplicaSet makes again.
pub(in crate::repair) fn pod(name: &str) -> drain::PodSeen {
    drain::PodSeen {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        uid: Uid::parse(format!("uid-of-{name}")).unwrap(),
        owner: drain::Owner::Controller,
        controller: None,
        priority: 0,
        ready: true,
        finished: false,
        leaving: None,
        local_data: false,
        node_volume: None,
        tolerates_provisional: false,
    }
}

/// What is destroyed was kept before.
pub(in crate::repair) fn kept() -> EvidenceSeen {
    EvidenceSeen::There {
        missing: Vec::new(),
    }
}

/// A ReplicaSet.
pub(in crate::repair) fn owner(name: &str) -> owners::OwnerRef {
    owners::OwnerRef {
        namespace: "default".to_owned(),
        api_version: "apps/v1".to_owned(),
        kind: "ReplicaSet".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
    }
}

/// A repair that a person ended by taking our cordon away.
pub(in crate::repair) fn uncordoned(second: i64) -> Archived {
    Archived {
        node_uid: NODE_UID.to_owned(),
        problem: KIND.to_owned(),
        phase: Phase::Cancelled,
        reason: Some(Reason::Uncordoned),
        ended: at(second),
        tried: Vec::new(),
    }
}

pub(super) fn advised(remedy: Remedy) -> Option<crate::policy::Advice> {
    Some(crate::policy::Advice::Decided {
        policy: PolicyRef {
            name: crate::name::PolicyName::parse("p").unwrap(),
            digest: "sha256:0".to_owned(),
        },
        decision: Decision {
            remedy,
            reason: "because".to_owned(),
            settle: None,
            notes: [].into(),
        },
    })
}

pub(super) fn with_replacement(mut seen: Seen, edit: impl FnOnce(&mut Replacement)) -> Seen {
    let mut replacement = attempts::attempt(&seen, 1, NEW.to_owned());
    edit(&mut replacement);
    seen.record.replacement = Some(replacement);
    seen
}

/// What was done to the server.
pub(in crate::repair) fn action(
    action: &str,
    request: &str,
    by: Option<&str>,
    done: bool,
) -> ActionSeen {
    ActionSeen {
        action: action.to_owned(),
        request: request.to_owned(),
        by: by.map(str::to_owned),
        done,
    }
}

/// The cloud shows something else.
pub(in crate::repair) fn edit(seen: &mut Seen, change: impl FnOnce(&mut CloudView)) {
    match &mut seen.cloud {
        CloudSeen::Fresh(view) => change(view),
        CloudSeen::Unavailable(_) | CloudSeen::NotAsked => panic!("a fresh view"),
    }
}

/// What is decided.
pub(in crate::repair) fn step(seen: &Seen) -> (Phase, Reason, Option<Act>) {
    let next = decide(seen).unwrap();
    (next.record.phase, next.reason, next.act)
}
