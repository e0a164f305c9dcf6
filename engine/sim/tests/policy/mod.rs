//! The policy that ships, as the operator's guide sets it up, compiled before any virtual time begins.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use rectifier_policy_host::Advisor;
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_provision::{Cache, Stderr};
use tempfile::TempDir;

/// In a folder of their own.
pub(crate) struct Files {
    folder: TempDir,
    pub(crate) policy: PathBuf,
}

impl Files {
    /// It restarts a unit twice, reboots once (but for kubelet), and replaces.
    pub(crate) fn put() -> Result<Self> {
        let cache = Cache::from_env()?;
        let file = cache.policy_component("restart-then-replace", &mut Stderr::default())?;
        let folder = tempfile::tempdir()?;
        let policy = folder.path().join("restart-then-replace.wasm");
        std::fs::copy(file, &policy)?;
        std::fs::write(
            policy.with_extension("yaml"),
            include_str!("restart-then-replace.yaml"),
        )?;
        Ok(Self { folder, policy })
    }
}

#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn shipped() -> Result<Arc<dyn Advisor>> {
    let files = Files::put()?;
    let program = env!("CARGO_BIN_EXE_rectifier-seeds");
    let compiler = Compiler::new(program, &["compile"], CompileLimits::default());
    let cache = files.folder.path().join("cache");
    Ok(rectifier_sim::policies::load(
        std::slice::from_ref(&files.policy),
        compiler,
        &cache,
    )?)
}
