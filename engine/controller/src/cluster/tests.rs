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
        rung: None,
        pool: None,
        is_short: false,
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
    cluster.read(&sick, &cluster.before(&name("a")), at(1));
    assert_eq!(cluster.see(&sick, at(2)), Some((name("a"), true)));
    assert_eq!(cluster.see(&sick, at(3)), Some((name("a"), false)));
    assert_eq!(
        cluster.held(&name("a"), "KernelDeadlock", at(5)),
        Some((Status::Yes, 4))
    );
}

/// Each answer is of before what the watch told while it was under way.
#[test]
fn what_the_watch_told_while_we_read_is_newer_than_what_we_read() {
    let (well, sick) = (
        node("a", "one", "z", "False"),
        node("a", "one", "z", "True"),
    );
    let cluster = Cluster::default();
    let before = cluster.before(&name("a"));
    cluster.see(&well, at(0));
    cluster.forget(&name("a"));
    cluster.read(&well, &before, at(1));
    assert!(cluster.facts(&name("a")).is_none(), "it came and went");

    cluster.see(&sick, at(2));
    let before = cluster.before(&name("a"));
    cluster.see(&well, at(3));
    cluster.read(&sick, &before, at(4));
    assert!(cluster.concerned().is_empty(), "it is well again");

    let before = cluster.before(&name("a"));
    cluster.forget(&name("a"));
    let mut another = well;
    another.metadata.uid = Some("another".to_owned());
    cluster.see(&another, at(5));
    cluster.is_absent(&name("a"), &before);
    assert!(cluster.facts(&name("a")).is_some(), "another has its name");

    let before = cluster.before(&name("a"));
    cluster.see(&another, at(6));
    cluster.is_absent(&name("a"), &before);
    assert!(
        cluster.facts(&name("a")).is_none(),
        "it was told of before it went"
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

/// The archived copy of a repair that a person rejected.
fn copy(name: &str, node: &str) -> (String, Option<Archived>) {
    let copy: SlimRepair = serde_json::from_value(json!({
        "metadata": {"name": name, "uid": name},
        "spec": {"nodeName": node, "nodeUid": "n", "problem": {"kind": "KernelDeadlock"}},
        "status": {
            "phase": "Cancelled", "reason": "Rejected", "since": "2026-01-01T00:00:00Z",
            "tried": [{"rung": "Reboot", "since": "2026-01-01T00:00:00Z", "outcome": "noEffect", "reason": "NoEffect"}],
        },
    }))
    .unwrap();
    (name.to_owned(), Archived::of(&copy))
}

#[test]
fn what_was_before_is_known_where_the_watch_shows_what_is_open_now() {
    let cluster = Cluster::default();
    let (a, b) = (name("a"), name("a.repair"));
    for (copied, node) in [
        ("a.repair.20260101t000000z", "a"),
        ("a.repair.20260102t000000z", "a"),
        ("a.repair.repair.20260101t000000z", "a.repair"),
        ("b.repair.20260101t000000z", "b"),
    ] {
        let (name, kept) = copy(copied, node);
        cluster.see_archived(name, kept);
    }
    let known = |node: &NodeName, open: Option<&str>| {
        let stories = cluster.stories(node, open)?;
        assert!(stories.iter().all(|story| story.tried.len() == 1));
        Some(stories.len())
    };
    assert_eq!((known(&a, None), known(&b, None)), (Some(2), Some(1)));
    assert_eq!(known(&a, Some("open")), None, "the watch lags behind");
    cluster.see_repair(a.clone(), open(Phase::Judging, None));
    assert_eq!(known(&a, Some("open")), Some(2));
    assert_eq!(known(&a, Some("another")), None, "it lags behind");
    assert_eq!(known(&a, None), None, "it lags behind");
}

#[test]
fn what_we_did_ourselves_counts_during_a_list_that_began_before_it() {
    let cluster = Cluster::default();
    cluster.repairs_begin();
    let (copied, kept) = copy("a.repair.20260101t000000z", "a");
    cluster.has_archived(copied, kept.unwrap());
    cluster.has_opened(name("b"), open(Phase::Judging, None).unwrap());
    let both = || {
        let stories = cluster
            .stories(&name("a"), None)
            .map(|stories| stories.len());
        (stories, cluster.is_open(&name("b")))
    };
    assert_eq!(both(), (Some(1), true));
    assert!(cluster.repairs_end().is_empty());
    assert_eq!(both(), (Some(1), true));
}

#[test]
fn one_server_of_a_pool_goes_first_at_a_time() {
    let cluster = Cluster::default();
    let short = |pool: &str| {
        let mut open = open(Phase::DeletingServer, None)?;
        (open.flight.is_short, open.flight.pool) = (true, Some(pool.to_owned()));
        Some(open)
    };
    cluster.see_repair(name("a"), open(Phase::Draining, None));
    assert_eq!(cluster.short("web", &name("b")), None);
    cluster.see_repair(name("a"), short("web"));
    assert_eq!(cluster.short("web", &name("b")), Some(name("a")));
    assert_eq!(cluster.short("web", &name("a")), None, "it is the one");
    assert_eq!(cluster.short("db", &name("b")), None);
    cluster.see_repair(name("a"), None);
    assert_eq!(cluster.short("web", &name("b")), None);
}
