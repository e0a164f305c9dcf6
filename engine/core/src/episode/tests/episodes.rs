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
