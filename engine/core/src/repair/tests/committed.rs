//! After the commit: not one step while the replacement is not Ready, and no wait without an end.

use super::*;
use crate::repair::drain::{Owner, PodSeen};

fn pod(owner: Owner) -> PodSeen {
    PodSeen {
        owner,
        ..super::pod("web")
    }
}

/// In that phase, with a replacement that is as it was committed.
pub(super) fn replaced(phase: Phase) -> Seen {
    let mut seen = with_replacement(seen(phase), |replacement| {
        replacement.server_id = Some("new".to_owned());
        replacement.node_uid = Some("new-node".to_owned());
    });
    seen.cloud = CloudSeen::Fresh(CloudView {
        server: Some(server(OLD, NODE)),
        replacements: vec![server("new", "x")],
        replacement_node: Some(NodeSeen {
            uid: Uid::parse("new-node").unwrap(),
            ..node()
        }),
        ..CloudView::default()
    });
    seen.more.owners = Some(Vec::new());
    seen
}

/// From the commit on: in each phase a look in which its intrusive step is next.
pub(super) fn about_to_act(pod: &PodSeen) -> Vec<Seen> {
    let provisional = |view: &mut CloudView| {
        if let Some(node) = &mut view.replacement_node {
            node.taints = vec!["rectifier.dev/provisional:NoSchedule".to_owned()];
            node.server = Some(ServerId::parse("new").unwrap());
        }
        for server in &view.replacements {
            view.ports = server
                .ports
                .iter()
                .map(|id| PortSeen {
                    id: id.clone(),
                    name: String::new(),
                    device: Some(server.id.clone()),
                })
                .collect();
        }
    };
    let mut joining = edit(replaced(Phase::Joining), provisional);
    if let Some(replacement) = &mut joining.record.replacement {
        replacement.ports = vec!["port-of-new".to_owned()];
    }
    joining.more.fitness = Some(Default::default());
    let mut draining = replaced(Phase::Draining);
    draining.pods = Some(vec![pod.clone()]);
    let mut deleting = replaced(Phase::DeletingServer);
    deleting.evidence = kept();
    vec![
        joining,
        edit(replaced(Phase::Committed), provisional),
        draining,
        deleting,
        edit(replaced(Phase::DeletingNode), |view| view.server = None),
    ]
}

pub(super) fn edit(mut seen: Seen, edit: impl FnOnce(&mut CloudView)) -> Seen {
    if let CloudSeen::Fresh(view) = &mut seen.cloud {
        edit(view);
    }
    seen
}

#[test]
fn nothing_more_is_taken_from_the_sick_node_while_the_replacement_is_not_ready() {
    let not_ready = |view: &mut CloudView| {
        view.replacement_node.iter_mut().for_each(|node| {
            node.ready = Status::Unknown;
        })
    };
    let gone = |view: &mut CloudView| view.replacement_node = None;
    let another = |view: &mut CloudView| view.replacement_node = Some(node());
    let changes: [fn(&mut CloudView); 3] = [not_ready, gone, another];
    for phase in [
        Phase::Draining,
        Phase::AwaitingOwners,
        Phase::DeletingServer,
    ] {
        let mut whole = replaced(phase);
        whole.pods = Some(vec![pod(Owner::Controller)]);
        assert!(decide(&whole).unwrap().act.is_some(), "{phase:?}");
        for change in changes {
            let next = decide(&edit(whole.clone(), change)).unwrap();
            assert_eq!(
                (next.act, next.reason, next.record.phase),
                (None, Reason::ReplacementLost, phase)
            );
        }
    }
}

#[test]
fn a_committed_phase_that_takes_too_long_is_shown_to_a_person_with_what_holds_it() {
    let mut held = replaced(Phase::Draining);
    held.pods = Some(vec![pod(Owner::Nobody)]);
    assert_eq!(decide(&held).unwrap().reason, Reason::EvictionNotAllowed);
    held.now = at(90 + 3600);
    let next = decide(&held).unwrap();
    assert_eq!(
        (next.record.phase, next.reason, next.act),
        (Phase::NeedsHuman, Reason::Overdue, None)
    );
    assert!(
        next.record.message.contains("Draining") && next.record.message.contains("default/web"),
        "{}",
        next.record.message
    );

    for phase in [Phase::Committed, Phase::DeletingServer] {
        let mut late = edit(replaced(phase), |view| view.replacement_node = None);
        late.now = at(90 + 600);
        assert_eq!(
            decide(&late).unwrap().record.phase,
            Phase::NeedsHuman,
            "{phase:?}"
        );
    }
}

#[test]
fn no_step_is_overdue_for_a_time_in_which_no_engine_was_there_or_the_cloud_was_away() {
    let mut late = edit(replaced(Phase::Committed), |view| {
        view.replacement_node = None;
    });
    late.now = at(9000);
    late.watched = 10;
    assert_eq!(decide(&late).unwrap().record.phase, Phase::Committed);
    late.watched = 9000;
    late.cloud = CloudSeen::Unavailable("503".to_owned());
    assert_eq!(decide(&late).unwrap().record.phase, Phase::Committed);
}

