//! What a person wants done is done, and nothing else; and what they said stands on the repair.

use super::*;
use crate::policy::Outcome;

/// A person wants this done to a node about which nothing is reported.
fn wanted(rung: Rung) -> Seen {
    let mut wanted = Seen {
        node: Some(node()),
        problem: ProblemSeen::NotReported,
        ..seen(Phase::Judging)
    };
    wanted.request.requested_by = RequestedBy::Operator;
    wanted.request.wants = Some(rung);
    wanted.record.rung = None;
    wanted
}

fn tried(rung: Rung, outcome: Outcome, reason: Reason) -> Tried {
    Tried {
        rung,
        since: at(80),
        outcome,
        reason,
    }
}

#[test]
fn what_a_person_wants_is_begun_without_a_policy_and_whatever_is_reported() {
    for rung in [Rung::Reboot, Rung::HardReboot, Rung::Replace] {
        for problem in [
            ProblemSeen::There,
            ProblemSeen::NotReported,
            ProblemSeen::Stale,
            ProblemSeen::Cleared {
                held: 9999,
                doubt: None,
            },
        ] {
            let next = decide(&Seen {
                problem,
                ..wanted(rung)
            })
            .unwrap();
            assert_eq!(
                (next.act, next.reason),
                (Some(Act::Cordon), Reason::PersonAsked),
                "{rung:?} {problem:?}"
            );
            assert_eq!(next.record.rung, Some(rung));
        }
    }
}

#[test]
fn a_node_that_its_engine_healed_is_replaced_all_the_same() {
    let mut healed = wanted(Rung::Replace);
    healed.request.requested_by = RequestedBy::NodeEngine;
    healed.request.withdrawn = true;
    assert_eq!(decide(&healed).unwrap().act, Some(Act::Cordon));
    healed.request.wants = None;
    assert_eq!(decide(&healed).unwrap().record.phase, Phase::Recovered);
}

#[test]
fn a_node_that_its_engine_still_heals_is_taken_over_when_a_person_wants_something() {
    let mut healing = seen(Phase::HealingInNode);
    healing.request.asks = Asks::InNode;
    let next = decide(&healing).unwrap();
    assert_eq!(next.record.phase, Phase::HealingInNode);
    healing.request.wants = Some(Rung::Replace);
    let next = decide(&healing).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::Judging, Reason::PersonAsked)
    );
}

#[test]
fn who_keeps_the_node_and_the_switches_are_stronger() {
    type Hold = fn(&mut Seen);
    let cordoned_by_other: Hold = |seen| seen.node = Some(cordoned(None));
    let stopped: Hold = |seen| seen.hands.stop = Stop::Stopped("fire".to_owned());
    let observed: Hold = |seen| seen.pool.as_mut().unwrap().acts = false;
    let busy: Hold = |seen| {
        let CloudSeen::Fresh(view) = &mut seen.cloud else {
            unreachable!()
        };
        view.server.as_mut().unwrap().locked = true;
    };
    for (hold, reason) in [
        (cordoned_by_other, Reason::CordonedByOther),
        (stopped, Reason::Stopped),
        (observed, Reason::PoolObserves),
        (busy, Reason::ServerBusy),
    ] {
        let mut held = wanted(Rung::Replace);
        hold(&mut held);
        let next = decide(&held).unwrap();
        assert_eq!((next.act, next.reason), (None, reason));
    }
}

#[test]
fn a_pool_that_asks_before_each_rung_asks_nobody_twice() {
    let mut approving = wanted(Rung::Replace);
    approving.pool.as_mut().unwrap().approves = true;
    assert_eq!(decide(&approving).unwrap().act, Some(Act::Cordon));
    // a server that is off is not started first, which nobody asked for
    let CloudSeen::Fresh(view) = &mut approving.cloud else {
        unreachable!()
    };
    view.server.as_mut().unwrap().is_off = true;
    let next = decide(&approving).unwrap();
    assert_eq!(next.record.rung, Some(Rung::Replace));
}

#[test]
fn a_node_that_renews_its_lease_is_rebooted_if_a_person_wants_it() {
    let mut alive = wanted(Rung::HardReboot);
    alive.node.as_mut().unwrap().ready = Status::Unknown;
    alive.heartbeat = Some("now".to_owned());
    alive.record.silence = Some(Silence {
        renewed: Some("before".to_owned()),
        since: at(0),
    });
    assert_eq!(decide(&alive).unwrap().act, Some(Act::Cordon));
    alive.request.wants = None;
    alive.advice = advised(Remedy::Reboot);
    assert_eq!(decide(&alive).unwrap().reason, Reason::KubeletAlive);
}

