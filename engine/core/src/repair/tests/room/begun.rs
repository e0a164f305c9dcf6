//! When a server goes first, and when not.

use super::*;

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
    let mut next = full();
    next.hands.short = Some(another(false));
    let mut unread = full();
    unread.more.kept = Some(Err("the cloud is away".to_owned()));
    for (mut seen, why) in [
        (stopped, "3 of the pool's"),
        (failed, "has failed"),
        (next, "worker-9 is about to"),
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

/// What its end has set free is not taken by the next try for a node that still has its server.
#[test]
fn the_room_is_for_the_one_whose_server_has_gone() {
    let mut full = had_no_host(None);
    full.now = at(90 + 300);
    let mut judging = Seen {
        node: Some(node()),
        advice: advised(Remedy::Replace),
        ..seen(Phase::Judging)
    };
    judging.record.rung = None;
    for mut waits in [full, seen(Phase::Cordoning), judging] {
        let phase = waits.record.phase;
        waits.hands.short = Some(another(true));
        let next = decide(&waits).unwrap();
        assert_eq!(
            (next.record.phase, next.reason, next.act),
            (phase, Reason::RoomOfAnother, None)
        );
        assert!(next.detail.contains("worker-9"), "{}", next.detail);
        let with_a_person = Short {
            is_a_persons: true,
            ..another(true)
        };
        for other in [another(false), with_a_person] {
            waits.hands.short = Some(other);
            let next = decide(&waits).unwrap();
            assert_ne!(next.record.phase, phase, "{:?}", next.reason);
        }
    }
    // nor by one that is on its way to a server
    for phase in [Phase::CreatingPorts, Phase::CreatingServer] {
        let mut made = with_replacement(seen(phase), |_| {});
        made.record.tried = had_no_host(None).record.tried;
        made.hands.short = Some(another(true));
        edit(&mut made, |view| view.replacements.clear());
        made.now = at(90 + 300);
        let next = decide(&made).unwrap();
        assert_eq!(
            (next.record.phase, next.reason),
            (Phase::Discarding, Reason::NoHost),
            "{phase:?}"
        );
        assert!(crate::repair::history::had_no_room(
            next.record.tried.last().unwrap()
        ));
    }
    let mut own = gone_for_good(made(Phase::DeletingServer));
    own.hands.short = Some(another(true));
    let next = decide(&own).unwrap();
    assert_eq!(next.record.phase, Phase::CreatingPorts, "its own is gone");
}
