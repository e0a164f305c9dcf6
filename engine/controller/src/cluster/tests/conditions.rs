//! What is kept of the conditions of a node.

use super::*;

#[test]
fn of_two_conditions_of_one_type_the_last_counts_everywhere() {
    let cluster = Cluster::default();
    let mut twice = node("a", "one", "z", "False");
    let mut again = twice.status.conditions[1].clone();
    again.status = "True".to_owned();
    twice.status.conditions.push(again);
    cluster.see(&twice, at(0));
    assert_eq!(
        cluster.held(&name("a"), "KernelDeadlock", at(1)),
        Some((Status::Yes, 1))
    );
    let facts = cluster.facts(&name("a")).unwrap();
    let kind = ConditionKind::parse("KernelDeadlock").unwrap();
    assert_eq!(facts.conditions[&kind].status, Status::Yes);
    assert_eq!(cluster.concerned(), [name("a")]);
}

/// What Node Problem Detector says at one moment: each condition with its status and its transition.
fn npd(second: u32, said: &[(&str, &str, u32)]) -> SlimNode {
    let time = |second: u32| at(second.into()).to_string();
    let conditions = said.iter().map(|(kind, status, transition)| {
        json!({
            "type": kind, "status": status, "reason": "r", "message": "m",
            "lastHeartbeatTime": time(second), "lastTransitionTime": time(*transition),
        })
    });
    let mut node = node("a", "one", "z", "False");
    node.status.conditions = conditions
        .map(|condition| serde_json::from_value(condition).unwrap())
        .collect();
    node
}

fn problem(cluster: &Cluster, second: i64) -> ProblemSeen {
    cluster.problem(&name("a"), "KernelDeadlock", at(second))
}

#[test]
fn a_restart_of_the_detector_takes_a_condition_back_and_heals_nothing() {
    use rectifier_core::repair::told::Doubt;
    let gone = |held, doubt| ProblemSeen::Cleared { held, doubt };
    let cluster = Cluster::default();
    let well = [("XfsShutdown", "False", 1000), ("Ready", "True", 10)];
    let of = |condition: (&'static str, &'static str, u32)| [&well[..], &[condition]].concat();
    cluster.see(&npd(2000, &of(("KernelDeadlock", "True", 2000))), at(2000));
    assert_eq!(problem(&cluster, 2100), ProblemSeen::There);
    // it went away, while the detector ran on
    cluster.see(&npd(2300, &of(("KernelDeadlock", "False", 2299))), at(2300));
    assert_eq!(problem(&cluster, 2360), gone(60, None));
    cluster.see(&npd(9000, &of(("KernelDeadlock", "True", 9000))), at(9000));
    assert_eq!(problem(&cluster, 9000), ProblemSeen::There);
    // the detector was restarted: it says nothing any more that is older, though what it says of the other is the same
    let anew = [
        ("XfsShutdown", "False", 9101),
        ("KernelDeadlock", "False", 9100),
    ];
    cluster.see(&npd(9102, &anew), at(9102));
    assert_eq!(problem(&cluster, 9162), gone(60, Some(Doubt::Reset)));
    // so does an engine judge that was restarted with it
    let other = Cluster::default();
    other.see(&npd(9102, &anew), at(9110));
    assert_eq!(problem(&other, 9170), gone(60, Some(Doubt::Reset)));
}

#[test]
fn a_heartbeat_is_no_news_and_its_absence_is_seen() {
    let cluster = Cluster::default();
    let said = |at| npd(at, &[("KernelDeadlock", "True", 1000)]);
    // its clock is an hour behind ours: what counts is that it goes on
    cluster.see(&said(1000), at(4600));
    assert_eq!(
        problem(&cluster, 4601),
        ProblemSeen::Stale,
        "by its own word"
    );
    for heartbeat in [1300, 1600] {
        let now = i64::from(heartbeat) + 3600;
        let (_, is_news) = cluster.see(&said(heartbeat), at(now)).unwrap();
        assert!(!is_news);
        assert_eq!(problem(&cluster, now + 300), ProblemSeen::There);
    }
    assert_eq!(problem(&cluster, 5200 + 659), ProblemSeen::There);
    assert_eq!(problem(&cluster, 5200 + 660), ProblemSeen::Stale);
    cluster.see(&said(7000), at(10_600));
    assert_eq!(problem(&cluster, 10_601), ProblemSeen::There);
}

#[test]
fn what_is_written_once_or_without_a_heartbeat_is_never_stale() {
    let cluster = Cluster::default();
    cluster.see(&node("a", "one", "z", "True"), at(0));
    assert_eq!(problem(&cluster, 99_999), ProblemSeen::There);
    cluster.see(&npd(10, &[("NetworkUnavailable", "True", 10)]), at(10));
    let network = cluster.problem(&name("a"), "NetworkUnavailable", at(99_999));
    assert_eq!(network, ProblemSeen::There);
}

#[test]
fn the_time_for_which_a_problem_stood_is_added_up_until_it_stays_away_or_the_node_boots() {
    let cluster = Cluster::default();
    let spell = || {
        let facts = cluster.facts(&name("a")).unwrap();
        let sight = &facts.conditions[&ConditionKind::parse("KernelDeadlock").unwrap()];
        (sight.spell.stood, sight.spell.returns)
    };
    for (second, status, wanted) in [
        (0, "True", (0, 0)),
        (30, "False", (30, 0)),
        (100, "True", (30, 1)),
        (120, "True", (30, 1)),
        (130, "False", (60, 1)),
        (1029, "True", (60, 2)),
        (1030, "False", (61, 2)),
        (1930, "True", (0, 0)),
    ] {
        cluster.see(&node("a", "one", "z", status), at(second));
        assert_eq!(spell(), wanted, "{second}");
    }
    cluster.see(&node("a", "one", "z", "False"), at(1940));
    let mut booted = node("a", "one", "z", "True");
    booted.status.node_info.boot_id = "another".to_owned();
    cluster.see(&booted, at(1950));
    assert_eq!(spell(), (0, 0));
}

#[test]
fn what_is_kept_of_a_condition_is_small() {
    assert!(std::mem::size_of::<held::Held>() <= 96);
}

#[test]
fn what_a_person_has_acknowledged_is_no_problem_until_it_is_reported_anew() {
    let cluster = Cluster::default();
    let see = |since: i64, upto: Option<i64>, now: i64| {
        let word =
            |upto| json!({"rectifier.dev/acknowledged": format!("KernelDeadlock={}", at(upto))});
        let node: SlimNode = serde_json::from_value(json!({
            "metadata": {"name": "a", "uid": "a", "annotations": upto.map_or(json!({}), word)},
            "status": {"conditions": [{
                "type": "KernelDeadlock", "status": "True", "reason": "r", "message": "m",
                "lastTransitionTime": at(since).to_string(),
            }]},
        }))
        .unwrap();
        cluster.see(&node, at(now));
        !cluster.concerned().is_empty()
    };
    assert!(see(100, None, 110));
    assert!(see(100, Some(99), 120), "an earlier one");
    assert!(!see(100, Some(100), 130));
    assert!(see(200, Some(100), 210), "it is reported anew");
    assert!(!see(200, Some(300), 310));
    assert!(see(200, None, 320), "the word was taken back");
}
