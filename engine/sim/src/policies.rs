//! Policies for a world: compiled before its time begins, metered by work, so that the same questions get the same answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rectifier_policy_host::compile::Compiler;
use rectifier_policy_host::{
    Advisor, Allowed, Failure, Host, HostOptions, Limits, Metering, Policy,
};

/// The most that an operator can allow: 64 MiB.
const MODULE_BYTES: usize = 64 << 20;

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no host for them.
    #[error(transparent)]
    Host(#[from] rectifier_policy_host::Error),
    /// One of them cannot be used.
    #[error("{}", .0.message)]
    Policy(Failure),
    /// The runtime on which they are compiled.
    #[error("cannot compile")]
    Runtime(#[from] std::io::Error),
}

/// Loads these files, each with the sidecar beside it. Not to be called on a runtime.
///
/// # Errors
/// One of them cannot be loaded.
pub fn load(
    files: &[PathBuf],
    compiler: Compiler,
    cache: &Path,
) -> Result<Arc<dyn Advisor>, Error> {
    // how large a file an engine takes is its operator's matter
    let limits = Limits {
        module_bytes: MODULE_BYTES,
        ..Limits::default()
    };
    let host = Host::open(HostOptions {
        cache: cache.to_owned(),
        compiler,
        limits,
        ceiling: limits,
        allowed: Allowed::default(),
        metering: Metering::Fuel,
    })?;
    let before = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let load = |file: &PathBuf| before.block_on(host.load(file)).map_err(Error::Policy);
    let policies: Vec<Policy> = files.iter().map(load).collect::<Result<_, _>>()?;
    Ok(Arc::new(host.fixed(policies)))
}
