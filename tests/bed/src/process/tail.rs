//! The end of a log, as an error shows it.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Enough for a Go program's last words, which are often a stack of flags above the one line that
/// matters.
const LINES: usize = 15;
/// Bytes read from the end.
const REACH: u64 = 16 * 1024;

/// The last lines of the log `file`, under its path; says so if there are none.
#[must_use]
pub fn tail(file: &Path) -> String {
    let text = match end_of(file) {
        Ok(text) => text,
        Err(error) => return format!("{}: {error}", file.display()),
    };
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.is_empty() {
        return format!("{} is empty", file.display());
    }
    let last = &lines[lines.len().saturating_sub(LINES)..];
    format!("the end of {}:\n  {}", file.display(), last.join("\n  "))
}

fn end_of(file: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(file)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(REACH)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
