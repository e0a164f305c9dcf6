//! One file of the directory: what it is, before it is opened, and its bytes within a limit.

use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::panic::AssertUnwindSafe;
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use super::form::{Form, TooLarge};

/// Changes whenever the file does, if the two are more than a tick of the kernel's clock apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            inode: (found.dev(), found.ino()),
            bytes: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

/// Why there are no bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is not there (any more).
    Gone,
    /// One line for people.
    Refused(String),
}

/// Looks at a file from outside. A device may do something when it is opened, a pipe waits, a link leads elsewhere: none
/// of them is. A file that is too large is not read to find out: it may have 10 GB of holes.
pub(super) fn examine(path: &Path, limit: u64) -> Result<Stamp, Trouble> {
    let found = std::fs::symlink_metadata(path).map_err(unreadable)?;
    check(&found, limit)
}

/// Hands the unpacked bytes to `sink`, piece by piece. The stamp is the one of before and after, if these are equal.
pub(super) fn read(
    path: &Path,
    form: Form,
    limit: u64,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<Option<Stamp>, Trouble> {
    examine(path, limit)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(path)
        .map_err(unreadable)?;
    // Another file may have taken its place since.
    let before = check(&file.metadata().map_err(unreadable)?, limit)?;
    unpack(&file, form, limit, sink)?;
    let after = Stamp::of(&file.metadata().map_err(unreadable)?);
    Ok((before == after).then_some(after))
}

fn check(found: &Metadata, limit: u64) -> Result<Stamp, Trouble> {
    if found.is_symlink() {
        let why = "it is a symbolic link, which is not followed: copy the file";
        return Err(Trouble::Refused(why.to_owned()));
    }
    if !found.is_file() {
        return Err(Trouble::Refused("it is no regular file".to_owned()));
    }
    if found.size() > limit {
        return Err(Trouble::Refused(TooLarge(limit).to_string()));
    }
    Ok(Stamp::of(found))
}

fn unpack(file: &File, form: Form, limit: u64, sink: &mut dyn FnMut(&[u8])) -> Result<(), Trouble> {
    // A hostile file may find a defect in a decoder; it must not take the other files with it.
    let unpacked = std::panic::catch_unwind(AssertUnwindSafe(|| form.unpack(file, limit, sink)));
    let why = match (unpacked, form) {
        (Ok(Ok(_)), _) => return Ok(()),
        (Ok(Err(error)), Form::Plain) if !is_too_large(&error) => return Err(unreadable(error)),
        (Ok(Err(error)), Form::Plain) => error.to_string(),
        (Ok(Err(error)), Form::Gzip | Form::Zstd) => format!("unpacked, {}", lower(&error)),
        (Err(_), _) => "it cannot be unpacked".to_owned(),
    };
    Err(Trouble::Refused(why))
}

fn is_too_large(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<TooLarge>())
}

/// What the decoder says, as part of a sentence.
fn lower(error: &std::io::Error) -> String {
    if is_too_large(error) {
        return error.to_string();
    }
    format!("it is nothing usable: {error}")
}

fn unreadable(error: std::io::Error) -> Trouble {
    match (error.kind(), error.raw_os_error()) {
        (std::io::ErrorKind::NotFound, _) => Trouble::Gone,
        (_, Some(nix::libc::ELOOP)) => {
            Trouble::Refused("it became a symbolic link, which is not followed".to_owned())
        }
        _ => Trouble::Refused(format!("it cannot be read: {error}")),
    }
}
