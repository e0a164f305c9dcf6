//! The contract's JSON form: what a WASI command reads and writes. One meaning with the typed world: the fields are those
//! of the inner types, whose shape a test holds against the WIT, and an answer passes through the same checks.

use std::collections::BTreeMap;

use rectifier_core::policy::{Decision, FailureClass, Observation, Remedy, Seconds, SiteKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer;
use crate::Failure;
use crate::log::one_line;

/// Names the version in every document.
pub(crate) const API_VERSION: &str = "rectifier.dev/policy/v0.1";

/// What a command reads when it is called as `policy decide`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Question")]
pub(crate) struct Question<'a> {
    /// `rectifier.dev/policy/v0.1`.
    api_version: &'static str,
    /// What is to be decided on. Keys that are not known are to be ignored: there may be more of them.
    observation: &'a Observation,
    /// The operator's settings, `{}` if there are none.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    settings: &'a RawValue,
}

/// What it reads when it is called as `policy validate-settings`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SettingsQuestion")]
pub(crate) struct SettingsQuestion<'a> {
    /// `rectifier.dev/policy/v0.1`.
    api_version: &'static str,
    /// The operator's settings, `{}` if there are none.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    settings: &'a RawValue,
}

/// What it writes: a decision, or an error. Unknown keys are refused.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Answer {
    /// If it is there, it is that of the question.
    api_version: Option<String>,
    /// What to do. Every answer has this, or `error`.
    remedy: Option<Remedy>,
    /// Why, in one line for people.
    reason: Option<String>,
    /// How long to watch after the remedy before judging it.
    settle: Option<Seconds>,
    /// For the record only.
    #[serde(deserialize_with = "rectifier_core::policy::pairs::unique")]
    notes: BTreeMap<String, String>,
    /// Why nothing can be decided, or what is wrong with the settings: instead of all the rest.
    error: Option<String>,
}

pub(super) fn decide_question(seen: &Observation, settings: &str) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Question {
        api_version: API_VERSION,
        observation: seen,
        settings: serde_json::from_str(settings)?,
    })
}

pub(super) fn settings_question(settings: &str) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&SettingsQuestion {
        api_version: API_VERSION,
        settings: serde_json::from_str(settings)?,
    })
}

/// # Errors
/// The class settings, if it refuses them; invalid-output, if it breaks the contract.
pub(super) fn settings_verdict(text: &str) -> Result<(), Failure> {
    let Answer { error, remedy, .. } = parse(text)?;
    if remedy.is_some() {
        return Err(invalid(
            "it was asked about its settings, and decided".to_owned(),
        ));
    }
    match error {
        Some(error) => Err(Failure::new(FailureClass::Settings, one_line(&error))),
        None => Ok(()),
    }
}

/// # Errors
/// The class guest-error, if it says that it cannot decide; invalid-output, if it breaks the contract.
pub(crate) fn decision(text: &str, site: SiteKind) -> Result<Decision, Failure> {
    let Answer {
        api_version: _,
        remedy,
        reason,
        settle,
        notes,
        error,
    } = parse(text)?;
    match (remedy, error) {
        (Some(remedy), None) => {
            answer::belongs(&remedy, site).map_err(invalid)?;
            let reason = reason.ok_or_else(|| invalid("its answer has no `reason`".to_owned()))?;
            Ok(Decision {
                remedy,
                reason: one_line(&reason),
                settle,
                notes,
            })
        }
        (None, Some(error)) => Err(Failure::new(FailureClass::GuestError, one_line(&error))),
        (Some(_), Some(_)) => Err(invalid(
            "its answer has both `remedy` and `error`".to_owned(),
        )),
        (None, None) => Err(invalid(
            "its answer has neither `remedy` nor `error`".to_owned(),
        )),
    }
}

fn parse(text: &str) -> Result<Answer, Failure> {
    if text.is_empty() {
        return Err(invalid("it wrote no answer to standard output".to_owned()));
    }
    let no_decision =
        |error: serde_json::Error| invalid(format!("its answer is no decision: {error}"));
    let answer: Answer = serde_json::from_str(text).map_err(no_decision)?;
    // Where the contract has an object serde would take a list of its fields, too. It has no list anywhere.
    if has_list(&serde_json::from_str(text).map_err(no_decision)?) {
        let why = "its answer is no decision: a list is nowhere in one".to_owned();
        return Err(invalid(why));
    }
    match &answer.api_version {
        Some(version) if version != API_VERSION => Err(invalid(format!(
            "its answer is of {version:?}; it was asked in {API_VERSION}"
        ))),
        Some(_) | None => Ok(answer),
    }
}

fn has_list(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Array(_) => true,
        serde_json::Value::Object(fields) => fields.values().any(has_list),
        _ => false,
    }
}

fn invalid(why: String) -> Failure {
    Failure::new(FailureClass::InvalidOutput, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> FailureClass {
        decision(text, SiteKind::Node).unwrap_err().class
    }

    #[test]
    fn a_decision_is_read_with_everything_that_it_may_have() {
        let text = r#"{"apiVersion": "rectifier.dev/policy/v0.1", "remedy": {"unit": {"name": "a.service", "verb": "stopStart"}},
            "reason": "be\ncause", "settle": 5, "notes": {"a": "b"}}"#;
        let read = decision(text, SiteKind::Node).unwrap();
        assert_eq!(read.remedy.to_string(), "stop and start a.service");
        assert_eq!((read.reason.as_str(), read.settle), ("be cause", Some(5)));
        assert_eq!(read.notes["a"], "b");
        let short = decision(r#"{"remedy": "escalate", "reason": ""}"#, SiteKind::Node);
        assert_eq!(short.unwrap().remedy, Remedy::Escalate);
    }

    #[test]
    fn what_breaks_the_contract_is_refused() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"remedy": "escalate"}"#,
            r#"{"remedy": "restart", "reason": ""}"#,
            r#"{"remedy": "replace", "reason": "of the other site"}"#,
            r#"{"remedy": {"wait": -1}, "reason": ""}"#,
            r#"{"remedy": {"wait": 1.5}, "reason": ""}"#,
            r#"{"remedy": {"wait": 4294967296}, "reason": ""}"#,
            r#"{"remedy": {"unit": {"name": "../a.service", "verb": "restart"}}, "reason": ""}"#,
            r#"{"remedy": {"unit": {"name": "a.service", "verb": "restart", "force": true}}, "reason": ""}"#,
            r#"{"remedy": "escalate", "reason": "", "confidence": 1}"#,
            r#"{"remedy": "escalate", "reason": "", "error": "both"}"#,
            r#"{"remedy": "escalate", "reason": "", "apiVersion": "rectifier.dev/policy/v9"}"#,
            r#"{"remedy": "escalate", "reason": "", "notes": {"a": "1", "a": "2"}}"#,
            r#"{"remedy": "escalate", "reason": ""} {"remedy": "reboot", "reason": ""}"#,
        ] {
            assert_eq!(class(text), FailureClass::InvalidOutput, "{text}");
        }
    }

    #[test]
    fn an_error_of_its_own_is_told_apart() {
        assert_eq!(class(r#"{"error": "no idea"}"#), FailureClass::GuestError);
        let verdict = settings_verdict(r#"{"error": "rules: missing"}"#).unwrap_err();
        assert_eq!(
            (verdict.class, verdict.message.as_str()),
            (FailureClass::Settings, "rules: missing")
        );
        assert!(settings_verdict("{}").is_ok());
        assert!(settings_verdict(r#"{"remedy": "escalate", "reason": ""}"#).is_err());
    }
}
