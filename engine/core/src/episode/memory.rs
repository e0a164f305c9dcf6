//! What the engine remembers from pass to pass, and over restarts and reboots: the journal's content.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::{BootId, ConditionKind};
use crate::policy::{Outcome, PolicyRef, Remedy, Seconds, Status};
use crate::reason::Reason;
use crate::repair::told::STEADY;
use crate::repair::{Asks, Problem};

/// How far an attempt has come. [`Outcome::Running`] stands for both of its first two courses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Course {
    /// Written down, and perhaps under way. Ends when its end is seen, or found out from the world.
    Begun,
    /// Carried out; condition and unit are watched. Ends after the settling time.
    Settling {
        /// When it was carried out.
        since: Timestamp,
    },
    /// It is over.
    Ended {
        /// When.
        at: Timestamp,
        /// What became of it.
        outcome: Outcome,
    },
}

/// One remedy: written before it is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRecord {
    /// What.
    pub remedy: Remedy,
    /// Who advised it.
    pub policy: Option<PolicyRef>,
    /// When it was written down.
    pub began: Timestamp,
    /// How long its effect is watched.
    pub settle: Seconds,
    /// How far it has come.
    pub course: Course,
    /// More for people.
    pub detail: String,
    /// The boot in which it began.
    pub boot: Option<BootId>,
    /// The unit's invocation before it: another one proves that the unit was started again.
    pub invocation: Option<String>,
    /// The grant that it uses up.
    pub grant: Option<String>,
}

impl AttemptRecord {
    /// As policies see it.
    pub fn outcome(&self) -> Outcome {
        match self.course {
            Course::Begun | Course::Settling { .. } => Outcome::Running,
            Course::Ended { outcome, .. } => outcome,
        }
    }

    /// Not over yet.
    pub fn is_running(&self) -> bool {
        self.outcome() == Outcome::Running
    }
}

/// The problem's condition as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sight {
    /// [`Status::Unknown`] also if it is not reported.
    pub status: Status,
    /// Since when we see it so.
    pub since: Timestamp,
    /// The source's own time of the change.
    pub transition: Option<Timestamp>,
    /// Machine-readable cause.
    pub reason: String,
    /// Text for people.
    pub message: String,
    /// Who reported it.
    pub source: String,
    /// The boot in which it was reported last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootId>,
    /// It is False only because its detector was restarted since, in the same boot: see [`is_reset`].
    ///
    /// [`is_reset`]: crate::repair::told::is_reset
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
}

impl Sight {
    /// False for so long is a recovery: longer, if that may be for want of memory.
    pub(super) fn away_for(&self, quiet: Seconds) -> Seconds {
        match self.reset {
            true => quiet.max(STEADY),
            false => quiet,
        }
    }
}

/// A policy is not asked before then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// Until when.
    pub until: Timestamp,
    /// The count of policy changes when it was said: a changed policy may change its mind.
    pub policies: u64,
    /// A guard rail stood in the way when it was said: when that opens, there is news for the policy.
    pub shut: bool,
}

/// What the control plane is to know of an episode. Written here first, then brought to the API server until it
/// is seen there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handover {
    /// How much is asked. It only moves upwards.
    pub asks: Asks,
    /// The UID of the `NodeRepair`, once it was seen.
    pub repair: Option<String>,
    /// Its deadline: until then the control plane leaves the node to us.
    pub deadline: Option<Timestamp>,
    /// Why the control plane does not know of it yet.
    pub held: Option<Reason>,
}

/// One problem from its first sight until it is gone for the quiet time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Episode {
    /// The problem as it was first seen.
    pub problem: Problem,
    /// As it was last seen.
    pub sight: Sight,
    /// How often it went away and came back.
    pub recurrences: u32,
    /// Oldest first.
    pub attempts: Vec<AttemptRecord>,
    /// Nothing is asked before this.
    pub wait: Option<Wait>,
    /// What the control plane is to know.
    pub handover: Option<Handover>,
    /// Why nothing is done at present.
    pub stands: Option<Reason>,
    /// When it is this node's turn to do what would be done on every node. Drawn when all else allows it.
    #[serde(default)]
    pub turn: Option<Timestamp>,
    /// It may have had a history that is lost: nothing intrusive is done for it.
    pub forgotten: bool,
}

