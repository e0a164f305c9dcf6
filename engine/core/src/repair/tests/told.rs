//! Conditions that come and go, that a restart of their detector takes back, and that nobody renews any more.

use super::super::told::{
    Doubt, STEADY, Spell, Told, UNHEARD, freshness, is_detectors, is_renewed, is_reset,
};
use super::*;

const GRACE: u32 = 60;

fn doubtful(held: u32, doubt: Doubt) -> ProblemSeen {
    let doubt = Some(doubt);
    ProblemSeen::Cleared { held, doubt }
}

fn with_problem(phase: Phase, problem: ProblemSeen) -> Seen {
    let seen = Seen {
        problem,
        advice: advised(Remedy::Replace),
        ..seen(phase)
    };
    with_replacement(seen, |_| {})
}

/// When a problem that stands and is away in turns is due, if it is within so many turns.
fn due_after(stands: u32, is_away: u32, turns: u32) -> Option<u32> {
    let mut spell = Spell::default();
    for turn in 0..turns {
        let left = spell.due_after(GRACE);
        if left <= stands {
            return Some(turn * (stands + is_away) + left);
        }
        spell = spell.turns(Status::Yes, stands, Status::No);
        spell = spell.turns(Status::No, is_away, Status::Yes);
    }
    None
}

#[test]
fn a_node_that_flaps_for_ever_is_repaired_and_one_blip_is_not() {
    assert_eq!(due_after(120, 60, 1), Some(60), "it stood for its grace");
    assert_eq!(due_after(30, 0, 1), None, "a blip");
    assert_eq!(due_after(30, 30, 4), None, "some blips");
    assert_eq!(due_after(30, 30, 9), Some(330), "180 s in all");
    assert_eq!(due_after(59, 600, 9), Some(1980), "its fourth coming");
    assert_eq!(
        due_after(30, STEADY, 1000),
        None,
        "each time it was well again"
    );
}

#[test]
fn what_was_away_long_enough_is_another_problem() {
    let gone = Spell::default().turns(Status::Yes, 50, Status::No);
    let back = gone.turns(Status::No, STEADY - 1, Status::Yes);
    let (stood, returns) = (50, 1);
    assert_eq!(back, Spell { stood, returns });
    let anew = gone.turns(Status::No, STEADY, Status::Yes);
    assert_eq!(anew, Spell::default());
    // neither health nor illness
    let unknown = back.turns(Status::Yes, 10, Status::Unknown);
    let unknown = unknown.turns(Status::Unknown, 100, Status::No);
    let (stood, returns) = (60, 1);
    assert_eq!(unknown, Spell { stood, returns });
}

#[test]
fn a_recovery_that_is_doubtful_counts_only_when_it_has_stood() {
    for doubt in [Doubt::Flaps, Doubt::Reset] {
        for phase in [
            Phase::Judging,
            Phase::Cordoning,
            Phase::RebootDraining,
            Phase::Joining,
            Phase::NeedsHuman,
        ] {
            let at_once = with_problem(phase, doubtful(STEADY - 1, doubt));
            let next = decide(&at_once).unwrap();
            let ends = [Phase::RollingBack, Phase::Uncordoning, Phase::Recovered];
            assert!(!ends.contains(&next.record.phase), "{phase:?} {doubt:?}");
            let in_time = with_problem(phase, doubtful(STEADY, doubt));
            let next = decide(&in_time).unwrap();
            assert!(ends.contains(&next.record.phase), "{phase:?} {doubt:?}");
        }
    }
}

#[test]
fn nothing_is_begun_while_the_problem_is_away_and_the_reason_says_why() {
    for (problem, reason) in [
        (gone(10), Reason::Settling),
        (doubtful(100, Doubt::Flaps), Reason::Flapping),
        (doubtful(100, Doubt::Reset), Reason::DetectorRestarted),
    ] {
        let next = decide(&with_problem(Phase::Judging, problem)).unwrap();
        assert_eq!((next.act, next.reason), (None, reason));
        assert_eq!(next.record.phase, Phase::Judging);
    }
}

#[test]
fn a_boot_that_helped_is_believed_although_it_restarted_the_detector() {
    let mut settling = with_problem(Phase::Settling, doubtful(60, Doubt::Reset));
    settling.record.since = Some(at(0));
    let next = decide(&settling).unwrap();
    assert_eq!(next.record.phase, Phase::Uncordoning);
}

#[test]
fn a_detector_can_say_nothing_that_is_older_than_its_start() {
    assert!(is_reset(at(100), [at(100), at(103), at(900)]));
    assert!(is_reset(at(100), [at(97)]), "its monitors begin in turn");
    assert!(is_reset(at(100), [at(95)]));
    assert!(!is_reset(at(100), [at(94)]));
    assert!(!is_reset(at(100), [at(100), at(40)]), "it has run since");
    assert!(!is_reset(at(100), []), "nothing to compare with");
}

