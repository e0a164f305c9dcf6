//! What earlier repairs of a node say about the next one. Without it every repair would begin with a clean memory, and
//! what a person undid, or what failed three times, would be done again at once, and for ever.

use jiff::Timestamp;

use super::phase::Phase;
use super::record::{Record, Request, Rung, Tried};
use super::seen::Seen;
use crate::clock::{SignedDuration, seconds_between};
use crate::policy::{Outcome, Seconds};
use crate::reason::Reason;

/// For how long a person's word and a failed attempt count: 24 h, so that a person's night and day are covered.
pub const REMEMBERED: Seconds = 24 * 3600;

/// At most so many reboots of one node are granted in that time, whatever the problems. Arbitrary: far from a loop, and
/// enough for three problems of which a reboot cures each.
const REBOOTS: usize = 3;

/// A repair that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// The UID of the Node that it was for.
    pub node_uid: String,
    /// The type of the condition that it was for.
    pub problem: String,
    /// How it ended.
    pub phase: Phase,
    /// Why.
    pub reason: Option<Reason>,
    /// When.
    pub ended: Timestamp,
    /// What was tried.
    pub tried: Vec<Tried>,
}

impl Archived {
    /// The summary of a repair; `None` if it is not over.
    pub fn of(request: &Request, record: &Record) -> Option<Archived> {
        let ended = record.since.filter(|_| record.phase.is_final())?;
        Some(Archived {
            node_uid: request.node_uid.clone(),
            problem: request.problem.kind.clone(),
            phase: record.phase,
            reason: record.reason,
            ended,
            tried: record.tried.clone(),
        })
    }

    fn vetoes(&self) -> bool {
        let word = matches!(self.reason, Some(Reason::Uncordoned | Reason::Rejected));
        self.phase == Phase::Cancelled && word
    }
}

/// The repair by which a node came to be: it is the replacement of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The node whose place it took.
    pub node: String,
    /// The type of the condition that this one had.
    pub problem: String,
    /// When it did.
    pub committed: Timestamp,
}

/// The repair that made this node, if that was for the same problem and not long ago: what was wrong came with the image,
/// the template or the workload, or is none of the node's, and the next replacement would have it, too. A person's word is
/// stronger.
pub(super) fn did_not_help(seen: &Seen) -> Option<&Lineage> {
    if seen.request.is_a_persons() || seen.record.retried_at.is_some() {
        return None;
    }
    let lineage = seen.lineage.as_ref()?;
    let is_recent = seconds_between(lineage.committed, seen.now) < REMEMBERED;
    (lineage.problem == seen.request.problem.kind && is_recent).then_some(lineage)
}

/// Until when a person's uncordon, or rejection, keeps this node from being repaired for this problem, if one does.
pub fn veto(
    archive: &[Archived],
    node_uid: &str,
    problem: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    archive
        .iter()
        .filter(|repair| repair.node_uid == node_uid && repair.problem == problem)
        .filter(|repair| repair.vetoes() && seconds_between(repair.ended, now) < REMEMBERED)
        .map(|repair| repair.ended + SignedDuration::from_secs(i64::from(REMEMBERED)))
        .max()
}

/// What was tried on this node for this problem, in this repair and in those that ended before it, oldest first. A
/// person who asks for another try wipes the slate.
pub fn attempts(seen: &Seen) -> Vec<Tried> {
    let earlier = seen
        .archive
        .iter()
        .filter(|repair| {
            repair.node_uid == seen.request.node_uid && repair.problem == seen.request.problem.kind
        })
        .flat_map(|repair| &repair.tried)
        .filter(|tried| seconds_between(tried.since, seen.now) < REMEMBERED)
        .map(ended);
    let mut all: Vec<Tried> = earlier
        .chain(seen.record.tried.iter().cloned())
        .filter(|tried| counts(seen, tried))
        .collect();
    all.sort_by_key(|tried| tried.since);
    all
}

/// Was it tried since a person last asked for another try?
pub(super) fn counts(seen: &Seen, tried: &Tried) -> bool {
    seen.record
        .retried_at
        .is_none_or(|retried| tried.since >= retried)
}

/// An attempt of a repair that is over runs no more, whatever its record says.
fn ended(tried: &Tried) -> Tried {
    match tried.outcome {
        Outcome::Running => Tried {
            outcome: Outcome::Unknown,
            ..tried.clone()
        },
        Outcome::Recovered
        | Outcome::NoEffect
        | Outcome::Failed
        | Outcome::Refused
        | Outcome::Unknown => tried.clone(),
    }
}

