//! A problem that is gone is withdrawn.

use super::*;

#[test]
fn a_healed_problem_is_withdrawn_until_it_is_seen() {
    let memory = announced(Asks::InNode, Phase::HealingInNode);
    let seen = |t| Seen {
        repair: repair(Asks::InNode, Phase::HealingInNode),
        ..healthy(t)
    };
    let memory = go(&memory, &seen(70), wait()).memory;
    let plan = go(&memory, &seen(130), wait());
    assert_eq!(
        (plan.memory.episodes.len(), plan.repair),
        (0, Some(RepairWrite::Withdraw))
    );
    let plan = go(&plan.memory, &seen(133), wait());
    assert_eq!(plan.repair, Some(RepairWrite::Withdraw));
    let mut seen = seen(136);
    seen.repair.value.as_mut().unwrap().withdrawn = true;
    let plan = go(&plan.memory, &seen, wait());
    assert_eq!((plan.repair, plan.memory.withdraw), (None, None));
}

#[test]
fn what_is_gone_told_or_no_longer_ours_is_not_withdrawn() {
    let healed = Memory {
        withdraw: Some("repair-uid".to_owned()),
        ..Memory::default()
    };
    let becomes = |phase, change: fn(&mut RepairSeen)| {
        let mut seen = Seen {
            repair: repair(Asks::InNode, phase),
            ..healthy(100)
        };
        change(seen.repair.value.as_mut().unwrap());
        let plan = go(&healed, &seen, wait());
        (plan.repair, plan.memory.withdraw)
    };
    for phase in [Phase::HealingInNode, Phase::Judging, Phase::Joining] {
        let (write, still) = becomes(phase, |_| {});
        assert_eq!(write, Some(RepairWrite::Withdraw), "{phase:?}");
        assert!(still.is_some(), "until it is seen");
    }
    let done = (None, None);
    for phase in [
        Phase::Cancelled,
        Phase::Recovered,
        Phase::Draining,
        Phase::DeletingServer,
    ] {
        assert_eq!(becomes(phase, |_| {}), done, "{phase:?}");
    }
    // the same phases come before the point of no return where a server goes first
    let (write, _) = becomes(Phase::Draining, |repair| repair.past_return = false);
    assert_eq!(write, Some(RepairWrite::Withdraw));
    let judging = Phase::Judging;
    assert_eq!(becomes(judging, |repair| repair.withdrawn = true), done);
    let later = |repair: &mut RepairSeen| repair.uid = "later".to_owned();
    assert_eq!(becomes(judging, later), done);
}

/// Its own problem's end withdraws a repair; that of a milder one, which it was before, does not.
#[test]
fn a_repair_that_a_graver_problem_took_over_is_not_withdrawn_when_the_milder_one_heals() {
    let healed = |problem: Option<&str>| {
        let memory = Memory {
            withdraw: Some("repair-uid".to_owned()),
            withdraw_for: problem.map(str::to_owned),
            ..Memory::default()
        };
        let seen = Seen {
            repair: repair(Asks::Escalate, Phase::Judging),
            ..healthy(100)
        };
        go(&memory, &seen, wait()).repair
    };
    assert_eq!(healed(Some(KIND)), Some(RepairWrite::Withdraw));
    assert_eq!(
        healed(None),
        Some(RepairWrite::Withdraw),
        "as an older engine wrote it"
    );
    assert_eq!(healed(Some("KernelDeadlock")), None);
}
