//! The folders in which cargo builds, one for each checkout: room for this one's.
//!
//! A full build takes more disk than all else that the tests need, and cargo removes nothing: what was built from an older source stays
//! beside what is built from the new one. A disk that fills up in the middle of it ends in a linker's bus error, which tells nobody why.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo::cargo;
use crate::disk::free_mib;
use crate::part::remove;
use crate::{Cache, Report};

/// What all programs and tests of the workspace take, in MiB, with what the beds write. Seen: 14 GiB of programs, built afresh.
const WHOLE: u64 = 20_000;
/// What is to be free in any case, in MiB: a change of one dependency's features builds most of it again.
const AT_LEAST: u64 = 8_000;

impl Cache {
    /// Sees to it that there is disk enough to build the workspace. With `removing` what earlier builds left is removed where it has to
    /// be, other checkouts' first, but none that a cargo is at.
    ///
    /// # Errors
    /// There is too little; the message says how much is free and what would make room.
    pub fn room_to_build(&self, removing: bool, report: &mut dyn Report) -> Result<()> {
        let own = self.build_folder()?;
        let short = || -> Result<Option<(u64, u64)>> {
            let needed = WHOLE.saturating_sub(mib(&own)).max(AT_LEAST);
            let free = free_mib(&own)?;
            Ok((free < needed).then_some((free, needed)))
        };
        if removing {
            let mut others = self.other_builds()?;
            others.push(own.clone());
            for folder in others {
                if short()?.is_none() {
                    break;
                }
                if let Some(_lock) = unused(&folder) {
                    report.step(&format!("making room: removing {}", folder.display()));
                    remove(&folder)?;
                }
            }
        }
        match short()? {
            None => Ok(()),
            Some((free, needed)) => bail!(
                "building needs {needed} MiB of disk in {}, and {free} MiB are free there: `cargo xtask clean --builds` removes \
                 what this and other checkouts have built",
                own.display()
            ),
        }
    }

    /// The folders in which this and other checkouts were built.
    ///
    /// # Errors
    /// Cargo does not say where it builds.
    pub fn builds(&self) -> Result<Vec<PathBuf>> {
        let mut builds = self.other_builds()?;
        builds.extend(Some(self.build_folder()?).filter(|own| own.is_dir()));
        Ok(builds)
    }

    /// Where cargo builds this checkout: `.cargo/config.toml` names it.
    fn build_folder(&self) -> Result<PathBuf> {
        let metadata = cargo(self)
            .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
            .output()
            .context("cannot start cargo")?;
        let metadata: Value =
            serde_json::from_slice(&metadata.stdout).context("cargo metadata says nothing")?;
        let folder = metadata["build_directory"].as_str();
        Ok(folder.context("cargo does not say where it builds")?.into())
    }

    /// `build-dir` ends in a hash of the checkout's path, in two parts.
    fn other_builds(&self) -> Result<Vec<PathBuf>> {
        let own = self.build_folder()?;
        let Some(all) = own.ancestors().nth(2) else {
            return Ok(Vec::new());
        };
        if !all.ends_with("rectifier/build") {
            return Ok(Vec::new());
        }
        let halves = folders(all).into_iter();
        let builds = halves.flat_map(|half| folders(&half));
        Ok(builds.filter(|build| *build != own).collect())
    }
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

/// Cargo's own lock of that folder, if no cargo holds it.
fn unused(build: &Path) -> Option<Option<File>> {
    match File::options()
        .write(true)
        .open(build.join("debug/.cargo-lock"))
    {
        Ok(lock) => lock.try_lock().is_ok().then_some(Some(lock)),
        // nothing was built in it
        Err(_) => Some(None),
    }
}

/// Of all files below it; what goes away meanwhile counts nothing.
fn mib(folder: &Path) -> u64 {
    fn bytes(path: &Path) -> u64 {
        let Ok(metadata) = path.symlink_metadata() else {
            return 0;
        };
        if !metadata.is_dir() {
            return metadata.len();
        }
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| bytes(&entry.path())).sum()
    }
    bytes(folder) / (1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_that_a_cargo_is_at_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(unused(folder.path()).is_some(), "nothing was built");
        std::fs::create_dir(folder.path().join("debug")).unwrap();
        let lock = File::create(folder.path().join("debug/.cargo-lock")).unwrap();
        lock.lock().unwrap();
        assert!(unused(folder.path()).is_none());
        drop(lock);
        assert!(unused(folder.path()).is_some());
    }
}
