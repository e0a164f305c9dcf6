//! The hands of people, and of others who keep nodes: the stop switch, pauses, approvals, rejections, deletions, owners, turns.

mod storms;
mod words;

use super::*;
use crate::policy::{Advice, Outcome};

/// A repair that would begin a replacement now.
fn ready_to_begin() -> Seen {
    let mut judging = Seen {
        node: Some(node()),
        advice: advised(Remedy::Replace),
        ..seen(Phase::Judging)
    };
    judging.record.rung = None;
    judging
}

/// In each phase that has an intrusive step: a look in which that step is next.
pub(super) fn about_to_act() -> Vec<Seen> {
    let replacement = super::super::attempts::attempt(&seen(Phase::Joining), 1, NEW.to_owned());
    let with_attempt = |phase, view: CloudView| {
        let mut seen = seen(phase);
        seen.record.replacement = Some(replacement.clone());
        seen.cloud = CloudSeen::Fresh(view);
        seen
    };
    let view = CloudView {
        server: Some(server(OLD, NODE)),
        ports_wanted: 1,
        ..CloudView::default()
    };
    let pod = super::pod("web");
    let cordoning = Seen {
        node: Some(node()),
        ..seen(Phase::Cordoning)
    };
    let mut draining_for_a_reboot = seen(Phase::RebootDraining);
    draining_for_a_reboot.record.rung = Some(Rung::Reboot);
    draining_for_a_reboot.pods = Some(vec![pod.clone()]);
    let mut offering = draining_for_a_reboot.clone();
    offering.pods = Some(Vec::new());
    let mut posting = with_attempt(Phase::CreatingServer, view.clone());
    posting.now = at(1000);
    posting.record.since = Some(at(950));
    let mut all = vec![
        ready_to_begin(),
        cordoning,
        draining_for_a_reboot,
        offering,
        with_attempt(Phase::CreatingPorts, view),
        posting,
    ];
    all.extend(super::committed::about_to_act(&pod));
    all
}

#[test]
fn the_stop_switch_and_a_pause_hold_every_intrusive_step_in_every_phase() {
    let stopped = |seen: &mut Seen| seen.hands.stop = Stop::Stopped("fire".to_owned());
    let unreadable = |seen: &mut Seen| seen.hands.stop = Stop::Unreadable("403".to_owned());
    let pool = |seen: &mut Seen| seen.hands.pool_paused = Some("fire".to_owned());
    let node = |seen: &mut Seen| {
        let node = seen.node.as_mut().unwrap();
        node.annotations
            .insert(PAUSED.to_owned(), "fire".to_owned());
    };
    type Hand = fn(&mut Seen);
    let hands: [(Hand, Reason); 4] = [
        (stopped, Reason::Stopped),
        (unreadable, Reason::StopUnreadable),
        (pool, Reason::Paused),
        (node, Reason::Paused),
    ];
    let phases: Vec<Phase> = about_to_act()
        .iter()
        .map(|seen| seen.record.phase)
        .collect();
    for phase in [
        Phase::Judging,
        Phase::Cordoning,
        Phase::RebootDraining,
        Phase::CreatingPorts,
        Phase::CreatingServer,
        Phase::Joining,
        Phase::Committed,
        Phase::Draining,
        Phase::DeletingServer,
        Phase::DeletingNode,
    ] {
        assert!(phases.contains(&phase), "{phase:?} has an intrusive step");
    }
    for free in about_to_act() {
        let acts = decide(&free).unwrap();
        let phase = free.record.phase;
        let intrusive = acts.act.as_ref().is_some_and(Act::is_intrusive);
        assert!(
            intrusive || acts.grants(&free.record),
            "{phase:?}: {acts:?}"
        );
        for (hand, reason) in hands {
            let mut held = free.clone();
            hand(&mut held);
            let next = decide(&held).unwrap();
            assert_eq!((next.act, next.reason), (None, reason), "{phase:?}");
            assert_eq!(next.record.phase, phase);
            assert_eq!(next.record.halted_at, Some(held.now));
        }
    }
}

#[test]
fn what_is_ours_is_taken_back_under_the_stop_switch_too() {
    let mut rolling = seen(Phase::RollingBack);
    rolling.hands.stop = Stop::Stopped(String::new());
    assert_eq!(decide(&rolling).unwrap().act, Some(Act::Uncordon));
}

