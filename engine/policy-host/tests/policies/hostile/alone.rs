//! A process for one test, so that what it measures of its process is its own.

use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Set for the process that was started for one test.
const ALONE: &str = "RECTIFIER_TEST_ALONE";

/// Runs a test's body in a process in which no other test runs, on one thread, as the engine on a node does.
///
/// nextest gives each test a process. `cargo test` gives each a thread of one process: there the test starts its own
/// program again, for itself alone.
pub(super) fn alone<F>(body: impl FnOnce() -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let thread = std::thread::current();
    // With one thread for all tests they run on the main one, one after the other.
    let test = thread.name().filter(|name| *name != "main");
    let is_set = |name: &str| std::env::var_os(name).is_some();
    match test {
        Some(test) if !is_set("NEXTEST") && !is_set(ALONE) => again(test),
        Some(_) | None => on_one_thread(body()),
    }
}

fn again(test: &str) -> Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .args([test, "--exact", "--nocapture", "--test-threads=1"].map(OsStr::new))
        .env(ALONE, "1")
        .output()
        .context("the test cannot be started again")?;
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (told(&output.stdout), told(&output.stderr));
    print!("{stdout}");
    eprint!("{stderr}");
    ensure!(
        output.status.success() && stdout.contains("1 passed"),
        "alone in a process it failed ({})",
        output.status
    );
    Ok(())
}

fn on_one_thread(body: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // a thread that read a directory is no leak: it need not be waited for
        .thread_keep_alive(Duration::from_millis(20))
        .build()?
        .block_on(body)
}
