//! A person's hand: what it undid is not done again, what nobody could do is shown to it, and its word moves it on.

use super::*;
use crate::policy::Outcome;

fn failed(second: i64) -> Tried {
    Tried {
        rung: Rung::Replace,
        since: at(second),
        outcome: Outcome::Failed,
        reason: Reason::JoinOverdue,
    }
}

#[test]
fn what_a_person_uncordoned_is_not_cordoned_again_for_the_same_problem() {
    let judging = Seen {
        node: Some(node()),
        advice: advised(Remedy::Replace),
        archive: vec![uncordoned(0)],
        ..seen(Phase::Judging)
    };
    let judging = Seen {
        record: Record {
            rung: None,
            ..judging.record.clone()
        },
        ..judging
    };
    let next = decide(&judging).unwrap();
    assert_eq!((next.act, next.reason), (None, Reason::Vetoed));
    assert!(next.record.message.contains("until"), "it says until when");

    let mut lifted = judging.clone();
    lifted.request.retry = Some("1".to_owned());
    let next = decide(&lifted).unwrap();
    assert_eq!((next.act, next.reason), (None, Reason::RetryAsked));
    lifted.record = next.record;
    assert_eq!(decide(&lifted).unwrap().act, Some(Act::Cordon));
    let mut asked = judging;
    asked.request.requested_by = RequestedBy::Operator;
    assert_eq!(decide(&asked).unwrap().act, Some(Act::Cordon));
}

#[test]
fn a_person_who_uncordons_during_a_reboot_gets_no_replacement_instead() {
    for phase in [Phase::Judging, Phase::NeedsHuman] {
        let given_back = Seen {
            node: Some(node()),
            advice: advised(Remedy::Replace),
            ..seen(phase)
        };
        let next = decide(&given_back).unwrap();
        assert_eq!(
            (next.record.phase, next.reason),
            (Phase::RollingBack, Reason::Uncordoned),
            "{phase:?}"
        );
    }
}

#[test]
fn the_last_failed_attempt_ends_at_a_person_and_the_cordon_stays() {
    let mut discarding = with_replacement(seen(Phase::Discarding), |_| {});
    discarding.record.tried = vec![failed(1), failed(2)];
    let next = decide(&discarding).unwrap();
    assert_eq!(next.record.phase, Phase::CreatingPorts);
    let second = next.record.replacement.as_ref().unwrap();
    assert_eq!(second.attempt, 2);
    assert_eq!(second.name, NEW);
    assert_eq!(second.tag, "rectifier-repair-uid-2");
    discarding.record.tried.push(failed(3));
    let next = decide(&discarding).unwrap();
    assert_eq!(
        (next.record.phase, next.reason, next.act),
        (Phase::NeedsHuman, Reason::AttemptsUsedUp, None)
    );
    let asked = Seen {
        record: next.record,
        ..discarding
    };
    let next = decide(&asked).unwrap();
    assert_eq!((next.record.phase, next.act), (Phase::NeedsHuman, None));
}

#[test]
fn replacements_that_failed_in_earlier_repairs_are_not_tried_for_ever() {
    let earlier = Archived {
        reason: Some(Reason::ProblemCleared),
        tried: vec![failed(1), failed(2), failed(3)],
        ..uncordoned(50)
    };
    let judging = Seen {
        advice: advised(Remedy::Replace),
        archive: vec![earlier],
        ..seen(Phase::Judging)
    };
    let next = decide(&judging).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::NeedsHuman, Reason::AttemptsUsedUp)
    );
}

#[test]
fn a_replacement_that_was_called_off_is_no_failed_one() {
    let mut cleared = seen(Phase::RollingBack);
    cleared.node = Some(node());
    cleared.record.tried = vec![Tried {
        outcome: Outcome::Running,
        ..failed(1)
    }];
    let next = decide(&cleared).unwrap();
    assert_eq!(next.record.phase, Phase::Cancelled);
    assert_eq!(next.record.tried[0].outcome, Outcome::Refused);
}

#[test]
fn a_reboot_that_was_tried_in_an_earlier_repair_is_not_granted_again() {
    let rebooted = Tried {
        rung: Rung::Reboot,
        outcome: Outcome::Recovered,
        ..failed(1)
    };
    let mut judging = seen(Phase::Judging);
    judging.request.asks = Asks::Reboot;
    judging.advice = advised(Remedy::Escalate);
    assert_eq!(decide(&judging).unwrap().record.rung, Some(Rung::Reboot));
    judging.archive = vec![Archived {
        phase: Phase::Recovered,
        tried: vec![rebooted],
        ..uncordoned(50)
    }];
    let next = decide(&judging).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::NeedsHuman, Reason::PolicyEscalated),
        "the policies are asked instead"
    );
}

#[test]
fn a_persons_word_moves_a_repair_on_once() {
    let mut asked = seen(Phase::NeedsHuman);
    asked.request.retry = Some("1".to_owned());
    let next = decide(&asked).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::Judging, Reason::RetryAsked)
    );
    asked.record = Record {
        phase: Phase::NeedsHuman,
        ..next.record
    };
    assert_eq!(decide(&asked).unwrap().record.phase, Phase::NeedsHuman);

    let mut committed = seen(Phase::NeedsHuman);
    committed.record.committed_at = Some(at(50));
    committed.request.retry = Some("1".to_owned());
    assert_eq!(decide(&committed).unwrap().record.phase, Phase::Committed);
}

#[test]
fn after_the_commit_a_person_is_asked_and_nothing_is_taken_back() {
    for node in [None, Some(node()), Some(cordoned(Some(REPAIR_UID)))] {
        let mut stuck = Seen {
            node,
            problem: gone(9999),
            ..seen(Phase::NeedsHuman)
        };
        stuck.record.committed_at = Some(at(50));
        stuck.request.withdrawn = true;
        let next = decide(&stuck).unwrap();
        assert_eq!((next.record.phase, next.act), (Phase::NeedsHuman, None));
    }
}