fn offered() -> Seen {
    let mut offered = seen(Phase::GrantOffered);
    offered.record.grant = Some(Grant {
        id: "grant".to_owned(),
        boot_id: "boot-1".to_owned(),
        node_uid: NODE_UID.to_owned(),
        until: at(150),
    });
    offered.record.tried = vec![Tried {
        rung: Rung::Reboot,
        since: at(90),
        outcome: crate::policy::Outcome::Running,
        reason: Reason::GrantOffered,
    }];
    offered
}

#[test]
fn an_offered_reboot_is_taken_back_when_a_person_halts_us_and_is_no_try() {
    let mut offered = offered();
    offered.hands.stop = Stop::Stopped(String::new());
    let next = decide(&offered).unwrap();
    assert_eq!(
        (next.record.phase, next.reason, next.record.grant),
        (Phase::Judging, Reason::Stopped, None)
    );
    assert!(next.record.tried.is_empty());
    // accepted before: the node may be going down already
    offered.request.accepted_grant = Some("grant".to_owned());
    assert_eq!(
        decide(&offered).unwrap().record.phase,
        Phase::Rebooting,
        "what was accepted is awaited"
    );
}

#[test]
fn the_time_of_a_pause_counts_for_no_deadline() {
    let halt = |seen: &mut Seen| seen.hands.pool_paused = Some(String::new());
    for mut late in about_to_act()
        .into_iter()
        .filter(|seen| [Phase::Draining, Phase::CreatingPorts].contains(&seen.record.phase))
    {
        let phase = late.record.phase;
        halt(&mut late);
        late.record = decide(&late).unwrap().record;
        late.now = at(50_000);
        let next = decide(&late).unwrap();
        assert_eq!((next.record.phase, next.reason), (phase, Reason::Paused));
        late.record = next.record;
        // it goes on, and has all of its time
        late.hands = Hands::default();
        late.now = at(50_100);
        let next = decide(&late).unwrap();
        assert!(next.act.is_some(), "{phase:?}: {next:?}");
        assert_eq!(next.record.resumed_at, Some(at(50_100)));
        assert_eq!(next.record.halted_at, None);
        late.record = next.record;
        late.now = at(50_100 + 3600);
        let next = decide(&late).unwrap();
        assert_ne!(next.record.phase, phase, "and no more");
    }
}

#[test]
fn what_can_wait_begins_in_a_window_and_goes_on_after_it() {
    let mut judging = ready_to_begin();
    judging.hands.window = Some("the next one opens at ten".to_owned());
    judging.request.requested_by = RequestedBy::NodeEngine;
    let waits = decide(&judging).unwrap();
    assert_eq!((waits.act, waits.reason), (None, Reason::AwaitingWindow));
    assert_eq!(waits.record.phase, Phase::Judging);
    assert!(waits.record.message.contains("at ten"));
    // nobody else is kept from the node until the next one
    judging.request.requested_by = RequestedBy::Conditions;
    let over = decide(&judging).unwrap();
    assert_eq!(
        (over.record.phase, over.reason),
        (Phase::Cancelled, Reason::AwaitingWindow)
    );
    // an approval may come between windows, and a person's word is not forgotten
    let mut asks = judging.clone();
    asks.pool.as_mut().unwrap().approves = true;
    let mut again = judging.clone();
    again.record.retried_at = Some(at(70));
    for kept in [asks, again] {
        let waits = decide(&kept).unwrap();
        assert_eq!(waits.record.phase, Phase::Judging);
        assert_eq!(waits.reason, Reason::AwaitingWindow);
    }
    // but what was tried in vain is remembered
    judging.record.tried = vec![Tried {
        rung: Rung::Reboot,
        since: at(80),
        outcome: Outcome::NoEffect,
        reason: Reason::NoEffect,
    }];
    assert_eq!(decide(&judging).unwrap().record.phase, Phase::Judging);
    judging.record.tried.clear();
    // a rung was tried, and its cordon stands
    let mut begun = judging.clone();
    begun.record.rung = Some(Rung::Reboot);
    begun.node = Some(cordoned(Some(REPAIR_UID)));
    assert_ne!(decide(&begun).unwrap().reason, Reason::AwaitingWindow);
    judging.request.wants = Some(Rung::Replace);
    judging.request.requested_by = RequestedBy::Operator;
    assert_eq!(decide(&judging).unwrap().act, Some(Act::Cordon));
}

