//! The standard conditions of a repair, for tools that know nothing of its phases (`kubectl wait`, GitOps, dashboards).
//! They say nothing that the record does not say.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::phase::Phase;
use super::record::Record;
use crate::reason::Reason;

/// One condition, as `metav1.Condition` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 316))]
    pub kind: String,
    /// Is it so: `True`, `False` or `Unknown`.
    #[schemars(extend("enum" = ["True", "False", "Unknown"]))]
    pub status: String,
    /// The `metadata.generation` that this was said of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When the status changed last.
    pub last_transition_time: Timestamp,
    /// The cause, for programs.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// The cause, for people.
    #[schemars(length(max = 32768))]
    pub message: String,
}

impl Condition {
    /// A condition; if the one before it says the same, since when it does is kept.
    pub fn new(
        before: &[Condition],
        kind: &str,
        status: Option<bool>,
        words: (&str, &str),
        generation: Option<i64>,
        now: Timestamp,
    ) -> Self {
        let status = match status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let same = before
            .iter()
            .find(|old| old.kind == kind && old.status == status);
        Self {
            kind: kind.to_owned(),
            status: status.to_owned(),
            observed_generation: generation,
            last_transition_time: same.map_or(now, |old| old.last_transition_time),
            reason: words.0.to_owned(),
            message: words.1.chars().take(8192).collect(),
        }
    }
}

/// What holds a repair, until somebody or something else lets it go on.
fn holds(reason: Reason) -> bool {
    waits_for_a_person(reason)
        || reason.waits_among_many()
        || matches!(
            reason,
            Reason::OwnedByOther
                | Reason::Vetoed
                | Reason::PolicyWaits
                | Reason::PolicyFailed
                | Reason::NoPolicy
                | Reason::RemedyNotForSite
                | Reason::ConditionNotReported
                | Reason::ConditionStale
        )
}

fn waits_for_a_person(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::AwaitingApproval
            | Reason::Paused
            | Reason::Stopped
            | Reason::StopUnreadable
            | Reason::CordonedByOther
            | Reason::PoolObserves
            | Reason::NoPool
            | Reason::TwoPools
    )
}

/// `Progressing`: it is at work. `Stalled`: it goes no further before a person does something. `Succeeded`: the node is
/// healed or replaced; False if the repair was called off, Unknown until it is over.
pub fn conditions(record: &Record, generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    let reason = record.reason.unwrap_or(Reason::HealingInNode);
    let is_over = record.phase.is_final();
    let needs_human = record.phase == Phase::NeedsHuman;
    let progressing = !is_over && !needs_human && !holds(reason);
    let stalled = !is_over && (needs_human || waits_for_a_person(reason));
    let succeeded = is_over.then_some(record.phase != Phase::Cancelled);
    let message = match record.message.as_str() {
        "" => reason.text(),
        message => message,
    };
    let new = |kind, status| {
        let words = (reason.label(), message);
        Condition::new(&record.conditions, kind, status, words, generation, now)
    };
    vec![
        new("Progressing", Some(progressing)),
        new("Stalled", Some(stalled)),
        new("Succeeded", succeeded),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::at;
    use super::*;

    fn statuses(record: &Record) -> Vec<String> {
        let all = conditions(record, Some(3), at(9));
        all.into_iter().map(|condition| condition.status).collect()
    }

    #[test]
    fn the_conditions_say_whether_it_works_is_stuck_or_went_well() {
        let record = |phase, reason| Record {
            phase,
            reason: Some(reason),
            ..Record::default()
        };
        for (phase, reason, wanted) in [
            (
                Phase::Joining,
                Reason::Joining,
                ["True", "False", "Unknown"],
            ),
            (
                Phase::Judging,
                Reason::AnotherRepairRuns,
                ["False", "False", "Unknown"],
            ),
            (
                Phase::Judging,
                Reason::AwaitingApproval,
                ["False", "True", "Unknown"],
            ),
            (
                Phase::Draining,
                Reason::Stopped,
                ["False", "True", "Unknown"],
            ),
            (
                Phase::NeedsHuman,
                Reason::Overdue,
                ["False", "True", "Unknown"],
            ),
            (
                Phase::Replaced,
                Reason::Replaced,
                ["False", "False", "True"],
            ),
            (
                Phase::Recovered,
                Reason::Recovered,
                ["False", "False", "True"],
            ),
            (
                Phase::Cancelled,
                Reason::Rejected,
                ["False", "False", "False"],
            ),
        ] {
            assert_eq!(statuses(&record(phase, reason)), wanted, "{phase:?}");
        }
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let mut record = Record {
            phase: Phase::Joining,
            reason: Some(Reason::Joining),
            ..Record::default()
        };
        record.conditions = conditions(&record, Some(1), at(1));
        record.phase = Phase::Draining;
        record.reason = Some(Reason::Evicting);
        record.conditions = conditions(&record, Some(2), at(2));
        let progressing = &record.conditions[0];
        assert_eq!(progressing.last_transition_time, at(1));
        assert_eq!(progressing.observed_generation, Some(2));
        assert_eq!(progressing.reason, "Evicting");
        assert_eq!(progressing.message, Reason::Evicting.text());
        record.phase = Phase::Replaced;
        record.conditions = conditions(&record, Some(2), at(3));
        assert_eq!(record.conditions[0].last_transition_time, at(3));
        assert_eq!(record.conditions[1].last_transition_time, at(1));
    }
}
