//! Making a part exactly once, however many ask for it and however many die at it.
//!
//! Guarantees: the final name exists only when the part is complete (it is made under another name
//! and renamed); one process makes it, the others wait for its lock; what a killed process left
//! behind is removed by the next one, which the lock allows because no other can be at it. The lock
//! is the kernel's (`flock`): it cannot outlive its holder.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::mount::{MntFlags, umount2};

use crate::disk::Room;
use crate::{Cache, Report};

/// One part, before it is made.
pub(crate) struct Part<'a> {
    /// Names it in messages and is its lock's name: `go-programs`.
    pub(crate) name: &'a str,
    /// Its final folder or file, in the cache.
    pub(crate) target: PathBuf,
    /// What it needs of disks.
    pub(crate) room: &'a [Room],
}

impl Part<'_> {
    /// The part, made by `build` at the temporary name that it is given if it is not there yet.
    pub(crate) fn make(
        self,
        cache: &Cache,
        report: &mut dyn Report,
        build: impl FnOnce(&Path, &mut dyn Report) -> Result<()>,
    ) -> Result<PathBuf> {
        if self.target.exists() {
            return Ok(self.target);
        }
        let _lock = lock(cache, self.name, report)?;
        // another process may have made it while this one waited
        if self.target.exists() {
            return Ok(self.target);
        }
        let parent = self
            .target
            .parent()
            .context("a part has a folder above it")?;
        std::fs::create_dir_all(parent)?;
        let half_made = parent.join(format!("{}{HALF_MADE}", self.name));
        unmount_below(&half_made)?;
        remove(&half_made)?;
        self.room
            .iter()
            .try_for_each(|room| room.check(self.name))?;
        build(&half_made, report).with_context(|| format!("cannot make {}", self.name))?;
        std::fs::rename(&half_made, &self.target)
            .with_context(|| format!("cannot put {} into its place", self.name))?;
        Ok(self.target)
    }
}

/// Holds the lock of that name until it is dropped.
pub(crate) fn lock(cache: &Cache, name: &str, report: &mut dyn Report) -> Result<File> {
    let path = cache.folder("locks")?.join(name);
    let file = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            report.step(&format!(
                "{name}: waiting for another process that is at it"
            ));
            file.lock()
                .with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    Ok(file)
}

/// Removes a file or a tree, if it is there, and never anything that is mounted into it.
///
/// # Errors
/// Something is mounted there, or it cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    let Ok(metadata) = path.symlink_metadata() else {
        return Ok(());
    };
    no_mounts(path)?;
    let removed = match metadata.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

/// # Errors
/// Something is mounted at the path or below it, as the disk of a machine that runs.
pub fn no_mounts(path: &Path) -> Result<()> {
    match mounts()?.into_iter().find(|mount| mount.starts_with(path)) {
        Some(mount) => bail!(
            "{} is in use: {} is mounted",
            path.display(),
            mount.display()
        ),
        None => Ok(()),
    }
}

/// What a builder that was killed had mounted into its tree. The last mount goes first.
fn unmount_below(half_made: &Path) -> Result<()> {
    let mounts = mounts()?;
    let below = mounts
        .iter()
        .rev()
        .filter(|mount| mount.starts_with(half_made));
    for mount in below {
        umount2(mount, MntFlags::MNT_DETACH)
            .with_context(|| format!("cannot unmount {}", mount.display()))?;
    }
    Ok(())
}

/// Of the parts in a folder whose names begin so, removes all but the newest few: what is compiled
/// from the checkout is another part after each change, and large. Four may still be in use, by
/// beds of other checkouts; more are not thought of.
pub(crate) fn keep_newest(folder: &Path, prefix: &str) -> Result<()> {
    const KEPT: usize = 4;
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix) && !name.ends_with(HALF_MADE) {
            parts.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    parts.sort();
    let old = parts.len().saturating_sub(KEPT);
    parts[..old].iter().try_for_each(|(_, path)| remove(path))
}

/// Ends the name of a part that is being made, or was when its maker died.
const HALF_MADE: &str = ".half-made";

/// Every mount point that this process sees.
fn mounts() -> Result<Vec<PathBuf>> {
    let table = std::fs::read_to_string("/proc/self/mountinfo")?;
    // the fifth field, in which the kernel writes a blank as \040
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    Ok(points
        .map(|point| PathBuf::from(point.replace("\\040", " ")))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;

    fn part(cache: &Cache) -> Part<'static> {
        Part {
            name: "thing",
            target: cache.root().join("things/abc"),
            room: &[],
        }
    }

    #[test]
    fn a_part_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let mut made = 0;
        for _ in 0..2 {
            let path = part(&cache).make(&cache, &mut Silent, |path, _| {
                made += 1;
                Ok(std::fs::write(path, "done")?)
            });
            assert_eq!(std::fs::read(path.unwrap()).unwrap(), b"done");
        }
        assert_eq!(made, 1);
    }

    #[test]
    fn a_build_that_fails_leaves_no_part_and_the_next_one_starts_afresh() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let failed = part(&cache).make(&cache, &mut Silent, |path, _| {
            std::fs::create_dir(path)?;
            std::fs::write(path.join("left over"), "")?;
            bail!("the disk is on fire")
        });
        assert!(format!("{:#}", failed.unwrap_err()).contains("cannot make thing: the disk"));
        let made = part(&cache).make(&cache, &mut Silent, |path, _| {
            assert!(!path.exists());
            Ok(std::fs::create_dir(path)?)
        });
        assert_eq!(std::fs::read_dir(made.unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn two_that_ask_at_the_same_time_get_the_one_that_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let made = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let done = part(&cache).make(&cache, &mut Silent, |path, _| {
                        made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        Ok(std::fs::write(path, "done")?)
                    });
                    assert!(done.unwrap().exists());
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn of_what_changes_often_the_newest_few_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..7 {
            let file =
                std::fs::File::create(folder.path().join(format!("image-{number}"))).unwrap();
            let age = std::time::Duration::from_secs(number);
            file.set_modified(std::time::UNIX_EPOCH + age).unwrap();
        }
        std::fs::write(folder.path().join("other"), "").unwrap();
        std::fs::write(folder.path().join("image.half-made"), "").unwrap();
        keep_newest(folder.path(), "image").unwrap();
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut left: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(
            left,
            [
                "image-3",
                "image-4",
                "image-5",
                "image-6",
                "image.half-made",
                "other"
            ]
        );
    }

    #[test]
    fn a_part_that_finds_no_room_says_so_before_it_begins() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let room = [Room {
            place: cache.root().to_owned(),
            mib: u64::MAX,
        }];
        let part = Part {
            room: &room,
            ..part(&cache)
        };
        let refused = part.make(&cache, &mut Silent, |_, _| unreachable!("there is no room"));
        assert!(refused.unwrap_err().to_string().contains("thing needs"));
    }
}
