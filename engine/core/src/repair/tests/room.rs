//! The sick server goes before its replacement is made: when that is begun, until when it is called off, and what follows.

use super::elsewhere::{barred, had_no_host};
use super::*;
use crate::name::PortId;
use crate::policy::Outcome;
use crate::repair::drain::PodSeen;
use crate::repair::owners::OwnerReady;

fn first() -> Rules {
    Rules {
        no_capacity: NoCapacity::TerminateFirst,
        ..rules()
    }
}

fn what_was_kept() -> Kept {
    Kept {
        server: "{}".to_owned(),
        node: Traits {
            labels: [("rack".to_owned(), "7".to_owned())].into(),
            allocatable: [("cpu".to_owned(), 4000)].into(),
            ..Traits::default()
        },
        drivers: vec!["csi".to_owned()],
        daemon_sets: vec![OwnerReady::of(&owner("net"), 1)],
    }
}

/// In that phase, before its end was begun.
fn making(phase: Phase) -> Seen {
    let mut seen = with_replacement(seen(phase), |_| {});
    seen.pool = Ok(first());
    seen.record.committed_at = None;
    seen.record.room = Some(Room {
        since: at(0),
        ended_at: None,
        gone_at: None,
        kept: what_was_kept(),
    });
    seen.more.owners = Some(Vec::new());
    seen
}

/// The same, after.
fn made(phase: Phase) -> Seen {
    let mut seen = making(phase);
    if let Some(room) = &mut seen.record.room {
        room.ended_at = Some(at(50));
    }
    seen.evidence = kept();
    seen.record.evidence = Some(Evidence {
        at: Some(at(50)),
        ..Evidence::default()
    });
    seen
}

/// The server is gone, and its host has said so.
fn gone_for_good(mut seen: Seen) -> Seen {
    edit(&mut seen, |view| {
        view.server = None;
        view.actions = vec![action("delete", "req-1", Some("rectifier"), true)];
    });
    seen
}

#[test]
fn it_is_begun_when_no_zone_is_left_and_all_that_is_needed_was_read() {
    let mut full = had_no_host(Some("az-3"));
    full.more.bound = None;
    assert_eq!(decide(&full).unwrap().reason, Reason::NoHost, "it waits");
    let mut rules = full.pool.clone().unwrap();
    rules.no_capacity = NoCapacity::TerminateFirst;
    full.pool = Ok(rules.clone());
    assert!(further(&full).kept);
    let early = decide(&full).unwrap();
    assert_eq!((early.record.phase, early.act), (Phase::Discarding, None));
    full.more.kept = Some(Ok(what_was_kept()));
    let next = decide(&full).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::Draining, Reason::MakingRoom)
    );
    assert_eq!(next.record.side(), Side::MakingRoom);
    assert_eq!(next.record.room.as_ref().unwrap().kept, what_was_kept());
    assert_eq!(
        next.record.kept(),
        None,
        "as long as the server is there it is asked"
    );
    // a zone that is left comes first, and whether a volume is there is read before
    let mut elsewhere = had_no_host(None);
    elsewhere.pool = Ok(rules);
    for (shut, tried) in [(&[][..], "az-2"), (&["az-2"], "az-3")] {
        elsewhere.more.bound = Some(barred(shut));
        assert!(!further(&elsewhere).kept);
        let next = decide(&elsewhere).unwrap();
        assert_eq!(
            next.record.replacement.unwrap().zone.as_deref(),
            Some(tried)
        );
    }
    elsewhere.more.bound = None;
    assert!(!further(&elsewhere).kept && !further(&elsewhere).zones.is_empty());
    elsewhere.more.bound = Some(barred(&["az-2", "az-3"]));
    assert!(further(&elsewhere).kept, "when all others are shut");
}

/// What was read for it makes the next one necessary, within one look.
#[test]
fn a_name_is_read_for_the_next_try_where_what_is_needed_cannot_be() {
    let mut full = had_no_host(None);
    full.pool.as_mut().unwrap().no_capacity = NoCapacity::TerminateFirst;
    (full.more.bound, full.more.name, full.now) = (None, None, at(90 + 300));
    assert!(!further(&full).zones.is_empty());
    full.more.bound = Some(barred(&["az-2", "az-3"]));
    assert!(further(&full).kept);
    full.more.kept = Some(Err("the cloud is away".to_owned()));
    assert!(further(&full).name);
}

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

/// What would not make a server is no reason to end one; the next try beside it comes as ever.
#[test]
fn it_is_not_begun_where_replacements_are_known_to_fail_or_what_is_needed_cannot_be_read() {
    let full = || {
        let mut full = had_no_host(Some("az-3"));
        full.pool = Ok(first());
        full.more.kept = Some(Ok(what_was_kept()));
        full
    };
    assert_eq!(decide(&full()).unwrap().record.phase, Phase::Draining);
    let mut stopped = full();
    stopped.hands.no_creates = Some("3 of the pool's have failed".to_owned());
    let mut failed = full();
    let earlier = Tried {
        reason: Reason::JoinOverdue,
        ..failed.record.tried[0].clone()
    };
    failed.record.tried.insert(0, earlier);
    let mut short = full();
    short.hands.no_room = Some("the server of worker-9 has gone first".to_owned());
    let mut unread = full();
    unread.more.kept = Some(Err("the cloud is away".to_owned()));
    for (mut seen, why) in [
        (stopped, "3 of the pool's"),
        (failed, "has failed"),
        (short, "worker-9"),
        (unread, "the cloud is away"),
    ] {
        let next = decide(&seen).unwrap();
        assert_eq!(
            (next.record.phase, next.reason),
            (Phase::Discarding, Reason::NoHost)
        );
        assert!(next.detail.contains(why), "{}", next.detail);
        seen.now = at(90 + 300);
        assert_eq!(
            decide(&seen).unwrap().record.phase,
            Phase::CreatingPorts,
            "{why}"
        );
    }
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
    short.hands.no_room = Some(String::new());
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

type Change = fn(&mut Seen);

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
