//! A healthy node that the tests make ill.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::*;
use crate::name::{BootId, ConditionKind, FixName, NodeName, PolicyName, Uid, UnitName};
use crate::policy::{
    Advice, Decision, FixCall, Freshness, PolicyRef, Remedy, Status, UnitCall, UnitVerb,
};
use crate::repair::{Asks, Grant, Phase, Side};

pub(super) const KIND: &str = "ContainerRuntimeUnhealthy";

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(super) fn kind(text: &str) -> ConditionKind {
    ConditionKind::parse(text).unwrap()
}

pub(super) fn unit(text: &str) -> UnitName {
    UnitName::parse(text).unwrap()
}

pub(super) fn boot(text: &str) -> BootId {
    BootId::parse(text).unwrap()
}

pub(super) fn limits() -> Limits {
    Limits {
        units: BTreeSet::from([unit("containerd.service")]),
        fixes: BTreeMap::from([(
            FixName::parse("rescan").unwrap(),
            FixRule {
                params: BTreeMap::from([("disk".to_owned(), vec!["sda".to_owned()])]),
            },
        )]),
        // what follows from a moment that is drawn has tests of its own
        jitter: 0,
        ..Limits::default()
    }
}

pub(super) fn condition(status: Status, transition: i64) -> SeenCondition {
    SeenCondition {
        kind: kind(KIND),
        status,
        reason: "Hung".to_owned(),
        message: "no answer".to_owned(),
        transition: Some(at(transition)),
        source: "npd".to_owned(),
        tells_after: 0,
        seen_to: false,
    }
}

/// What a healthy node shows; NPD reports its one condition as False.
pub(super) fn healthy(seconds: i64) -> Seen {
    let running = UnitSeen {
        active_state: "active".to_owned(),
        sub_state: "running".to_owned(),
        restarts: 0,
        since: None,
        invocation: "first".to_owned(),
        busy: false,
    };
    Seen {
        now: at(seconds),
        name: NodeName::parse("node-1").unwrap(),
        boot: Some(boot("boot-1")),
        booted: Some(at(-3600)),
        goes_down: false,
        inhibitor: None,
        conditions: vec![condition(Status::No, -3600)],
        events: Vec::new(),
        npd: Freshness::Fresh,
        units: BTreeMap::from([(unit("containerd.service"), running)]),
        systemd: Freshness::Fresh,
        node: Watched {
            value: Some(NodeSeen {
                uid: Uid::parse("node-uid").unwrap(),
                labels: BTreeMap::new(),
                ready: Status::Yes,
                unschedulable: false,
                paused: None,
                acknowledged: None,
                retry: None,
            }),
            freshness: Freshness::Fresh,
        },
        repair: Watched {
            value: None,
            freshness: Freshness::Fresh,
        },
        handled: BTreeSet::from([kind(KIND)]),
        made: BTreeSet::new(),
        policies: 0,
        stop: None,
        stop_heard: true,
        unwritable: None,
        carrying_out: false,
        ended: None,
    }
}

/// The same node with the problem.
pub(super) fn ill(seconds: i64) -> Seen {
    Seen {
        conditions: vec![condition(Status::Yes, 0)],
        ..healthy(seconds)
    }
}

pub(super) fn repair(asks: Asks, phase: Phase) -> Watched<RepairSeen> {
    let repair = RepairSeen {
        uid: "repair-uid".to_owned(),
        version: "7".to_owned(),
        node_uid: "node-uid".to_owned(),
        problem: KIND.to_owned(),
        of_others: false,
        asks,
        deadline: Some(at(10_000)),
        withdrawn: false,
        accepted_grant: None,
        phase,
        past_return: phase.fits(Side::Committed) && phase != Phase::NeedsHuman,
        grant: None,
        wants: None,
    };
    Watched {
        value: Some(repair),
        freshness: Freshness::Fresh,
    }
}

pub(super) fn grant() -> Grant {
    Grant {
        id: "grant-1".to_owned(),
        boot_id: "boot-1".to_owned(),
        node_uid: "node-uid".to_owned(),
        until: at(10_000),
    }
}

pub(super) fn restart(name: &str) -> Remedy {
    Remedy::Unit(UnitCall {
        name: unit(name),
        verb: UnitVerb::Restart,
    })
}

pub(super) fn fix(disk: &str) -> Remedy {
    let args = BTreeMap::from([("disk".to_owned(), disk.to_owned())]);
    Remedy::Fix(FixCall {
        name: FixName::parse("rescan").unwrap(),
        args,
    })
}

pub(super) fn policy() -> PolicyRef {
    PolicyRef {
        name: PolicyName::parse("runtime").unwrap(),
        digest: "sha256:0".to_owned(),
    }
}

pub(super) fn advice(remedy: Remedy) -> Advice {
    let reason = "because".to_owned();
    Advice::Decided {
        policy: policy(),
        decision: Decision {
            remedy,
            reason,
            settle: None,
            notes: BTreeMap::new(),
        },
    }
}

/// A whole pass with one policy that always says the same.
pub(super) fn pass(memory: &Memory, seen: &Seen, limits: &Limits, advice: &Advice) -> Plan {
    let mut news = Vec::new();
    let memory = see(memory.clone(), seen, limits, &mut news);
    let answers = questions(&memory, seen, limits)
        .into_keys()
        .map(|kind| (kind, advice.clone()))
        .collect();
    decide(memory, seen, &answers, limits, news)
}
