//! The hands of people, and of others who keep nodes: the stop switch, pauses, approvals, rejections, deletions, owners, turns.

use super::*;
use crate::policy::Outcome;

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
    let replacement = super::super::replace::attempt(&seen(Phase::Joining), 1, NEW.to_owned());
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
fn a_storm_holds_every_intrusive_step_before_the_commit_and_none_after_it() {
    for free in about_to_act() {
        let phase = free.record.phase;
        let acts = decide(&free).unwrap();
        let mut stormy = free.clone();
        stormy.hands.storm = Some((Reason::BreakerOpen, "31 of 100".to_owned()));
        let next = decide(&stormy).unwrap();
        if free.record.committed_at.is_some() {
            assert_eq!(next, acts, "{phase:?}");
            continue;
        }
        assert_eq!(
            (&next.act, next.reason),
            (&None, Reason::BreakerOpen),
            "{phase:?}"
        );
        assert_eq!(next.record.phase, phase);
        assert!(next.record.message.ends_with("31 of 100"));
        let rests = free.record.rung.is_some() && phase != Phase::HardRebooting;
        assert_eq!(next.record.halted_at.is_some(), rests, "{phase:?}");
        // who asks for one node's repair has looked
        stormy.request.requested_by = RequestedBy::Operator;
        let mut asked = free.clone();
        asked.request.requested_by = RequestedBy::Operator;
        assert_eq!(
            decide(&stormy).unwrap(),
            decide(&asked).unwrap(),
            "{phase:?}"
        );
    }
}

#[test]
fn a_replacement_that_joins_in_a_storm_is_neither_committed_nor_late() {
    let all = about_to_act();
    let mut joining = all
        .into_iter()
        .find(|seen| seen.record.phase == Phase::Joining)
        .unwrap();
    joining.record.rung = Some(Rung::Replace);
    if let CloudSeen::Fresh(view) = &mut joining.cloud {
        view.replacement_node = None;
    }
    let late = joining.now + crate::clock::SignedDuration::from_secs(100_000);
    (joining.now, joining.watched) = (late, 100_000);
    assert_ne!(decide(&joining).unwrap().record.phase, Phase::Joining);
    joining.hands.storm = Some((Reason::BreakerOpen, String::new()));
    let held = decide(&joining).unwrap();
    assert_eq!(
        (held.record.phase, held.record.halted_at, held.act),
        (Phase::Joining, Some(late), None)
    );
    joining.hands.storm = None;
    joining.record = held.record;
    let next = decide(&joining).unwrap();
    assert_eq!(
        (next.record.phase, next.record.resumed_at),
        (Phase::Joining, Some(late)),
        "its time begins anew"
    );
}

#[test]
fn a_node_that_is_well_after_its_boot_is_let_go_in_a_storm() {
    let mut settling = seen(Phase::Settling);
    settling.record.rung = Some(Rung::Reboot);
    settling.problem = ProblemSeen::Cleared {
        held: 10_000,
        doubt: None,
    };
    settling.node.as_mut().unwrap().unschedulable = true;
    settling.node.as_mut().unwrap().cordoned_by = Some(settling.repair_uid.clone());
    settling.now += crate::clock::SignedDuration::from_secs(10_000);
    let calm = decide(&settling).unwrap();
    assert_ne!(calm.record.phase, Phase::Settling);
    settling.hands.storm = Some((Reason::BreakerOpen, String::new()));
    assert_eq!(decide(&settling).unwrap(), calm);
}

#[test]
fn an_offered_reboot_is_taken_back_in_a_storm() {
    let mut offered = offered();
    offered.hands.storm = Some((Reason::BreakerOpen, String::new()));
    let next = decide(&offered).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::Judging, Reason::BreakerOpen)
    );
    assert_eq!((next.record.grant, next.record.tried), (None, Vec::new()));
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

