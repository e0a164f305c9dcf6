//! What a policy says of itself, where it cannot be compiled in: a file `policy.yaml` beside the source.

use std::path::Path;

use anyhow::Context;
use rectifier_core::name::PolicyName;
use rectifier_policy_host::{Handles, Metadata, Needs, Version};
use serde::Deserialize;

use crate::diagnostic::Source;

/// The file's name in a project.
pub(crate) const FILE: &str = "policy.yaml";

/// As the section has it, but for the contract's version: the newest if it is not said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetadataFile {
    name: PolicyName,
    version: String,
    contract: Option<String>,
    handles: Vec<Handles>,
    #[serde(default)]
    needs: Needs,
}

/// # Errors
/// It cannot be read, or is no metadata; it says where.
pub(crate) fn read(file: &Path) -> anyhow::Result<Metadata> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    let source = Source { name, text };
    let said: MetadataFile =
        serde_saphyr::from_str(&source.text).map_err(|error| source.unreadable(&error))?;
    Ok(Metadata {
        name: said.name,
        version: said.version,
        contract: said.contract.unwrap_or_else(newest),
        handles: said.handles,
        needs: said.needs,
    })
}

/// The newest version of the contract.
pub(crate) fn newest() -> String {
    Version::ALL
        .first()
        .map_or_else(String::new, |version| version.label().to_owned())
}

/// Writes a file whole or not at all.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let cannot = || format!("cannot write {}", file.display());
    // A name that no engine takes for a policy's, should it be its directory.
    let temporary = tempfile::Builder::new()
        .prefix(".")
        .tempfile_in(folder)
        .with_context(cannot)?;
    std::fs::write(temporary.path(), bytes).with_context(cannot)?;
    let readable = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(temporary.path(), readable).with_context(cannot)?;
    temporary
        .persist(file)
        .map_err(|error| error.error)
        .with_context(cannot)?;
    Ok(())
}
