//! Those who make the pods have their Ready count again before the server goes, or have had the time for it.

use super::committed::replaced;
use super::*;
use crate::repair::drain::PodSeen;
use crate::repair::owners::{OwnerReady, OwnerSeen, RECORDED};

fn now(name: &str, ready: u32, wanted: u32) -> OwnerSeen {
    OwnerSeen {
        owner: owner(name),
        ready,
        wanted,
    }
}

fn had(name: &str, ready: u32) -> OwnerReady {
    let owner = owner(name);
    OwnerReady {
        namespace: owner.namespace,
        api_version: owner.api_version,
        kind: owner.kind,
        name: owner.name,
        uid: owner.uid,
        ready,
    }
}

fn awaiting(had: &[OwnerReady], now: &[OwnerSeen]) -> Seen {
    let mut seen = replaced(Phase::AwaitingOwners);
    seen.record.owners = Some(had.to_vec());
    seen.more.owners = Some(now.to_vec());
    seen
}

#[test]
fn what_the_owners_had_is_written_down_before_the_first_pod_is_evicted() {
    let mut begins = replaced(Phase::Draining);
    begins.pods = Some(vec![PodSeen {
        controller: Some(owner("web")),
        ..pod("web")
    }]);
    begins.more.owners = None;
    let mut done = pod("done");
    (done.finished, done.controller) = (true, Some(owner("job")));
    begins
        .pods
        .iter_mut()
        .for_each(|pods| pods.push(done.clone()));
    assert_eq!(further(&begins).owners, Some(vec![owner("web")]));
    assert_eq!(decide(&begins).unwrap().act, None, "not read yet");
    begins.more.owners = Some(vec![now("web", 3, 3)]);
    let next = decide(&begins).unwrap();
    assert!(matches!(next.act, Some(Act::Evict(_))));
    assert_eq!(next.record.owners, Some(vec![had("web", 3)]));
    // later counts are lower, and do not count
    let mut goes_on = Seen {
        record: next.record,
        ..begins
    };
    assert_eq!(further(&goes_on).owners, None);
    goes_on.more.owners = Some(vec![now("web", 2, 3)]);
    let next = decide(&goes_on).unwrap();
    assert_eq!(next.record.owners, Some(vec![had("web", 3)]));
}

#[test]
fn at_most_so_many_owners_are_written_down() {
    let mut begins = replaced(Phase::Draining);
    begins.pods = Some(vec![pod("web")]);
    let many = (0..100).map(|n| now(&format!("web-{n}"), 1, 1));
    begins.more.owners = Some(many.clone().chain(many).collect());
    let record = decide(&begins).unwrap().record;
    let mut uids: Vec<String> = record
        .owners
        .unwrap()
        .into_iter()
        .map(|one| one.uid)
        .collect();
    uids.dedup();
    assert_eq!(uids.len(), RECORDED, "each once");
}

#[test]
fn the_server_goes_when_the_owners_have_what_they_had() {
    let waits = awaiting(&[had("web", 3)], &[now("web", 2, 3)]);
    assert_eq!(further(&waits).owners, Some(vec![owner("web")]));
    let waits = decide(&waits).unwrap();
    assert_eq!(
        (waits.act, waits.reason, waits.record.phase),
        (None, Reason::AwaitingOwners, Phase::AwaitingOwners)
    );
    assert!(
        waits.record.message.contains("default/web has 2 of 3"),
        "{}",
        waits.record.message
    );
    let whole = [
        // as before; scaled down since; gone
        awaiting(&[had("web", 3)], &[now("web", 3, 3)]),
        awaiting(&[had("web", 3)], &[now("web", 1, 1)]),
        awaiting(&[had("web", 3)], &[]),
    ];
    for mut seen in whole {
        seen.evidence = kept();
        let next = decide(&seen).unwrap();
        assert_eq!(next.record.phase, Phase::DeletingServer);
        assert!(matches!(next.act, Some(Act::DeleteServer(_))));
        assert!(next.record.notes.is_empty());
    }
}

#[test]
fn owners_are_waited_for_no_longer_than_the_pool_says_and_that_is_noted() {
    let mut seen = awaiting(&[had("web", 3)], &[now("web", 2, 3)]);
    seen.now = at(90 + 299);
    assert_eq!(decide(&seen).unwrap().record.phase, Phase::AwaitingOwners);
    seen.now = at(90 + 300);
    let next = decide(&seen).unwrap();
    assert_eq!(next.record.phase, Phase::DeletingServer);
    assert!(
        next.record.notes["owners"].contains("default/web has 2 of 3"),
        "{:?}",
        next.record.notes
    );
}

#[test]
fn a_pod_that_comes_while_owners_are_awaited_leaves_like_the_others() {
    let mut seen = awaiting(&[], &[]);
    seen.pods = Some(vec![pod("late")]);
    seen.now = at(90 + 300);
    let next = decide(&seen).unwrap();
    assert!(matches!(next.act, Some(Act::Evict(_))), "{:?}", next.act);
    assert_eq!(next.record.phase, Phase::AwaitingOwners);
    seen.now = at(90 + 300 + 600);
    let next = decide(&seen).unwrap();
    assert_eq!(next.record.phase, Phase::NeedsHuman, "nor without an end");
}
