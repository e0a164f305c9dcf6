use rectifier_policy::types::{Group, Moment};

use super::*;

const UNIT: &str = "kubelet.service";

fn settings(json: &str) -> Settings {
    let settings: Settings = serde_json::from_str(json).unwrap();
    settings.check().unwrap();
    settings
}

fn rebooting() -> Settings {
    settings(
        r#"{"rules": [{"condition": "KubeletUnhealthy", "unit": "kubelet.service", "reboot": true}]}"#,
    )
}

fn observation(site: Site, attempts: Vec<Attempt>) -> Observation {
    let problem = Condition {
        kind: "KubeletUnhealthy".to_owned(),
        status: Status::Yes,
        reason: "KubeletUnhealthy".to_owned(),
        message: String::new(),
        held: 10,
        source: "npd".to_owned(),
    };
    let node = Node {
        name: "node-1".to_owned(),
        pool: None,
        zone: String::new(),
        labels: Vec::new(),
        ready: Status::No,
        unschedulable: false,
        uptime: Some(1000),
        pods: 0,
    };
    Observation {
        id: "1".to_owned(),
        now: Moment {
            unix_seconds: 1_800_000_000,
            weekday: 1,
            minute_of_day: 0,
        },
        node,
        site,
        episode: Episode {
            problem,
            age: 60,
            recurrences: 0,
            attempts,
        },
        other_episodes: Vec::new(),
        conditions: Vec::new(),
        events: Vec::new(),
        facts: Vec::new(),
    }
}

fn node_view() -> NodeView {
    let unit = Unit {
        name: UNIT.to_owned(),
        active_state: "failed".to_owned(),
        sub_state: "failed".to_owned(),
        restarts: 0,
        held: 10,
        gate: Gate::Open,
    };
    NodeView {
        units: vec![unit],
        fixes: Vec::new(),
        reboot: Gate::Open,
        freshness: Freshness::Fresh,
    }
}

fn cluster_view() -> ClusterView {
    let group = Group {
        nodes: 5,
        sick: 1,
        repairing: 1,
    };
    let server = Server {
        status: "ACTIVE".to_owned(),
        task: None,
        fault: None,
        age: 9999,
        proven_dead: false,
    };
    ClusterView {
        pool: group,
        zone: group,
        same_problem: group,
        server: Some(server),
        requested_by: "node-engine".to_owned(),
        reboot: Gate::Open,
        replace: Gate::Open,
        freshness: Freshness::Fresh,
    }
}

fn tried(remedy: Remedy, outcome: Outcome) -> Attempt {
    Attempt {
        remedy,
        age: 100,
        outcome,
        detail: String::new(),
    }
}

fn decide(site: Site, attempts: Vec<Attempt>, settings: &Settings) -> Remedy {
    RestartThenReplace::decide(&observation(site, attempts), settings)
        .unwrap()
        .remedy
}

fn on_node(attempts: Vec<Attempt>, settings: &Settings) -> Remedy {
    decide(Site::Node(node_view()), attempts, settings)
}

fn in_control_plane(attempts: Vec<Attempt>, settings: &Settings) -> Remedy {
    decide(Site::ControlPlane(cluster_view()), attempts, settings)
}

#[test]
fn the_node_climbs_from_restarts_over_a_reboot_to_escalation() {
    let restarted = |outcome| tried(Remedy::restart(UNIT), outcome);
    let (none, two) = (
        settings("{}"),
        vec![restarted(Outcome::NoEffect), restarted(Outcome::Failed)],
    );
    assert_eq!(on_node(vec![], &none), Remedy::restart(UNIT));
    assert_eq!(
        on_node(vec![restarted(Outcome::NoEffect)], &none),
        Remedy::restart(UNIT)
    );
    assert_eq!(on_node(two.clone(), &none), Remedy::Escalate);
    assert_eq!(on_node(two.clone(), &rebooting()), Remedy::Reboot);
    let rebooted = [vec![tried(Remedy::Reboot, Outcome::NoEffect)], two].concat();
    assert_eq!(on_node(rebooted, &rebooting()), Remedy::Escalate);
}

#[test]
fn a_problem_that_comes_back_is_not_restarted_for_ever() {
    let recovered = || tried(Remedy::restart(UNIT), Outcome::Recovered);
    assert_eq!(
        on_node(vec![recovered(), recovered()], &settings("{}")),
        Remedy::Escalate
    );
}

#[test]
fn a_refused_restart_is_no_attempt_but_gives_pause() {
    let refused = |age| Attempt {
        age,
        ..tried(Remedy::restart(UNIT), Outcome::Refused)
    };
    assert_eq!(
        on_node(vec![refused(10), refused(70)], &settings("{}")),
        Remedy::Wait(20)
    );
    assert_eq!(
        on_node(vec![refused(30), refused(70)], &settings("{}")),
        Remedy::restart(UNIT)
    );
}

