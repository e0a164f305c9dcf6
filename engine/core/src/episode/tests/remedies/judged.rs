//! What became of a remedy.

use super::*;

#[test]
fn a_remedy_that_helped_is_recovered_after_the_settling_time_and_not_before() {
    let plan = go(&settling(), &healthy(5), wait());
    assert_eq!(outcome(&plan), Outcome::Running);
    let plan = go(&plan.memory, &healthy(64), wait());
    assert_eq!(outcome(&plan), Outcome::Running);
    // The quiet time is over too, but first it is said what became of the remedy.
    let plan = go(&plan.memory, &healthy(65), wait());
    let told: Vec<_> = plan.news.iter().map(|word| &word.news).collect();
    assert!(
        matches!(
            told[..],
            [
                News::Outcome {
                    outcome: Outcome::Recovered,
                    ..
                },
                News::Closed
            ]
        ),
        "{told:?}"
    );
}

#[test]
fn what_is_counted_has_helped_when_it_was_watched_for_its_window() {
    let counted = |mut seen: Seen| {
        for condition in &mut seen.conditions {
            condition.source = "npd-counter".to_owned();
            condition.tells_after = 600;
        }
        seen.made.insert(kind(KIND));
        seen
    };
    let plan = go(&settling(), &counted(healthy(5)), wait());
    let plan = go(&plan.memory, &counted(healthy(604)), wait());
    assert_eq!(outcome(&plan), Outcome::Running);
    let plan = go(&plan.memory, &counted(healthy(605)), wait());
    assert!(matches!(
        plan.news[0].news,
        News::Outcome {
            outcome: Outcome::Recovered,
            ..
        }
    ));
    // that it is there again is known sooner
    let again = go(&settling(), &counted(ill(61)), wait());
    assert_eq!(outcome(&again), Outcome::NoEffect);
}

#[test]
fn a_problem_that_is_still_there_after_the_settling_time_is_no_effect() {
    assert_eq!(
        outcome(&go(&settling(), &ill(60), wait())),
        Outcome::Running
    );
    assert_eq!(outcome(&outlived()), Outcome::NoEffect);
}

#[test]
fn a_condition_that_is_gone_is_no_recovery_while_the_unit_has_failed() {
    let memory = go(&settling(), &healthy(5), wait()).memory;
    let mut seen = healthy(65);
    seen.units
        .values_mut()
        .for_each(|unit| unit.active_state = "failed".to_owned());
    let plan = go(&memory, &seen, wait());
    assert!(matches!(
        plan.news[0].news,
        News::Outcome {
            outcome: Outcome::NoEffect,
            ..
        }
    ));
}

#[test]
fn a_remedy_whose_effect_nobody_reports_stays_unknown() {
    let absent = |t| Seen {
        conditions: Vec::new(),
        ..healthy(t)
    };
    let plan = go(&settling(), &absent(180), wait());
    assert_eq!(outcome(&plan), Outcome::Running);
    let plan = go(&settling(), &absent(181), wait());
    assert_eq!(outcome(&plan), Outcome::Unknown);
}

#[test]
fn a_job_that_failed_is_a_failed_attempt() {
    let begun = go(&Memory::default(), &ill(0), restart("containerd.service")).memory;
    let ended = Some(Ended {
        problem: kind(KIND),
        result: Err("timeout".to_owned()),
    });
    let plan = go(&begun, &Seen { ended, ..ill(1) }, wait());
    assert_eq!(outcome(&plan), Outcome::Failed);
    assert_eq!(episode(&plan).attempts[0].detail, "timeout");
}

#[test]
fn an_attempt_of_a_killed_engine_is_found_out_from_the_world() {
    let begun = go(&Memory::default(), &ill(0), restart("containerd.service")).memory;
    let busy = |busy: bool, invocation: &str| {
        let mut seen = ill(2);
        for unit in seen.units.values_mut() {
            (unit.busy, unit.invocation) = (busy, invocation.to_owned());
        }
        seen
    };
    let course = |seen| {
        episode(&go(&begun, &seen, wait())).attempts[0]
            .course
            .clone()
    };
    assert_eq!(course(busy(true, "first")), Course::Begun);
    assert_eq!(
        course(busy(false, "second")),
        Course::Settling { since: at(2) }
    );
    let unknown = Course::Ended {
        at: at(2),
        outcome: Outcome::Unknown,
    };
    assert_eq!(course(busy(false, "first")), unknown);
    assert_eq!(
        course(Seen {
            boot: Some(boot("boot-2")),
            ..ill(2)
        }),
        unknown
    );
    let booted = Seen {
        boot: Some(boot("boot-2")),
        ..busy(false, "second")
    };
    assert_eq!(course(booted), unknown, "a boot starts it, too");
    assert_eq!(
        course(Seen {
            carrying_out: true,
            ..ill(2)
        }),
        Course::Begun
    );
    let blind = Seen {
        units: Default::default(),
        ..ill(2)
    };
    assert_eq!(course(blind), Course::Begun, "systemd was not asked");
    let of_another = Ended {
        problem: kind("KernelDeadlock"),
        result: Ok(String::new()),
    };
    assert_eq!(
        course(Seen {
            carrying_out: true,
            ended: Some(of_another),
            ..ill(2)
        }),
        Course::Begun
    );
}

#[test]
fn a_fix_of_a_killed_engine_stays_unknown() {
    let begun = go(&Memory::default(), &ill(0), fix("sda")).memory;
    let becomes = |carrying_out, boot_id| {
        let seen = Seen {
            carrying_out,
            boot: boot_id,
            ..ill(2)
        };
        outcome(&go(&begun, &seen, wait()))
    };
    let (first, second) = (Some(boot("boot-1")), Some(boot("boot-2")));
    assert_eq!(becomes(true, first.clone()), Outcome::Running);
    assert_eq!(becomes(false, None), Outcome::Running);
    assert_eq!(becomes(false, first), Outcome::Unknown);
    assert_eq!(becomes(false, second), Outcome::Unknown);
}

#[test]
fn an_effect_is_watched_as_long_as_the_policy_says_within_bounds() {
    for (asked, watched) in [
        (None, 60),
        (Some(0), 1),
        (Some(90), 90),
        (Some(9_999), 3600),
    ] {
        let mut advice = advice(restart("containerd.service"));
        if let Advice::Decided { decision, .. } = &mut advice {
            decision.settle = asked;
        }
        let plan = pass(&Memory::default(), &ill(0), &limits(), &advice);
        assert_eq!(episode(&plan).attempts[0].settle, watched, "{asked:?}");
    }
}
