//! A replacement is committed when it has what the sick node has, and what it lacks is named.

use super::*;
use crate::repair::drain::{Owner, PodSeen};
use crate::repair::fitness::Fitness;
use crate::repair::owners::OwnerRef;

const GIB: u64 = 1024 * 1024 * 1024 * 1000;

fn joined() -> Seen {
    let mut seen = with_replacement(seen(Phase::Joining), |replacement| {
        replacement.server_id = Some("new".to_owned());
    });
    seen.cloud = CloudSeen::Fresh(CloudView {
        server: Some(server(OLD, NODE)),
        replacements: vec![server("new", "x")],
        replacement_node: Some(NodeSeen {
            uid: Uid::parse("new-node").unwrap(),
            server: Some(ServerId::parse("new").unwrap()),
            taints: vec!["rectifier.dev/provisional:NoSchedule".to_owned()],
            ..node()
        }),
        ..CloudView::default()
    });
    seen.more.fitness = Some(Fitness::default());
    seen
}

fn new(seen: &mut Seen, edit: impl FnOnce(&mut NodeSeen)) {
    if let CloudSeen::Fresh(view) = &mut seen.cloud {
        view.replacement_node.iter_mut().for_each(edit_once(edit));
    }
}

/// There is one.
fn edit_once(edit: impl FnOnce(&mut NodeSeen)) -> impl FnMut(&mut NodeSeen) {
    let mut edit = Some(edit);
    move |node| (edit.take().unwrap())(node)
}

fn old(seen: &mut Seen, edit: impl FnOnce(&mut NodeSeen)) {
    edit(seen.node.as_mut().unwrap());
}

/// It waits, and says so.
fn lacks(seen: &Seen, words: &str) {
    let next = decide(seen).unwrap();
    assert_eq!(
        (next.act, next.record.phase),
        (None, Phase::Joining),
        "{words}"
    );
    let message = &next.record.message;
    assert!(message.contains(words), "{words:?} is not in {message:?}");
}

fn is_committed(seen: &Seen) {
    let next = decide(seen).unwrap();
    assert_eq!(
        next.record.phase,
        Phase::Committed,
        "{}",
        next.record.message
    );
}

#[test]
fn what_costs_to_read_is_read_when_all_else_is_well() {
    let mut seen = joined();
    seen.more.fitness = None;
    assert!(further(&seen).fitness);
    assert_eq!(decide(&seen).unwrap().record.phase, Phase::Joining);
    new(&mut seen, |node| node.ready = Status::No);
    assert!(!further(&seen).fitness);
    assert!(!further(&joined()).fitness, "it was read");
    is_committed(&joined());
}

#[test]
fn a_network_that_is_not_there_yet_holds_it() {
    let mut seen = joined();
    new(&mut seen, |node| node.network_unavailable = true);
    lacks(&seen, "NetworkUnavailable");
}

#[test]
fn a_start_up_taint_holds_it() {
    let startup = [
        "node.cilium.io/agent-not-ready:NoSchedule",
        "node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule",
        "example.com/setup=running:NoExecute",
    ];
    for taint in startup {
        let mut seen = joined();
        new(&mut seen, |node| node.taints.push(taint.to_owned()));
        lacks(&seen, taint);
    }
}

#[test]
fn a_taint_that_the_sick_node_bears_too_or_that_the_pool_names_does_not() {
    let taint = "example.com/dedicated=gpu:NoSchedule";
    let mut seen = joined();
    new(&mut seen, |node| node.taints.push(taint.to_owned()));
    let mut ignored = seen.clone();
    ignored.pool = Ok(Rules {
        ignore_taints: vec!["example.com/dedicated".to_owned()],
        ..rules()
    });
    is_committed(&ignored);
    old(&mut seen, |node| node.taints.push(taint.to_owned()));
    is_committed(&seen);
    // but an agent that has gone on the sick node must be there on the new one
    for taint in [
        "node.cilium.io/agent-not-ready:NoSchedule",
        "example.com/uninitialized:NoExecute",
        "node.kubernetes.io/network-unavailable:NoSchedule",
        "node.cloudprovider.kubernetes.io/shutdown:NoSchedule",
    ] {
        let mut agent = joined();
        old(&mut agent, |node| node.taints.push(taint.to_owned()));
        new(&mut agent, |node| node.taints.push(taint.to_owned()));
        lacks(&agent, taint);
    }
}

