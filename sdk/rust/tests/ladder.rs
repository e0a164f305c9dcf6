//! The ladder, rung by rung.

use rectifier_policy::prelude::*;
use rectifier_policy::samples::{attempt, in_control_plane, on_node, unit};

const UNIT: &str = "containerd.service";

fn climbed(seen: &Observation) -> Decision {
    seen.ladder()
        .rung(
            Rung::of(Remedy::restart(UNIT))
                .times(3)
                .resting(60)
                .settling(20),
        )
        .rung(Rung::of(Remedy::run_fix("shims", [])))
        .rung(Rung::of(Remedy::Reboot))
        .or(Remedy::Escalate)
}

fn sick() -> Observation {
    on_node("ContainerRuntimeUnhealthy", [unit(UNIT, "failed")])
}

fn after(attempts: impl IntoIterator<Item = Attempt>) -> Observation {
    let mut seen = sick();
    seen.episode.attempts = attempts.into_iter().collect();
    seen
}

fn restarted(age: u32, outcome: Outcome) -> Attempt {
    attempt(Remedy::restart(UNIT), age, outcome)
}

#[test]
fn what_is_not_certain_or_under_way_is_waited_for() {
    assert_eq!(sick().not_now(), None);
    let mut unknown = sick();
    unknown.episode.problem.status = Status::Unknown;
    let mut stale = sick();
    if let Site::Node(view) = &mut stale.site {
        view.freshness = Freshness::Stale;
    }
    let running = after([restarted(10, Outcome::Running)]);
    for seen in [unknown, stale, running] {
        assert_eq!(climbed(&seen).remedy, Remedy::Wait(30));
    }
}

#[test]
fn the_mildest_comes_first_and_is_watched_as_it_says() {
    let decision = climbed(&sick());
    assert_eq!(decision.remedy, Remedy::restart(UNIT));
    assert_eq!(decision.reason, "containerd.service: attempt 1 of 3");
    assert_eq!(decision.settle, Some(20));
}

#[test]
fn a_rung_rests_twice_as_long_each_time() {
    let no_effect = |age| restarted(age, Outcome::NoEffect);
    assert_eq!(climbed(&after([no_effect(59)])).remedy, Remedy::Wait(1));
    assert_eq!(
        climbed(&after([no_effect(60)])).remedy,
        Remedy::restart(UNIT)
    );
    let twice = |age| after([no_effect(age), no_effect(500)]);
    assert_eq!(climbed(&twice(60)).remedy, Remedy::Wait(60));
    assert_eq!(climbed(&twice(120)).remedy, Remedy::restart(UNIT));
}

#[test]
fn what_was_refused_was_not_tried_and_is_not_asked_for_again_at_once() {
    let refused = |age| restarted(age, Outcome::Refused);
    assert_eq!(climbed(&after([refused(10)])).remedy, Remedy::Wait(20));
    let decision = climbed(&after([refused(30)]));
    assert_eq!(decision.reason, "containerd.service: attempt 1 of 3");
}

#[test]
fn a_fix_is_the_same_in_whatever_order_its_arguments_are_said() {
    let fix = |args: [(&str, &str); 2]| Remedy::run_fix("vacuum", args);
    let seen = after([attempt(
        fix([("a", "1"), ("b", "2")]),
        60,
        Outcome::NoEffect,
    )]);
    assert_eq!(seen.episode.tried(&fix([("b", "2"), ("a", "1")])), 1);
    assert_eq!(seen.episode.tried(&fix([("b", "1"), ("a", "2")])), 0);
}

#[test]
fn what_is_not_allowed_lies_behind_and_so_does_what_was_tried() {
    let mut seen = after((0..3).map(|at| restarted(at * 1000, Outcome::NoEffect)));
    let decision = climbed(&seen);
    assert_eq!(decision.remedy, Remedy::Reboot);
    assert_eq!(
        decision.reason,
        "a reboot: attempt 1 of 1; before it fix shims: not allowed here"
    );
    seen.episode
        .attempts
        .insert(0, attempt(Remedy::Reboot, 90, Outcome::NoEffect));
    let decision = climbed(&seen);
    assert_eq!(decision.remedy, Remedy::Escalate);
    assert_eq!(
        decision.reason,
        "containerd.service: tried 3 of 3 times; fix shims: not allowed here; a reboot: tried 1 of 1 times"
    );
}

#[test]
fn a_closed_gate_is_waited_for_where_it_opens_by_itself_and_passed_where_another_may_know_a_way() {
    let mut seen = sick();
    if let Site::Node(view) = &mut seen.site {
        view.units[0].gate = Gate::Closed("once a minute".to_owned());
        view.reboot = Gate::Closed("uptime".to_owned());
    }
    let decision = climbed(&seen);
    assert_eq!(decision.remedy, Remedy::Wait(30));
    assert_eq!(
        decision.reason,
        "containerd.service must wait: once a minute"
    );
    let reboot = |seen: &Observation| {
        seen.ladder()
            .rung(Rung::of(Remedy::Reboot))
            .or(Remedy::Escalate)
    };
    assert_eq!(reboot(&seen).remedy, Remedy::Escalate);
    assert_eq!(reboot(&seen).reason, "a reboot: not now: uptime");
}

#[test]
fn a_replacement_that_must_wait_is_waited_for_as_long_as_its_patience_lasts() {
    let mut seen = in_control_plane("A");
    if let Site::ControlPlane(view) = &mut seen.site {
        view.replace = Gate::Closed("a storm".to_owned());
    }
    let climbed = |seen: &Observation, rung: Rung| seen.ladder().rung(rung).or(Remedy::Escalate);
    let replace = || Rung::of(Remedy::Replace);
    seen.episode.age = 86_400;
    assert_eq!(climbed(&seen, replace()).remedy, Remedy::Wait(30));
    assert_eq!(
        climbed(&seen, replace().patient(86_401)).remedy,
        Remedy::Wait(30)
    );
    let decision = climbed(&seen, replace().patient(86_400));
    assert_eq!(decision.remedy, Remedy::Escalate);
    assert_eq!(
        decision.reason,
        "a replacement: waited for too long: a storm"
    );
}

#[test]
fn a_remedy_of_the_other_site_is_passed() {
    let decision = climbed(&in_control_plane("ContainerRuntimeUnhealthy"));
    assert_eq!(decision.remedy, Remedy::Reboot);
    let replace = |seen: &Observation| {
        seen.ladder()
            .rung(Rung::of(Remedy::Replace))
            .or(Remedy::Escalate)
            .remedy
    };
    assert_eq!(replace(&sick()), Remedy::Escalate);
    assert_eq!(replace(&in_control_plane("A")), Remedy::Replace);
}
