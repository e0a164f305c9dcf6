//! Up to the line: all of it can be called off.

use super::*;

/// A machine that we stopped is started again before its cordon goes, and a stop that is under way is waited for.
#[test]
fn what_was_stopped_before_the_line_is_started_when_it_is_called_off() {
    let mut back = making(Phase::RollingBack);
    back.record.replacement = None;
    back.record.evidence = made(Phase::Stopping).record.evidence;
    back.record.power = Some(Power {
        posted_at: Some(at(50)),
        ..Power::default()
    });
    back.record.steps = vec![crate::repair::next::step(
        Phase::Stopping,
        at(40),
        Reason::Stopping,
        "",
    )];
    assert!(needs(&back.record).server && needs(&back.record).actions);
    let with = |done: bool, off: bool, now: i64| {
        let mut seen = back.clone();
        edit(&mut seen, |view| {
            view.actions = vec![action("stop", "req-1", Some("rectifier"), done)];
            if let Some(server) = &mut view.server {
                server.is_off = off;
                server.status = if off { "SHUTOFF" } else { "ACTIVE" }.to_owned();
                server.task = (!done).then(|| "powering-off".to_owned());
            }
        });
        seen.now = at(now);
        decide(&seen).unwrap()
    };
    let waits = with(false, false, 90 + 299);
    assert_eq!((waits.reason, waits.act), (Reason::HostUnreachable, None));
    let start = Act::PowerCycle {
        server: ServerId::parse(OLD).unwrap(),
        start: true,
    };
    assert_eq!(with(true, true, 100).act, Some(start));
    let late = with(false, false, 90 + 300);
    assert_eq!(
        late.act,
        Some(Act::Uncordon),
        "a host that is away for long does not keep the node"
    );
    assert_eq!(
        decide(&back).unwrap().act,
        Some(Act::Uncordon),
        "it was never taken"
    );
    let mut pool = first();
    pool.no_capacity = NoCapacity::Wait;
    let mut stopping = back.clone();
    (stopping.record.phase, stopping.pool) = (Phase::Stopping, Ok(pool));
    let next = decide(&stopping).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::RollingBack, Reason::KeptServer)
    );
}

/// In each phase before the line, by its own words.
#[test]
fn a_pool_that_changes_its_mind_keeps_the_server() {
    let keeps = |rules: &mut Rules| rules.no_capacity = NoCapacity::Wait;
    let makes_none = |rules: &mut Rules| rules.provisions = false;
    let changes: [fn(&mut Rules); 2] = [keeps, makes_none];
    for phase in [
        Phase::Draining,
        Phase::Stopping,
        Phase::Detaching,
        Phase::AwaitingOwners,
    ] {
        for change in changes {
            let mut seen = making(phase);
            let mut rules = first();
            change(&mut rules);
            seen.pool = Ok(rules.clone());
            let next = decide(&seen).unwrap();
            assert_eq!(
                (next.record.phase, next.reason),
                (Phase::Discarding, Reason::KeptServer),
                "{phase:?}"
            );
            assert_eq!(
                next.record.side(),
                Side::Before,
                "it waits for room as before"
            );
            seen.pool = Err(NoRules::NoPool);
            let next = decide(&seen).unwrap();
            assert_eq!(
                (next.record.side(), next.act),
                (Side::MakingRoom, None),
                "{phase:?}"
            );
            let mut late = made(phase);
            late.pool = Ok(rules);
            assert!(
                decide(&late).unwrap().record.side().is_past_return(),
                "{phase:?}"
            );
        }
    }
}

/// A stop can be taken back: what follows the proof that it was done cannot.
#[test]
fn the_line_of_a_dead_machine_is_the_proof_that_it_is_off() {
    let mut dead = making(Phase::Stopping);
    dead.evidence = kept();
    dead.record.power = Some(Power::default());
    dead.record.silence = Some(Silence {
        renewed: None,
        since: at(0),
    });
    if let Some(node) = &mut dead.node {
        node.ready = Status::Unknown;
    }
    let asked = decide(&dead).unwrap();
    assert!(matches!(asked.act, Some(Act::StopServer(_))), "{asked:?}");
    assert_eq!(asked.record.side(), Side::MakingRoom);
    dead.record = asked.record;
    edit(&mut dead, |view| {
        view.actions = vec![action("stop", "req-1", Some("rectifier"), true)];
        if let Some(server) = &mut view.server {
            (server.is_off, server.status) = (true, "SHUTOFF".to_owned());
        }
    });
    let proven = decide(&dead).unwrap();
    assert_eq!(
        (proven.record.phase, proven.record.side()),
        (Phase::Detaching, Side::RoomMade)
    );
    let mut observes = dead.clone();
    observes.pool = Ok(Rules {
        acts: false,
        ..first()
    });
    let mut halted = dead.clone();
    halted.hands.stop = Stop::Stopped(String::new());
    let mut storm = dead.clone();
    storm.hands.storm = Some((Reason::BreakerOpen, String::new()));
    let mut stopped = dead.clone();
    stopped.hands.no_creates = Some(String::new());
    let mut short = dead.clone();
    short.hands.short = Some(another(true));
    let mut beside = dead.clone();
    beside.hands.short = Some(another(false));
    assert_eq!(decide(&beside).unwrap().record.side(), Side::RoomMade);
    for seen in [observes, halted, storm, stopped, short] {
        let next = decide(&seen).unwrap();
        assert_eq!(
            (next.record.phase, next.record.side()),
            (Phase::Stopping, Side::MakingRoom),
            "{:?}",
            next.reason
        );
    }
}

