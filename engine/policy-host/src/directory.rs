//! Reads the directory of policies: one consistent snapshot of it, or what is wrong with each file.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use rectifier_core::policy::FailureClass;
use sha2::{Digest, Sha256};

use crate::{Failure, Limits};

/// A policy's file and its sidecar, as they were at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) module: Result<Vec<u8>, Failure>,
    /// The sidecar's name and text, if there is one.
    pub(crate) sidecar: Option<(String, Result<String, Failure>)>,
}

impl Candidate {
    /// Equal if and only if it is worth no second look.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        fn add(digest: Sha256, part: &Result<impl AsRef<[u8]>, Failure>) -> Sha256 {
            match part {
                Ok(bytes) => digest.chain_update([1]).chain_update(Sha256::digest(bytes)),
                Err(failure) => digest
                    .chain_update([2])
                    .chain_update(Sha256::digest(&failure.message)),
            }
        }
        let mut digest = add(Sha256::new(), &self.module);
        if let Some((_, text)) = &self.sidecar {
            digest = add(digest, text);
        }
        digest.finalize().into()
    }
}

/// All policies in `directory`, by the name of their file.
///
/// # Errors
/// The directory cannot be read. What is wrong with one file stands in its candidate.
pub(crate) fn snapshot(
    directory: &Path,
    limits: &Limits,
) -> std::io::Result<BTreeMap<String, Candidate>> {
    let directory = present(directory)?;
    let mut candidates = BTreeMap::new();
    for entry in std::fs::read_dir(&directory)? {
        let Ok(name) = entry?.file_name().into_string() else {
            continue;
        };
        if let Some(candidate) = candidate(&directory, &name, limits) {
            candidates.insert(name, candidate);
        }
    }
    Ok(candidates)
}

/// One policy and its sidecar. `None` if it has no policy's name.
pub(crate) fn candidate(directory: &Path, name: &str, limits: &Limits) -> Option<Candidate> {
    let stem = name
        .strip_suffix(".wasm")
        .filter(|stem| !stem.starts_with('.'))?;
    let read = |name: &str, limit| {
        read(&directory.join(name), limit).map_err(|why| Failure::new(FailureClass::Load, why))
    };
    let module = read(name, limits.module_bytes);
    let sidecar_name = format!("{stem}.yaml");
    let sidecar = match std::fs::symlink_metadata(directory.join(&sidecar_name)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Ok(_) | Err(_) => {
            let text = read(&sidecar_name, limits.sidecar_bytes).and_then(|bytes| {
                String::from_utf8(bytes)
                    .map_err(|_| Failure::new(FailureClass::Settings, "it is not UTF-8"))
            });
            let text = text.map_err(|failure| Failure {
                message: format!("{sidecar_name}: {}", failure.message),
                ..failure
            });
            Some((sidecar_name, text))
        }
    };
    Some(Candidate { module, sidecar })
}

/// Where the files are now. A mounted ConfigMap is swapped by renaming its link `..data`: resolved once, and all files
/// read through it, the old ones or the new ones, never some of each.
fn present(directory: &Path) -> std::io::Result<PathBuf> {
    match std::fs::canonicalize(directory.join("..data")) {
        Ok(swapped) => Ok(swapped),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(directory.to_owned()),
        Err(error) => Err(error),
    }
}

/// Reads a regular file of at most `limit` bytes. A link is not followed, a pipe not waited for.
fn read(path: &Path, limit: usize) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("it cannot be read: {error}");
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(nix::libc::ELOOP) => {
                "it is a symbolic link, which is not followed: copy the file".to_owned()
            }
            Some(_) | None => unreadable(error),
        })?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > limit {
        return Err(format!("it is larger than the limit of {limit} bytes"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn limits() -> Limits {
        Limits {
            module_bytes: 10,
            ..Limits::default()
        }
    }

    #[test]
    fn a_link_a_pipe_a_folder_or_too_large_a_file_is_named_and_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("good.wasm"), "good").unwrap();
        std::fs::write(path("good.yaml"), "mode: enforce").unwrap();
        std::fs::write(path("large.wasm"), "eleven byte").unwrap();
        std::fs::write(path("other.txt"), "other").unwrap();
        symlink("/etc/passwd", path("link.wasm")).unwrap();
        nix::unistd::mkfifo(&path("pipe.wasm"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::create_dir(path("folder.wasm")).unwrap();
        let found = snapshot(folder.path(), &limits()).unwrap();
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "folder.wasm",
                "good.wasm",
                "large.wasm",
                "link.wasm",
                "pipe.wasm"
            ]
        );
        assert_eq!(found["good.wasm"].module, Ok(b"good".to_vec()));
        let why = |name: &str| found[name].module.clone().unwrap_err().message;
        assert!(why("large.wasm").contains("larger than the limit of 10 bytes"));
        assert!(why("link.wasm").contains("symbolic link"));
        assert!(why("pipe.wasm").contains("no regular file"));
        assert!(why("folder.wasm").contains("no regular file"));
    }

    #[test]
    fn a_mounted_config_map_is_read_through_its_present_data() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (generation, text) in [("..1", "old"), ("..2", "new")] {
            std::fs::create_dir(path(generation)).unwrap();
            std::fs::write(path(generation).join("a.wasm"), text).unwrap();
        }
        symlink("..1", path("..data")).unwrap();
        symlink("..data/a.wasm", path("a.wasm")).unwrap();
        let module = || {
            snapshot(folder.path(), &limits()).unwrap()["a.wasm"]
                .module
                .clone()
                .unwrap()
        };
        assert_eq!(module(), b"old");
        symlink("..2", path("..data_tmp")).unwrap();
        std::fs::rename(path("..data_tmp"), path("..data")).unwrap();
        assert_eq!(module(), b"new");
    }

    #[test]
    fn a_sidecar_changes_the_fingerprint() {
        let bare = Candidate {
            module: Ok(b"a".to_vec()),
            sidecar: None,
        };
        let with = |text: &str| Candidate {
            sidecar: Some(("a.yaml".to_owned(), Ok(text.to_owned()))),
            ..bare.clone()
        };
        assert_eq!(bare.fingerprint(), bare.fingerprint());
        assert_ne!(bare.fingerprint(), with("").fingerprint());
        assert_ne!(with("").fingerprint(), with("mode: monitor").fingerprint());
    }
}