#[test]
fn what_is_only_preferred_holds_nothing() {
    let mut seen = joined();
    let taint = "example.com/rather-not:PreferNoSchedule".to_owned();
    new(&mut seen, |node| node.taints.push(taint));
    is_committed(&seen);
}

#[test]
fn labels_and_taints_that_are_to_be_copied_must_be_there() {
    let mut seen = joined();
    if let CloudSeen::Fresh(view) = &mut seen.cloud {
        view.missing_taints = vec!["dedicated=gpu:NoSchedule".to_owned()];
    }
    lacks(&seen, "it lacks the taints dedicated=gpu:NoSchedule");
}

#[test]
fn it_must_have_no_less_to_give() {
    let resources = |all: &[(&str, u64)]| {
        all.iter()
            .map(|(name, n)| ((*name).to_owned(), *n))
            .collect()
    };
    let had = [
        ("cpu", 4000),
        ("memory", 16 * GIB),
        ("pods", 110_000),
        ("example.com/gpu", 2000),
    ];
    for (name, has, enough) in [
        ("cpu", 3999, false),
        ("pods", 109_000, false),
        ("example.com/gpu", 1000, false),
        // a hundredth less is another kernel, a tenth less is another machine
        ("memory", 16 * GIB - 16 * GIB / 100, true),
        ("memory", 16 * GIB - 16 * GIB / 10, false),
    ] {
        let mut seen = joined();
        old(&mut seen, |node| node.allocatable = resources(&had));
        let less: Vec<_> = had
            .map(|(one, n)| (one, if one == name { has } else { n }))
            .to_vec();
        new(&mut seen, |node| node.allocatable = resources(&less));
        match enough {
            true => is_committed(&seen),
            false => lacks(&seen, &format!("its allocatable {name} is")),
        }
    }
}

#[test]
fn how_much_it_has_less_is_told_and_how_much_that_may_be_is_bounded() {
    let mib = GIB / 1024;
    let compared = |name: &str, had: u64, has: u64| {
        let mut seen = joined();
        old(&mut seen, |node| {
            node.allocatable = [(name.to_owned(), had)].into()
        });
        new(&mut seen, |node| {
            node.allocatable = [(name.to_owned(), has)].into()
        });
        seen
    };
    let lack = "its allocatable cpu is 3.050, less than 4";
    lacks(&compared("cpu", 4000, 3050), lack);
    // of little memory 64 MiB, of much a fiftieth
    is_committed(&compared("memory", GIB, GIB - 64 * mib));
    lacks(&compared("memory", GIB, GIB - 64 * mib - 1), "memory");
    is_committed(&compared("memory", 100 * GIB, 98 * GIB));
    lacks(&compared("memory", 100 * GIB, 98 * GIB - 1), "memory");
    // what lies on its disks and how many volumes a driver takes do not count
    is_committed(&compared("ephemeral-storage", 9000, 1000));
    is_committed(&compared("attachable-volumes-csi", 9000, 1000));
}

#[test]
fn a_plugin_that_died_with_the_sick_node_makes_the_bar_no_lower() {
    let mut seen = joined();
    old(&mut seen, |node| {
        node.allocatable = [("example.com/gpu".to_owned(), 0)].into();
        node.capacity = [("example.com/gpu".to_owned(), 2000)].into();
    });
    lacks(&seen, "its allocatable example.com/gpu is 0, less than 2");
    new(&mut seen, |node| {
        node.allocatable = [("example.com/gpu".to_owned(), 2000)].into();
    });
    is_committed(&seen);
}

