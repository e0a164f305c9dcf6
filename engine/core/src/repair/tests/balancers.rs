//! Load balancers send nothing new to a node that is drained for good, and have time to do so.

use super::committed::replaced;
use super::*;
use crate::repair::EXCLUDED;

fn excluded(mut seen: Seen) -> Seen {
    if let Some(node) = &mut seen.node {
        node.labels.insert(EXCLUDED.to_owned(), String::new());
    }
    seen
}

#[test]
fn the_node_is_excluded_after_the_commit_and_before_its_drain() {
    let used = decide(&replaced(Phase::Committed)).unwrap();
    assert_eq!(used.act, Some(Act::LeaveBalancers));
    assert_eq!(used.record.phase, Phase::Committed);
    let gone = Seen {
        node: None,
        ..replaced(Phase::Committed)
    };
    for seen in [excluded(replaced(Phase::Committed)), gone] {
        let next = decide(&seen).unwrap();
        assert_eq!((next.act, next.record.phase), (None, Phase::Draining));
    }
}

#[test]
fn nobody_is_told_before_the_commit_or_while_a_person_halts_it() {
    let mut halted = replaced(Phase::Committed);
    halted.hands.stop = Stop::Stopped(String::new());
    assert_eq!(decide(&halted).unwrap().act, None);
    assert_ne!(
        decide(&replaced(Phase::Joining)).unwrap().act,
        Some(Act::LeaveBalancers)
    );
}

/// The pods have left, so many seconds after the drain began.
fn emptied(mut seen: Seen, seconds: i64) -> Next {
    seen.evidence = kept();
    seen.record.steps.push(StepRecord {
        phase: Phase::Draining,
        at: at(0),
        reason: Reason::Evicting,
        detail: String::new(),
    });
    seen.now = at(seconds);
    decide(&seen).unwrap()
}

#[test]
fn the_server_stays_until_they_had_their_time() {
    let drained = |seconds| emptied(excluded(replaced(Phase::AwaitingOwners)), seconds);
    let waits = drained(29);
    assert_eq!(
        (waits.act, waits.reason, waits.record.phase),
        (None, Reason::LeavingBalancers, Phase::AwaitingOwners)
    );
    assert_eq!(drained(30).record.phase, Phase::DeletingServer);
}

#[test]
fn nobody_is_waited_for_who_was_told_nothing() {
    let next = emptied(replaced(Phase::AwaitingOwners), 1);
    assert_eq!(next.record.phase, Phase::DeletingServer);
}
