//! The operator's policies, loaded as an engine loads a directory, and metered by work: how fast this machine is decides
//! nothing.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use rectifier_policy_host::{Advisor, Metering, Set, Status};
use serde::Serialize;

use crate::policy::asking;
use crate::policy::files::in_directory;
use crate::policy::host::HostArguments;
use crate::verdict::usage;

/// All of a directory.
pub(super) struct Policies {
    pub(super) advisor: Arc<dyn Advisor>,
    /// Each file, and what an engine makes of it.
    pub(super) files: Vec<File>,
}

/// A policy's file.
#[derive(Debug, Clone, Serialize)]
pub(super) struct File {
    pub(super) file: String,
    /// Why it answers for nothing, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
}

/// Not to be called on a runtime. A policy that is refused answers for nothing, as on a node.
///
/// # Errors
/// There is no policy, or none can be used.
pub(super) fn load(directory: &Path, host: &HostArguments) -> anyhow::Result<Policies> {
    if !directory.is_dir() {
        return Err(usage(format!(
            "there is no directory {}",
            directory.display()
        )));
    }
    let files = in_directory(directory)?;
    let host = host.open(Metering::Fuel)?;
    let mut loaded = Vec::new();
    let mut told = Vec::new();
    asking(async {
        for file in &files {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let refused = match host.load(file).await {
                Ok(policy) => {
                    loaded.push(policy);
                    None
                }
                Err(failure) => Some(format!("{}: {}", failure.class.label(), failure.message)),
            };
            told.push(File {
                file: name.into_owned(),
                refused,
            });
        }
        Ok(crate::verdict::Verdict::Well)
    })?;
    let advisor = host.fixed(loaded);
    let set: Arc<Set> = advisor.set();
    for file in &mut told {
        let mut policies = set.policies().iter();
        let policy = policies.find(|policy| policy.file() == file.file);
        if let Some(Status::Refused(failure) | Status::KeptLastGood(failure)) =
            policy.map(|policy| policy.status())
        {
            file.refused = Some(format!("{}: {}", failure.class.label(), failure.message));
        }
    }
    if let Some(first) = told.iter().find_map(|file| file.refused.as_ref())
        && told.iter().all(|file| file.refused.is_some())
    {
        bail!("no policy can be used: {first}");
    }
    Ok(Policies {
        advisor: Arc::new(advisor),
        files: told,
    })
}
