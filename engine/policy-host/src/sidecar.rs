//! The operator's file beside a policy: `NAME.yaml` beside `NAME.wasm`. All its keys are optional.
//!
//! ```yaml
//! mode: monitor            # its answers are recorded, not followed; default enforce
//! sha256: 9f86d081…        # this very file, or none
//! onFailure: escalate      # when it cannot answer; default wait
//! handles: [{conditions: [KernelDeadlock, "Disk*"], sites: [node]}]  # instead of what the policy says
//! needs: {units: [kubelet.service]}                                  # likewise
//! limits: {milliseconds: 200, memoryMebibytes: 16}                   # lower than the engine's
//! settings: {…}            # the policy's own; it checks them itself
//! ```

use std::time::Duration;

use rectifier_core::policy::{FailureClass, OnFailure};
use serde::Deserialize;

use crate::{Failure, Handles, Limits, Needs};

/// Whether a policy's answers are followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// They are.
    #[default]
    Enforce,
    /// They are recorded only.
    Monitor,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Sidecar {
    pub(crate) mode: Mode,
    pub(crate) sha256: Option<String>,
    pub(crate) on_failure: OnFailure,
    pub(crate) handles: Option<Vec<Handles>>,
    pub(crate) needs: Option<Needs>,
    limits: Lowered,
    settings: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Lowered {
    milliseconds: Option<u32>,
    memory_mebibytes: Option<u32>,
}

impl Sidecar {
    /// Parses the sidecar `file`.
    ///
    /// # Errors
    /// [`FailureClass::Settings`], with file and line.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, Failure> {
        let said_nothing = text
            .lines()
            .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
        if said_nothing {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text).map_err(|error| {
            let error = error.without_snippet();
            let place = error.location().map_or(String::new(), |at| {
                format!(":{}:{}", at.line(), at.column())
            });
            Failure::new(FailureClass::Settings, format!("{file}{place}: {error}"))
        })
    }

    /// The policy's settings as a JSON document.
    pub(crate) fn settings(&self) -> String {
        serde_json::Value::Object(self.settings.clone().unwrap_or_default()).to_string()
    }

    /// The engine's limits, as far as the sidecar does not lower them.
    ///
    /// # Errors
    /// [`FailureClass::Settings`]: it would raise one.
    pub(crate) fn limits(&self, file: &str, ceiling: Limits) -> Result<Limits, Failure> {
        let lowered = |key: &str, wanted: Option<u128>, ceiling: u128| match wanted {
            Some(wanted) if wanted == 0 || wanted > ceiling => Err(Failure::new(
                FailureClass::Settings,
                format!("{file}: limits.{key} is {wanted}; this engine allows 1 to {ceiling}"),
            )),
            Some(_) | None => Ok(()),
        };
        let Lowered {
            milliseconds,
            memory_mebibytes,
        } = self.limits;
        lowered(
            "milliseconds",
            milliseconds.map(u128::from),
            ceiling.decision.as_millis(),
        )?;
        lowered(
            "memoryMebibytes",
            memory_mebibytes.map(u128::from),
            (ceiling.memory_bytes >> 20) as u128,
        )?;
        Ok(Limits {
            decision: milliseconds.map_or(ceiling.decision, |ms| Duration::from_millis(ms.into())),
            memory_bytes: memory_mebibytes.map_or(ceiling.memory_bytes, |mib| (mib as usize) << 20),
            ..ceiling
        })
    }

    /// Refuses any file but the pinned one.
    ///
    /// # Errors
    /// [`FailureClass::Load`]: the digest is another.
    pub(crate) fn check_pin(&self, file: &str, digest: &str) -> Result<(), Failure> {
        match &self.sha256 {
            Some(pin)
                if !pin
                    .trim_start_matches("sha256:")
                    .eq_ignore_ascii_case(digest) =>
            {
                Err(Failure::new(
                    FailureClass::Load,
                    format!("{file} pins sha256 {pin}, but the policy's is {digest}"),
                ))
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_with_file_and_line() {
        let refused = Sidecar::parse("a.yaml", "mode: enforce\nsetings: {}\n").unwrap_err();
        assert!(refused.message.starts_with("a.yaml:2:1: "), "{refused}");
        assert!(refused.message.contains("setings"), "{refused}");
        assert!(!refused.message.contains('\n'), "{refused}");
    }

    #[test]
    fn an_empty_or_commented_sidecar_says_nothing() {
        for text in ["", "\n", "# nothing\n\n"] {
            assert_eq!(Sidecar::parse("a.yaml", text).unwrap(), Sidecar::default());
        }
        assert_eq!(Sidecar::default().settings(), "{}");
    }

    #[test]
    fn settings_become_json() {
        let text = "settings:\n  rules:\n    - {condition: A, attempts: 2, reboot: false, unit: a.service}\n";
        let sidecar = Sidecar::parse("a.yaml", text).unwrap();
        let json =
            r#"{"rules":[{"attempts":2,"condition":"A","reboot":false,"unit":"a.service"}]}"#;
        assert_eq!(sidecar.settings(), json);
    }

    #[test]
    fn limits_are_only_ever_lowered() {
        let limits = |text: &str| {
            Sidecar::parse("a.yaml", text)
                .unwrap()
                .limits("a.yaml", Limits::default())
        };
        assert_eq!(
            limits("limits: {milliseconds: 200}").unwrap().decision,
            Duration::from_millis(200)
        );
        assert_eq!(
            limits("limits: {memoryMebibytes: 1}").unwrap().memory_bytes,
            1 << 20
        );
        for raised in [
            "limits: {milliseconds: 1001}",
            "limits: {memoryMebibytes: 65}",
            "limits: {milliseconds: 0}",
        ] {
            assert!(
                limits(raised)
                    .unwrap_err()
                    .message
                    .contains("this engine allows"),
                "{raised}"
            );
        }
    }

    #[test]
    fn another_file_than_the_pinned_one_is_refused() {
        let sidecar = Sidecar::parse("a.yaml", "sha256: AB\n").unwrap();
        assert!(sidecar.check_pin("a.yaml", "ab").is_ok());
        assert!(sidecar.check_pin("a.yaml", "cd").is_err());
    }
}