#[test]
fn a_pool_in_mode_approve_waits_for_the_very_rung() {
    let mut judging = ready_to_begin();
    judging.pool.as_mut().unwrap().approves = true;
    let asked = decide(&judging).unwrap();
    assert_eq!((asked.act, asked.reason), (None, Reason::AwaitingApproval));
    let command =
        "kubectl annotate noderepair worker-1.repair --overwrite rectifier.dev/approve=Replace-1";
    assert!(
        asked.record.message.contains(command),
        "{}",
        asked.record.message
    );
    for other in ["Reboot-1", "Replace-2", "Replace", "", "true"] {
        judging.hands.approve = Some(other.to_owned());
        let next = decide(&judging).unwrap();
        assert_eq!((next.act, next.reason), (None, Reason::AwaitingApproval));
        assert!(next.record.message.contains("is not Replace-1"), "{other}");
    }
    judging.hands.approve = Some("Replace-1".to_owned());
    let next = decide(&judging).unwrap();
    assert_eq!(next.act, Some(Act::Cordon));
    assert_eq!(next.record.pool.as_deref(), Some("web"));
    // what was tried since needs a word of its own
    judging.record.tried = vec![Tried {
        rung: Rung::Reboot,
        since: at(10),
        outcome: crate::policy::Outcome::NoEffect,
        reason: Reason::NoEffect,
    }];
    let next = decide(&judging).unwrap();
    assert_eq!((next.act, next.reason), (None, Reason::AwaitingApproval));
    assert!(next.record.message.contains("Replace-2"));
}

