//! `tests/RESULTS.md`: how the last full run went, and of what.

use std::process::Command;

use anyhow::{Context, Result, bail};
use rectifier_provision::Cache;

/// Writes what a full run told.
pub(crate) fn write(cache: &Cache, told: &str) -> Result<()> {
    let commit = line(
        cache,
        "git",
        &["describe", "--always", "--dirty", "--abbrev=12"],
    )?;
    let date = line(cache, "date", &["--utc", "+%Y-%m-%d %H:%M UTC"])?;
    let cores = std::thread::available_parallelism()?;
    let path = cache.checkout().join("tests/RESULTS.md");
    let text = format!(
        "# The last full run\n\n`cargo xtask test --full`, ended {date}, of the commit `{commit}`, on {cores} cores.\n\n```text\n{told}```\n"
    );
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("written to {}", path.display());
    Ok(())
}

/// The one line that a program says in the checkout.
fn line(cache: &Cache, program: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(cache.checkout());
    let output = command
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
