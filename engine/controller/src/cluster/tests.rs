mod conditions;
mod lists;
mod storms;

use rectifier_api::RepairPoolSpec;
use rectifier_core::policy::Group;
use rectifier_core::repair::{Phase, Side};
use rectifier_policy_host::Set;
use serde_json::json;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn name(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}

fn pool(name: &str, label: &str) -> RepairPool {
    let labels = [("pool".to_owned(), label.to_owned())].into();
    let mut spec: RepairPoolSpec = serde_json::from_value(json!({"nodeSelector": {}})).unwrap();
    spec.node_selector.match_labels = Some(labels);
    RepairPool::new(name, spec)
}

fn open(phase: Phase, reason: Option<Reason>) -> Option<Open> {
    let flight = Flight {
        phase,
        since: None,
        rung: None,
        pool: None,
        side: Side::Before,
    };
    Some(Open {
        uid: "open".to_owned(),
        flight,
        reason,
        tried: Vec::new(),
        made: None,
    })
}

fn node(name: &str, pool: &str, zone: &str, problem: &str) -> SlimNode {
    serde_json::from_value(json!({
        "metadata": {"name": name, "uid": name, "labels": {"pool": pool, "topology.kubernetes.io/zone": zone}},
        "status": {"conditions": [
            {"type": "Ready", "status": "True", "reason": "KubeletReady"},
            {"type": "KernelDeadlock", "status": problem, "reason": "r", "message": "m"},
        ]},
    }))
    .unwrap()
}

fn list(cluster: &Cluster, pools: &[&str]) {
    cluster.pools_begin();
    for pool_name in pools {
        cluster.see_pool((*pool_name).to_owned(), Some(pool(pool_name, pool_name)));
    }
}

fn pool_of(cluster: &Cluster, node: &str) -> Result<String, NoRules> {
    let pool = cluster.pool_of(&name(node))?;
    Ok(pool.metadata.name.clone().unwrap_or_default())
}

#[test]
fn a_node_changes_its_pool_with_its_labels_and_with_the_pools() {
    let cluster = Cluster::default();
    list(&cluster, &["one", "two"]);
    cluster.pools_end();
    cluster.see(&node("a", "one", "z", "False"), at(0));
    cluster.see(&node("b", "one", "z", "False"), at(0));
    let size = |of: &str| cluster.groups(&name(of), "KernelDeadlock")[0].nodes;
    assert_eq!(size("a"), 2);
    cluster.see(&node("b", "two", "z", "False"), at(1));
    assert_eq!((size("a"), size("b")), (1, 1));
    assert_eq!(pool_of(&cluster, "b").as_deref(), Ok("two"));
    cluster.see_pool("two".to_owned(), Some(pool("two", "one")));
    assert_eq!(pool_of(&cluster, "a"), Err(NoRules::TwoPools));
    assert_eq!(pool_of(&cluster, "b"), Err(NoRules::NoPool));
    cluster.see_pool("two".to_owned(), None);
    assert_eq!(size("a"), 1);
    cluster.forget(&name("a"));
    assert_eq!(pool_of(&cluster, "a"), Err(NoRules::NoPool));
}

#[test]
fn groups_are_counted_by_pool_zone_and_problem() {
    let cluster = Cluster::default();
    list(&cluster, &["one", "two"]);
    cluster.pools_end();
    for (node_name, pool, zone, problem) in [
        ("a", "one", "x", "True"),
        ("b", "one", "x", "False"),
        ("c", "one", "y", "True"),
        ("d", "two", "x", "True"),
        ("e", "none", "x", "True"),
    ] {
        cluster.see(&node(node_name, pool, zone, problem), at(0));
    }
    cluster.see_repair(name("c"), open(Phase::Judging, None));
    cluster.see_repair(name("d"), open(Phase::Judging, None));
    cluster.repairs_begin();
    cluster.see_repair(name("c"), open(Phase::Judging, None));
    cluster.see_repair(name("b"), open(Phase::Judging, None));
    cluster.repairs_end();
    // ill of something else
    let mut other = node("b", "one", "x", "False");
    other.status.conditions[1].kind = "ReadonlyFilesystem".to_owned();
    other.status.conditions[1].status = "True".to_owned();
    cluster.see(&other, at(1));
    let group = |nodes, sick, repairing| Group {
        nodes,
        sick,
        repairing,
    };
    let [pool, zone, same] = cluster.groups(&name("a"), "KernelDeadlock");
    assert_eq!(
        (pool, zone, same),
        (group(3, 3, 2), group(2, 2, 1), group(2, 2, 1))
    );
    assert_eq!(
        cluster.groups(&name("e"), "KernelDeadlock"),
        [Group::default(); 3]
    );
}

#[test]
fn only_what_decisions_read_and_only_of_nodes_that_ail_is_a_reason_to_look() {
    let cluster = Cluster::default();
    let look = |node: &SlimNode, second| cluster.see(node, at(second)).unwrap().1;
    assert!(!look(&node("a", "one", "z", "False"), 0), "it is well");
    assert!(!look(&node("a", "one", "z", "False"), 1), "a heartbeat");
    assert!(look(&node("a", "one", "z", "True"), 2));
    assert!(!look(&node("a", "one", "z", "True"), 3), "a heartbeat");
    let mut cordoned = node("a", "one", "z", "True");
    cordoned.spec.unschedulable = true;
    assert!(look(&cordoned, 4));
    assert!(look(&node("a", "one", "z", "False"), 5), "it was sick");
    cluster.see_repair(name("a"), open(Phase::Judging, None));
    assert!(!look(&node("a", "one", "z", "False"), 6));
    cordoned.status.conditions.clear();
    assert!(look(&cordoned, 7), "it is in repair");
}

