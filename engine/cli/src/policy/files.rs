//! Which policies are meant: a file, or all in a directory as an engine would find them.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::language::Language;
use crate::verdict::usage;

/// Policies that are looked at together.
pub(crate) struct Group {
    /// The rules of a directory hold among them.
    pub(crate) is_directory: bool,
    pub(crate) files: Vec<PathBuf>,
}

/// Each directory by itself, and all single files each by itself.
///
/// # Errors
/// There is no such thing, or no policy in it.
pub(crate) fn groups(paths: &[PathBuf]) -> anyhow::Result<Vec<Group>> {
    let group = |path: &PathBuf| match path.is_dir() {
        true => Ok(Group {
            is_directory: true,
            files: in_directory(path)?,
        }),
        false if path.exists() => Ok(Group {
            is_directory: false,
            files: vec![path.clone()],
        }),
        false => Err(usage(format!("there is no {}", path.display()))),
    };
    paths.iter().map(group).collect()
}

/// The policies in a directory, by name. A mounted ConfigMap is read through its link `..data`, as an engine does.
///
/// # Errors
/// There is none.
pub(crate) fn in_directory(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let present = match directory.join("..data").canonicalize() {
        Ok(data) => data,
        Err(_) => directory.to_owned(),
    };
    let unreadable = || format!("cannot read {}", directory.display());
    let mut files = Vec::new();
    for entry in present.read_dir().with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        let is_policy = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| !name.starts_with('.') && stem(name).is_some());
        if is_policy {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        let todo = match Language::of(directory) {
            Some(_) => "build it first: rectifier policy build",
            None => "a policy's file is NAME.wasm",
        };
        let directory = directory.display();
        return Err(usage(format!("there is no policy in {directory}; {todo}")));
    }
    Ok(files)
}

/// The one policy that is meant.
///
/// # Errors
/// There is none, or more than one.
pub(crate) fn the_policy(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return match path.exists() {
            true => Ok(path.to_owned()),
            false => Err(usage(format!("there is no {}", path.display()))),
        };
    }
    let files = in_directory(path)?;
    match files.as_slice() {
        [only] => Ok(only.clone()),
        several => {
            let names: Vec<_> = several
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            let names = names.join(", ");
            Err(usage(format!(
                "{} holds several policies: name one of {names}",
                path.display()
            )))
        }
    }
}

/// The policy's name as a file: what stands before `.wasm`, `.wasm.gz`, `.wasm.zst`.
pub(crate) fn stem(name: &str) -> Option<&str> {
    let plain = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(name);
    plain.strip_suffix(".wasm").filter(|stem| !stem.is_empty())
}

/// The file that stands beside a policy's: `NAME` and that ending.
pub(crate) fn beside(policy: &Path, ending: &str) -> Option<PathBuf> {
    let stem = stem(policy.file_name()?.to_str()?)?;
    Some(policy.with_file_name(format!("{stem}{ending}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_found_as_an_engine_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();
        assert!(in_directory(folder.path()).is_err());
        for name in [
            "b.wasm",
            "a.wasm",
            ".hidden.wasm",
            ".wasm",
            "a.yaml",
            "a.cases.yaml",
        ] {
            put(name);
        }
        let files = in_directory(folder.path()).unwrap();
        let names: Vec<_> = files
            .iter()
            .filter_map(|file| file.file_name()?.to_str())
            .collect();
        assert_eq!(names, ["a.wasm", "b.wasm"]);
        assert!(
            the_policy(folder.path())
                .unwrap_err()
                .to_string()
                .contains("several")
        );
        let cases = beside(&files[0], ".cases.yaml").unwrap();
        assert_eq!(cases, folder.path().join("a.cases.yaml"));
    }

    #[test]
    fn a_packed_policy_has_the_same_name() {
        for name in ["a.wasm", "a.wasm.gz", "a.wasm.zst"] {
            assert_eq!(stem(name), Some("a"));
        }
        assert_eq!(stem("a.yaml"), None);
    }
}
