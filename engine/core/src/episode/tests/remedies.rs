//! Which remedies begin, and how it is known what they were worth.

mod judged;
mod refused;

use super::*;

#[test]
fn an_attempt_stands_in_the_memory_before_it_is_begun() {
    let plan = go(&Memory::default(), &ill(0), restart("containerd.service"));
    assert!(matches!(plan.begin, Some(Begin::Unit { .. })));
    let attempt = &episode(&plan).attempts[0];
    assert_eq!(
        (&attempt.course, attempt.invocation.as_deref()),
        (&Course::Begun, Some("first"))
    );
}

#[test]
fn a_problem_whose_rule_is_gone_is_none_any_more() {
    let made = |mut seen: Seen, is_made: bool| {
        for condition in &mut seen.conditions {
            condition.source = "systemd".to_owned();
        }
        if is_made {
            seen.made.insert(kind(KIND));
        }
        seen
    };
    let opened = go(&Memory::default(), &made(ill(0), true), wait());
    assert_eq!(episode(&opened).problem.source.as_deref(), Some("systemd"));
    let unseen = |is_made| Seen {
        conditions: Vec::new(),
        ..made(healthy(3600), is_made)
    };
    let kept = go(&opened.memory, &unseen(true), wait());
    assert_eq!(kept.memory.episodes.len(), 1, "it is only not reported");
    let unmade = go(&opened.memory, &unseen(false), wait());
    assert!(unmade.memory.episodes.is_empty());
    assert!(matches!(unmade.news[0].news, News::Closed));
}

#[test]
fn what_is_remembered_of_attempts_is_bounded_and_refusals_go_first() {
    let ended = |t: i64, outcome| {
        let mut attempt = episode(&outlived()).attempts[0].clone();
        attempt.began = at(t);
        attempt.course = Course::Ended { at: at(t), outcome };
        attempt
    };
    let mut full = episode(&outlived()).clone();
    full.attempts = (0..63).map(|t| ended(t, Outcome::NoEffect)).collect();
    full.attempts[5] = ended(5, Outcome::Refused);
    let began = |episode: &Episode| -> Vec<i64> {
        let all = episode.attempts.iter();
        all.map(|attempt| attempt.began.as_second() - at(0).as_second())
            .collect()
    };
    crate::episode::apply::push(&mut full, ended(63, Outcome::NoEffect));
    assert_eq!(began(&full), (0..64).collect::<Vec<_>>());
    assert_eq!(full.tried(), 63, "a refusal was no try");
    crate::episode::apply::push(&mut full, ended(64, Outcome::NoEffect));
    assert_eq!(
        (full.attempts.len(), began(&full).contains(&5)),
        (64, false)
    );
    crate::episode::apply::push(&mut full, ended(65, Outcome::NoEffect));
    assert_eq!((full.attempts.len(), began(&full)[0]), (64, 1));
}

#[test]
fn a_policy_sees_its_attempts_and_the_guard_rails() {
    let memory = outlived().memory;
    let seen = ill(62);
    let observation = &questions(&memory, &seen, &limits())[&kind(KIND)];
    insta::assert_json_snapshot!(observation);
}

#[test]
fn a_wait_ends_when_the_guard_rail_that_stood_in_the_way_opens() {
    let away = Seen {
        systemd: Freshness::Missing,
        ..ill(0)
    };
    let memory = go(&Memory::default(), &away, Remedy::Wait(600)).memory;
    assert!(
        questions(
            &memory,
            &Seen {
                now: at(10),
                ..away
            },
            &limits()
        )
        .is_empty()
    );
    assert_eq!(questions(&memory, &ill(10), &limits()).len(), 1);
}

#[test]
fn a_wait_ends_when_the_problem_changes() {
    let memory = go(&Memory::default(), &ill(0), Remedy::Wait(600)).memory;
    let changed = Seen {
        conditions: vec![condition(Status::Yes, 9)],
        ..ill(10)
    };
    assert!(
        go(&memory, &changed, restart("containerd.service"))
            .begin
            .is_some()
    );
}

#[test]
fn a_policy_is_told_the_day_of_the_week_and_the_minute_of_the_day() {
    // 2027-01-15, a Friday, at 08:00
    for (t, weekday, minute) in [
        (0, 5, 480),
        (59, 5, 480),
        (60, 5, 481),
        (16 * 3600 - 1, 5, 1439),
        (16 * 3600, 6, 0),
        (2 * 86_400, 7, 480),
        (3 * 86_400, 1, 480),
    ] {
        let memory = see(Memory::default(), &ill(t), &limits(), &mut Vec::new());
        let now = &questions(&memory, &ill(t), &limits())[&kind(KIND)].now;
        assert_eq!((now.weekday, now.minute_of_day), (weekday, minute), "{t}");
    }
}
