//! What is kept of a sick server before it is destroyed: afterwards nobody can ask it any more why it was sick.
//!
//! It goes into a ConfigMap that the repair owns. Before the first act that destroys something of it, its making is tried
//! and written down; it is never waited for without an end: a node that cannot be diagnosed still has to be repaired.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::next::{Act, Next};
use super::record::Record;
use super::seen::Seen;
use crate::reason::Reason;

/// So often its collection is tried. Arbitrary: a conflict and an overload pass in less.
const TRIES: u32 = 3;
/// The longest word of one thing that is missing, in characters: it stands in the repair's status.
const WORDS: usize = 160;

/// What was kept before something was destroyed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The ConfigMap, in the controller's namespace; absent if none could be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub config_map: Option<String>,
    /// When it was seen there, or given up; absent while it is being collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What could not be had, each with its cause.
    #[serde(default)]
    pub missing: Vec<String>,
    /// How often it was tried.
    #[serde(default)]
    pub tries: u32,
}

/// The evidence of this repair as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EvidenceSeen {
    /// Not looked for in this phase.
    #[default]
    NotAsked,
    /// Not there, or not whole.
    Absent,
    /// It could not be looked for.
    Unreadable(String),
    /// Whole, but for what it says itself.
    There {
        /// What is missing in it.
        missing: Vec<String>,
    },
}

/// The name of the ConfigMap of a repair.
pub fn name(repair_uid: &str) -> String {
    format!("rectifier-evidence-{repair_uid}")
}

/// Is everything done that is done for it?
pub fn is_settled(record: &Record) -> bool {
    record
        .evidence
        .as_ref()
        .is_some_and(|evidence| evidence.at.is_some())
}

/// The step as it may be taken now: what destroys evidence comes after its collection.
///
/// Whatever is destroyed is named in [`Act::destroys_evidence`]; a phase that does it [needs](super::needs) to see the
/// evidence.
pub(super) fn first(seen: &Seen, next: Next) -> Next {
    let destroys = next.act.as_ref().is_some_and(Act::destroys_evidence);
    if !destroys || is_settled(&seen.record) {
        return next;
    }
    let before = seen.record.evidence.clone().unwrap_or_default();
    match &seen.evidence {
        EvidenceSeen::There { missing } => settled(seen, next, before, Ok(missing)),
        EvidenceSeen::Unreadable(why) if before.tries >= TRIES => {
            settled(seen, next, before, Err(why))
        }
        EvidenceSeen::Absent | EvidenceSeen::NotAsked if before.tries >= TRIES => {
            settled(seen, next, before, Err("it is not there"))
        }
        EvidenceSeen::Absent | EvidenceSeen::NotAsked | EvidenceSeen::Unreadable(_) => {
            collect(next, before)
        }
    }
}

/// Written down in the same moment as the intent to destroy.
fn settled(seen: &Seen, next: Next, before: Evidence, found: Result<&Vec<String>, &str>) -> Next {
    let (config_map, missing) = match found {
        Ok(missing) => (Some(name(seen.repair_uid.as_str())), missing.clone()),
        Err(why) => (None, vec![short(&format!("all of it: {why}"))]),
    };
    let evidence = Evidence {
        config_map,
        at: Some(seen.now),
        missing,
        tries: before.tries,
    };
    next.with(|record| record.evidence = Some(evidence))
}

/// The phase is entered all the same: it names all that may follow.
fn collect(next: Next, before: Evidence) -> Next {
    let reason = Reason::CollectingEvidence;
    let powers = matches!(next.act, Some(Act::PowerCycle { .. } | Act::StopServer(_)));
    let evidence = Evidence {
        tries: before.tries + 1,
        ..before
    };
    Next {
        act: Some(Act::CollectEvidence),
        reason,
        detail: String::new(),
        ..next
    }
    .with(|record| {
        record.reason = Some(reason);
        record.message = reason.text().to_owned();
        record.evidence = Some(evidence);
        // nothing is asked of the machine's host before
        if let Some(power) = record.power.as_mut().filter(|_| powers) {
            power.posted_at = None;
        }
    })
}

/// May a part that could be had at another try be left out now?
pub fn is_last_try(record: &Record) -> bool {
    record
        .evidence
        .as_ref()
        .is_some_and(|evidence| evidence.tries >= TRIES)
}

fn short(text: &str) -> String {
    text.chars().take(WORDS).collect()
}

#[cfg(test)]
mod tests;
