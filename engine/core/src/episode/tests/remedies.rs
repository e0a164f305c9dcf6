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
    assert_eq!(plan.repair, None, "nothing was tried that it outlived");
    let plan = go(&plan.memory, &ill(35), restart("cron.service"));
    assert_eq!(episode(&plan).attempts.len(), 2, "another one");
}

#[test]
fn a_fix_runs_only_with_declared_values() {
    assert!(matches!(
        go(&Memory::default(), &ill(0), fix("sda")).begin,
        Some(Begin::Fix { .. })
    ));
    let call = |name: &str, args: &[(&str, &str)]| {
        let args = args.iter();
        Remedy::Fix(crate::policy::FixCall {
            name: crate::name::FixName::parse(name).unwrap(),
            args: args
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        })
    };
    for fix in [
        fix("sdb; reboot"),
        call("rescan", &[]),
        call("rescan", &[("disk", "sda"), ("then", "reboot")]),
        call("format", &[("disk", "sda")]),
    ] {
        let plan = go(&Memory::default(), &ill(0), fix.clone());
        assert_eq!(
            (plan.begin.clone(), held(&plan)),
            (None, Some(Reason::FixNotAllowed)),
            "{fix:?}"
        );
    }
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

#[test]
fn one_remedy_is_under_way_at_a_time_whatever_the_problems() {
    let other = SeenCondition {
        kind: kind("KernelDeadlock"),
        ..condition(Status::Yes, 0)
    };
    let both = |t| {
        let mut seen = ill(t);
        seen.conditions.push(other.clone());
        seen.handled.insert(other.kind.clone());
        seen
    };
    let again = restart("containerd.service");
    let plan = go(&Memory::default(), &both(0), again.clone());
    assert!(plan.begin.is_some());
    assert_eq!(held(&plan), Some(Reason::AnotherRemedyRuns));
    let tried = |plan: &Plan| -> Vec<usize> {
        let episodes = plan.memory.episodes.values();
        episodes.map(|episode| episode.attempts.len()).collect()
    };
    assert_eq!(tried(&plan), [1, 0]);
    // nor does one begin while this process still carries another out
    let busy = Seen {
        carrying_out: true,
        ..ill(0)
    };
    let plan = go(&Memory::default(), &busy, again);
    assert_eq!(
        (tried(&plan), held(&plan)),
        (vec![0], Some(Reason::AnotherRemedyRuns))
    );
}

#[test]
fn a_closed_gate_says_why() {
    use crate::episode::guard::{Closed, gate};
    use crate::policy::Gate;
    let closed = |detail: &str| {
        gate(Err(Closed {
            reason: Reason::TooSoon,
            detail: detail.to_owned(),
        }))
    };
    let text = Reason::TooSoon.text();
    assert_eq!(gate(Ok(())), Gate::Open);
    assert_eq!(closed(""), Gate::Closed(text.to_owned()));
    assert_eq!(closed("30 s"), Gate::Closed(format!("{text}: 30 s")));
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
