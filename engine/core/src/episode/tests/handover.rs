//! What the control plane is told, and when the node is its.

use super::*;

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
fn a_repair_of_another_node_object_or_problem_is_not_touched() {
    for change in [
        (|repair: &mut RepairSeen| repair.node_uid = "other".to_owned()) as fn(&mut RepairSeen),
        |repair| repair.problem = "KernelDeadlock".to_owned(),
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
