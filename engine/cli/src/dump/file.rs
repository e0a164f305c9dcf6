//! A file that is there whole, or not at all.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::verdict::usage;

/// Writes beside it, for its owner alone, and renames.
///
/// # Errors
/// There is no such folder (wrong usage), or it cannot be written to.
pub(super) fn put(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(usage(format!("there is no folder {}", folder.display())));
    }
    let cannot = || format!("cannot write {}", path.display());
    // A temporary file has mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    file.write_all(text).with_context(cannot)?;
    file.as_file().sync_all().with_context(cannot)?;
    file.persist(path).with_context(cannot)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::fs::write(&path, "before").unwrap();
        put(&path, b"after").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"after");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let left = folder.path().read_dir().unwrap().count();
        assert_eq!(left, 1, "nothing else is left there");
    }

    #[test]
    fn what_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("none/a.json");
        let error = put(&nowhere, b"x").unwrap_err();
        assert!(error.to_string().contains("there is no folder"));
        // A folder stands in its place.
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        assert!(put(&taken, b"x").is_err());
        assert!(taken.is_dir());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }
}