#[test]
fn what_was_wanted_and_did_not_help_is_not_done_twice_nor_followed_by_another_rung() {
    for (rung, reason, hint) in [
        (Rung::Reboot, Reason::GrantExpired, "HardReboot"),
        (Rung::HardReboot, Reason::BootOverdue, ""),
    ] {
        let mut over = wanted(rung);
        over.node = Some(cordoned(Some(REPAIR_UID)));
        over.record.rung = Some(rung);
        over.record.tried = vec![tried(rung, Outcome::Failed, reason)];
        over.advice = advised(Remedy::Replace);
        let next = decide(&over).unwrap();
        assert_eq!(
            (next.record.phase, next.reason, next.act.clone()),
            (Phase::NeedsHuman, reason, None)
        );
        assert!(next.record.message.contains(hint), "{next:?}");
        // another try is another word
        over.record.retried_at = Some(at(90));
        assert_eq!(decide(&over).unwrap().record.phase, Phase::Cordoning);
    }
}

#[test]
fn a_reboot_that_was_wanted_is_over_when_the_node_is_ready_again() {
    let mut booted = wanted(Rung::Reboot);
    booted.node = Some(cordoned(Some(REPAIR_UID)));
    booted.record.phase = Phase::Settling;
    booted.record.rung = Some(Rung::Reboot);
    booted.record.since = Some(at(0));
    booted.record.tried = vec![tried(Rung::Reboot, Outcome::Running, Reason::GrantOffered)];
    let settle = i64::from(rules().settle);
    let at_second = |second| {
        let mut booted = booted.clone();
        booted.now = at(second);
        booted
    };
    let phase = |seen: &Seen| decide(seen).unwrap().record.phase;
    assert_eq!(phase(&at_second(settle - 1)), Phase::Settling);
    assert_eq!(phase(&at_second(settle)), Phase::Uncordoning);
    let mut down = at_second(settle);
    down.node.as_mut().unwrap().ready = Status::No;
    assert_eq!(phase(&down), Phase::Settling);
    // nobody wanted it: what is not reported is no recovery
    let mut policys = at_second(settle);
    policys.request.wants = None;
    assert_eq!(phase(&policys), Phase::Settling);
}

#[test]
fn what_people_said_is_kept_with_their_names_and_told_once() {
    let approve = |words: &str, by: Option<&str>| Spoken {
        hand: Hand::Approve,
        words: words.to_owned(),
        by: by.map(str::to_owned),
    };
    let mut spoken = wanted(Rung::Replace);
    spoken.hands.spoken = vec![approve("Reboot-1", Some("alice"))];
    let next = decide(&spoken).unwrap();
    let said = |words: &str, by: Option<&str>, second| Said {
        hand: Hand::Approve,
        words: words.to_owned(),
        by: by.map(str::to_owned),
        at: at(second),
    };
    assert_eq!(next.record.said, [said("Reboot-1", Some("alice"), 100)]);
    spoken.record = next.record;
    spoken.now = at(110);
    assert_eq!(decide(&spoken).unwrap().record.said, spoken.record.said);
    // another word takes the first one's place on the object, and not in the record
    spoken.hands.spoken = vec![approve("Replace-2", None)];
    let next = decide(&spoken).unwrap();
    assert_eq!(
        next.record.said,
        [
            said("Reboot-1", Some("alice"), 100),
            said("Replace-2", None, 110)
        ]
    );
}

#[test]
fn what_people_said_is_bounded_and_the_newest_is_kept() {
    let mut spoken = wanted(Rung::Replace);
    for n in 0..40 {
        spoken.hands.spoken = vec![Spoken {
            hand: Hand::Retry,
            words: format!("{n}{}", "x".repeat(300)),
            by: Some("b".repeat(300)),
        }];
        spoken.record = Record {
            said: decide(&spoken).unwrap().record.said,
            ..spoken.record
        };
    }
    let said = &spoken.record.said;
    assert_eq!(said.len(), 32);
    assert!(said[0].words.starts_with("8x") && said[31].words.starts_with("39x"));
    assert_eq!(said[0].words.len(), 256);
    assert_eq!(said[0].by.as_ref().map(String::len), Some(256));
}

