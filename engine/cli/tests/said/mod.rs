//! What the program said, and how it ended.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// What the program said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// # Errors
    /// It ended in another way.
    pub(crate) fn ended(self, code: i32) -> Result<Self> {
        let Said {
            code: found,
            out,
            err,
        } = &self;
        ensure!(*found == code, "exit code {found}, not {code}\n{out}{err}");
        Ok(self)
    }

    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).with_context(|| self.out.clone())
    }

    /// # Errors
    /// One of these texts is not in its answer.
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) fn shows(self, texts: &[&str]) -> Result<Self> {
        for text in texts {
            ensure!(
                self.out.contains(text),
                "{text:?} is not in\n{}{}",
                self.out,
                self.err
            );
        }
        Ok(self)
    }

    /// # Errors
    /// One of these texts is not in its complaint.
    pub(crate) fn complains(self, texts: &[&str]) -> Result<Self> {
        for text in texts {
            ensure!(
                self.err.contains(text),
                "{text:?} is not in\n{}{}",
                self.out,
                self.err
            );
        }
        Ok(self)
    }
}

/// Calls it.
pub(crate) fn said(command: &mut Command) -> Result<Said> {
    let output = command.output()?;
    Ok(Said {
        code: output.status.code().context("it was killed")?,
        out: String::from_utf8(output.stdout)?,
        err: String::from_utf8(output.stderr)?,
    })
}
