//! When an episode opens, and when it ends.

use super::*;

#[test]
fn only_what_is_reported_true_and_handled_opens_an_episode() {
    let unhandled = Seen {
        handled: [].into(),
        ..ill(0)
    };
    let unknown = Seen {
        conditions: vec![condition(Status::Unknown, 0)],
        ..healthy(0)
    };
    for seen in [healthy(0), unhandled, unknown] {
        assert!(
            go(&Memory::default(), &seen, wait())
                .memory
                .episodes
                .is_empty()
        );
    }
    assert_eq!(
        go(&Memory::default(), &ill(0), wait())
            .memory
            .episodes
            .len(),
        1
    );
}

#[test]
fn ready_is_no_problem_when_it_is_true() {
    let mut ready = condition(Status::Yes, 0);
    ready.kind = kind("Ready");
    let seen = Seen {
        conditions: vec![ready],
        handled: [kind("Ready")].into(),
        ..healthy(0)
    };
    assert!(
        go(&Memory::default(), &seen, wait())
            .memory
            .episodes
            .is_empty()
    );
}

#[test]
fn absence_of_a_condition_keeps_the_episode_open() {
    let memory = go(&Memory::default(), &ill(0), wait()).memory;
    let absent = |t| Seen {
        conditions: Vec::new(),
        npd: Freshness::Missing,
        ..healthy(t)
    };
    let plan = go(&memory, &absent(10), restart("containerd.service"));
    assert_eq!(
        (plan.begin.clone(), held(&plan)),
        (None, Some(Reason::ConditionNotReported))
    );
    let plan = go(
        &plan.memory,
        &absent(100_000),
        restart("containerd.service"),
    );
    assert_eq!(plan.memory.episodes.len(), 1);
    let plan = go(&plan.memory, &ill(100_001), wait());
    assert_eq!(episode(&plan).recurrences, 0, "it was not seen to go");
}

#[test]
fn only_false_that_holds_for_the_quiet_time_closes_an_episode() {
    let memory = go(&Memory::default(), &ill(0), wait()).memory;
    let memory = go(&memory, &healthy(10), wait()).memory;
    let memory = go(&memory, &healthy(69), wait()).memory;
    assert_eq!(memory.episodes.len(), 1);
    let plan = go(&memory, &healthy(70), wait());
    assert!(plan.memory.episodes.is_empty());
    assert_eq!(plan.news.last().unwrap().news, News::Closed);
}

#[test]
fn a_false_that_was_set_anew_begins_the_quiet_time_anew() {
    let memory = go(&Memory::default(), &ill(0), wait()).memory;
    let memory = go(&memory, &healthy(10), wait()).memory;
    let reset = |t| Seen {
        conditions: vec![condition(Status::No, 60)],
        ..healthy(t)
    };
    let memory = go(&memory, &reset(61), wait()).memory;
    assert_eq!(go(&memory, &reset(120), wait()).memory.episodes.len(), 1);
    assert!(go(&memory, &reset(121), wait()).memory.episodes.is_empty());
}

/// Of a detector that began at that second, and says that all is well.
fn began_anew(detector: i64, now: i64) -> Seen {
    let other = SeenCondition {
        kind: kind("KernelDeadlock"),
        ..condition(Status::No, detector)
    };
    Seen {
        conditions: vec![condition(Status::No, detector), other],
        ..healthy(now)
    }
}

#[test]
fn a_detector_that_was_restarted_is_believed_after_a_while() {
    let memory = go(&Memory::default(), &ill(0), wait()).memory;
    let silent = Seen {
        conditions: Vec::new(),
        npd: Freshness::Missing,
        ..healthy(5)
    };
    for memory in [memory.clone(), go(&memory, &silent, wait()).memory] {
        let memory = go(&memory, &began_anew(10, 11), wait()).memory;
        let memory = go(&memory, &began_anew(10, 11 + 899), wait()).memory;
        assert_eq!(memory.episodes.len(), 1, "it does not know of before");
        let plan = go(&memory, &began_anew(10, 11 + 900), wait());
        assert!(plan.memory.episodes.is_empty());
    }
    // what speaks beside it since before knows
    let mut spoke = began_anew(10, 11);
    spoke.conditions[1].transition = Some(at(-3600));
    let memory = go(&memory, &spoke, wait()).memory;
    let later = Seen {
        now: at(71),
        ..spoke
    };
    assert!(go(&memory, &later, wait()).memory.episodes.is_empty());
}