#[test]
fn until_its_end_is_begun_it_is_called_off() {
    let uncordoned = |seen: &mut Seen| seen.node = Some(node());
    let cleared = |seen: &mut Seen| seen.problem = gone(9999);
    let rejected = |seen: &mut Seen| seen.hands.reject = Some(String::new());
    let lost = |seen: &mut Seen| seen.node = None;
    let changes: [(Change, Reason); 4] = [
        (uncordoned, Reason::Uncordoned),
        (cleared, Reason::ProblemCleared),
        (rejected, Reason::Rejected),
        (lost, Reason::NodeGone),
    ];
    for phase in [
        Phase::Draining,
        Phase::Stopping,
        Phase::Detaching,
        Phase::AwaitingOwners,
    ] {
        for (change, why) in changes {
            let mut seen = making(phase);
            change(&mut seen);
            let next = decide(&seen).unwrap();
            assert_eq!(
                (next.record.phase, next.reason),
                (Phase::RollingBack, why),
                "{phase:?}"
            );
            let mut late = made(phase);
            change(&mut late);
            let next = decide(&late).unwrap();
            assert_ne!(next.record.phase, Phase::RollingBack, "{phase:?} {why:?}");
            assert!(next.record.side().is_past_return());
        }
    }
    for phase in [
        Phase::Stopping,
        Phase::DeletingServer,
        Phase::CreatingPorts,
        Phase::Joining,
    ] {
        for (change, why) in changes {
            let mut late = made(phase);
            change(&mut late);
            let next = decide(&late).unwrap();
            assert_ne!(next.record.phase, Phase::RollingBack, "{phase:?} {why:?}");
        }
    }
}

#[test]
fn its_pods_leave_by_their_budgets_and_what_is_committed_nowhere_is_not_missed() {
    let mut draining = making(Phase::Draining);
    draining.pods = Some(vec![pod("web")]);
    assert_eq!(
        decide(&draining).unwrap().act,
        Some(Act::Evict(vec![pod("web")]))
    );
    draining.pods = Some(Vec::new());
    assert_eq!(
        decide(&draining).unwrap().record.phase,
        Phase::AwaitingOwners
    );
    // no last resort before the line: nothing is lost that could still be given back
    let late = PodSeen { ..pod("web") };
    let mut late = Seen {
        pods: Some(vec![late]),
        now: at(90 + 3600),
        ..making(Phase::Draining)
    };
    let mut rules = first();
    rules.last_resort = drain::LastResort::Delete;
    late.pool = Ok(rules);
    let next = decide(&late).unwrap();
    assert!(!matches!(next.act, Some(Act::DeletePods(_))), "{next:?}");
}

#[test]
fn its_end_is_written_down_and_told_to_load_balancers_before_it_is_begun() {
    let next = decide(&making(Phase::AwaitingOwners)).unwrap();
    assert_eq!(
        (next.record.phase, next.act),
        (Phase::AwaitingOwners, Some(Act::LeaveBalancers))
    );
    assert_eq!(next.record.side(), Side::RoomMade);
    // while it may be well again, or somebody holds it, the line is not crossed
    let mut away = making(Phase::AwaitingOwners);
    away.problem = gone(10);
    let mut stale = making(Phase::AwaitingOwners);
    stale.problem = ProblemSeen::Stale;
    let mut halted = making(Phase::AwaitingOwners);
    halted.hands.stop = Stop::Stopped(String::new());
    let mut storm = making(Phase::AwaitingOwners);
    storm.hands.storm = Some((Reason::BreakerOpen, String::new()));
    for seen in [away, stale, halted, storm] {
        let next = decide(&seen).unwrap();
        assert_eq!(
            (next.record.side(), next.act),
            (Side::MakingRoom, None),
            "{:?}",
            next.reason
        );
    }
    // the word was lost: it is said again
    assert_eq!(
        decide(&made(Phase::AwaitingOwners)).unwrap().act,
        Some(Act::LeaveBalancers)
    );
    // then their time, counted from there
    let mut told = made(Phase::AwaitingOwners);
    if let Some(node) = &mut told.node {
        node.labels.insert(EXCLUDED.to_owned(), String::new());
    }
    told.record.steps = vec![crate::repair::next::step(
        Phase::Draining,
        at(0),
        Reason::MakingRoom,
        "",
    )];
    told.now = at(50 + 29);
    assert_eq!(decide(&told).unwrap().reason, Reason::LeavingBalancers);
    told.now = at(50 + 30);
    let next = decide(&told).unwrap();
    assert_eq!(next.record.phase, Phase::DeletingServer);
    assert!(matches!(next.act, Some(Act::DeleteServer(_))), "{next:?}");
    assert_eq!(
        next.record.room.unwrap().ended_at,
        Some(at(50)),
        "the line is crossed once"
    );
}
