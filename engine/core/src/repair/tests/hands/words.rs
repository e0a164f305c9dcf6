//! What a person lets begin, or ends; and another owner's claim.

use super::*;

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
