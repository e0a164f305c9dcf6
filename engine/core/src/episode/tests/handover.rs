//! What the control plane is told, and when the node is its.

use super::*;
use crate::name::ConditionKind;

#[test]
fn when_the_attempts_are_used_up_it_is_escalated() {
    let limits = Limits {
        max_attempts: 1,
        ..limits()
    };
    let plan = pass(
        &outlived().memory,
        &ill(70),
        &limits,
        &advice(restart("containerd.service")),
    );
    assert_eq!(
        (plan.begin.clone(), episode(&plan).asks()),
        (None, Some(Asks::Escalate))
    );
    assert!(matches!(
        plan.repair,
        Some(RepairWrite::Open {
            asks: Asks::Escalate,
            ..
        })
    ));
}

#[test]
fn a_changed_policy_ends_a_wait() {
    let memory = go(&Memory::default(), &ill(0), Remedy::Wait(600)).memory;
    assert!(questions(&memory, &ill(10), &limits()).is_empty());
    assert_eq!(
        questions(
            &memory,
            &Seen {
                policies: 1,
                ..ill(10)
            },
            &limits()
        )
        .len(),
        1
    );
}

#[test]
fn an_episode_that_outlives_its_first_attempt_is_made_known() {
    let plan = outlived();
    assert!(matches!(
        plan.repair,
        Some(RepairWrite::Open { asks: Asks::InNode, deadline, .. }) if deadline == at(661)
    ));
}

#[test]
fn a_problem_without_a_remedy_is_made_known_before_we_are_taken_for_silent() {
    let memory = go(&Memory::default(), &ill(0), wait()).memory;
    assert_eq!(go(&memory, &ill(29), wait()).repair, None);
    assert!(go(&memory, &ill(30), wait()).repair.is_some());
}

#[test]
fn what_is_asked_is_raised_until_it_is_seen() {
    let memory = announced(Asks::InNode, Phase::HealingInNode);
    let seen = |t| Seen {
        repair: repair(Asks::InNode, Phase::HealingInNode),
        ..ill(t)
    };
    let plan = go(&memory, &seen(70), Remedy::Escalate);
    assert_eq!(plan.repair, Some(RepairWrite::Raise(Asks::Escalate)));
    let why = News::Held {
        reason: Reason::PolicyDecided,
        detail: "because".to_owned(),
    };
    assert!(plan.news.iter().any(|word| word.news == why));
    let plan = go(&plan.memory, &seen(73), wait());
    assert_eq!(plan.repair, Some(RepairWrite::Raise(Asks::Escalate)));
    let seen = Seen {
        repair: repair(Asks::Escalate, Phase::Judging),
        ..ill(76)
    };
    assert_eq!(go(&plan.memory, &seen, wait()).repair, None);
}

#[test]
fn nothing_intrusive_is_done_after_the_escalation() {
    let seen = |t, phase| Seen {
        repair: repair(Asks::Escalate, phase),
        ..ill(t)
    };
    let memory = go(&outlived().memory, &ill(70), Remedy::Escalate).memory;
    for (t, phase) in [
        (80, Phase::Judging),
        (200, Phase::Joining),
        (9_999, Phase::NeedsHuman),
    ] {
        assert_eq!(
            go(&memory, &seen(t, phase), restart("containerd.service")).begin,
            None
        );
    }
}

#[test]
fn nothing_intrusive_is_done_while_the_control_plane_works_on_the_node() {
    let memory = announced(Asks::InNode, Phase::HealingInNode);
    for phase in Phase::ALL.into_iter().filter(|phase| !phase.is_final()) {
        let seen = Seen {
            repair: repair(Asks::InNode, phase),
            ..ill(100)
        };
        let begins = go(&memory, &seen, restart("containerd.service"))
            .begin
            .is_some();
        assert_eq!(begins, phase == Phase::HealingInNode, "{phase:?}");
    }
}

#[test]
fn nothing_intrusive_is_done_after_the_deadline() {
    let memory = announced(Asks::InNode, Phase::HealingInNode);
    let seen = Seen {
        repair: repair(Asks::InNode, Phase::HealingInNode),
        ..ill(10_000)
    };
    assert_eq!(
        go(&memory, &seen, restart("containerd.service")).begin,
        None
    );
}

