//! Which remedies begin, and how it is known what they were worth.

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
    let absent = Seen {
        conditions: Vec::new(),
        ..healthy(181)
    };
    assert_eq!(outcome(&go(&settling(), &absent, wait())), Outcome::Unknown);
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
    assert_eq!(
        course(Seen {
            carrying_out: true,
            ..ill(2)
        }),
        Course::Begun
    );
}

#[test]
fn a_unit_that_is_not_allowed_is_never_touched() {
    let plan = go(&Memory::default(), &ill(0), restart("sshd.service"));
    assert_eq!(
        (plan.begin.clone(), held(&plan)),
        (None, Some(Reason::UnitNotAllowed))
    );
    assert_eq!(outcome(&plan), Outcome::Refused);
    // Said again, it is neither told nor counted again.
    let plan = go(&plan.memory, &ill(20), restart("sshd.service"));
    assert_eq!((episode(&plan).attempts.len(), plan.news.len()), (1, 0));
}

#[test]
fn a_fix_runs_only_with_declared_values() {
    assert!(matches!(
        go(&Memory::default(), &ill(0), fix("sda")).begin,
        Some(Begin::Fix { .. })
    ));
    let plan = go(&Memory::default(), &ill(0), fix("sdb; reboot"));
    assert_eq!(
        (plan.begin.clone(), held(&plan)),
        (None, Some(Reason::FixNotAllowed))
    );
}

#[test]
fn a_remedy_of_the_other_site_is_refused() {
    let plan = go(&Memory::default(), &ill(0), Remedy::Replace);
    assert_eq!(
        (plan.begin.clone(), held(&plan)),
        (None, Some(Reason::RemedyNotForSite))
    );
}

#[test]
fn the_next_remedy_keeps_its_distance() {
    let limits = Limits {
        settle: 1,
        min_interval: 100,
        ..limits()
    };
    let again = advice(restart("containerd.service"));
    let memory = pass(&Memory::default(), &ill(0), &limits, &again).memory;
    let ended = Some(Ended {
        problem: kind(KIND),
        result: Ok(String::new()),
    });
    let memory = pass(&memory, &Seen { ended, ..ill(1) }, &limits, &again).memory;
    let plan = pass(&memory, &ill(99), &limits, &again);
    assert_eq!(
        (plan.begin.clone(), held(&plan)),
        (None, Some(Reason::TooSoon))
    );
    assert!(
        pass(&plan.memory, &ill(100), &limits, &again)
            .begin
            .is_some()
    );
}

#[test]
fn without_systemd_nothing_is_begun() {
    let seen = Seen {
        systemd: Freshness::Missing,
        units: Default::default(),
        ..ill(0)
    };
    let plan = go(&Memory::default(), &seen, restart("containerd.service"));
    assert_eq!(
        (plan.begin.clone(), held(&plan)),
        (None, Some(Reason::SystemdUnavailable))
    );
}

#[test]
fn a_policy_that_fails_leads_to_nothing_intrusive() {
    let unavailable = |on_failure| Advice::Unavailable {
        policy: policy(),
        class: FailureClass::Trap,
        message: String::new(),
        on_failure,
    };
    let plan = pass(
        &Memory::default(),
        &ill(0),
        &limits(),
        &unavailable(OnFailure::Wait),
    );
    assert_eq!((plan.begin.clone(), plan.repair.clone()), (None, None));
    assert_eq!(held(&plan), Some(Reason::PolicyFailed));
    let plan = pass(
        &Memory::default(),
        &ill(0),
        &limits(),
        &unavailable(OnFailure::Escalate),
    );
    assert_eq!(
        (plan.begin.clone(), episode(&plan).asks()),
        (None, Some(Asks::Escalate))
    );
}

#[test]
fn a_policy_sees_its_attempts_and_the_guard_rails() {
    let memory = outlived().memory;
    let seen = ill(62);
    let observation = &questions(&memory, &seen, &limits())[&kind(KIND)];
    insta::assert_json_snapshot!(observation);
}

#[test]
fn a_job_of_somebody_elses_is_not_cut_short() {
    let mut seen = ill(0);
    seen.units.values_mut().for_each(|unit| unit.busy = true);
    let plan = go(&Memory::default(), &seen, restart("containerd.service"));
    assert_eq!(
        (plan.begin.clone(), held(&plan)),
        (None, Some(Reason::AnotherRemedyRuns))
    );
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
fn no_remedy_begins_under_the_stop_switch_and_the_node_goes_on_when_it_is_gone() {
    let stopped = Seen {
        stop: Some("fire".to_owned()),
        ..ill(0)
    };
    let plan = go(&Memory::default(), &stopped, restart("containerd.service"));
    assert_eq!(
        (plan.begin.clone(), held(&plan)),
        (None, Some(Reason::Stopped))
    );
    assert!(
        episode(&plan).attempts.is_empty(),
        "what was held was no attempt"
    );
    let plan = go(&plan.memory, &ill(30), restart("containerd.service"));
    assert!(plan.begin.is_some(), "{plan:?}");
}