/// May the node's engine be offered a reboot? Once for one problem, and not again for others without end: no chain of
/// repairs becomes a reboot loop.
pub(super) fn may_reboot(seen: &Seen) -> bool {
    let is_reboot = |tried: &Tried| tried.rung == Rung::Reboot;
    let for_this = attempts(seen)
        .iter()
        .any(|tried| is_reboot(tried) && happened(tried));
    // within one repair an offer that nobody took is not made again, either
    let offered = seen
        .record
        .tried
        .iter()
        .any(|tried| is_reboot(tried) && counts(seen, tried));
    let of_node = seen
        .archive
        .iter()
        .filter(|repair| repair.node_uid == seen.request.node_uid)
        .flat_map(|repair| &repair.tried)
        .filter(|tried| is_reboot(tried) && happened(tried))
        .filter(|tried| seconds_between(tried.since, seen.now) < REMEMBERED)
        .count();
    !for_this && !offered && of_node < REBOOTS
}

/// May the cloud reboot the machine? Once for one problem, as the node's engine: what did not help does not help again.
pub(super) fn may_hard_reboot(seen: &Seen) -> bool {
    let is_one = |tried: &Tried| tried.rung == Rung::HardReboot && happened(tried);
    !attempts(seen).iter().any(is_one)
}

/// An offer that nobody took is no reboot.
fn happened(tried: &Tried) -> bool {
    tried.outcome != Outcome::Refused
}

/// How many replacements of this node have failed.
pub(super) fn failed_replacements(seen: &Seen) -> usize {
    attempts(seen)
        .iter()
        .filter(|tried| tried.rung == Rung::Replace && tried.outcome == Outcome::Failed)
        .filter(|tried| !had_no_room(tried))
        .count()
}

/// The cloud was full, or the project: that is no failure of the replacement's.
pub fn had_no_room(tried: &Tried) -> bool {
    tried.outcome == Outcome::Failed && [Reason::NoHost, Reason::UsedUp].contains(&tried.reason)
}

#[cfg(test)]
mod tests {
    use super::super::record::RequestedBy;
    use super::super::tests::{KIND, NODE_UID, at, seen, uncordoned};
    use super::*;

    fn tried(rung: Rung, second: i64, outcome: Outcome) -> Tried {
        Tried {
            rung,
            since: at(second),
            outcome,
            reason: Reason::NoEffect,
        }
    }

    #[test]
    fn a_veto_holds_for_a_day_and_for_the_same_problem_of_the_same_node_alone() {
        let archive = [uncordoned(0)];
        let day = 24 * 3600;
        assert_eq!(veto(&archive, NODE_UID, KIND, at(60)), Some(at(day)));
        assert_eq!(veto(&archive, NODE_UID, KIND, at(day)), None);
        assert_eq!(veto(&archive, NODE_UID, "DiskReadOnly", at(60)), None);
        assert_eq!(veto(&archive, "newer", KIND, at(60)), None);
    }

    #[test]
    fn a_replacement_did_not_help_if_it_has_the_same_problem_within_a_day() {
        let day = 24 * 3600;
        let made = |problem: &str, committed: i64, now: i64| {
            let mut seen = seen(Phase::Judging);
            seen.now = at(now);
            seen.lineage = Some(Lineage {
                node: "worker-0".to_owned(),
                problem: problem.to_owned(),
                committed: at(committed),
            });
            seen
        };
        assert!(did_not_help(&made(KIND, 0, 60)).is_some());
        // a clock that jumped back
        assert!(did_not_help(&made(KIND, 60, 0)).is_some());
        assert!(did_not_help(&made(KIND, 0, day - 1)).is_some());
        assert!(did_not_help(&made(KIND, 0, day)).is_none());
        assert!(did_not_help(&made("DiskReadOnly", 0, 60)).is_none());
        assert!(did_not_help(&seen(Phase::Judging)).is_none());
        let mut asked = made(KIND, 0, 60);
        asked.record.retried_at = Some(at(90));
        assert!(did_not_help(&asked).is_none(), "a person asked again");
        let mut asked = made(KIND, 0, 60);
        asked.request.requested_by = RequestedBy::Operator;
        assert!(did_not_help(&asked).is_none(), "a person asked");
    }

    #[test]
    fn only_a_persons_uncordon_is_a_veto() {
        for (phase, reason) in [
            (Phase::Cancelled, Reason::ProblemCleared),
            (Phase::Cancelled, Reason::NodeGone),
            (Phase::Recovered, Reason::Uncordoned),
        ] {
            let other = Archived {
                phase,
                reason: Some(reason),
                ..uncordoned(0)
            };
            assert_eq!(veto(&[other], NODE_UID, KIND, at(60)), None, "{reason:?}");
        }
    }

    #[test]
    fn a_repair_that_is_not_over_is_no_history() {
        let seen = seen(Phase::Joining);
        assert_eq!(Archived::of(&seen.request, &seen.record), None);
        let over = Record {
            phase: Phase::Cancelled,
            reason: Some(Reason::Uncordoned),
            ..seen.record
        };
        assert!(Archived::of(&seen.request, &over).is_some_and(|repair| repair.vetoes()));
    }

