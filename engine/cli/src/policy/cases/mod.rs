//! Cases beside a policy: what it must decide on what it sees.
//!
//! ```yaml
//! settings: {…}                    # of every case that has none of its own; else those of the sidecar
//! observation: {…}                 # under that of every case
//! cases:
//!   - name: a kubelet that failed is restarted
//!     observation: {…}             # how it differs from a healthy node's
//!     decision: {remedy: …}        # only what is said here is compared; `reason` is a part of the reason
//!   - name: what it cannot decide
//!     failure: {class: guest-error, message: a part of the message}
//!   - name: a story
//!     steps:
//!       - decision: {remedy: …}    # what is decided here is begun
//!       - after: 60s               # all ages grow
//!         outcome: noEffect        # what has become of the newest attempt; `running` until it is said
//!         observation: {…}         # what has changed
//!         decision: {…}
//! ```

mod compare;
mod play;

use rectifier_core::policy::{FailureClass, Outcome};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

pub(crate) use compare::difference;
pub(crate) use play::{Played, play};

use super::tree::{self, Node};
use crate::diagnostic::{Located, Source};

/// One file of cases.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) source: Source,
    settings: Option<Node>,
    observation: Option<Node>,
    pub(crate) cases: Vec<Case>,
}

/// One case: a single step is a story of one.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: Spanned<String>,
    settings: Option<Node>,
    observation: Option<Node>,
    pub(crate) steps: Vec<Step>,
}

/// Something happens, the policy is asked, and must decide.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Step {
    after: Option<Time>,
    outcome: Option<Spanned<Outcome>>,
    detail: Option<String>,
    observation: Option<Node>,
    decision: Option<Node>,
    failure: Option<Spanned<Failing>>,
}

/// How it must fail.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failing {
    class: FailureClass,
    /// A part of it.
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuiteText {
    settings: Option<Node>,
    observation: Option<Node>,
    cases: Vec<CaseText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseText {
    name: Spanned<String>,
    settings: Option<Node>,
    observation: Option<Node>,
    decision: Option<Node>,
    failure: Option<Spanned<Failing>>,
    steps: Option<Vec<Step>>,
}

impl Suite {
    /// # Errors
    /// It is no file of cases: it shows where.
    pub(crate) fn parse(source: Source) -> Result<Self, Located> {
        let text: SuiteText = match tree::parse(&source.text) {
            Ok(text) => text,
            Err(error) => return Err(source.unreadable(&error)),
        };
        let cases = text.cases.into_iter().map(|case| case.read(&source));
        Ok(Self {
            cases: cases.collect::<Result<_, _>>()?,
            settings: text.settings,
            observation: text.observation,
            source,
        })
    }
}

impl CaseText {
    fn read(self, source: &Source) -> Result<Case, Located> {
        let Self {
            name,
            settings,
            observation,
            decision,
            failure,
            steps,
        } = self;
        let wrong = |why: &str| Err(source.wrong(name.referenced, "this is no case", why));
        let single = decision.is_some() || failure.is_some();
        let steps = match steps {
            Some(_) if single => return wrong("it has steps: what is expected stands in them"),
            Some(steps) => steps,
            None => vec![Step {
                decision,
                failure,
                ..Step::default()
            }],
        };
        for step in &steps {
            if step.decision.is_some() && step.failure.is_some() {
                return wrong("it expects both a decision and a failure");
            }
            let known = ["remedy", "reason", "settle", "notes"];
            let unknown = step.decision.iter().flat_map(Node::keys);
            if let Some((key, at)) = unknown.into_iter().find(|(key, _)| !known.contains(key)) {
                let why = format!("a decision has remedy, reason, settle, notes, and no {key}");
                return Err(source.wrong(at, "this is no decision", why));
            }
        }
        // A story may move on without a word; but not to its end.
        match steps.last() {
            Some(Step {
                decision: None,
                failure: None,
                ..
            })
            | None => wrong("it expects nothing: give it a decision or a failure"),
            Some(_) => Ok(Case {
                name,
                settings,
                observation,
                steps,
            }),
        }
    }
}

/// `90`, `90s`, `5m`, `2h`, `1d`.
#[derive(Debug, Clone, Copy)]
struct Time(u32);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        seconds(&text)
            .map(Time)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is no time, as 90s, 5m, 2h, 1d")))
    }
}

fn seconds(text: &str) -> Option<u32> {
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
    let (number, unit) = units
        .into_iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)))
        .unwrap_or((text, 1));
    number.trim().parse::<u32>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Suite, Located> {
        Suite::parse(Source {
            name: "a.cases.yaml".to_owned(),
            text: text.to_owned(),
        })
    }

    #[test]
    fn times_are_written_in_the_unit_that_fits() {
        let times = [
            ("90", 90),
            ("90s", 90),
            ("5m", 300),
            ("2h", 7200),
            ("1d", 86_400),
        ];
        for (text, expected) in times {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds("-1s"), None);
        let suite = parse("cases: [{name: a, steps: [{after: 90, decision: {}}]}]").unwrap();
        assert_eq!(suite.cases[0].steps[0].after.map(|time| time.0), Some(90));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_shown_where_it_stands() {
        for (text, place, why) in [
            ("cases:\n  - nme: a\n", (2, 5), "nme"),
            ("cases:\n  - name: a\n", (2, 11), "expects nothing"),
            (
                "cases:\n  - name: a\n    decision: {remdy: x}\n",
                (3, 16),
                "remdy",
            ),
            (
                "cases:\n  - name: a\n    failure: {class: sad}\n",
                (3, 22),
                "sad",
            ),
            (
                "cases:\n  - name: a\n    decision: {}\n    steps: []\n",
                (2, 11),
                "has steps",
            ),
            (
                "cases:\n  - name: a\n    steps: [{after: soon}]\n",
                (3, 21),
                "no time",
            ),
        ] {
            let located = parse(text).unwrap_err();
            let source = Source {
                name: String::new(),
                text: text.to_owned(),
            };
            assert!(located.label.contains(why), "{text}{}", located.label);
            assert_eq!(source.place(&located.at), place, "{text}{}", located.label);
        }
    }
}
