//! What is not begun.

use super::*;

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