    #[test]
    fn attempts_of_earlier_repairs_count_for_a_day() {
        let mut judging = seen(Phase::Judging);
        judging.now = at(i64::from(REMEMBERED) + 50);
        judging.archive = vec![Archived {
            tried: vec![
                tried(Rung::Replace, 50, Outcome::Failed),
                tried(Rung::Replace, 60, Outcome::Running),
            ],
            ..uncordoned(70)
        }];
        judging.record.tried = vec![tried(Rung::Replace, 100, Outcome::Failed)];
        let counted: Vec<Outcome> = attempts(&judging).iter().map(|one| one.outcome).collect();
        assert_eq!(counted, [Outcome::Unknown, Outcome::Failed]);
        judging.record.retried_at = Some(at(100));
        assert_eq!(attempts(&judging).len(), 1, "it was tried then");
        judging.record.retried_at = Some(at(101));
        assert!(attempts(&judging).is_empty(), "a person's try begins anew");
    }

    #[test]
    fn no_chain_of_repairs_becomes_a_reboot_loop() {
        let mut judging = seen(Phase::Judging);
        assert!(may_reboot(&judging));
        // recovered or not: the problem is there again
        let before = |problem: &str, count: i64| Archived {
            problem: problem.to_owned(),
            phase: Phase::Recovered,
            tried: (0..count)
                .map(|second| tried(Rung::Reboot, second, Outcome::Recovered))
                .collect(),
            ..uncordoned(50)
        };
        judging.archive = vec![before(KIND, 1)];
        assert!(!may_reboot(&judging), "once for one problem");
        judging.archive = vec![before("Other", 2)];
        assert!(may_reboot(&judging));
        judging.archive = vec![before("Other", 3)];
        assert!(!may_reboot(&judging), "nor for ever new problems");
    }

    #[test]
    fn only_what_was_really_rebooted_on_this_node_within_a_day_counts() {
        let day = 24 * 3600;
        let judging = |now: i64, problem: &str, node_uid: &str, all: Vec<Tried>| {
            let mut judging = seen(Phase::Judging);
            judging.now = at(now);
            judging.archive = vec![Archived {
                problem: problem.to_owned(),
                node_uid: node_uid.to_owned(),
                tried: all,
                ..uncordoned(50)
            }];
            (may_reboot(&judging), may_hard_reboot(&judging))
        };
        let thrice = |rung, outcome| vec![tried(rung, 0, outcome); 3];
        let reboots = || thrice(Rung::Reboot, Outcome::NoEffect);
        let by_cloud = || thrice(Rung::HardReboot, Outcome::NoEffect);
        for (now, problem, node_uid, all, may) in [
            (60, KIND, NODE_UID, reboots(), (false, true)),
            (60, "Other", NODE_UID, reboots(), (false, true)),
            (day - 1, "Other", NODE_UID, reboots(), (false, true)),
            (day, "Other", NODE_UID, reboots(), (true, true)),
            (60, "Other", "another", reboots(), (true, true)),
            (60, KIND, "another", reboots(), (true, true)),
            (60, KIND, NODE_UID, by_cloud(), (true, false)),
            (60, "Other", NODE_UID, by_cloud(), (true, true)),
            (day, KIND, NODE_UID, by_cloud(), (true, true)),
        ] {
            let what = format!("{now} {problem} {node_uid} {:?}", all[0].rung);
            assert_eq!(judging(now, problem, node_uid, all), may, "{what}");
        }
        for rung in [Rung::Reboot, Rung::HardReboot] {
            let refused = thrice(rung, Outcome::Refused);
            assert_eq!(judging(60, KIND, NODE_UID, refused), (true, true));
        }
    }

    #[test]
    fn an_offer_that_nobody_took_is_not_made_again_before_a_person_asks() {
        let mut judging = seen(Phase::Judging);
        judging.record.tried = vec![tried(Rung::Replace, 50, Outcome::Refused)];
        assert!(may_reboot(&judging));
        judging.record.tried = vec![tried(Rung::Reboot, 50, Outcome::Refused)];
        assert!(!may_reboot(&judging));
        judging.record.retried_at = Some(at(51));
        assert!(may_reboot(&judging));
    }

    #[test]
    fn only_replacements_that_failed_are_counted_as_such() {
        let mut judging = seen(Phase::Judging);
        judging.record.tried = vec![
            tried(Rung::Replace, 1, Outcome::Failed),
            tried(Rung::Replace, 2, Outcome::Refused),
            tried(Rung::HardReboot, 3, Outcome::Failed),
            tried(Rung::Reboot, 4, Outcome::NoEffect),
        ];
        assert_eq!(failed_replacements(&judging), 1);
    }
}
