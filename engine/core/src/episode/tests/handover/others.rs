//! Beside the repairs of other problems.

use super::*;

#[test]
fn a_repair_of_another_node_object_or_one_that_went_further_for_another_problem_is_not_touched() {
    for change in [
        (|repair: &mut RepairSeen| repair.node_uid = "other".to_owned()) as fn(&mut RepairSeen),
        |repair| {
            repair.problem = "KernelDeadlock".to_owned();
            repair.asks = Asks::Reboot;
        },
        |repair| {
            repair.problem = "KernelDeadlock".to_owned();
            repair.phase = Phase::Judging;
        },
        |repair| {
            repair.problem = "KernelDeadlock".to_owned();
            repair.wants = Some(Rung::Reboot);
        },
        |repair| {
            repair.problem = "KernelDeadlock".to_owned();
            repair.of_others = true;
        },
        |repair| repair.phase = Phase::Replaced,
    ] {
        let mut seen = Seen {
            repair: repair(Asks::InNode, Phase::HealingInNode),
            ..ill(64)
        };
        change(seen.repair.value.as_mut().unwrap());
        let plan = go(&outlived().memory, &seen, Remedy::Escalate);
        assert_eq!(plan.repair, None);
        assert!(matches!(
            held(&plan),
            Some(Reason::RepairForOther | Reason::RepairEnding)
        ));
        let plan = go(
            &plan.memory,
            &Seen {
                now: at(67),
                ..seen
            },
            wait(),
        );
        assert_eq!(held(&plan), None, "said once");
    }
}

#[test]
fn a_repair_for_another_problem_keeps_us_away_while_the_control_plane_works_on_it() {
    for (phase, asks, withdrawn, begins) in [
        (Phase::HealingInNode, Asks::InNode, false, true),
        (Phase::HealingInNode, Asks::Reboot, false, false),
        (Phase::Judging, Asks::InNode, false, false),
        (Phase::Judging, Asks::Escalate, true, true),
        (Phase::Cancelled, Asks::Escalate, false, true),
    ] {
        let mut seen = Seen {
            repair: repair(asks, phase),
            ..ill(0)
        };
        let other = seen.repair.value.as_mut().unwrap();
        other.problem = "KernelDeadlock".to_owned();
        other.withdrawn = withdrawn;
        let plan = go(&Memory::default(), &seen, restart("containerd.service"));
        assert_eq!(
            plan.begin.is_some(),
            begins,
            "{phase:?} {asks:?} {withdrawn}"
        );
    }
}

#[test]
fn the_problem_that_asks_for_most_is_made_known_first_and_then_the_oldest() {
    let asking = |all: &[(&str, i64, Asks)]| {
        let one = episode(&outlived()).clone();
        let mut memory = Memory::default();
        let mut seen = ill(100);
        for (name, since, asks) in all {
            let mut episode = one.clone();
            episode.problem.kind = (*name).to_owned();
            episode.problem.since = at(*since);
            episode.handover.as_mut().unwrap().asks = *asks;
            memory.episodes.insert(kind(name), episode);
            seen.conditions.push(SeenCondition {
                kind: kind(name),
                ..condition(Status::Yes, 0)
            });
        }
        match go(&memory, &seen, wait()).repair {
            Some(RepairWrite::Open { problem, .. }) => problem.kind,
            other => panic!("{other:?}"),
        }
    };
    let old = ("A", 1, Asks::InNode);
    let young = ("B", 2, Asks::InNode);
    assert_eq!(asking(&[old, young]), "A");
    assert_eq!(asking(&[("A", 3, Asks::InNode), young]), "B");
    assert_eq!(asking(&[old, ("B", 2, Asks::Reboot)]), "B");
}

#[test]
fn another_repair_in_the_place_of_ours_hands_the_episode_back() {
    let memory = announced(Asks::InNode, Phase::HealingInNode);
    let mut seen = Seen {
        repair: repair(Asks::InNode, Phase::HealingInNode),
        ..ill(100)
    };
    let plan = go(&memory, &seen, wait());
    assert_eq!(episode(&plan).problem.since, at(0));
    seen.repair.value.as_mut().unwrap().uid = "later".to_owned();
    let plan = go(&memory, &seen, wait());
    assert_eq!(episode(&plan).problem.since, at(100));
}

/// Two problems at once, the milder one known first: the one repair becomes the graver one's, and is not withdrawn when the
/// milder one goes away.
#[test]
fn a_graver_problem_takes_over_a_repair_that_only_leaves_the_node_to_us() {
    let mut memory = announced(Asks::InNode, Phase::HealingInNode);
    let mut graver = memory.episodes[&kind(KIND)].clone();
    let other = kind("KernelDeadlock");
    graver.problem.kind = other.to_string();
    graver.handover = None;
    memory.episodes.insert(other.clone(), graver);
    let seen = |asks, problem: &str| {
        let mut seen = Seen {
            repair: repair(asks, Phase::HealingInNode),
            ..ill(70)
        };
        seen.repair.value.as_mut().unwrap().problem = problem.to_owned();
        seen
    };
    let ask = |memory: &Memory, asks| {
        let mut memory = memory.clone();
        let episode = memory.episodes.get_mut(&other).unwrap();
        crate::episode::handover::ask(episode, asks);
        memory
    };
    // as much, or nothing, is asked for both: it stays whose it is
    for memory in [&memory, &ask(&memory, Asks::InNode)] {
        assert_eq!(go(memory, &seen(Asks::InNode, KIND), wait()).repair, None);
    }
    let more = ask(&memory, Asks::Escalate);
    let plan = go(&more, &seen(Asks::InNode, KIND), wait());
    let Some(RepairWrite::TakeOver { problem, asks }) = plan.repair else {
        panic!("{:?}", plan.repair);
    };
    assert_eq!(
        (problem.kind.as_str(), asks),
        ("KernelDeadlock", Asks::Escalate)
    );
    // written: it is the graver one's, and the milder one has none
    let taken = seen(Asks::Escalate, "KernelDeadlock");
    let plan = go(&plan.memory, &taken, wait());
    assert_eq!(plan.repair, None);
    let handover = |kind: &ConditionKind| plan.memory.episodes[kind].handover.clone().unwrap();
    assert_eq!(handover(&other).repair.as_deref(), Some("repair-uid"));
    let milder = handover(&kind(KIND));
    assert_eq!((milder.repair, milder.deadline), (None, None));
    assert_eq!(milder.held, Some(Reason::RepairForOther));
    // the milder one heals: that withdraws nothing
    let healed = |second| Seen {
        repair: taken.repair.clone(),
        ..healthy(second)
    };
    let mut memory = plan.memory;
    memory.episodes.remove(&other);
    let memory = go(&memory, &healed(80), wait()).memory;
    let plan = go(&memory, &healed(200), wait());
    assert_eq!(
        (
            plan.memory.episodes.len(),
            plan.repair,
            plan.memory.withdraw
        ),
        (0, None, None)
    );
}