#[test]
fn a_reboot_needs_an_approval_too() {
    let mut judging = ready_to_begin();
    judging.request.asks = Asks::Reboot;
    judging.pool.as_mut().unwrap().approves = true;
    let next = decide(&judging).unwrap();
    assert!(next.record.message.contains("approve=Reboot-1"));
    judging.hands.approve = Some("Reboot-1".to_owned());
    assert_eq!(decide(&judging).unwrap().record.rung, Some(Rung::Reboot));
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

fn called_off_by(hand: impl Fn(&mut Seen), reason: Reason) {
    for phase in BEFORE_COMMIT
        .into_iter()
        .chain([Phase::Judging, Phase::NeedsHuman])
    {
        let mut taken = seen(phase);
        taken.record.grant = (phase == Phase::GrantOffered).then(|| Grant {
            id: "grant".to_owned(),
            boot_id: "boot-1".to_owned(),
            node_uid: NODE_UID.to_owned(),
            until: at(1000),
        });
        hand(&mut taken);
        let next = decide(&taken).unwrap();
        assert_eq!(
            (next.record.phase, next.reason),
            (Phase::RollingBack, reason),
            "{phase:?}"
        );
        // the word is still known at the end
        taken.record = next.record;
        taken.node = Some(node());
        taken.cloud = CloudSeen::Fresh(CloudView::default());
        let next = decide(&taken).unwrap();
        assert_eq!((next.record.phase, next.reason), (Phase::Cancelled, reason));
    }
    for phase in [
        Phase::Committed,
        Phase::Draining,
        Phase::DeletingServer,
        Phase::DeletingNode,
        Phase::NeedsHuman,
    ] {
        let mut taken = seen(phase);
        taken.record.committed_at = Some(at(50));
        hand(&mut taken);
        let next = decide(&taken).unwrap();
        assert!(
            next.record.phase.fits(Side::Committed),
            "{phase:?}: {next:?}"
        );
        assert_ne!(next.reason, reason, "{phase:?}");
    }
}

#[test]
fn a_rejection_takes_everything_back_before_the_commit_and_nothing_after_it() {
    called_off_by(
        |seen| seen.hands.reject = Some("not now".to_owned()),
        Reason::Rejected,
    );
    for phase in [Phase::HealingInNode, Phase::Judging] {
        let mut untouched = ready_to_begin();
        untouched.record.phase = phase;
        untouched.hands.reject = Some("not now".to_owned());
        let next = decide(&untouched).unwrap();
        assert_eq!(
            (next.record.phase, next.reason),
            (Phase::Cancelled, Reason::Rejected)
        );
        assert!(next.record.message.contains("not now"));
    }
}

#[test]
fn what_a_person_rejected_is_not_begun_again_for_a_day() {
    let mut judging = ready_to_begin();
    judging.archive = vec![Archived {
        reason: Some(Reason::Rejected),
        ..uncordoned(0)
    }];
    let next = decide(&judging).unwrap();
    assert_eq!((next.act, next.reason), (None, Reason::Vetoed));
}

#[test]
fn a_deletion_takes_everything_back_before_the_commit_and_waits_after_it() {
    called_off_by(|seen| seen.hands.deleted = true, Reason::Deleted);
    let mut waits = seen(Phase::Draining);
    waits.hands.deleted = true;
    waits.cloud = CloudSeen::Unavailable("down".to_owned());
    let next = decide(&waits).unwrap();
    assert!(
        next.record.message.ends_with("until it is over"),
        "{next:?}"
    );
    waits.record = next.record;
    let again = decide(&waits).unwrap();
    assert_eq!(again.record, waits.record, "said once");
    waits.hands.deleted = false;
    waits.hands.reject = Some(String::new());
    let message = decide(&waits).unwrap().record.message;
    assert!(message.ends_with("rejected too late: its replacement is committed"));
}

#[test]
fn a_deletion_is_no_veto() {
    let mut judging = ready_to_begin();
    judging.archive = vec![Archived {
        reason: Some(Reason::Deleted),
        ..uncordoned(0)
    }];
    assert_eq!(decide(&judging).unwrap().act, Some(Act::Cordon));
}

#[test]
fn another_owner_keeps_us_away_and_ends_what_we_have_begun() {
    let own = |seen: &mut Seen| {
        let node = seen.node.as_mut().unwrap();
        node.taints
            .push("ToBeDeletedByClusterAutoscaler=1767225600:NoSchedule".to_owned());
    };
    called_off_by(own, Reason::OwnedByOther);
    let mut begun = seen(Phase::RebootDraining);
    own(&mut begun);
    let message = decide(&begun).unwrap().record.message;
    assert!(message.contains("cluster-autoscaler"), "{message}");
    let mut judging = ready_to_begin();
    own(&mut judging);
    let next = decide(&judging).unwrap();
    assert_eq!(
        (next.act.clone(), next.reason),
        (None, Reason::OwnedByOther)
    );
    assert!(
        next.record.message.contains("cluster-autoscaler"),
        "{next:?}"
    );
    judging.pool.as_mut().unwrap().ignores = vec![NodeOwner::ClusterAutoscaler];
    assert_eq!(decide(&judging).unwrap().act, Some(Act::Cordon));
}

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

#[test]
fn only_after_the_commit_and_only_once_is_a_word_told_to_be_too_late() {
    let rejected = |phase, committed: Option<i64>| {
        let mut seen = seen(phase);
        seen.record.committed_at = committed.map(at);
        seen.hands.reject = Some(String::new());
        seen.cloud = CloudSeen::Unavailable("down".to_owned());
        seen
    };
    let message = |seen: &Seen| decide(seen).unwrap().record.message;
    let discarding = with_replacement(rejected(Phase::RollingBack, None), |_| {});
    assert_eq!(decide(&discarding).unwrap().act, None);
    assert!(!message(&discarding).contains("too late"));
    let over = rejected(Phase::Replaced, Some(50));
    assert_eq!(message(&over), "", "it is over");
    let mut resting = rejected(Phase::NeedsHuman, Some(50));
    let said = message(&resting);
    assert!(said.ends_with("too late: its replacement is committed"));
    resting.record.message = said.clone();
    assert_eq!(message(&resting), said);
}