#[test]
fn while_a_remedy_is_under_way_it_waits() {
    let running = Attempt {
        age: 10,
        ..tried(Remedy::restart(UNIT), Outcome::Running)
    };
    assert_eq!(on_node(vec![running], &settings("{}")), Remedy::Wait(20));
}

#[test]
fn neither_doubt_nor_a_stale_view_is_a_ground_to_act() {
    for status in [Status::Unknown, Status::No] {
        let mut seen = observation(Site::Node(node_view()), vec![]);
        seen.episode.problem.status = status;
        let decision = RestartThenReplace::decide(&seen, &settings("{}")).unwrap();
        assert_eq!(decision.remedy, Remedy::Wait(SOON));
    }
    for freshness in [Freshness::Stale, Freshness::Missing] {
        let node = Site::Node(NodeView {
            freshness,
            ..node_view()
        });
        let cluster = Site::ControlPlane(ClusterView {
            freshness,
            ..cluster_view()
        });
        assert_eq!(decide(node, vec![], &settings("{}")), Remedy::Wait(SOON));
        assert_eq!(decide(cluster, vec![], &settings("{}")), Remedy::Wait(SOON));
    }
}

#[test]
fn a_unit_that_may_not_be_touched_lies_behind_and_a_closed_one_is_waited_for() {
    let mut view = node_view();
    view.units[0].gate = Gate::Closed("jitter".to_owned());
    assert_eq!(
        decide(Site::Node(view.clone()), vec![], &settings("{}")),
        Remedy::Wait(SOON)
    );
    view.units.clear();
    assert_eq!(
        decide(Site::Node(view), vec![], &settings("{}")),
        Remedy::Escalate
    );
}

#[test]
fn a_node_that_may_not_reboot_hands_over() {
    let view = NodeView {
        reboot: Gate::Closed("no API".to_owned()),
        units: vec![],
        ..node_view()
    };
    assert_eq!(
        decide(Site::Node(view), vec![], &rebooting()),
        Remedy::Escalate
    );
}

#[test]
fn the_control_plane_reboots_once_if_it_may_and_replaces() {
    assert_eq!(in_control_plane(vec![], &settings("{}")), Remedy::Replace);
    assert_eq!(in_control_plane(vec![], &rebooting()), Remedy::Reboot);
    let rebooted = vec![tried(Remedy::Reboot, Outcome::NoEffect)];
    assert_eq!(in_control_plane(rebooted, &rebooting()), Remedy::Replace);
    let mut dead = cluster_view();
    dead.server.as_mut().unwrap().proven_dead = true;
    assert_eq!(
        decide(Site::ControlPlane(dead), vec![], &rebooting()),
        Remedy::Replace
    );
}

#[test]
fn a_replacement_that_is_not_allowed_is_waited_for_and_then_a_person_is_asked() {
    let view = ClusterView {
        replace: Gate::Closed("budget".to_owned()),
        ..cluster_view()
    };
    let mut seen = observation(Site::ControlPlane(view), vec![]);
    let decide = |seen: &Observation| {
        RestartThenReplace::decide(seen, &settings("{}"))
            .unwrap()
            .remedy
    };
    assert_eq!(decide(&seen), Remedy::Wait(SOON));
    seen.episode.age = 3600;
    assert_eq!(decide(&seen), Remedy::Escalate);
}

#[test]
fn three_failed_replacements_are_a_persons_affair() {
    let failed = || tried(Remedy::Replace, Outcome::Failed);
    assert_eq!(
        in_control_plane(vec![failed(), failed()], &settings("{}")),
        Remedy::Replace
    );
    assert_eq!(
        in_control_plane(vec![failed(), failed(), failed()], &settings("{}")),
        Remedy::Escalate
    );
}

#[test]
fn what_no_rule_names_is_declined() {
    let none = settings(r#"{"rules": []}"#);
    assert_eq!(on_node(vec![], &none), Remedy::Decline);
}

#[test]
fn the_sidecar_that_ships_says_what_holds_without_it() {
    #[derive(serde::Deserialize)]
    struct Sidecar {
        settings: Settings,
    }
    let shipped: Sidecar =
        serde_saphyr::from_str(include_str!("../restart-then-replace.yaml")).unwrap();
    assert_eq!(shipped.settings, settings("{}"));
}

#[test]
fn settings_that_make_no_sense_are_refused_by_key() {
    let refused = |json: &str| {
        let settings: Result<Settings, _> = serde_json::from_str(json);
        settings
            .map_err(|error| error.to_string())
            .and_then(|settings| settings.check())
            .unwrap_err()
    };
    assert!(refused(r#"{"rule": []}"#).contains("rule"));
    assert!(refused(r#"{"rules": [{"condition": "A", "atempts": 1}]}"#).contains("atempts"));
    assert!(
        refused(r#"{"rules": [{"condition": "A"}, {"condition": "A"}]}"#)
            .contains("rules[1].condition")
    );
    assert!(
        refused(r#"{"rules": [{"condition": "A", "unit": "kubelet"}]}"#).contains("rules[0].unit")
    );
}
