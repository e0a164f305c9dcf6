//! A reboot by a grant: for whom it is, for how long it is awaited, and what it was worth.

use super::*;
use crate::policy::Outcome;

/// For so many seconds in that phase of a reboot of the boot `boot-1`.
fn rebooted(phase: Phase, age: i64) -> Seen {
    let mut seen = seen(phase);
    seen.record.since = Some(at(100 - age));
    seen.record.rung = Some(Rung::Reboot);
    seen.record.grant = Some(grant());
    seen.record.tried = vec![Tried {
        rung: Rung::Reboot,
        since: at(0),
        outcome: Outcome::Running,
        reason: Reason::GrantOffered,
    }];
    seen
}

fn becomes(seen: &Seen) -> (Phase, Reason, Outcome) {
    let next = decide(seen).unwrap();
    let last = next.record.tried.last().unwrap();
    (next.record.phase, next.reason, last.outcome)
}

#[test]
fn a_grant_is_for_one_boot_of_one_node_and_for_a_time() {
    let mut drained = seen(Phase::RebootDraining);
    drained.record.rung = Some(Rung::Reboot);
    let offered = decide(&drained).unwrap().record;
    assert_eq!(
        offered.grant,
        Some(Grant {
            id: "repair-uid-1".to_owned(),
            boot_id: "boot-1".to_owned(),
            node_uid: NODE_UID.to_owned(),
            until: at(160),
        })
    );
    drained.record.tried = offered.tried;
    let again = decide(&drained).unwrap().record.grant.unwrap();
    assert_eq!(again.id, "repair-uid-2", "each is used once");
    drained.node.as_mut().unwrap().boot_id = None;
    let next = decide(&drained).unwrap();
    assert_eq!(
        (next.record.grant, next.reason),
        (None, Reason::AwaitingBoot)
    );
}

#[test]
fn an_offer_that_nobody_takes_is_void_in_time_and_is_no_reboot() {
    let mut offered = rebooted(Phase::GrantOffered, 10);
    offered.now = at(999);
    let waits = (Phase::GrantOffered, Reason::GrantOffered, Outcome::Running);
    assert_eq!(becomes(&offered), waits);
    for late in [1000, 1001] {
        offered.now = at(late);
        let void = (Phase::Judging, Reason::GrantExpired, Outcome::Refused);
        assert_eq!(becomes(&offered), void);
        assert_eq!(decide(&offered).unwrap().record.grant, None);
    }
}

#[test]
fn a_reboot_is_believed_when_another_boot_is_seen_and_awaited_for_a_time() {
    let waits = (Phase::Rebooting, Reason::AwaitingBoot, Outcome::Running);
    let late = (Phase::Judging, Reason::BootOverdue, Outcome::Failed);
    let booted = (Phase::Settling, Reason::Settling, Outcome::Running);
    for (boot, age, wanted) in [
        (Some("boot-1"), 599, waits),
        (None, 599, waits),
        (Some("boot-1"), 600, late),
        (None, 601, late),
        (Some("boot-2"), 10, booted),
        (Some("boot-2"), 601, booted),
    ] {
        let mut rebooting = rebooted(Phase::Rebooting, age);
        let node = rebooting.node.as_mut().unwrap();
        node.boot_id = boot.map(|id| crate::name::BootId::parse(id).unwrap());
        assert_eq!(becomes(&rebooting), wanted, "{boot:?} {age}");
    }
}

#[test]
fn only_a_boot_in_which_the_problem_stays_away_from_a_ready_node_has_helped() {
    let waits = (Phase::Settling, Reason::Settling, Outcome::Running);
    let helped = (Phase::Uncordoning, Reason::Recovered, Outcome::Recovered);
    let in_vain = (Phase::Judging, Reason::NoEffect, Outcome::NoEffect);
    for (problem, ready, age, wanted) in [
        (gone(60), Status::Yes, 60, helped),
        (gone(59), Status::Yes, 60, waits),
        (gone(60), Status::Yes, 59, waits),
        (gone(60), Status::No, 60, waits),
        (gone(60), Status::Unknown, 599, waits),
        (gone(60), Status::No, 600, in_vain),
        (gone(59), Status::Yes, 600, in_vain),
        (ProblemSeen::There, Status::Yes, 59, waits),
        (ProblemSeen::There, Status::Yes, 60, in_vain),
        (ProblemSeen::NotReported, Status::Yes, 599, waits),
        (ProblemSeen::NotReported, Status::Yes, 600, in_vain),
        (ProblemSeen::Stale, Status::Yes, 61, waits),
    ] {
        let mut settling = rebooted(Phase::Settling, age);
        settling.problem = problem;
        settling.node.as_mut().unwrap().ready = ready;
        assert_eq!(becomes(&settling), wanted, "{problem:?} {ready:?} {age}");
    }
    // what no condition tells is gone when the node's engine says so
    for (withdrawn, age, wanted) in [(true, 60, helped), (true, 59, waits), (false, 60, waits)] {
        let mut settling = rebooted(Phase::Settling, age);
        settling.problem = ProblemSeen::NotReported;
        settling.request.problem.source = Some("systemd".to_owned());
        settling.request.withdrawn = withdrawn;
        assert_eq!(becomes(&settling), wanted, "{withdrawn} {age}");
    }
    // a settling time that is long has its second half, too
    for (age, wanted) in [(799, waits), (800, in_vain)] {
        let mut settling = rebooted(Phase::Settling, age);
        settling.problem = ProblemSeen::NotReported;
        settling.pool.as_mut().unwrap().settle = 400;
        assert_eq!(becomes(&settling), wanted, "{age}");
    }
}
