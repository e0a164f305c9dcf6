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
        Self::of(
            "restart-then-replace",
            include_str!("restart-then-replace.yaml"),
        )
    }

    fn of(name: &str, sidecar: &str) -> Result<Self> {
        let cache = Cache::from_env()?;
        let file = cache.policy_component(name, &mut Stderr::default())?;
        let folder = tempfile::tempdir()?;
        let policy = folder.path().join(format!("{name}.wasm"));
        std::fs::copy(file, &policy)?;
        std::fs::write(policy.with_extension("yaml"), sidecar)?;
        Ok(Self { folder, policy })
    }

    fn load(&self) -> Result<Arc<dyn Advisor>> {
        let program = env!("CARGO_BIN_EXE_rectifier-seeds");
        let compiler = Compiler::new(program, &["compile"], CompileLimits::default());
        let cache = self.folder.path().join("cache");
        let files = std::slice::from_ref(&self.policy);
        Ok(rectifier_sim::policies::load(files, compiler, &cache)?)
    }
}

#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn shipped() -> Result<Arc<dyn Advisor>> {
    Files::put()?.load()
}

/// Another one, with this sidecar; with `{}` it has the settings that it ships with.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn of(name: &str, sidecar: &str) -> Result<Arc<dyn Advisor>> {
    Files::of(name, sidecar)?.load()
}
