//! After the line there is only forward.

use super::*;

#[test]
fn a_room_that_somebody_else_has_for_an_hour_is_a_persons_who_may_do_without_it() {
    let mut full = made(Phase::Discarding);
    full.record.tried = had_no_host(None).record.tried;
    if let Some(room) = &mut full.record.room {
        room.gone_at = Some(at(50));
    }
    full.now = at(90 + 300);
    assert_eq!(decide(&full).unwrap().record.phase, Phase::CreatingPorts);
    full.now = at(50 + 3600);
    let asked = decide(&full).unwrap();
    assert_eq!(
        (asked.record.phase, asked.reason),
        (Phase::NeedsHuman, Reason::NoHost)
    );
    assert_eq!(asked.record.no_way_back(), None);
    let told = &asked.record.message;
    assert!(
        told.contains("worker-1.repair rectifier.dev/reject="),
        "{told}"
    );
    assert!(full.record.no_way_back().is_some());
    let mut told = Seen {
        record: asked.record,
        ..full
    };
    told.hands.reject = Some("we do without".to_owned());
    let ended = decide(&told).unwrap();
    assert_eq!(
        (ended.record.phase, ended.reason),
        (Phase::Cancelled, Reason::Rejected)
    );
    assert_eq!(
        ended.record.room.unwrap().kept,
        Kept::default(),
        "nobody needs it any more"
    );
    told.hands.reject = None;
    told.request.retry = Some("again".to_owned());
    assert_eq!(decide(&told).unwrap().record.phase, Phase::Draining);
}

/// Nothing can be made without the pool's rules, and nobody is to wait for them without being told.
#[test]
fn a_pool_that_is_gone_for_an_hour_after_the_line_is_a_persons() {
    for phase in [Phase::CreatingPorts, Phase::CreatingServer, Phase::Joining] {
        let mut lost = made(phase);
        lost.pool = Err(NoRules::NoPool);
        if let Some(room) = &mut lost.record.room {
            room.gone_at = Some(at(50));
        }
        lost.now = at(90 + 3599);
        let waits = decide(&lost).unwrap();
        assert_eq!(
            (waits.record.phase, waits.reason),
            (phase, Reason::NoPool),
            "{phase:?}"
        );
        lost.now = at(90 + 3600);
        let next = decide(&lost).unwrap();
        assert_eq!(
            (next.record.phase, next.reason),
            (Phase::Discarding, Reason::NoPool),
            "{phase:?}: what was made of it goes"
        );
        let failed = |tried: &Tried| tried.outcome == Outcome::Failed;
        assert!(!next.record.tried.iter().any(failed), "and has not failed");
    }
    let mut lost = made(Phase::Discarding);
    lost.record.tried = had_no_host(None).record.tried;
    lost.pool = Err(NoRules::NoPool);
    if let Some(room) = &mut lost.record.room {
        room.gone_at = Some(at(50));
    }
    lost.now = at(90 + 3599);
    let waits = decide(&lost).unwrap();
    assert_eq!(
        (waits.record.phase, waits.reason),
        (Phase::Discarding, Reason::NoPool)
    );
    lost.record.tried.last_mut().unwrap().outcome = Outcome::Refused;
    assert_eq!(
        decide(&lost).unwrap().record.phase,
        Phase::NeedsHuman,
        "it had its hour"
    );
    lost.record.tried.last_mut().unwrap().outcome = Outcome::Failed;
    lost.now = at(90 + 3600);
    let asked = decide(&lost).unwrap();
    assert_eq!(
        (asked.record.phase, asked.reason),
        (Phase::NeedsHuman, Reason::NoPool)
    );
    assert_eq!(asked.record.no_way_back(), None, "they may do without");
}

/// It goes once. Whoever took the room is waited for.
#[test]
fn when_the_room_is_somebody_elses_it_is_waited_for() {
    let mut full = made(Phase::Discarding);
    full.record.tried = had_no_host(None).record.tried;
    full.node = None;
    full.now = at(90 + 299);
    let next = decide(&full).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::Discarding, Reason::NoHost)
    );
    full.now = at(90 + 300);
    assert_eq!(decide(&full).unwrap().record.phase, Phase::CreatingPorts);
}

