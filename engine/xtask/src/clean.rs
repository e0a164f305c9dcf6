//! `cargo xtask clean`: what the cache holds, and removing it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use rectifier_provision::{Cache, no_mounts, remove};

pub(crate) fn run(cache: &Cache, removing: bool) -> Result<ExitCode> {
    let mut total = 0;
    let mut entries: Vec<_> = std::fs::read_dir(cache.root())?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in &entries {
        let bytes = size(&entry.path())?;
        total += bytes;
        println!("{:9.1} MiB  {}", mib(bytes), entry.path().display());
    }
    println!("{:9.1} MiB  in all", mib(total));
    if !removing {
        println!("nothing is removed; `cargo xtask clean --cache` removes it");
        return Ok(ExitCode::SUCCESS);
    }
    // before the first is removed: half a cache is of use to nobody
    entries
        .iter()
        .try_for_each(|entry| no_mounts(&entry.path()))?;
    for entry in entries {
        remove(&entry.path())?;
    }
    println!("removed");
    Ok(ExitCode::SUCCESS)
}

/// Bytes of all files below it; links are not followed.
fn size(path: &Path) -> Result<u64> {
    let metadata = path
        .symlink_metadata()
        .with_context(|| format!("cannot read {}", path.display()))?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let entries = std::fs::read_dir(path)?;
    entries.map(|entry| size(&entry?.path())).sum()
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
