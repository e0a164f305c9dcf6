//! A replacement is not deleted under a pod that got onto it.

use super::*;
use crate::repair::drain::{HeldBack, Owner, PodSeen, Refusal};

fn taken_back(phase: Phase, guests: &[PodSeen]) -> Seen {
    let mut seen = with_replacement(seen(phase), |replacement| {
        replacement.server_id = Some("new".to_owned());
    });
    seen.cloud = CloudSeen::Fresh(CloudView {
        server: Some(server(OLD, NODE)),
        replacements: vec![server("new", "x")],
        replacement_node: Some(NodeSeen {
            uid: Uid::parse("new-node").unwrap(),
            unschedulable: true,
            ..node()
        }),
        ..CloudView::default()
    });
    seen.more.guests = Some(guests.to_vec());
    seen
}

const BOTH: [Phase; 2] = [Phase::RollingBack, Phase::Discarding];

#[test]
fn pods_leave_a_replacement_by_eviction_before_it_is_deleted() {
    for phase in BOTH {
        let mut seen = taken_back(phase, &[pod("guest")]);
        assert!(further(&seen).guests);
        assert!(!further(&taken_back(Phase::Joining, &[])).guests);
        let mut alone = seen.clone();
        if let CloudSeen::Fresh(view) = &mut alone.cloud {
            view.replacements.clear();
        }
        assert!(!further(&alone).guests, "no server, no pod");
        let next = decide(&seen).unwrap();
        assert_eq!(
            next.act,
            Some(Act::EvictFromReplacement(vec![pod("guest")]))
        );
        let daemon = PodSeen {
            owner: Owner::DaemonSet,
            ..pod("daemon")
        };
        seen.more.guests = Some(vec![daemon]);
        let next = decide(&seen).unwrap();
        assert!(matches!(next.act, Some(Act::RemoveReplacement { .. })));
    }
}

#[test]
fn a_pod_that_is_not_ready_yet_leaves_it_by_eviction_as_well() {
    for phase in BOTH {
        let starting = PodSeen {
            ready: false,
            ..pod("guest")
        };
        let next = decide(&taken_back(phase, std::slice::from_ref(&starting))).unwrap();
        assert_eq!(next.act, Some(Act::EvictFromReplacement(vec![starting])));
    }
}

#[test]
fn it_is_cordoned_first_so_that_nobody_comes_back() {
    let mut seen = taken_back(Phase::RollingBack, &[pod("guest")]);
    if let CloudSeen::Fresh(view) = &mut seen.cloud {
        let nodes = &mut view.replacement_node;
        nodes.iter_mut().for_each(|node| node.unschedulable = false);
    }
    let uid = Uid::parse("new-node").unwrap();
    let next = decide(&seen).unwrap();
    assert_eq!(next.act, Some(Act::CordonReplacement(uid)));
    seen.more.guests = Some(Vec::new());
    let next = decide(&seen).unwrap();
    assert!(matches!(next.act, Some(Act::RemoveReplacement { .. })));
}

#[test]
fn a_guest_that_may_not_be_evicted_keeps_the_replacement_however_long_that_takes() {
    for phase in BOTH {
        let mut seen = taken_back(phase, &[pod("guest")]);
        seen.now = at(1_000_000);
        seen.held_back = vec![HeldBack {
            pod: pod("guest").uid,
            name: "default/guest".to_owned(),
            by: Refusal::Budget,
            words: "the budget needs 2".to_owned(),
            again: at(1_000_003),
        }];
        let held = decide(&seen).unwrap();
        assert_eq!(
            (held.act, held.reason, held.record.phase),
            (None, Reason::RollbackHeld, phase)
        );
        assert!(held.record.message.contains("default/guest: the budget"));
        let alone = PodSeen {
            owner: Owner::Nobody,
            ..pod("alone")
        };
        let forbidden = decide(&taken_back(phase, &[alone])).unwrap();
        assert_eq!(
            (forbidden.act, forbidden.reason),
            (None, Reason::RollbackHeld)
        );
    }
}

#[test]
fn a_guest_that_a_dead_kubelet_does_not_end_goes_with_the_server() {
    let leaving = |until| PodSeen {
        leaving: Some(at(until)),
        ..pod("guest")
    };
    let waits = decide(&taken_back(Phase::RollingBack, &[leaving(41)])).unwrap();
    assert_eq!(waits.act, None);
    let next = decide(&taken_back(Phase::RollingBack, &[leaving(40)])).unwrap();
    assert!(matches!(next.act, Some(Act::RemoveReplacement { .. })));
}

#[test]
fn what_was_not_read_is_not_nothing() {
    let mut seen = taken_back(Phase::RollingBack, &[]);
    seen.more.guests = None;
    assert_eq!(decide(&seen).unwrap().act, None);
}

#[test]
fn why_it_was_called_off_is_still_known_when_a_guest_has_left() {
    let mut seen = taken_back(Phase::Joining, &[pod("guest")]);
    seen.request.withdrawn = true;
    seen.record = decide(&seen).unwrap().record;
    assert_eq!(seen.record.phase, Phase::RollingBack);
    seen.record = decide(&seen).unwrap().record;
    assert_eq!(seen.record.reason, Some(Reason::Evicting));
    seen.more.guests = Some(Vec::new());
    let next = decide(&seen).unwrap();
    assert_eq!(next.reason, Reason::Withdrawn);
}

#[test]
fn whatever_is_left_of_an_attempt_alone_is_removed() {
    let mut whole = taken_back(Phase::RollingBack, &[]);
    let CloudSeen::Fresh(view) = &mut whole.cloud else {
        panic!("a fresh view")
    };
    view.ports = vec![PortSeen {
        id: PortId::parse("port").unwrap(),
        name: String::new(),
        device: None,
    }];
    let all = view.clone();
    let nothing = CloudView::default();
    for phase in BOTH {
        for left in [
            CloudView {
                replacements: all.replacements.clone(),
                ..nothing.clone()
            },
            CloudView {
                ports: all.ports.clone(),
                ..nothing.clone()
            },
            CloudView {
                replacement_node: all.replacement_node.clone(),
                ..nothing.clone()
            },
        ] {
            let removal = Act::RemoveReplacement {
                servers: left.replacements.iter().map(|one| one.id.clone()).collect(),
                ports: left.ports.iter().map(|one| one.id.clone()).collect(),
                node: left.replacement_node.as_ref().map(|one| one.uid.clone()),
            };
            let mut seen = taken_back(phase, &[]);
            seen.cloud = CloudSeen::Fresh(left);
            let next = decide(&seen).unwrap();
            assert_eq!((next.act, next.record.phase), (Some(removal), phase));
        }
    }
}

#[test]
fn a_node_that_is_well_again_loses_our_cordon_and_no_other() {
    let uncordoning = |node| Seen {
        node,
        ..seen(Phase::Uncordoning)
    };
    let next = decide(&uncordoning(Some(cordoned(Some(REPAIR_UID))))).unwrap();
    assert_eq!(
        (next.act, next.record.phase),
        (Some(Act::Uncordon), Phase::Uncordoning)
    );
    let node_with_our_mark = NodeSeen {
        unschedulable: false,
        ..cordoned(Some(REPAIR_UID))
    };
    for node in [
        None,
        Some(node()),
        Some(cordoned(None)),
        Some(cordoned(Some("another"))),
        Some(node_with_our_mark),
    ] {
        let next = decide(&uncordoning(node)).unwrap();
        assert_eq!((next.act, next.record.phase), (None, Phase::Recovered));
    }
}