#[test]
fn what_nobody_renews_is_neither_health_nor_death() {
    let told = |status, unheard| {
        ProblemSeen::of(Some(Told {
            status,
            held: 9999,
            unheard,
            spell: Spell::default(),
            is_reset: false,
        }))
    };
    for status in [Status::Yes, Status::No, Status::Unknown] {
        assert_eq!(told(status, Some(UNHEARD)), ProblemSeen::Stale);
    }
    assert_eq!(told(Status::Yes, Some(UNHEARD - 1)), ProblemSeen::There);
    assert_eq!(told(Status::Yes, None), ProblemSeen::There, "it never is");
    assert_eq!(told(Status::No, Some(300)), gone(9999));
    assert_eq!(ProblemSeen::of(None), ProblemSeen::NotReported);
}

#[test]
fn a_detector_that_died_is_no_reason_to_touch_its_node() {
    for phase in Phase::ALL
        .into_iter()
        .filter(|phase| phase.fits(Side::Before))
    {
        for node in [node(), cordoned(Some(REPAIR_UID))] {
            let stale = with_problem(phase, ProblemSeen::Stale);
            let next = decide(&Seen {
                node: Some(node),
                ..stale
            });
            let next = next.unwrap();
            let intrusive = next.act.is_some_and(|act| act.is_intrusive());
            assert!(!intrusive && next.record.grant.is_none(), "{phase:?}");
        }
    }
    let next = decide(&with_problem(Phase::Judging, ProblemSeen::Stale)).unwrap();
    assert_eq!(next.reason, Reason::ConditionStale);
    assert_eq!(next.record.phase, Phase::Judging);
}

#[test]
fn a_condition_that_is_gone_is_no_reason_either_unless_the_nodes_engine_knows_more() {
    let mut judging = with_problem(Phase::Judging, ProblemSeen::NotReported);
    assert_eq!(decide(&judging).unwrap().act, Some(Act::Cordon));
    judging.request.requested_by = RequestedBy::Conditions;
    let next = decide(&judging).unwrap();
    assert_eq!(
        (next.act, next.reason),
        (None, Reason::ConditionNotReported)
    );
}

#[test]
fn a_node_that_is_not_ready_needs_no_detector_and_a_person_none_either() {
    let stale = || with_problem(Phase::Judging, ProblemSeen::Stale);
    let mut not_ready = stale();
    not_ready.node = Some(NodeSeen {
        ready: Status::No,
        ..cordoned(Some(REPAIR_UID))
    });
    let mut persons = stale();
    persons.request.requested_by = RequestedBy::Operator;
    for seen in [not_ready, persons] {
        assert_eq!(decide(&seen).unwrap().act, Some(Act::Cordon));
    }
}

#[test]
fn a_replacement_that_waits_for_a_dead_detector_alone_is_taken_back() {
    let mut joining = with_problem(Phase::Joining, ProblemSeen::Stale);
    let committing = |seen: &Seen| {
        super::super::told::hold(seen, {
            Next::wait(seen, Reason::Committed, "").then(Act::Adopt)
        })
    };
    assert_eq!(committing(&joining).reason, Reason::ConditionStale);
    assert_eq!(committing(&joining).record.phase, Phase::Joining);
    joining.record.since = Some(at(100 - 600));
    assert_eq!(committing(&joining).record.phase, Phase::RollingBack);
}

#[test]
fn what_the_kubelet_and_the_network_say_is_no_detectors_word() {
    for (kind, detectors, renewed) in [
        ("KernelDeadlock", true, true),
        ("Ready", false, true),
        ("MemoryPressure", false, true),
        ("DiskPressure", false, true),
        ("PIDPressure", false, true),
        ("NotReady", false, true),
        ("NetworkUnavailable", false, false),
    ] {
        let told = (is_detectors(kind), is_renewed(kind));
        assert_eq!(told, (detectors, renewed), "{kind}");
    }
}

#[test]
fn a_policy_is_told_when_nobody_speaks_of_the_problem_any_more() {
    use crate::policy::Freshness;
    for (problem, told) in [
        (ProblemSeen::There, Freshness::Fresh),
        (gone(1), Freshness::Fresh),
        (ProblemSeen::Stale, Freshness::Stale),
    ] {
        let seen = with_problem(Phase::Judging, problem);
        assert_eq!(freshness(&seen), told, "{problem:?}");
    }
}

#[test]
fn after_the_commit_nothing_rests_on_the_problem_any_more() {
    for problem in [ProblemSeen::Stale, ProblemSeen::NotReported] {
        let mut deleting = super::committed::replaced(Phase::DeletingServer);
        deleting.problem = problem;
        deleting.request.requested_by = RequestedBy::Conditions;
        deleting.evidence = kept();
        let next = decide(&deleting).unwrap();
        assert!(matches!(next.act, Some(Act::DeleteServer(_))));
    }
}
