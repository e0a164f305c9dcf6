//! A second process that runs the same test in another part, and is killed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Set in the victim.
const VICTIM: &str = "BED_TEST_VICTIM";
/// What the victim says when it has done its part, before its bed's folder.
const WORD: &str = "the bed is ";

/// A running victim.
#[derive(Debug)]
pub(crate) struct Victim {
    child: Child,
    /// Its bed.
    pub(crate) bed: PathBuf,
}

/// Whether this process is to play the victim.
pub(crate) fn is_played() -> bool {
    std::env::var_os(VICTIM).is_some()
}

/// For the victim: says that its part is done, and waits for its end.
pub(crate) async fn done(bed: &Path) -> Result<()> {
    println!("\n{WORD}{}", bed.display());
    std::future::pending().await
}

impl Victim {
    /// Starts one in the test of that name; back when it has done its part.
    pub(crate) fn start(test: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--exact", test, "--nocapture"])
            .env(VICTIM, "1")
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let mut beds = lines
            .map_while(Result::ok)
            .filter_map(|line| Some(line.strip_prefix(WORD)?.into()));
        let bed = beds.next().context("the victim made no bed")?;
        Ok(Self { child, bed })
    }

    /// Kills it (SIGKILL).
    pub(crate) fn kill(mut self) -> Result<PathBuf> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.bed)
    }
}
