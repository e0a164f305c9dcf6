//! Reads the directory of policies: what lies there at one moment, or what is wrong with each file.
//!
//! A look streams every file through its digest and keeps no bytes, so that 200 policies cost the memory of one buffer.
//! Whoever loads one reads it again, and compares the fingerprint: it is what the look saw, or a new look is due.

mod file;
mod form;
mod stamps;

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rectifier_core::policy::FailureClass;
use sha2::{Digest, Sha256};

use self::file::Trouble;
use self::form::Form;
pub use self::form::unpack;
use crate::fingerprint::Fingerprint;
use crate::{Failure, Limits};

pub(crate) use self::file::Stamp;
pub(crate) use self::stamps::Stamps;

/// How often a directory may be swapped while it is read.
const TRIES: usize = 5;

/// A policy's module, unpacked, and its sidecar, as they were at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) module: std::result::Result<Vec<u8>, Failure>,
    /// The sidecar's name and text, if there is one.
    pub(crate) sidecar: Option<(String, std::result::Result<String, Failure>)>,
}

impl Candidate {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let module = self.module.as_ref();
        Fingerprint::of(
            module.map(|bytes| Sha256::digest(bytes).into()),
            self.sidecar.as_ref().map(|(_, text)| text),
        )
    }
}

/// What the directory has of each policy, by NAME: the file's name without `.wasm`, `.wasm.gz` or `.wasm.zst`.
pub(crate) type Look = BTreeMap<String, Seen>;

/// One policy of the directory, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The file's name.
    pub(crate) file: String,
    pub(crate) fingerprint: Fingerprint,
    /// If it can be read.
    pub(crate) module: Option<Module>,
}

/// A module, unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Module {
    pub(crate) sha256: [u8; 32],
    pub(crate) bytes: u64,
}

/// How much a look relies on the files' stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// What has the stamp that it had is not read.
    Quick,
    /// Everything is read: what was written through a memory map, or on a machine far away, may have its old stamp.
    Whole,
}

/// Looks at the whole directory. It blocks: it reads.
///
/// # Errors
/// The directory cannot be read. What is wrong with one file stands in its fingerprint, and in its candidate.
pub(crate) fn look(
    directory: &Path,
    limits: &Limits,
    stamps: &mut Stamps,
    care: Care,
) -> Result<Look> {
    steadily(directory, |place| look_at(place, limits, stamps, care))
}

/// Reads one policy's bytes; `None` if it is not there (any more). It blocks.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn read(directory: &Path, name: &str, limits: &Limits) -> Result<Option<Candidate>> {
    steadily(directory, |place| {
        let forms = Form::ALL.iter().filter_map(|(form, end)| {
            let file = format!("{name}{end}");
            let found = std::fs::symlink_metadata(place.join(&file));
            found.is_ok().then_some((file, *form))
        });
        let forms: Vec<_> = forms.collect();
        let module = match forms.as_slice() {
            [] => return Ok(None),
            [(file, form)] => {
                let mut bytes = Vec::new();
                let mut keep = |piece: &[u8]| bytes.extend_from_slice(piece);
                let limit = limits.module_bytes as u64;
                match file::read(&place.join(file), *form, limit, &mut keep) {
                    Ok(_) => Ok(bytes),
                    Err(Trouble::Gone) => return Ok(None),
                    Err(Trouble::Refused(why)) => Err(Failure::new(FailureClass::Load, why)),
                }
            }
            several => Err(several_forms(several)),
        };
        let sidecar = sidecar(place, name, limits);
        Ok(Some(Candidate { module, sidecar }))
    })
}

