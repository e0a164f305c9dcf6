//! The file of faults that the services read at each use, changed under the lock that they take.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use serde_json::{Map, Value};

/// `knobs.json`; `tests/bed/openstack/knobs.py` is its other end and knows its fields.
#[derive(Debug)]
pub(super) struct Knobs {
    path: PathBuf,
}

impl Knobs {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Reads, changes and writes in one: a service that counts a fault down meanwhile waits.
    pub(super) fn change(&self, how: impl FnOnce(&mut Map<String, Value>)) -> Result<()> {
        let what = || format!("changing {}", self.path.display());
        let file = File::options()
            .read(true)
            .write(true)
            .open(&self.path)
            .with_context(what)?;
        let mut file = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, error)| error)
            .with_context(what)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let mut values = serde_json::from_str(&text).with_context(what)?;
        how(&mut values);
        // in place: a new file would not have the lock that others wait for
        file.rewind()?;
        file.set_len(0)?;
        file.write_all(serde_json::to_string(&values)?.as_bytes())
            .with_context(what)
    }

    pub(super) fn set(&self, name: &str, value: impl Into<Value>) -> Result<()> {
        self.change(|values| drop(values.insert(name.to_owned(), value.into())))
    }
}
