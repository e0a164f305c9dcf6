//! A part says what room it needs before it begins: a disk that fills up half an hour later tells
//! nobody which part was to blame.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::sys::statvfs::statvfs;

/// Room needed, in MiB, and where.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) place: PathBuf,
    pub(crate) mib: u64,
}

impl Room {
    /// # Errors
    /// There is less; the message names the part, the place and both figures.
    pub(crate) fn check(&self, part: &str) -> Result<()> {
        let free = free_mib(&self.place)?;
        if free < self.mib {
            bail!(
                "{part} needs {} MiB of disk in {}, and {free} MiB are free there",
                self.mib,
                existing(&self.place).display()
            );
        }
        Ok(())
    }
}

/// The folder, or the nearest one above it that exists.
fn existing(place: &Path) -> &Path {
    place
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("/"))
}

/// At a place that is there, or below one.
pub(crate) fn free_mib(place: &Path) -> Result<u64> {
    let place = existing(place);
    let disk = statvfs(place)
        .with_context(|| format!("cannot ask how much disk is free in {}", place.display()))?;
    Ok(disk.blocks_available() * disk.fragment_size() / (1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_small_a_disk_is_named_with_the_part_and_the_need() {
        let place = std::env::temp_dir().join("not/yet/there");
        let error = Room {
            place,
            mib: u64::MAX,
        }
        .check("node root")
        .unwrap_err()
        .to_string();
        assert!(
            error.starts_with(&format!("node root needs {} MiB", u64::MAX)),
            "{error}"
        );
        assert!(error.contains("MiB are free"), "{error}");
    }
}
