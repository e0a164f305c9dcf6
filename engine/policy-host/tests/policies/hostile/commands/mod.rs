//! WASI commands that would hurt their host.
//!
//! A command is started to check its settings, too: one that does wrong whenever it is started is refused, one that does
//! so when it is to decide fails whenever it is asked.

mod bombs;
mod calls;
mod ends;
mod output;

use anyhow::Result;
use rectifier_core::policy::FailureClass;

use super::host::Case;
use crate::command::Command;

/// A command, and how it is to fail.
struct Sick<'a> {
    command: Command<'a>,
    sidecar: &'a str,
    class: FailureClass,
    says: &'a [&'a str],
}

impl<'a> Sick<'a> {
    fn new(class: FailureClass, says: &'a [&'a str], command: Command<'a>) -> Self {
        Self {
            command,
            sidecar: "",
            class,
            says,
        }
    }

    /// A fifth of a second, so that it can be repeated.
    fn timeout(command: Command<'a>) -> Self {
        Self {
            sidecar: "limits: {milliseconds: 200}",
            ..Self::new(FailureClass::Timeout, &["200 ms"], command)
        }
    }
}

/// Builds them, and asserts this of them.
async fn all(sick: &[Sick<'_>], fail: impl AsyncFn(&[Case<'_>]) -> Result<()>) -> Result<()> {
    let build = |sick: &Sick<'_>| sick.command.build();
    let built = sick.iter().map(build).collect::<Result<Vec<_>>>()?;
    let cases: Vec<_> = sick
        .iter()
        .zip(&built)
        .map(|(sick, bytes)| Case {
            name: sick.command.name,
            bytes,
            sidecar: sick.sidecar,
            class: sick.class,
            says: sick.says,
        })
        .collect();
    fail(&cases).await
}
