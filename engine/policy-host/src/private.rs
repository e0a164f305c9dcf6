//! Folders and files that nobody but this user can write, so that what lies in them may be believed: compiled policies,
//! which are native code, and the versions that enforced last.
//!
//! A file is written beside its place and renamed, so that it is there whole or not at all. Its writer holds a lock on
//! it meanwhile, and for as long as he keeps the handle: what a killed process left behind is what nobody locks, and
//! can be swept by anybody.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{Error, Result, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

/// What a file under way begins with. Hidden files are nobody else's in these folders.
const UNDER_WAY: &str = ".writing-";
/// How often a file under way may be swept from under its writer before he could lock it: never twice by one sweep.
const TRIES: usize = 8;

/// Makes the folder if need be, and checks that it is ours alone.
///
/// # Errors
/// It cannot be made, or somebody else could write into it.
pub(crate) fn folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let found = std::fs::symlink_metadata(path)?;
    if found.is_dir() && is_ours_alone(&found) {
        return Ok(());
    }
    Err(Error::other(
        "it must be a directory (no link) of this user's with mode 0700: what lies in it is believed",
    ))
}

/// Opens a file of ours to read.
///
/// # Errors
/// It is not there, or somebody else could have written it.
pub(crate) fn open(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(path)?;
    let found = file.metadata()?;
    if found.is_file() && is_ours_alone(&found) {
        return Ok(file);
    }
    Err(Error::other("it is no file of this user's alone"))
}

/// Writes a file whole, and holds it: it is not swept until the handle is dropped.
///
/// # Errors
/// It cannot be written; what was there before is there still.
pub(crate) fn write(folder: &Path, name: &str, parts: &[&[u8]]) -> Result<File> {
    let mut file = under_way(folder)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.persist(folder.join(name)).map_err(|error| error.error)
}

/// As [`write`], and it is on the disk when this returns.
///
/// # Errors
/// As [`write`].
pub(crate) fn write_durably(folder: &Path, name: &str, parts: &[&[u8]]) -> Result<File> {
    let mut file = under_way(folder)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.as_file().sync_all()?;
    let file = file
        .persist(folder.join(name))
        .map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

/// Holds a file: nobody sweeps it until the handle is dropped.
///
/// # Errors
/// It is not there (any more), or not ours.
pub(crate) fn hold(path: &Path) -> Result<File> {
    let file = open(path)?;
    file.lock_shared()?;
    // A sweep may have come between.
    if file.metadata()?.nlink() == 0 {
        return Err(std::io::ErrorKind::NotFound.into());
    }
    Ok(file)
}

/// Removes what killed writers left behind, and what `unwanted` names; but nothing that somebody holds.
pub(crate) fn sweep(folder: &Path, unwanted: impl Fn(&str) -> bool) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || unwanted(&name) {
            remove_unless_held(&entry.path());
        }
    }
    Ok(())
}

fn remove_unless_held(path: &Path) {
    let remove = || {
        let file = open(path)?;
        file.try_lock()?;
        // Another file may have taken its place since it was opened, and that one is not locked.
        let (locked, there) = (file.metadata()?, std::fs::symlink_metadata(path)?);
        if (locked.dev(), locked.ino()) != (there.dev(), there.ino()) {
            return Err(Error::other("it was replaced"));
        }
        std::fs::remove_file(path)
    };
    if let Err(error) = remove() {
        tracing::debug!(file = %path.display(), %error, "not swept");
    }
}

fn under_way(folder: &Path) -> Result<tempfile::NamedTempFile> {
    for _ in 0..TRIES {
        // tempfile gives it mode 0600.
        let file = tempfile::Builder::new()
            .prefix(UNDER_WAY)
            .tempfile_in(folder)?;
        file.as_file().lock_shared()?;
        // A sweep may have come between.
        if file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
    Err(Error::other("its files are swept while they are written"))
}

fn is_ours_alone(found: &Metadata) -> bool {
    found.uid() == nix::unistd::geteuid().as_raw() && found.mode() & 0o077 == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_that_others_could_write_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let open = outer.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o770)).unwrap();
        assert!(folder(&open).is_err());
        let link = outer.path().join("link");
        std::os::unix::fs::symlink(outer.path(), &link).unwrap();
        assert!(folder(&link).is_err());
        assert!(folder(&outer.path().join("new/newer")).is_ok());
    }

    #[test]
    fn what_a_killed_writer_left_is_swept_and_what_is_held_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        let mode = |file: &File| {
            let only_ours = std::fs::Permissions::from_mode(0o600);
            file.set_permissions(only_ours).unwrap();
        };
        mode(&File::create(path(".writing-dead")).unwrap());
        let alive = under_way(folder.path()).unwrap();
        let held = write(folder.path(), "held", &[b"a", b"b"]).unwrap();
        drop(write_durably(folder.path(), "free", &[b"c"]).unwrap());
        drop(write(folder.path(), "wanted", &[]).unwrap());

        let unwanted = |name: &str| name != "wanted";
        sweep(folder.path(), unwanted).unwrap();
        let alive_name = alive.path().file_name().unwrap().to_str().unwrap();
        let left = [alive_name, "held", "wanted"].map(str::to_owned).into();
        assert_eq!(names(), left);
        assert_eq!(std::fs::read(path("held")).unwrap(), b"ab");

        drop(held);
        let again = hold(&path("held")).unwrap();
        sweep(folder.path(), unwanted).unwrap();
        assert!(names().contains("held"));
        drop((again, alive));
        sweep(folder.path(), unwanted).unwrap();
        assert_eq!(names(), ["wanted".to_owned()].into());
    }

    #[test]
    fn a_file_that_others_could_write_or_a_link_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        drop(write(folder.path(), "good", &[b"good"]).unwrap());
        std::os::unix::fs::symlink(path("good"), path("link")).unwrap();
        assert!(open(&path("good")).is_ok());
        assert!(open(&path("link")).is_err());
        std::fs::set_permissions(path("good"), std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(open(&path("good")).is_err());
    }
}
