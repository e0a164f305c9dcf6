use rectifier_core::policy::{Gate, Site, Status};

use super::*;

fn draft(change: Value) -> Draft {
    let mut draft = Draft::healthy();
    draft.change(&json!({"episode": {"problem": {"kind": "KubeletUnhealthy"}}}));
    draft.change(&change);
    draft
}

fn seen(change: Value) -> Observation {
    draft(change).finish().unwrap()
}

#[test]
fn only_the_problem_must_be_named() {
    let unnamed = Draft::healthy().finish().unwrap_err();
    assert_eq!(path(&unnamed.way), "episode.problem.kind");
    let seen = seen(json!({}));
    assert_eq!(seen.node.ready, Status::Yes);
    assert_eq!(seen.conditions, std::slice::from_ref(&seen.episode.problem));
    assert_eq!(seen.site.kind(), SiteKind::Node);
}

#[test]
fn items_of_lists_say_only_what_matters() {
    let seen = seen(json!({
        "site": {"node": {"units": [{"name": "kubelet.service", "activeState": "failed"}]}},
        "episode": {"attempts": [{"remedy": "reboot"}]},
        "events": [{"reason": "OOMKilling"}],
        "otherEpisodes": [{"problem": {"kind": "KernelDeadlock"}}],
        "conditions": [{"kind": "DiskFull"}],
    }));
    let Site::Node(view) = &seen.site else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (view.units[0].sub_state.as_str(), &view.units[0].gate),
        ("failed", &Gate::Open)
    );
    assert_eq!(seen.episode.attempts[0].outcome, Outcome::NoEffect);
    assert_eq!(seen.other_episodes[0].problem.status, Status::Yes);
    assert_eq!(seen.conditions[0].status, Status::No);
}

#[test]
fn what_was_recorded_whole_stays_as_it_is() {
    let mut recorded = serde_json::to_value(seen(json!({}))).unwrap();
    recorded["node"].as_object_mut().unwrap().remove("uptime");
    let read = Draft::of(&recorded).finish().unwrap();
    assert_eq!(read.node.uptime, None);
    assert_eq!(serde_json::to_value(read).unwrap(), recorded);
}

#[test]
fn a_misspelt_key_or_value_is_found() {
    let wrong = |change: Value| {
        let unfit = draft(change).finish().unwrap_err();
        path(&unfit.way)
    };
    assert_eq!(wrong(json!({"node": {"uptme": 3}})), "node.uptme");
    let unit = json!({"name": "kubelet.service", "state": "failed"});
    assert_eq!(
        wrong(json!({"site": {"node": {"units": [unit]}}})),
        "site.node.units[0].state"
    );
    assert_eq!(wrong(json!({"node": {"ready": "maybe"}})), "node.ready");
    assert_eq!(
        wrong(json!({"episode": {"problem": {"held": -1}}})),
        "episode.problem.held"
    );
}

#[test]
fn the_other_engine_sees_what_it_can_see() {
    let mut draft = draft(json!({"episode": {"attempts": [{"remedy": "reboot"}]}}));
    draft.change(&json!({"site": "control-plane"}));
    let seen = draft.finish().unwrap();
    assert_eq!(seen.site.kind(), SiteKind::ControlPlane);
    assert!(seen.episode.attempts.is_empty() && seen.node.uptime.is_none());
    assert_eq!(seen.facts["agent"], "present");
    draft.change(
        &json!({"site": {"controlPlane": {"server": null, "replace": {"closed": "budget"}}}}),
    );
    let Site::ControlPlane(view) = draft.finish().unwrap().site else {
        panic!("{draft:?}")
    };
    assert_eq!(
        (view.server, view.replace),
        (None, Gate::Closed("budget".to_owned()))
    );
}

#[test]
fn time_makes_everything_older_and_the_clock_go_on() {
    let mut draft = draft(json!({
        "now": {"unixSeconds": 1_800_000_030, "weekday": 7, "minuteOfDay": 1439},
        "events": [{"reason": "A", "lastSeen": 3500}, {"reason": "B"}],
    }));
    draft.begin(&Remedy::Reboot);
    assert!(draft.end(Outcome::Failed, "no grant"));
    draft.pass(120);
    let seen = draft.finish().unwrap();
    assert_eq!((seen.now.weekday, seen.now.minute_of_day), (1, 1));
    assert_eq!((seen.episode.age, seen.episode.problem.held), (180, 180));
    assert_eq!(
        (
            seen.episode.attempts[0].age,
            seen.episode.attempts[0].detail.as_str()
        ),
        (120, "no grant")
    );
    assert_eq!(seen.events.len(), 1);
    assert_eq!(seen.node.uptime, Some(86_520));
}

#[test]
fn a_status_that_turns_is_new() {
    let mut draft = draft(json!({}));
    draft.change(&json!({"episode": {"problem": {"status": "no"}}}));
    assert_eq!(draft.finish().unwrap().episode.problem.held, 0);
}

#[test]
fn a_gate_is_closed_by_name() {
    let mut draft = draft(json!({"site": {"node": {"units": [{"name": "a.service"}]}}}));
    assert!(draft.close("a.service", "jitter") && draft.close("reboot", "no grant"));
    assert!(!draft.close("b.service", "") && !draft.close("replace", ""));
    let Site::Node(view) = draft.finish().unwrap().site else {
        panic!("{draft:?}")
    };
    assert_eq!(view.units[0].gate, Gate::Closed("jitter".to_owned()));
    assert_eq!(view.reboot, Gate::Closed("no grant".to_owned()));
}