#[test]
fn a_step_that_ends_its_phase_is_taken_however_late_it_is() {
    let mut drained = replaced(Phase::Draining);
    drained.now = at(90 + 3600);
    let next = decide(&drained).unwrap();
    assert_eq!(next.record.phase, Phase::AwaitingOwners);
    // nor is a repair late whose pool stops it
    let mut observed = seen(Phase::RebootDraining);
    observed.pods = Some(vec![pod(Owner::Controller)]);
    observed.pool.as_mut().unwrap().acts = false;
    observed.now = at(90 + 3600);
    let next = decide(&observed).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::RebootDraining, Reason::PoolObserves)
    );
}

#[test]
fn a_drain_before_a_reboot_that_takes_too_long_is_shown_to_a_person() {
    let mut held = seen(Phase::RebootDraining);
    held.pods = Some(vec![pod(Owner::Nobody)]);
    held.now = at(90 + 3600);
    assert_eq!(decide(&held).unwrap().record.phase, Phase::NeedsHuman);
}

#[test]
fn a_reboot_waits_for_no_pod_that_a_dead_kubelet_will_never_end() {
    let leaving = |until| PodSeen {
        leaving: Some(at(until)),
        ..pod(Owner::Controller)
    };
    let draining = |ready, until, others: &[PodSeen]| {
        let mut draining = seen(Phase::RebootDraining);
        draining.now = at(1000);
        draining.pods = Some([&[leaving(until)], others].concat());
        let node = draining.node.as_mut().unwrap();
        (node.ready, node.ready_held) = (ready, 300);
        decide(&draining).unwrap().record.phase
    };
    for ready in [Status::No, Status::Unknown] {
        assert_eq!(draining(ready, 930, &[]), Phase::GrantOffered);
        assert_eq!(
            draining(ready, 960, &[]),
            Phase::RebootDraining,
            "its grace is hardly over"
        );
        let others = [pod(Owner::Controller)];
        assert_eq!(
            draining(ready, 930, &others),
            Phase::RebootDraining,
            "another was not evicted yet"
        );
    }
    assert_eq!(draining(Status::Yes, 930, &[]), Phase::RebootDraining);
}

#[test]
fn a_budget_that_holds_an_eviction_back_is_told_and_asked_again() {
    let mut held = replaced(Phase::Draining);
    held.pods = Some(vec![pod(Owner::Controller)]);
    held.held_back = vec![drain::HeldBack {
        pod: super::pod("web").uid,
        name: "default/web".to_owned(),
        by: drain::Refusal::Budget,
        words: "the budget needs 2".to_owned(),
        again: held.now,
    }];
    let next = decide(&held).unwrap();
    assert_eq!(next.reason, Reason::BlockedByBudget);
    assert!(matches!(next.act, Some(Act::Evict(_))));
    assert!(next.record.message.contains("default/web"));
}

#[test]
fn another_try_forgets_no_port_of_a_server_that_is_gone() {
    let mut again = edit(replaced(Phase::AwaitingOwners), |view| view.server = None);
    again.record.server_ports = vec!["port-of-old-server".to_owned()];
    let next = decide(&again).unwrap();
    assert_eq!(next.record.phase, Phase::DeletingServer);
    assert_eq!(next.record.server_ports, ["port-of-old-server"]);
}

#[test]
fn the_ports_of_the_server_are_written_down_once_before_it_goes() {
    let mut seen = edit(replaced(Phase::AwaitingOwners), |view| {
        let server = view.server.as_mut().unwrap();
        server.ports = ["a", "b"].map(|id| PortId::parse(id).unwrap()).to_vec();
    });
    seen.evidence = kept();
    seen.record.server_ports = vec!["a".to_owned(), "c".to_owned()];
    let next = decide(&seen).unwrap();
    assert!(matches!(next.act, Some(Act::DeleteServer(_))));
    assert_eq!(next.record.server_ports, ["a", "c", "b"]);
}

#[test]
fn what_was_not_committed_never_passes_for_committed() {
    let mut forged = replaced(Phase::Draining);
    forged.record.committed_at = None;
    assert!(decide(&forged).is_err());
}

#[test]
fn an_emptied_node_lets_its_volumes_go_before_its_server_does() {
    let mut drained = replaced(Phase::Draining);
    let node = drained.node.as_mut().unwrap();
    node.volumes = vec!["data".to_owned()];
    assert_eq!(decide(&drained).unwrap().record.phase, Phase::Detaching);
    drained.node = Some(cordoned(Some(REPAIR_UID)));
    let next = decide(&drained).unwrap();
    assert_eq!(next.record.phase, Phase::AwaitingOwners);
    drained.node = None;
    let next = decide(&drained).unwrap();
    assert_eq!(next.record.phase, Phase::AwaitingOwners);
}