/// After the line a storm holds nothing: the cluster is one node short.
#[test]
fn after_the_line_a_storm_does_not_hold_what_gives_the_node_back() {
    let mut seen = made(Phase::DeletingServer);
    seen.hands.storm = Some((Reason::BreakerOpen, String::new()));
    assert!(matches!(
        decide(&seen).unwrap().act,
        Some(Act::DeleteServer(_))
    ));
    let mut seen = made(Phase::CreatingPorts);
    seen.hands.storm = Some((Reason::BreakerOpen, String::new()));
    assert_eq!(decide(&seen).unwrap().act, Some(Act::CreatePorts));
    seen.hands.reject = Some("no".to_owned());
    let next = decide(&seen).unwrap();
    let words = "rejected too late: its server goes, or is gone";
    assert!(
        next.record.message.ends_with(words),
        "{}",
        next.record.message
    );
}

#[test]
fn its_replacement_is_made_when_its_host_has_ended_it_and_its_ports_are_gone() {
    let mut unproven = made(Phase::DeletingServer);
    edit(&mut unproven, |view| {
        view.server = None;
        view.actions = vec![action("delete", "req-1", Some("rectifier"), false)];
    });
    assert_eq!(decide(&unproven).unwrap().reason, Reason::HostUnreachable);
    edit(&mut unproven, |view| view.actions.clear());
    let mut confirmed = unproven.clone();
    confirmed.request.confirmed_dead = Some(OLD.to_owned());
    let mut known = unproven.clone();
    if let Some(room) = &mut known.record.room {
        room.gone_at = Some(at(60));
    }
    for seen in [confirmed, known] {
        let next = decide(&seen).unwrap();
        assert_eq!(next.record.phase, Phase::CreatingPorts);
        assert!(next.record.room.unwrap().gone_at.is_some());
    }
    let blind = decide(&unproven).unwrap();
    assert_eq!(
        blind.reason,
        Reason::HostUnreachable,
        "a cloud that knows nothing of it"
    );
    let mut with_ports = gone_for_good(made(Phase::DeletingServer));
    let left = PortId::parse("left").unwrap();
    edit(&mut with_ports, |view| view.old_ports = vec![left.clone()]);
    assert_eq!(
        decide(&with_ports).unwrap().act,
        Some(Act::DeletePorts(vec![left]))
    );
    let gone = gone_for_good(made(Phase::DeletingServer));
    let next = decide(&gone).unwrap();
    assert_eq!((next.record.phase, next.act), (Phase::CreatingPorts, None));
    assert_eq!(next.record.replacement.as_ref().unwrap().attempt, 2);
    assert_eq!(next.record.tried.last().unwrap().outcome, Outcome::Running);
    let mut nameless = gone;
    nameless.more.name = None;
    assert!(further(&nameless).name, "it needs a name");
    assert_eq!(
        decide(&nameless).unwrap().record.phase,
        Phase::DeletingServer
    );
}

/// Whether the Node is there or went with its server.
#[test]
fn its_replacement_is_measured_by_what_was_kept() {
    let joined = |cpu: u64| {
        let mut seen = made(Phase::Joining);
        seen.node = None;
        if let Some(replacement) = &mut seen.record.replacement {
            replacement.server_id = Some("new".to_owned());
        }
        edit(&mut seen, |view| {
            view.server = None;
            view.replacements = vec![server("new", "x")];
            view.replacement_node = Some(NodeSeen {
                uid: Uid::parse("new-node").unwrap(),
                server: Some(ServerId::parse("new").unwrap()),
                allocatable: [("cpu".to_owned(), cpu)].into(),
                ..node()
            });
        });
        seen.more.fitness = Some(Default::default());
        decide(&seen).unwrap()
    };
    let small = joined(3999);
    assert_eq!(small.record.phase, Phase::Joining);
    assert!(
        small.record.message.contains("cpu"),
        "{}",
        small.record.message
    );
    let next = joined(4000);
    assert_eq!(
        (next.record.phase, next.act),
        (Phase::Committed, Some(Act::Adopt))
    );
}

#[test]
fn a_person_who_is_asked_after_the_line_has_it_go_on_from_there() {
    let asked = |mut seen: Seen| {
        seen.request.retry = Some("again".to_owned());
        decide(&seen).unwrap()
    };
    assert_eq!(asked(made(Phase::NeedsHuman)).record.phase, Phase::Draining);
    // before it, it is tried beside the sick server anew: a host may have room by now
    let again = asked(making(Phase::NeedsHuman));
    assert_eq!(
        (again.record.phase, again.record.room),
        (Phase::Judging, None)
    );
    let mut cleared = made(Phase::NeedsHuman);
    cleared.problem = gone(9999);
    cleared.node = None;
    assert_eq!(decide(&cleared).unwrap().record.phase, Phase::NeedsHuman);
    let mut cleared = making(Phase::NeedsHuman);
    cleared.problem = gone(9999);
    assert_eq!(decide(&cleared).unwrap().record.phase, Phase::RollingBack);
}
