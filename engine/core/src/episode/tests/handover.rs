//! What the control plane is told, and when the node is its.

mod others;
mod withdrawn;

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
