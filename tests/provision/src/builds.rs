//! The folders in which cargo builds, one for each checkout: room for this one's.
//!
//! A full build takes more disk than all else that the tests need, and cargo removes nothing: what was built from an older source stays
//! beside what is built from the new one. A disk that fills up in the middle of it ends in a linker's bus error, which tells nobody why.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    /// be: that of other checkouts which rest, then this one's.
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
            let others = self.other_builds()?.into_iter();
            let others = others.filter(|build| at_rest(build));
            for folder in others.chain([own.clone()]) {
                if short()?.is_none() {
                    break;
                }
                if let Some(_locks) = unused(&folder) {
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

    /// Removes one of [`Cache::builds`].
    ///
    /// # Errors
    /// A cargo is at it, or it cannot be removed.
    pub fn remove_build(&self, build: &Path) -> Result<()> {
        let Some(_locks) = unused(build) else {
            bail!("a cargo is at {}", build.display());
        };
        remove(build)
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
        let metadata: Value = serde_json::from_slice(&metadata.stdout)
            .with_context(|| String::from_utf8_lossy(&metadata.stderr).trim().to_owned())
            .context("cargo metadata says nothing")?;
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

/// Cargo's own locks of that folder, if no cargo holds one of them.
fn unused(build: &Path) -> Option<Vec<File>> {
    let mut locks = Vec::new();
    for profile in folders(build) {
        match File::options()
            .write(true)
            .open(profile.join(".cargo-lock"))
        {
            Ok(lock) => {
                lock.try_lock().ok()?;
                locks.push(lock);
            }
            // nothing is built in it
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    Some(locks)
}

/// Nothing was built in it for hours: whoever tests what was built holds no lock.
fn at_rest(build: &Path) -> bool {
    const REST: Duration = Duration::from_secs(6 * 3600);
    let built = folders(build)
        .into_iter()
        .filter_map(|profile| profile.join("deps").metadata().ok()?.modified().ok());
    built
        .max()
        .is_none_or(|last| last.elapsed().is_ok_and(|since| since > REST))
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
