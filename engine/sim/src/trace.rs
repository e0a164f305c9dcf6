//! What happened in a world, as one number: two runs of one seed must have the same.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use rectifier_core::clock::Timestamp;
use sha2::{Digest, Sha256};

use crate::landing::lock;

/// Takes in every request that lands in a world, with its answer. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    hash: Sha256,
    lines: u64,
}

impl Trace {
    pub(crate) fn note(
        &self,
        at: Timestamp,
        who: &str,
        what: std::fmt::Arguments<'_>,
        body: &[u8],
    ) {
        let mut line = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(line, "{} {who} {what} {}", at.as_nanosecond(), body.len());
        let mut state = lock(&self.0);
        state.hash.update(line);
        state.hash.update(body);
        state.lines += 1;
    }

    /// How many requests have landed.
    pub fn requests(&self) -> u64 {
        lock(&self.0).lines
    }

    /// SHA-256 of all of it, in hex.
    pub fn hash(&self) -> String {
        let hash = lock(&self.0).hash.clone().finalize();
        hash.iter().fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}