#[test]
fn it_must_have_the_volume_drivers() {
    let mut seen = joined();
    let drivers = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
    let mut fitness = Fitness {
        drivers_had: drivers(&["cinder.csi.openstack.org", "nfs.csi.k8s.io"]),
        drivers: drivers(&["cinder.csi.openstack.org"]),
        ..Fitness::default()
    };
    seen.more.fitness = Some(fitness.clone());
    lacks(&seen, "it lacks the CSI driver nfs.csi.k8s.io");
    fitness.drivers = drivers(&["cinder.csi.openstack.org", "nfs.csi.k8s.io", "more"]);
    seen.more.fitness = Some(fitness);
    is_committed(&seen);
}

fn set(name: &str) -> OwnerRef {
    OwnerRef {
        namespace: "kube-system".to_owned(),
        kind: "DaemonSet".to_owned(),
        ..owner(name)
    }
}

fn daemon(name: &str, ready: bool) -> PodSeen {
    PodSeen {
        owner: Owner::DaemonSet,
        controller: Some(set(name)),
        ready,
        tolerates_provisional: true,
        ..pod(name)
    }
}

fn with_daemons(had: PodSeen, has: &[PodSeen], there: &[(&str, u32)]) -> Seen {
    let mut seen = joined();
    seen.more.fitness = Some(Fitness {
        daemons_had: fitness::daemons(&[had]),
        pods: has.to_vec(),
        daemon_sets: there
            .iter()
            .map(|(name, ready)| (set(name).uid, *ready))
            .collect(),
        ..Fitness::default()
    });
    seen
}

#[test]
fn it_must_run_the_daemons() {
    let there = [("net", 2)];
    let lack = "it lacks a Ready pod of the DaemonSet kube-system/net";
    lacks(&with_daemons(daemon("net", true), &[], &there), lack);
    let others = [daemon("log", true)];
    lacks(&with_daemons(daemon("net", true), &others, &there), lack);
    let all = [daemon("log", true), daemon("net", true)];
    is_committed(&with_daemons(daemon("net", true), &all, &there));
    let starting = [daemon("net", false)];
    lacks(&with_daemons(daemon("net", true), &starting, &there), lack);
    let leaving = [PodSeen {
        leaving: Some(at(200)),
        ..daemon("net", true)
    }];
    lacks(&with_daemons(daemon("net", true), &leaving, &there), lack);
    is_committed(&with_daemons(
        daemon("net", true),
        &[daemon("net", true)],
        &[],
    ));
}

#[test]
fn a_daemon_that_is_down_on_the_sick_node_is_wanted_all_the_same() {
    let down = daemon("net", false);
    let lack = "it lacks a Ready pod of the DaemonSet kube-system/net";
    lacks(&with_daemons(down.clone(), &[], &[("net", 2)]), lack);
    let leaving = PodSeen {
        leaving: Some(at(10)),
        ..down
    };
    lacks(&with_daemons(leaving, &[], &[("net", 2)]), lack);
}

#[test]
fn a_daemon_that_cannot_be_there_makes_the_bar_not_impossible() {
    // Ready nowhere; deleted since; not allowed onto a provisional node
    is_committed(&with_daemons(daemon("net", false), &[], &[("net", 0)]));
    is_committed(&with_daemons(daemon("net", true), &[], &[]));
    let late = PodSeen {
        tolerates_provisional: false,
        ..daemon("net", true)
    };
    is_committed(&with_daemons(late, &[], &[("net", 2)]));
}

#[test]
fn it_must_have_been_ready_for_a_while_on_the_very_server_that_was_made() {
    let mut seen = joined();
    new(&mut seen, |node| node.ready_held = 29);
    lacks(&seen, "it must be Ready for 30 s");
    new(&mut seen, |node| node.ready_held = 30);
    is_committed(&seen);
    let mut unready = seen.clone();
    new(&mut unready, |node| node.ready = Status::Unknown);
    lacks(&unready, "it is not Ready");
    let mut another = seen.clone();
    new(&mut another, |node| node.server = None);
    lacks(&another, "its providerID is not our server's");
    let mut building = seen;
    if let CloudSeen::Fresh(view) = &mut building.cloud {
        view.replacements[0].status = "BUILD".to_owned();
    }
    lacks(&building, "its server is BUILD");
}
