//! A replacement gets exactly the ports that it should have, whatever raced, and leaves none behind.

use super::*;

fn port(id: &str, name: &str) -> PortSeen {
    PortSeen {
        id: PortId::parse(id).unwrap(),
        name: name.to_owned(),
        device: None,
    }
}

fn with_ports(phase: Phase, ports: Vec<PortSeen>, edit: impl FnOnce(&mut Replacement)) -> Seen {
    let mut seen = with_replacement(seen(phase), edit);
    seen.cloud = CloudSeen::Fresh(CloudView {
        server: Some(server(OLD, NODE)),
        ports,
        ports_wanted: 2,
        ..CloudView::default()
    });
    seen
}

const FIRST: &str = "rectifier-repair-uid-1-0";
const SECOND: &str = "rectifier-repair-uid-1-1";

#[test]
fn how_many_ports_are_made_and_when_is_written_down_before_they_are() {
    let next = decide(&with_ports(Phase::CreatingPorts, Vec::new(), |_| {})).unwrap();
    assert_eq!(next.act, Some(Act::CreatePorts));
    let replacement = next.record.replacement.unwrap();
    assert_eq!(replacement.ports_wanted, 2);
    assert_eq!(replacement.ports_at, Some(at(100)));
}

#[test]
fn two_ports_of_one_name_are_one_port_and_a_surplus() {
    let twice = vec![port("b", FIRST), port("a", FIRST)];
    let next = decide(&with_ports(Phase::CreatingPorts, twice.clone(), |_| {})).unwrap();
    assert_eq!(
        next.act,
        Some(Act::CreatePorts),
        "the second is still to be made"
    );

    let three = [twice, vec![port("c", SECOND)]].concat();
    let next = decide(&with_ports(Phase::CreatingPorts, three, |_| {})).unwrap();
    let surplus = vec![PortId::parse("b").unwrap()];
    assert_eq!(next.act, Some(Act::DeleteSurplus(surplus)));

    let two = vec![port("a", FIRST), port("c", SECOND)];
    let mut both = with_ports(Phase::CreatingPorts, two, |_| {});
    // also when the second came late
    for now in [100, 90 + 600] {
        both.now = at(now);
        let next = decide(&both).unwrap();
        assert_eq!(next.act, Some(Act::CreateServer));
        assert_eq!(next.record.phase, Phase::CreatingServer);
        let replacement = next.record.replacement.unwrap();
        assert_eq!(replacement.ports, ["a", "c"]);
        assert_eq!(replacement.posted_at, Some(at(now)));
    }
}

#[test]
fn a_port_that_comes_late_is_deleted_and_never_a_second_card() {
    let late = vec![port("a", FIRST), port("late", FIRST)];
    for phase in [Phase::CreatingServer, Phase::Joining] {
        let mut seen = with_ports(phase, late.clone(), |replacement| {
            replacement.ports = vec!["a".to_owned()];
            replacement.server_id = Some("new".to_owned());
        });
        if let CloudSeen::Fresh(view) = &mut seen.cloud {
            view.ports[0].device = Some(ServerId::parse("new").unwrap());
            view.replacements = vec![server("new", "x")];
        }
        let next = decide(&seen).unwrap();
        let surplus = vec![PortId::parse("late").unwrap()];
        assert_eq!(next.act, Some(Act::DeleteSurplus(surplus)), "{phase:?}");
    }
}

#[test]
fn no_attempt_is_over_while_one_of_its_ports_may_still_come() {
    for phase in [Phase::Discarding, Phase::RollingBack] {
        let made = |second: i64| {
            with_ports(phase, Vec::new(), |replacement| {
                replacement.ports_at = Some(at(second));
            })
        };
        let next = decide(&made(41)).unwrap();
        assert_eq!(
            (next.record.phase, next.reason),
            (phase, Reason::CreateUncertain)
        );
        assert_ne!(decide(&made(40)).unwrap().reason, Reason::CreateUncertain);
    }
}

#[test]
fn a_replacement_is_not_committed_while_one_of_its_ports_may_still_come() {
    let ready = |second: i64| {
        let mut seen = with_replacement(seen(Phase::Joining), |replacement| {
            replacement.server_id = Some("new".to_owned());
            replacement.ports_at = Some(at(second));
        });
        seen.cloud = CloudSeen::Fresh(CloudView {
            replacements: vec![server("new", "x")],
            replacement_node: Some(NodeSeen {
                uid: Uid::parse("new-node").unwrap(),
                server: Some(ServerId::parse("new").unwrap()),
                ..node()
            }),
            ..CloudView::default()
        });
        seen.more.fitness = Some(fitness::Fitness::default());
        decide(&seen).unwrap()
    };
    let next = ready(41);
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::Joining, Reason::CreateUncertain)
    );
    let committed = ready(40).record;
    assert_eq!(committed.phase, Phase::Committed);
    let node_uid = committed.replacement.and_then(|one| one.node_uid);
    assert_eq!(node_uid.as_deref(), Some("new-node"));
}

#[test]
fn what_cannot_be_made_in_time_is_a_failed_attempt_and_not_an_endless_one() {
    for phase in [Phase::CreatingPorts, Phase::CreatingServer] {
        let mut stuck = with_ports(phase, Vec::new(), |_| {});
        stuck.now = at(90 + 599);
        assert!(decide(&stuck).unwrap().act.is_some(), "{phase:?}");
        stuck.now = at(90 + 600);
        let next = decide(&stuck).unwrap();
        assert_eq!(
            (next.record.phase, next.reason, next.act),
            (Phase::Discarding, Reason::JoinOverdue, None)
        );
    }
}

#[test]
fn a_server_without_ports_is_not_copied() {
    let mut blind = with_ports(Phase::CreatingPorts, Vec::new(), |_| {});
    if let CloudSeen::Fresh(view) = &mut blind.cloud {
        view.ports_wanted = 0;
    }
    for (age, phase) in [(599, Phase::CreatingPorts), (600, Phase::Discarding)] {
        blind.now = at(90 + age);
        let next = decide(&blind).unwrap();
        assert_eq!(
            (next.record.phase, next.reason, next.act),
            (phase, Reason::ServerUnknown, None)
        );
    }
}

#[test]
fn the_server_that_bears_the_tag_is_the_one_that_is_recorded() {
    let mut posted = with_ports(Phase::CreatingServer, Vec::new(), |_| {});
    if let CloudSeen::Fresh(view) = &mut posted.cloud {
        view.replacements = vec![server("new", "x")];
    }
    let record = decide(&posted).unwrap().record;
    assert_eq!(record.phase, Phase::Joining);
    let server_id = record.replacement.and_then(|one| one.server_id);
    assert_eq!(server_id.as_deref(), Some("new"));
}
