//! What watches and reads tell, and in what order.

use super::*;

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
