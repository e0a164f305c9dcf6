//! What a command ends with.

use std::process::ExitCode;

/// The answer, where there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Exit code 0.
    Well,
    /// Exit code 1: asked, and the answer is no.
    No,
}

impl Verdict {
    /// Well if and only if it is so.
    pub(crate) fn of(well: bool) -> Self {
        if well { Verdict::Well } else { Verdict::No }
    }

    pub(crate) fn code(self) -> ExitCode {
        match self {
            Verdict::Well => ExitCode::SUCCESS,
            Verdict::No => ExitCode::from(1),
        }
    }
}

/// Exit code 2: it was called in a way that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(String);

/// An error that is the caller's: it says what would be right.
pub(crate) fn usage(why: impl Into<String>) -> anyhow::Error {
    Usage(why.into()).into()
}