/// Name and stamp of everything that a look would read: what one polls where nothing can be watched. `None` if the
/// directory cannot be read.
pub(crate) fn glance(directory: &Path) -> Option<Vec<(String, Option<Stamp>)>> {
    let files = |place: &Path| {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(place)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && concerns(&name)
            {
                let stamp = file::examine(&entry.path(), u64::MAX).ok();
                found.push((name, stamp));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    };
    steadily(directory, files).ok()
}

/// NAME of a policy's file, if it is one's.
pub(crate) fn name_of(file: &str) -> Option<&str> {
    Form::of(file).map(|(name, _)| name)
}

/// Is it a policy's file, or what a ConfigMap's swap moves?
pub(crate) fn concerns(name: &str) -> bool {
    Form::of(name).is_some() || sidecar_of(name).is_some() || name.starts_with("..")
}

fn look_at(place: &Path, limits: &Limits, stamps: &mut Stamps, care: Care) -> Result<Look> {
    let mut here: BTreeMap<String, Vec<(String, Form)>> = BTreeMap::new();
    for entry in std::fs::read_dir(place)? {
        if let Ok(file) = entry?.file_name().into_string()
            && let Some((name, form)) = Form::of(&file)
        {
            here.entry(name.to_owned()).or_default().push((file, form));
        }
    }
    stamps.forget_all_but(|file| Form::of(file).is_some_and(|(name, _)| here.contains_key(name)));
    let mut look = Look::new();
    for (name, mut forms) in here {
        forms.sort_by(|(a, _), (b, _)| a.cmp(b));
        let module = match forms.as_slice() {
            [(file, form)] => {
                let path = place.join(file);
                match stamps.digest(&path, (file, *form), limits.module_bytes, care) {
                    Some(read) => read,
                    None => continue,
                }
            }
            several => Err(several_forms(several)),
        };
        let sidecar = sidecar(place, &name, limits);
        let fingerprint = Fingerprint::of(
            module.as_ref().map(|module| module.sha256),
            sidecar.as_ref().map(|(_, text)| text),
        );
        let Some((file, _)) = forms.into_iter().next() else {
            continue;
        };
        let seen = Seen {
            file,
            fingerprint,
            module: module.ok(),
        };
        look.insert(name, seen);
    }
    Ok(look)
}

fn several_forms(forms: &[(String, Form)]) -> Failure {
    let files: Vec<&str> = forms.iter().map(|(file, _)| file.as_str()).collect();
    let why = format!(
        "{} are forms of one policy: keep one of them",
        files.join(" and ")
    );
    Failure::new(FailureClass::Load, why)
}

fn sidecar_of(file: &str) -> Option<&str> {
    file.strip_suffix(".yaml")
        .filter(|name| !name.is_empty() && !name.starts_with('.'))
}

fn sidecar(
    place: &Path,
    name: &str,
    limits: &Limits,
) -> Option<(String, std::result::Result<String, Failure>)> {
    let file = format!("{name}.yaml");
    let refused = |class, why: &str| Failure::new(class, format!("{file}: {why}"));
    let mut bytes = Vec::new();
    let mut keep = |piece: &[u8]| bytes.extend_from_slice(piece);
    let limit = limits.sidecar_bytes as u64;
    let text = match file::read(&place.join(&file), Form::Plain, limit, &mut keep) {
        Ok(_) => {
            String::from_utf8(bytes).map_err(|_| refused(FailureClass::Settings, "it is not UTF-8"))
        }
        Err(Trouble::Gone) => return None,
        Err(Trouble::Refused(why)) => Err(refused(FailureClass::Load, &why)),
    };
    Some((file, text))
}

/// Reads in one place, and again if that was not the place any more when it was done: a mounted ConfigMap is swapped by
/// renaming its link `..data`, and what it led to is removed. So one sees the old files or the new ones, never some of
/// each.
fn steadily<T>(directory: &Path, mut read: impl FnMut(&Path) -> Result<T>) -> Result<T> {
    let mut last = Error::other("it changes whenever it is read");
    for _ in 0..TRIES {
        let found = place(directory).and_then(|(before, inode)| {
            let read = read(&before)?;
            Ok((place(directory)? == (before, inode)).then_some(read))
        });
        match found {
            Ok(Some(read)) => return Ok(read),
            Ok(None) => {}
            // It was removed while we were on our way to it, or for good.
            Err(error) if error.kind() == ErrorKind::NotFound => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Where the files are now.
fn place(directory: &Path) -> Result<(PathBuf, (u64, u64))> {
    let inode = |found: Metadata| (found.dev(), found.ino());
    let data = directory.join("..data");
    match std::fs::symlink_metadata(&data) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok((directory.to_owned(), inode(std::fs::metadata(directory)?)))
        }
        Err(error) => Err(error),
        Ok(_) => {
            let swapped = std::fs::canonicalize(&data)?;
            if !swapped.starts_with(std::fs::canonicalize(directory)?) {
                let why = format!("..data leads out of it, to {}", swapped.display());
                return Err(Error::other(why));
            }
            let inode = inode(std::fs::metadata(&swapped)?);
            Ok((swapped, inode))
        }
    }
}

#[cfg(test)]
mod tests;
