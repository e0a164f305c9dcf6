use rectifier_api::RepairPoolSpec;
use rectifier_core::policy::Group;
use rectifier_core::repair::Phase;
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
        has_begun: false,
        pool: None,
    };
    Some(Open { flight, reason })
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
fn a_pool_that_was_deleted_while_the_watch_was_cut_is_gone() {
    let cluster = Cluster::default();
    list(&cluster, &["one", "two"]);
    cluster.pools_end();
    cluster.see(&node("a", "one", "z", "False"), at(0));
    assert_eq!(pool_of(&cluster, "a").as_deref(), Ok("one"));
    list(&cluster, &["two"]);
    cluster.pools_end();
    assert_eq!(pool_of(&cluster, "a"), Err(NoRules::NoPool));
}

#[test]
fn half_a_list_is_no_list() {
    let cluster = Cluster::default();
    cluster.see(&node("a", "one", "z", "False"), at(0));
    list(&cluster, &["one"]);
    assert_eq!(
        pool_of(&cluster, "a"),
        Err(NoRules::NoPool),
        "until it is whole"
    );
    cluster.pools_end();
    assert_eq!(pool_of(&cluster, "a").as_deref(), Ok("one"));
    list(&cluster, &["two"]);
    assert_eq!(
        pool_of(&cluster, "a").as_deref(),
        Ok("one"),
        "until it is whole"
    );
    // it broke off, and begins again
    list(&cluster, &["one", "three"]);
    cluster.see_pool("other".to_owned(), Some(pool("other", "one")));
    cluster.pools_end();
    assert_eq!(pool_of(&cluster, "a"), Err(NoRules::TwoPools));
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
    let group = |nodes, sick, repairing| Group {
        nodes,
        sick,
        repairing,
    };
    let [pool, zone, same] = cluster.groups(&name("a"), "KernelDeadlock");
    assert_eq!(
        (pool, zone, same),
        (group(3, 2, 2), group(2, 1, 1), group(2, 2, 1))
    );
    assert_eq!(
        cluster.groups(&name("e"), "KernelDeadlock"),
        [Group::default(); 3]
    );
}

#[test]
fn a_repair_that_ended_while_the_watch_was_cut_is_none_and_its_node_is_looked_at() {
    let cluster = Cluster::default();
    cluster.see_repair(name("worker-1"), open(Phase::Judging, None));
    assert_eq!(cluster.concerned(), [name("worker-1")]);
    cluster.repairs_begin();
    assert_eq!(cluster.repairs_end(), [name("worker-1")]);
    assert!(cluster.concerned().is_empty());
}

#[test]
fn a_node_that_went_away_while_the_watch_was_cut_is_gone() {
    let cluster = Cluster::default();
    cluster.see(&node("a", "one", "z", "True"), at(0));
    cluster.see(&node("b", "one", "z", "True"), at(0));
    cluster.nodes_begin();
    cluster.see(&node("b", "one", "z", "True"), at(1));
    assert_eq!(cluster.nodes_end(), [name("a")]);
    assert_eq!(cluster.concerned(), [name("b")]);
    // a break in a list leaves all as it was until the next is whole
    cluster.nodes_begin();
    cluster.nodes_begin();
    cluster.see(&node("b", "one", "z", "True"), at(2));
    assert!(cluster.nodes_end().is_empty());
}

#[test]
fn nothing_is_decided_before_every_watch_has_told_everything() {
    let cluster = Cluster::default();
    cluster.nodes_begin();
    cluster.nodes_end();
    list(&cluster, &["one"]);
    cluster.repairs_begin();
    cluster.repairs_end();
    assert!(!cluster.is_complete());
    cluster.pools_end();
    assert!(cluster.is_complete());
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

/// A pass over one node reads another one, too: its replacement.
#[test]
fn what_our_own_read_showed_first_is_news_all_the_same() {
    let cluster = Cluster::default();
    cluster.see(&node("a", "one", "z", "False"), at(0));
    let sick = node("a", "one", "z", "True");
    cluster.read(&sick, at(1));
    assert_eq!(cluster.see(&sick, at(2)), Some((name("a"), true)));
    assert_eq!(cluster.see(&sick, at(3)), Some((name("a"), false)));
    assert_eq!(
        cluster.held(&name("a"), "KernelDeadlock", at(5)),
        Some((Status::Yes, 4))
    );
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