/// The control plane opened it, and no policy says what is to be done.
fn unanswered() -> Seen {
    let mut judging = ready_to_begin();
    judging.request.requested_by = RequestedBy::Conditions;
    judging.request.asks = Asks::Escalate;
    judging.advice = Some(Advice::None);
    judging
}

#[test]
fn when_the_policies_are_taken_back_so_is_what_was_opened_for_them() {
    let mut judging = unanswered();
    // all of them declined: one of them may not at its next look
    let waits = decide(&judging).unwrap();
    assert_eq!(
        (waits.record.phase, waits.reason),
        (Phase::Judging, Reason::NoPolicy)
    );
    judging.withdrawn = true;
    let over = decide(&judging).unwrap();
    assert_eq!(
        (over.record.phase, over.reason, over.act),
        (Phase::Cancelled, Reason::NoPolicy, None)
    );
    // what a policy called a person for is none of theirs any more; what the machine is in stays theirs
    for (reason, phase) in [
        (Reason::PolicyEscalated, Phase::Cancelled),
        (Reason::PolicyFailed, Phase::Cancelled),
        (Reason::PolicyDecided, Phase::Cancelled),
        (Reason::PreflightRefused, Phase::Cancelled),
        (Reason::ServerUnknown, Phase::Cancelled),
        (Reason::StoppedByOther, Phase::NeedsHuman),
        (Reason::HostUnreachable, Phase::NeedsHuman),
    ] {
        let mut called = judging.clone();
        called.record.phase = Phase::NeedsHuman;
        called.record.reason = Some(reason);
        let next = decide(&called).unwrap();
        assert_eq!(next.record.phase, phase, "{reason:?}");
        called.withdrawn = false;
        assert_eq!(decide(&called).unwrap().record.phase, Phase::NeedsHuman);
    }
}

#[test]
fn what_was_done_or_said_is_not_forgotten_when_the_policies_are_taken_back() {
    let mut judging = unanswered();
    judging.withdrawn = true;
    let tried = Tried {
        rung: Rung::Reboot,
        since: at(80),
        outcome: Outcome::NoEffect,
        reason: Reason::NoEffect,
    };
    let but: [fn(&mut Seen, Tried); 6] = [
        |seen, _| seen.request.requested_by = RequestedBy::NodeEngine,
        |seen, _| seen.request.requested_by = RequestedBy::Operator,
        |seen, tried| seen.record.tried = vec![tried],
        |seen, _| seen.record.retried_at = Some(at(70)),
        |seen, _| seen.hands.approve = Some("Replace-1".to_owned()),
        |seen, _| {
            seen.hands.spoken = vec![Spoken {
                hand: Hand::ConfirmDead,
                words: OLD.to_owned(),
                by: None,
            }];
        },
    ];
    for (number, but) in but.into_iter().enumerate() {
        let mut kept = judging.clone();
        but(&mut kept, tried.clone());
        let next = decide(&kept).unwrap();
        assert_eq!(
            (next.record.phase, next.reason),
            (Phase::Judging, Reason::NoPolicy),
            "{number}"
        );
    }
    // a rung was tried, and its cordon stands
    let mut begun = judging.clone();
    begun.record.rung = Some(Rung::Reboot);
    begun.node = Some(cordoned(Some(REPAIR_UID)));
    assert_eq!(decide(&begun).unwrap().record.phase, Phase::Judging);
}

/// The phases from which everything is taken back.
const BEFORE_COMMIT: [Phase; 6] = [
    Phase::Cordoning,
    Phase::RebootDraining,
    Phase::GrantOffered,
    Phase::CreatingPorts,
    Phase::CreatingServer,
    Phase::Joining,
];

#[test]
fn while_another_repair_of_the_pool_runs_none_begins() {
    let mut judging = ready_to_begin();
    judging.hands.turn = Turn::Waits(Reason::AnotherRepairRuns, "worker-2".to_owned());
    let next = decide(&judging).unwrap();
    assert_eq!((next.act, next.reason), (None, Reason::AnotherRepairRuns));
    assert!(next.record.message.contains("worker-2"));
    assert_eq!(next.record.phase, Phase::Judging);
    judging.hands.turn = Turn::Free;
    let next = decide(&judging).unwrap();
    assert!(next.begins(&judging.record));
}