#[test]
fn after_a_boot_a_detector_that_begins_anew_is_believed() {
    let memory = go(&Memory::default(), &ill(0), wait()).memory;
    let booted = |now| Seen {
        boot: Some(boot("boot-2")),
        ..began_anew(10, now)
    };
    let memory = go(&memory, &booted(11), wait()).memory;
    assert_eq!(go(&memory, &booted(70), wait()).memory.episodes.len(), 1);
    assert!(go(&memory, &booted(71), wait()).memory.episodes.is_empty());
}

#[test]
fn a_problem_that_was_seen_to_go_is_gone_though_its_detector_is_restarted_then() {
    let memory = go(&Memory::default(), &ill(0), wait()).memory;
    let memory = go(&memory, &healthy(10), wait()).memory;
    let memory = go(&memory, &began_anew(20, 21), wait()).memory;
    let plan = go(&memory, &began_anew(20, 81), wait());
    assert!(plan.memory.episodes.is_empty());
}

/// The remedy may have been that very restart. Others need not wait until that is known.
#[test]
fn whether_a_remedy_with_which_the_detector_was_restarted_has_helped_is_not_known() {
    let memory = go(&settling(), &began_anew(2, 3), wait()).memory;
    let plan = go(&memory, &began_anew(2, 3 + 59), wait());
    assert!(plan.memory.running().is_some());
    let plan = go(&plan.memory, &began_anew(2, 3 + 60), wait());
    assert_eq!(outcome(&plan), Outcome::Unknown);
    let plan = go(&plan.memory, &began_anew(2, 3 + 900), wait());
    assert!(plan.memory.episodes.is_empty());
}

/// What systemd itself says of two units is no detector's that has forgotten.
#[test]
fn what_the_engine_sees_itself_is_believed_though_it_all_changes_at_once() {
    let memory = go(&Memory::default(), &ill(0), wait()).memory;
    let own = |now| {
        let mut seen = began_anew(10, now);
        for condition in &mut seen.conditions {
            condition.source = "systemd".to_owned();
        }
        seen
    };
    let memory = go(&memory, &own(11), wait()).memory;
    assert!(go(&memory, &own(71), wait()).memory.episodes.is_empty());
}

#[test]
fn what_a_person_has_acknowledged_is_no_remedys_doing_and_is_remembered() {
    let mut seen = healthy(5);
    seen.conditions[0].seen_to = true;
    if let Some(node) = &mut seen.node.value {
        node.acknowledged = Some("word".to_owned());
    }
    let memory = go(&settling(), &seen, wait()).memory;
    assert_eq!(memory.acknowledged.as_deref(), Some("word"));
    seen.now = at(65);
    seen.node.value = None;
    let plan = go(&memory, &seen, wait());
    assert_eq!(plan.memory.acknowledged.as_deref(), Some("word"));
    let outcomes = plan.news.iter().filter_map(|word| match word.news {
        News::Outcome { outcome, .. } => Some(outcome),
        _ => None,
    });
    assert_eq!(outcomes.collect::<Vec<_>>(), [Outcome::Unknown]);
}

#[test]
fn a_problem_that_comes_back_keeps_its_attempts() {
    let memory = go(&settling(), &healthy(5), wait()).memory;
    let plan = go(&memory, &ill(20), wait());
    assert_eq!(
        (episode(&plan).recurrences, episode(&plan).attempts.len()),
        (1, 1)
    );
}

#[test]
fn a_lost_journal_escalates_and_touches_nothing() {
    let plan = go(&Memory::lost(), &ill(0), restart("containerd.service"));
    assert_eq!(
        (plan.begin.clone(), episode(&plan).asks()),
        (None, Some(Asks::Escalate))
    );
    assert_eq!(held(&plan), None, "there is no more to say");
    // What appears after the first full look has no lost past.
    let memory = go(&Memory::lost(), &healthy(0), wait()).memory;
    assert!(
        go(&memory, &ill(10), restart("containerd.service"))
            .begin
            .is_some()
    );
    // A look without NPD is not full.
    let blind = Seen {
        npd: Freshness::Missing,
        conditions: Vec::new(),
        ..healthy(0)
    };
    let memory = go(&Memory::lost(), &blind, wait()).memory;
    assert_eq!(
        go(&memory, &ill(10), restart("containerd.service")).begin,
        None
    );
}