#[test]
fn what_a_repair_asks_a_person_to_approve_is_read_from_its_own_words() {
    let mut asking = Seen {
        node: Some(node()),
        advice: advised(Remedy::Replace),
        ..seen(Phase::Judging)
    };
    asking.record.rung = None;
    asking.record.tried = vec![tried(Rung::HardReboot, Outcome::NoEffect, Reason::NoEffect)];
    asking.pool.as_mut().unwrap().approves = true;
    let replace = Some((Rung::Replace, "Replace-2".to_owned()));
    assert_eq!(approval_asked(&decide(&asking).unwrap().record), replace);
    asking.hands.approve = Some("Replace-1".to_owned());
    let record = decide(&asking).unwrap().record;
    assert_eq!(record.reason, Some(Reason::AwaitingApproval));
    assert_eq!(approval_asked(&record), replace);
    asking.hands.approve = Some("Replace-2".to_owned());
    assert_eq!(approval_asked(&decide(&asking).unwrap().record), None);
}

/// A replacement that only has to be committed.
fn joining() -> Seen {
    let looks = super::hands::about_to_act();
    let mut looks = looks.into_iter();
    let mut joining = looks
        .find(|seen| seen.record.phase == Phase::Joining)
        .unwrap();
    joining.record.rung = Some(Rung::Replace);
    joining
}

#[test]
fn a_replacement_that_a_person_wants_is_committed_whatever_is_told_meanwhile() {
    for problem in [
        ProblemSeen::There,
        ProblemSeen::NotReported,
        ProblemSeen::Stale,
        ProblemSeen::Cleared {
            held: 1,
            doubt: None,
        },
        ProblemSeen::Cleared {
            held: 9999,
            doubt: None,
        },
    ] {
        for by in [RequestedBy::Operator, RequestedBy::NodeEngine] {
            let mut wanted = joining();
            wanted.problem = problem;
            wanted.request.requested_by = by;
            wanted.request.wants = Some(Rung::Replace);
            wanted.request.withdrawn = by == RequestedBy::NodeEngine;
            let next = decide(&wanted).unwrap();
            assert_eq!(next.record.phase, Phase::Committed, "{problem:?} {by:?}");
        }
    }
}

#[test]
fn a_wish_for_one_rung_lets_no_other_go_on() {
    let mut other = joining();
    other.request.wants = Some(Rung::Reboot);
    other.hands.storm = Some((Reason::BreakerOpen, String::new()));
    assert_eq!(decide(&other).unwrap().reason, Reason::BreakerOpen);
    other.hands.storm = None;
    other.problem = ProblemSeen::Cleared {
        held: 9999,
        doubt: None,
    };
    assert_eq!(decide(&other).unwrap().record.phase, Phase::RollingBack);
    // the wanted one goes on
    other.request.wants = Some(Rung::Replace);
    assert_eq!(decide(&other).unwrap().record.phase, Phase::Committed);
}

#[test]
fn a_wish_that_is_said_during_a_policys_reboot_is_heeded_after_it() {
    let mut booted = seen(Phase::Settling);
    booted.record.rung = Some(Rung::Reboot);
    booted.record.since = Some(at(0));
    booted.record.tried = vec![tried(Rung::Reboot, Outcome::Running, Reason::GrantOffered)];
    booted.now = at(i64::from(rules().settle));
    booted.problem = ProblemSeen::Cleared {
        held: 9999,
        doubt: None,
    };
    let next = decide(&booted).unwrap();
    assert_eq!(next.record.phase, Phase::Uncordoning);
    booted.request.wants = Some(Rung::Replace);
    let next = decide(&booted).unwrap();
    assert_eq!(
        (next.record.phase, next.reason),
        (Phase::Judging, Reason::PersonAsked)
    );
    assert_eq!(next.record.tried[0].outcome, Outcome::Recovered);
    booted.record = next.record;
    assert_eq!(decide(&booted).unwrap().record.rung, Some(Rung::Replace));
}

#[test]
fn a_repair_that_asks_for_the_control_plane_is_judged_from_the_beginning() {
    let mut request = seen(Phase::Judging).request;
    let record = opened(&request, at(5));
    assert_eq!(
        (record.phase, record.since, record.reason),
        (Phase::Judging, Some(at(5)), Some(Reason::Escalated))
    );
    assert_eq!(record.message, Reason::Escalated.text());
    let steps: Vec<_> = record
        .steps
        .iter()
        .map(|step| (step.phase, step.at))
        .collect();
    assert_eq!(steps, [(Phase::Judging, at(5))]);
    request.asks = Asks::InNode;
    assert_eq!(opened(&request, at(5)), Record::default());
    request.wants = Some(Rung::Reboot);
    assert_eq!(opened(&request, at(5)).reason, Some(Reason::PersonAsked));
}
