//! Running the ordinary package clients and compilers: their output goes to a log file, what they
//! are at is reported, and when one fails the end of its log is the error.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::Report;

/// A command that ends when this process does: nothing goes on building into a folder that the
/// next process has already cleared. It gets no time to tidy up: whoever comes next does that.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    ending_with_us("KILL", program.as_ref())
}

/// A command that is asked to end when this process does, and has things of its own to end first.
pub(crate) fn tidy_command(program: impl AsRef<OsStr>) -> Command {
    ending_with_us("TERM", program.as_ref())
}

fn ending_with_us(signal: &str, program: &OsStr) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// Runs it to its end.
///
/// # Errors
/// It cannot be started, or fails; then the end of its log is in the message.
pub(crate) fn run(command: &mut Command, log: &Path, report: &mut dyn Report) -> Result<()> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let program = name(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let status = std::thread::scope(|scope| {
        let (ended, end) = channel();
        scope.spawn(move || ended.send(child.wait()));
        loop {
            match end.recv_timeout(Duration::from_secs(1)) {
                Ok(status) => break status.context("cannot wait for it"),
                Err(RecvTimeoutError::Timeout) => {
                    report.progress(tail(log).lines().last().unwrap_or_default());
                }
                Err(RecvTimeoutError::Disconnected) => bail!("nobody waits for {program}"),
            }
        }
    })?;
    if !status.success() {
        let tail = tail(log);
        let lines: Vec<&str> = tail.lines().collect();
        let end = lines[lines.len().saturating_sub(25)..].join("\n");
        bail!(
            "{program} failed ({status}); the end of {}:\n{end}",
            log.display()
        );
    }
    Ok(())
}

/// Runs it and returns what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let program = name(command);
    let output = command
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} failed ({}): {}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a person would call it: `go build`, without the paths, options and wrappers.
fn name(command: &Command) -> String {
    const WRAPPERS: &[&str] = &["setpriv", "KILL", "TERM", "unshare"];
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| {
        Path::new(word)
            .file_name()
            .unwrap_or(word)
            .to_string_lossy()
    });
    let words = words.filter(|word| !word.starts_with('-') && !WRAPPERS.contains(&&**word));
    words.take(2).collect::<Vec<_>>().join(" ")
}

/// The last few kilobytes of a log. A log that cannot be read has no end: it is shown as empty
/// rather than hide the failure that it is wanted for.
fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(8192)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default())
        .replace('\r', "\n")
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;

    #[test]
    fn a_failure_shows_the_end_of_the_log() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut fails = command("sh");
        fails.args(["-c", "echo what it was at; echo why it failed >&2; exit 3"]);
        let error = run(&mut fails, log.path(), &mut Silent)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(
                "sh echo what it was at; echo why it failed >&2; exit 3 failed (exit status: 3)"
            ),
            "{error}"
        );
        assert!(error.ends_with("what it was at\nwhy it failed"), "{error}");
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let error = run(&mut command("no-such-program"), log.path(), &mut Silent).unwrap_err();
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }
}
