//! What the hypervisor was told and what came of it: evidence that is not Nova's word.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Event, Kind, Outcome};

/// One line of the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// When its effect was there.
    pub time: Timestamp,
    /// What was to happen.
    pub event: Kind,
    /// The server.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// Its compute host.
    pub host: String,
    /// Of a reboot: `SOFT` or `HARD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reboot: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
}

fn file(bed: &Path) -> PathBuf {
    bed.join("hypervisor.jsonl")
}

/// Adds a line. The kernel appends one write as a whole, so hooks need no lock among themselves.
pub(super) fn append(bed: &Path, event: &Event, outcome: Outcome) -> Result<()> {
    let entry = Entry {
        time: Timestamp::now(),
        event: event.kind,
        uuid: event.uuid.clone(),
        name: event.name.clone(),
        host: event.host.clone(),
        reboot: event.reboot.clone(),
        outcome,
    };
    let line = serde_json::to_string(&entry)? + "\n";
    let path = file(bed);
    let mut journal = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))?;
    journal
        .write_all(line.as_bytes())
        .with_context(|| format!("writing {}", path.display()))
}

/// All of it, the oldest first; empty if nothing has happened yet.
///
/// # Errors
/// If it cannot be read.
pub fn read(bed: &Path) -> Result<Vec<Entry>> {
    let path = file(bed);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let entry = |line| serde_json::from_str(line).with_context(|| format!("the line {line}"));
    text.lines().map(entry).collect()
}
