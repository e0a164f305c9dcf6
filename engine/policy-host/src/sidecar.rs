//! The operator's file beside a policy: `NAME.yaml` beside `NAME.wasm`. All its keys are optional.
//!
//! ```yaml
//! mode: monitor            # its answers are recorded, not followed; default enforce
//! sha256: 9f86d081…        # this very module, unpacked, or none
//! onFailure: escalate      # when it cannot answer; default wait
//! handles: [{conditions: [KernelDeadlock, "Disk*"], sites: [node]}]  # instead of what the policy says
//! needs: {units: [kubelet.service]}                                  # likewise
//! limits: {milliseconds: 200, memoryMebibytes: 16}                   # up to the engine's ceiling
//! settings: {…}            # the policy's own; it checks them itself
//! ```

use std::collections::BTreeMap;

use rectifier_core::policy::{FailureClass, OnFailure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_saphyr::{Location, Spanned};

use crate::limits::LimitsPatch;
use crate::{Failure, Handles, Limits, Needs};

/// What aliases may stand for, in nodes: a few hundred bytes of aliases of aliases stand for millions. Arbitrary: more
/// than anybody writes by hand.
const ALIASED: usize = 10_000;

/// Whether a policy's answers are followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// They are.
    #[default]
    Enforce,
    /// They are recorded only.
    Monitor,
}

impl Mode {
    /// The name in sidecars, metric labels and messages.
    pub fn label(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Monitor => "monitor",
        }
    }
}

/// What the operator says of one policy.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sidecar {
    /// Whether its answers are followed.
    pub mode: Mode,
    /// The digest of the policy's file, in hexadecimal digits: another file is refused.
    #[schemars(with = "Option<String>")]
    pub(crate) sha256: Option<Spanned<String>>,
    /// What is done when it cannot answer.
    pub on_failure: OnFailure,
    /// What it answers for, instead of what its metadata say.
    pub handles: Option<Vec<Handles>>,
    /// What its observations must contain, instead of what its metadata say.
    #[schemars(with = "Option<Needs>")]
    pub(crate) needs: Option<Spanned<Needs>>,
    /// Other limits than the engine's usual ones.
    #[schemars(with = "LimitsPatch")]
    pub(crate) limits: Option<Spanned<LimitsPatch>>,
    /// The policy's own settings.
    pub settings: BTreeMap<String, serde_json::Value>,
}

impl Sidecar {
    /// Parses the sidecar `file`.
    ///
    /// # Errors
    /// [`FailureClass::Settings`], with file and line.
    pub fn parse(file: &str, text: &str) -> Result<Self, Failure> {
        let said_nothing = text
            .lines()
            .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
        if said_nothing {
            return Ok(Self::default());
        }
        let options = serde_saphyr::options! {
            // `yes` is a word here, as it is in cases and in what a policy is shown: only `true` and `false` are none.
            strict_booleans: true,
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: ALIASED },
        };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let error = error.without_snippet();
            let place = error.location().map_or(String::new(), place);
            Failure::new(FailureClass::Settings, format!("{file}{place}: {error}"))
        })
    }

    /// The policy's settings as a JSON document.
    pub fn settings(&self) -> String {
        serde_json::json!(self.settings).to_string()
    }

    /// Where `needs` stands, as `FILE:LINE:COLUMN`.
    pub(crate) fn place_of_needs(&self, file: &str) -> Option<String> {
        let needs = self.needs.as_ref()?;
        Some(format!("{file}{}", place(needs.referenced)))
    }

    /// The usual limits, as far as the sidecar does not say otherwise.
    ///
    /// # Errors
    /// [`FailureClass::Settings`]: it wants more than the ceiling.
    pub(crate) fn limits(
        &self,
        file: &str,
        usual: Limits,
        ceiling: &Limits,
    ) -> Result<Limits, Failure> {
        let Some(wanted) = &self.limits else {
            return Ok(usual);
        };
        usual.with(&wanted.value, ceiling).map_err(|refused| {
            let place = place(wanted.referenced);
            Failure::new(
                FailureClass::Settings,
                format!("{file}{place}: {refused} by the engine's configuration"),
            )
        })
    }

    /// Refuses any file but the pinned one.
    ///
    /// # Errors
    /// [`FailureClass::Load`]: the digest is another.
    pub(crate) fn check_pin(&self, file: &str, digest: &str) -> Result<(), Failure> {
        let Some(pinned) = &self.sha256 else {
            return Ok(());
        };
        let pin = pinned.value.trim_start_matches("sha256:");
        if pin.eq_ignore_ascii_case(digest) {
            return Ok(());
        }
        let place = place(pinned.referenced);
        Err(Failure::new(
            FailureClass::Load,
            format!("{file}{place} pins sha256 {pin}, but the policy's is {digest}"),
        ))
    }
}

/// `:LINE:COLUMN`, if it is known.
fn place(at: Location) -> String {
    if at == Location::UNKNOWN {
        return String::new();
    }
    format!(":{}:{}", at.line(), at.column())
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
    fn only_true_and_false_are_no_words() {
        let sidecar = Sidecar::parse("a.yaml", "settings: {a: yes, b: off, c: true}").unwrap();
        assert_eq!(sidecar.settings(), r#"{"a":"yes","b":"off","c":true}"#);
    }

    #[test]
    fn a_limit_above_the_ceiling_is_refused_with_file_and_line() {
        let usual = Limits::default();
        let limits = |text: &str| {
            let sidecar = Sidecar::parse("a.yaml", text).unwrap();
            sidecar.limits("a.yaml", usual, &usual)
        };
        assert_eq!(
            limits("limits: {outputKibibytes: 1}").unwrap().output_bytes,
            1024
        );
        let refused = limits("mode: enforce\nlimits: {milliseconds: 1001}").unwrap_err();
        assert!(refused.message.starts_with("a.yaml:2:"), "{refused}");
        assert!(refused.message.contains("1 to 1000"), "{refused}");
    }

    #[test]
    fn another_file_than_the_pinned_one_is_refused() {
        let sidecar = Sidecar::parse("a.yaml", "mode: enforce\nsha256: AB\n").unwrap();
        assert!(sidecar.check_pin("a.yaml", "ab").is_ok());
        let refused = sidecar.check_pin("a.yaml", "cd").unwrap_err();
        assert!(refused.message.starts_with("a.yaml:2:"), "{refused}");
    }
}
