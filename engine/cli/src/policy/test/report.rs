//! How the cases went: a line each for people, JSON or JUnit for programs.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::diagnostic::render;
use crate::output::{self, OutputArguments, paint, plural};
use crate::policy::cases::{Played, Suite};
use crate::verdict::Verdict;

/// A file of cases, played.
#[derive(Debug, Serialize)]
pub(super) struct SuiteReport {
    pub(super) policy: String,
    pub(super) file: String,
    pub(super) cases: Vec<CaseReport>,
}

/// A case, played.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CaseReport {
    pub(super) name: String,
    pub(super) steps: usize,
    pub(super) milliseconds: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<FailureReport>,
}

/// What is not as it should be, and where that was said.
#[derive(Debug, Serialize)]
pub(super) struct FailureReport {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) difference: Option<String>,
}

pub(super) struct Report {
    output: OutputArguments,
    suites: Vec<SuiteReport>,
}

impl Report {
    pub(super) fn new(output: OutputArguments) -> Self {
        Self {
            output,
            suites: Vec::new(),
        }
    }

    pub(super) fn begin(&mut self, policy: &Path, suite: &Suite) {
        self.suites.push(SuiteReport {
            policy: policy.display().to_string(),
            file: suite.source.name.clone(),
            cases: Vec::new(),
        });
        if !self.output.is_json() {
            // A reader that goes away is told of by the next line.
            let _ = writeln!(output::out(), "{}", paint(output::HEAD, &suite.source.name));
        }
    }

    pub(super) fn add(&mut self, suite: &Suite, played: &Played<'_>) -> anyhow::Result<()> {
        let name = &played.case.name.value;
        let steps = played.case.steps.len();
        if !self.output.is_json() {
            let mut out = output::out();
            let several = match steps {
                1 => String::new(),
                _ => paint(output::FAINT, format_args!("  {steps} steps")),
            };
            match &played.wrong {
                None => writeln!(out, "  {}   {name}{several}", paint(output::GOOD, "ok"))?,
                Some(wrong) => {
                    writeln!(out, "  {} {name}{several}", paint(output::BAD, "FAIL"))?;
                    write!(out, "{}", coloured(&render(wrong, output::has_colours())))?;
                }
            }
        }
        let failure = played.wrong.as_ref().map(|wrong| {
            let (line, column) = suite.source.place(&wrong.at);
            FailureReport {
                line,
                column,
                message: format!("{}: {}", wrong.message, wrong.label),
                difference: wrong.help.clone(),
            }
        });
        let report = CaseReport {
            name: name.clone(),
            steps,
            milliseconds: played.time.as_millis(),
            failure,
        };
        if let Some(suite) = self.suites.last_mut() {
            suite.cases.push(report);
        }
        Ok(())
    }

    pub(super) fn suites(&self) -> &[SuiteReport] {
        &self.suites
    }

    pub(super) fn end(self) -> anyhow::Result<Verdict> {
        let cases: Vec<_> = self.suites.iter().flat_map(|suite| &suite.cases).collect();
        let failed = cases.iter().filter(|case| case.failure.is_some()).count();
        if self.output.is_json() {
            output::json(&serde_json::json!({"suites": self.suites, "failed": failed}))?;
        } else {
            let count = plural(cases.len(), "case", "cases");
            let verdict = match failed {
                0 => paint(output::GOOD, "all as expected"),
                failed => paint(output::BAD, format_args!("{failed} failed")),
            };
            writeln!(output::out(), "{count}, {verdict}")?;
        }
        // No case at all proves nothing.
        Ok(Verdict::of(failed == 0 && !cases.is_empty()))
    }
}

/// The lines of a difference in their colours.
fn coloured(text: &str) -> String {
    let line = |line: &str| {
        let bare = line.trim_start();
        let style = match bare.chars().next() {
            Some('-') if bare.starts_with("- ") => output::BAD,
            Some('+') if bare.starts_with("+ ") => output::GOOD,
            Some(_) | None => return format!("{line}\n"),
        };
        format!("{}\n", paint(style, line))
    };
    text.lines().map(line).collect()
}