#[test]
fn a_repair_that_is_gone_ends_the_episode_and_a_problem_that_is_there_begins_another() {
    let memory = announced(Asks::Escalate, Phase::Judging);
    let plan = go(&memory, &ill(200), wait());
    assert_eq!(
        (episode(&plan).attempts.len(), episode(&plan).problem.since),
        (0, at(200))
    );
    let plan = go(&memory, &healthy(200), wait());
    assert!(plan.memory.episodes.is_empty());
    // An API server that is away says nothing about it.
    let away = Seen {
        repair: Watched {
            freshness: Freshness::Stale,
            value: None,
        },
        ..ill(200)
    };
    assert_eq!(
        episode(&go(&memory, &away, wait())).asks(),
        Some(Asks::Escalate)
    );
}

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
fn the_engine_heals_while_the_api_server_is_away() {
    let away = |t| Seen {
        repair: Watched::default(),
        node: Watched::default(),
        ..ill(t)
    };
    let again = restart("containerd.service");
    let plan = go(&Memory::default(), &away(0), again.clone());
    assert!(plan.begin.is_some());
    let ended = Some(Ended {
        problem: kind(KIND),
        result: Ok(String::new()),
    });
    let plan = go(&plan.memory, &Seen { ended, ..away(1) }, again.clone());
    let plan = go(&plan.memory, &away(5_000), again);
    assert!(plan.begin.is_some(), "{:?}", plan.news);
}

#[test]
fn a_policy_that_waits_when_the_attempts_are_used_up_does_not_wait_for_ever() {
    let limits = Limits {
        max_attempts: 1,
        ..limits()
    };
    let plan = pass(
        &outlived().memory,
        &ill(70),
        &limits,
        &advice(Remedy::Wait(600)),
    );
    assert_eq!(episode(&plan).asks(), Some(Asks::Escalate));
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

#[test]
fn what_waits_for_the_api_server_says_so_once() {
    let away = |t| Seen {
        repair: Watched::default(),
        ..ill(t)
    };
    let told = |plan: &Plan| {
        let held = |word: &&Word| {
            matches!(
                word.news,
                News::Held {
                    reason: Reason::ApiUnavailable,
                    ..
                }
            )
        };
        plan.news.iter().filter(held).count()
    };
    let plan = go(&outlived().memory, &away(70), wait());
    assert_eq!((plan.repair.clone(), told(&plan)), (None, 1));
    let plan = go(&plan.memory, &away(80), wait());
    assert_eq!(told(&plan), 0);
    // one that the control plane knows waits for nothing
    let known = announced(Asks::InNode, Phase::HealingInNode);
    assert_eq!(told(&go(&known, &away(80), wait())), 0);
    assert_eq!(told(&go(&Memory::default(), &away(0), wait())), 0);
}

#[test]
fn only_a_problem_that_is_there_is_made_known_and_once() {
    let memory = go(&Memory::default(), &ill(0), wait()).memory;
    let memory = go(&memory, &healthy(10), wait()).memory;
    let plan = go(&memory, &healthy(40), wait());
    assert_eq!((episode(&plan).asks(), plan.repair.clone()), (None, None));
    let known = announced(Asks::InNode, Phase::HealingInNode);
    let seen = Seen {
        repair: repair(Asks::InNode, Phase::HealingInNode),
        ..ill(100)
    };
    let plan = go(&known, &seen, wait());
    let asked = |word: &Word| matches!(word.news, News::Asked { .. });
    assert!(!plan.news.iter().any(asked), "{:?}", plan.news);
}

#[test]
fn a_first_attempt_that_is_over_is_made_known_at_once_and_one_under_way_is_not() {
    let begun = go(&Memory::default(), &ill(0), restart("containerd.service")).memory;
    let under_way = Seen {
        carrying_out: true,
        ..ill(1)
    };
    assert_eq!(go(&begun, &under_way, wait()).repair, None);
    let ended = Some(Ended {
        problem: kind(KIND),
        result: Err("timeout".to_owned()),
    });
    let plan = go(&begun, &Seen { ended, ..ill(1) }, wait());
    assert!(matches!(plan.repair, Some(RepairWrite::Open { .. })));
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
        super::super::handover::ask(episode, asks);
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
