//! What counts as a storm, and what breaks the looking on.

use rectifier_core::budget::{Rule, State as Breaks};

use super::*;

fn any(_: &str) -> bool {
    true
}

/// A pool of this name, as it ships.
fn weather(cluster: &Cluster, second: i64) -> Weather {
    let policies = Arc::default();
    let answers = Answers {
        policies: &policies,
        handles: &any,
    };
    cluster.weather(&pool("one", "one"), &answers, at(second))
}

/// A node that joined at a second, and whose kubelet has said the same of itself since another.
fn joined(name: &str, created: i64, ready: &str, since: i64) -> SlimNode {
    let mut node = node(name, "one", "z", "False");
    node.metadata.creation_timestamp = serde_json::from_value(json!(at(created))).unwrap();
    node.status.conditions[0].status = ready.to_owned();
    node.status.conditions[0].last_transition_time = Some(at(since));
    node
}

fn cluster_of(nodes: impl IntoIterator<Item = SlimNode>) -> Cluster {
    let cluster = Cluster::default();
    cluster.unsettled(at(0));
    list(&cluster, &["one"]);
    cluster.pools_end();
    for node in nodes {
        cluster.see(&node, at(1000));
    }
    cluster
}

#[test]
fn nodes_that_have_just_joined_are_no_storm_before_they_are_judged() {
    let old = (0..6).map(|number| joined(&format!("old-{number}"), 0, "True", 30));
    let new = (0..4).map(|number| joined(&format!("new-{number}"), 1000, "False", 1001));
    let cluster = cluster_of(old.chain(new));
    assert_eq!(weather(&cluster, 1010).status.state, Breaks::Closed);
    assert_eq!(weather(&cluster, 1299).status.state, Breaks::Closed);
    let late = weather(&cluster, 1300).status;
    assert_eq!(late.state, Breaks::Open);
    assert_eq!(late.tripped.map(|tripped| tripped.seen), Some(4));

    // those that were ready once are ill, however new they are
    let old = (0..6).map(|number| joined(&format!("old-{number}"), 0, "True", 30));
    let ill = (0..4).map(|number| joined(&format!("new-{number}"), 900, "False", 990));
    let cluster = cluster_of(old.chain(ill));
    assert_eq!(weather(&cluster, 1010).status.state, Breaks::Open);
}

#[test]
fn a_node_that_was_removed_counts_in_the_zone_of_its_replacement() {
    let removed = |zone: Option<&str>| {
        let copy: SlimRepair = serde_json::from_value(json!({
            "metadata": {"name": "gone.repair.1", "uid": "u"},
            "spec": {"nodeName": "gone", "nodeUid": "n", "problem": {"kind": "KernelDeadlock"}},
            "status": {
                "phase": "Replaced", "since": at(990), "pool": "one", "committedAt": at(900),
                "replacement": {"name": "x-2", "zone": zone, "serverId": "new"},
            },
        }))
        .unwrap();
        Archived::of(&copy)
    };
    for (elsewhere, state) in [(None, Breaks::Open), (Some("az-9"), Breaks::Closed)] {
        // two of four in a zone are no storm, three are
        let zone = (0..4).map(|number| {
            let ill = if number < 2 { "True" } else { "False" };
            node(&format!("x-{number}"), "one", "x", ill)
        });
        let others = (0..16).map(|number| node(&format!("y-{number}"), "one", "y", "False"));
        let cluster = cluster_of(zone.chain(others));
        cluster.see_archived("gone.repair.1".to_owned(), removed(elsewhere));
        let seen = weather(&cluster, 1010).status;
        assert_eq!(seen.state, state, "{elsewhere:?}");
        let rule = seen.tripped.map(|tripped| (tripped.rule, tripped.seen));
        assert_eq!(rule, (state == Breaks::Open).then_some((Rule::ZoneSick, 3)));
        let counted = &cluster.storms()["one"].rules;
        let zones = counted.iter().filter(|rule| rule.rule == Rule::ZoneSick);
        let zones: Vec<_> = zones.map(|rule| (&*rule.of, rule.seen)).collect();
        let seen = if elsewhere.is_some() { 2 } else { 3 };
        assert_eq!(zones, [("x", seen), ("y", 0)]);
    }
}

#[test]
fn an_api_server_that_fails_for_several_nodes_is_no_ground_to_begin_on() {
    let cluster = cluster_of([]);
    assert_eq!(weather(&cluster, 1000).holds, None);
    for second in 1001..1030 {
        cluster.failed(&name("a"), at(second));
        cluster.failed(&name("b"), at(second));
    }
    assert_eq!(
        weather(&cluster, 1031).holds,
        None,
        "two nodes' own trouble"
    );
    cluster.failed(&name("c"), at(1089));
    assert_eq!(weather(&cluster, 1090).holds, None, "a minute later");
    cluster.failed(&name("d"), at(1090));
    cluster.failed(&name("e"), at(1091));
    let held = weather(&cluster, 1092);
    let (reason, words) = held.holds.unwrap();
    assert_eq!(reason, Reason::NotSteady);
    assert_eq!(words, "requests for several nodes failed");
    assert!(held.status.message.contains(&words), "{:?}", held.status);
    assert!(weather(&cluster, 1390).holds.is_some());
    assert_eq!(weather(&cluster, 1391).holds, None, "five minutes later");
}