impl Episode {
    /// The attempt that is not over, if there is one.
    pub fn running(&self) -> Option<&AttemptRecord> {
        self.attempts.iter().find(|attempt| attempt.is_running())
    }

    /// Units and fixes that were really tried.
    pub fn tried(&self) -> u32 {
        let count = self
            .attempts
            .iter()
            .filter(|attempt| attempt.outcome() != Outcome::Refused && attempt.grant.is_none())
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The reboot that was tried, if any.
    pub fn reboot(&self) -> Option<&AttemptRecord> {
        self.attempts
            .iter()
            .rev()
            .find(|attempt| attempt.grant.is_some())
    }

    /// How much is asked of the control plane, if anything.
    pub fn asks(&self) -> Option<Asks> {
        self.handover.as_ref().map(|handover| handover.asks)
    }
}

/// All that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// The open episodes.
    pub episodes: BTreeMap<ConditionKind, Episode>,
    /// When the last remedy began.
    pub last_remedy: Option<Timestamp>,
    /// When those of the last 24 hours began, oldest first.
    #[serde(default)]
    pub remedies: Vec<Timestamp>,
    /// When, in the last 24 hours, an episode was escalated although remedies had been tried; oldest first.
    #[serde(default)]
    pub failed: Vec<Timestamp>,
    /// A person's mark on the Node that was followed: it set both back.
    #[serde(default)]
    pub retried: Option<String>,
    /// Why a person paused the node, as it was last heard.
    #[serde(default)]
    pub paused: Option<String>,
    /// What a person has acknowledged of the node, as it was last heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<String>,
    /// What the stop switch said, as it was last heard.
    #[serde(default)]
    pub stopped: Option<String>,
    /// Since when the clock lags behind what is remembered.
    #[serde(default)]
    pub behind: Option<Timestamp>,
    /// The last grant that was used: never again, whatever became of its episode.
    pub last_grant: Option<String>,
    /// The UID of a `NodeRepair` whose problem is gone: to be withdrawn.
    pub withdraw: Option<String>,
    /// That problem; absent: whichever it is about. (A graver one may have taken it over since.)
    #[serde(default)]
    pub withdraw_for: Option<String>,
    /// The journal was lost: what is true at the next full look may have been tried before.
    pub lost: bool,
}

impl Memory {
    /// The memory of an engine whose journal could not be read.
    pub fn lost() -> Self {
        Self {
            lost: true,
            ..Self::default()
        }
    }

    /// The one remedy that is not over, and its episode.
    pub fn running(&self) -> Option<(&ConditionKind, &AttemptRecord)> {
        self.episodes
            .iter()
            .find_map(|(kind, episode)| episode.running().map(|attempt| (kind, attempt)))
    }

    /// A remedy begins.
    pub(super) fn begins(&mut self, now: Timestamp) {
        self.last_remedy = Some(now);
        self.remedies.push(now);
    }

    /// The acceptance of a grant lost its swap, so the reboot did not begin: the grant is not used up.
    pub fn unbegin_reboot(&mut self, grant: &str) {
        let is_of_it = |attempt: &AttemptRecord| attempt.grant.as_deref() == Some(grant);
        let attempts = || self.episodes.values().flat_map(|episode| &episode.attempts);
        let was_carried_out =
            attempts().any(|attempt| is_of_it(attempt) && attempt.course != Course::Begun);
        if was_carried_out || self.last_grant.as_deref() != Some(grant) {
            return;
        }
        self.last_grant = None;
        self.remedies.pop();
        for episode in self.episodes.values_mut() {
            episode.attempts.retain(|attempt| !is_of_it(attempt));
        }
    }
}