#[test]
fn every_sick_node_stands_there_once_with_one_reason() {
    let cluster = Cluster::default();
    list(&cluster, &["one"]);
    cluster.pools_end();
    cluster.see(&node("a", "one", "z", "True"), at(0));
    cluster.see(&node("b", "one", "z", "False"), at(0));
    cluster.see(&node("c", "one", "z", "True"), at(0));
    cluster.see_repair(
        name("c"),
        open(Phase::Draining, Some(Reason::BlockedByBudget)),
    );
    cluster.repairs_begin();
    cluster.see_repair(
        name("c"),
        open(Phase::Draining, Some(Reason::BlockedByBudget)),
    );
    cluster.repairs_end();
    let sick = cluster.sick(&Set::default());
    let told: Vec<_> = sick
        .iter()
        .map(|sick| {
            (
                sick.node.as_str(),
                sick.pool.as_str(),
                sick.phase,
                sick.reason,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("a", "one", None, Reason::NoPolicy),
            ("c", "one", Some(Phase::Draining), Reason::BlockedByBudget),
        ]
    );
}

#[test]
fn what_was_told_is_told_again_when_it_changes_or_is_forgotten_by_the_api_server() {
    let cluster = Cluster::default();
    let node = name("worker-1");
    let news = |reason, second| cluster.is_news(&node, reason, "ProxyUnhealthy", at(second));
    assert!(news(Reason::NoPool, 0));
    assert!(!news(Reason::NoPool, 10));
    assert!(news(Reason::TwoPools, 20));
    assert!(!news(Reason::TwoPools, 30));
    assert!(news(Reason::TwoPools, 20 + i64::from(TELL_AGAIN)));
}

#[test]
fn one_server_of_a_pool_goes_first_at_a_time() {
    let cluster = Cluster::default();
    let short = |pool: &str, side| {
        let mut open = open(Phase::DeletingServer, None)?;
        (open.flight.side, open.flight.pool) = (side, Some(pool.to_owned()));
        Some(open)
    };
    let other = |pool: &str, but: &str| {
        let other = cluster.short(pool, &name(but))?;
        Some((other.node.to_string(), other.is_away))
    };
    cluster.see_repair(name("a"), open(Phase::Draining, None));
    assert_eq!(other("web", "b"), None);
    for (side, is_away) in [(Side::MakingRoom, false), (Side::RoomMade, true)] {
        cluster.see_repair(name("a"), short("web", side));
        assert_eq!(other("web", "b"), Some(("a".to_owned(), is_away)));
        assert_eq!(other("web", "a"), None, "it is the one");
        assert_eq!(other("db", "b"), None);
    }
    // of two the one that has gone
    cluster.see_repair(name("c"), short("web", Side::MakingRoom));
    assert_eq!(other("web", "b"), Some(("a".to_owned(), true)));
    assert_eq!(other("web", "a"), Some(("c".to_owned(), false)));
    cluster.see_repair(name("c"), short("web", Side::Committed));
    cluster.see_repair(name("a"), None);
    assert_eq!(other("web", "b"), None);
}

/// Its pool bears another name since.
#[test]
fn a_server_that_has_gone_first_is_of_the_pool_in_which_its_node_is_now() {
    let cluster = Cluster::default();
    list(&cluster, &["one"]);
    cluster.pools_end();
    cluster.see(&node("a", "one", "z", "True"), at(0));
    let mut gone = open(Phase::DeletingServer, None).unwrap();
    (gone.flight.side, gone.flight.pool) = (Side::RoomMade, Some("former".to_owned()));
    cluster.see_repair(name("a"), Some(gone));
    for pool in ["one", "former"] {
        assert!(cluster.short(pool, &name("b")).is_some(), "{pool}");
    }
}

/// Two that come to it in one moment: no watch has shown either.
#[test]
fn a_server_that_was_let_go_counts_before_its_record_shows_it() {
    let cluster = Cluster::default();
    for node in ["a", "b"] {
        cluster.see_repair(name(node), open(Phase::AwaitingOwners, None));
    }
    let goes =
        |pool: &str, node: &str, is_away| cluster.go_first(pool, &name(node), is_away).is_ok();
    assert!(goes("web", "a", false) && goes("web", "a", true));
    assert!(!goes("web", "b", false) && !goes("web", "b", true));
    assert!(goes("db", "b", false));
    cluster.stays(&name("b"));
    cluster.stays(&name("a"));
    assert!(goes("web", "b", false), "the other one stays");
    cluster.leave_turn(&name("b"));
    assert!(goes("web", "a", false), "the other one is over");
    // after a change of leaders two may be on their way: one of them goes on
    assert!(goes("web", "b", true));
    assert!(!goes("web", "a", true));
    cluster.see_repair(name("b"), None);
    assert!(
        goes("web", "a", true),
        "nothing is known of the other any more"
    );
}
