//! What Node Problem Detector says: every condition with its reason, without the API server.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rectifier_core::clock::Timestamp;
use rectifier_core::episode::SeenCondition;
use rectifier_core::name::ConditionKind;
use rectifier_core::policy::Status;
use serde::Deserialize;

/// `types.Condition` of node-problem-detector, pkg/types/types.go.
#[derive(Debug, Deserialize)]
struct Condition {
    r#type: String,
    status: String,
    #[serde(default)]
    transition: Option<Timestamp>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

/// Reads NPD's answers; one that is the same as the last, as most are, is not read again.
#[derive(Debug, Default)]
pub(crate) struct Reader(Mutex<Option<(Vec<u8>, Vec<SeenCondition>)>>);

impl Reader {
    pub(crate) fn read(&self, answer: Vec<u8>) -> serde_json::Result<Vec<SeenCondition>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, conditions)) = &*last
            && *known == answer
        {
            return Ok(conditions.clone());
        }
        let conditions = parse(&answer)?;
        *last = Some((answer, conditions.clone()));
        Ok(conditions)
    }
}

/// An NPD without conditions answers `null`, as Go does for an empty list.
pub(crate) fn parse(answer: &[u8]) -> serde_json::Result<Vec<SeenCondition>> {
    let conditions: Option<Vec<Condition>> = serde_json::from_slice(answer)?;
    let seen = |condition: Condition| {
        let Condition {
            r#type,
            status,
            transition,
            reason,
            message,
        } = condition;
        let kind = match ConditionKind::parse(r#type) {
            Ok(kind) => kind,
            Err(error) => {
                tracing::warn!(%error, "Node Problem Detector reports a condition that no node can have");
                return None;
            }
        };
        let status = self::status(&status);
        Some(SeenCondition {
            kind,
            status,
            reason,
            message,
            transition,
            source: "npd".to_owned(),
            tells_after: 0,
            seen_to: false,
        })
    };
    Ok(conditions
        .unwrap_or_default()
        .into_iter()
        .filter_map(seen)
        .collect())
}

/// How often each temporary problem has happened since the detector began, by its reason: `problem_counter{reason="R"} N`, one a
/// line. What else there is in the text is of no concern here, as is a line that breaks off.
pub(crate) fn counters(text: &[u8]) -> BTreeMap<String, u64> {
    let text = String::from_utf8_lossy(text);
    let counter = |line: &str| {
        let labels = line.strip_prefix("problem_counter{")?;
        let (labels, value) = labels.rsplit_once("} ")?;
        let (_, reason) = labels.split_once("reason=\"")?;
        let (reason, _) = reason.split_once('"')?;
        // as a floating-point number, as Prometheus has it
        let value: f64 = value.trim().parse().ok()?;
        let is_count = value.is_finite() && value >= 0.0;
        is_count.then(|| (reason.to_owned(), value as u64))
    };
    let mut totals = BTreeMap::new();
    for (reason, value) in text.lines().filter_map(counter) {
        *totals.entry(reason).or_insert(0) += value;
    }
    totals
}

/// A word that is none of the three is no statement.
pub(crate) fn status(word: &str) -> Status {
    match word {
        "True" => Status::Yes,
        "False" => Status::No,
        _ => Status::Unknown,
    }
}
