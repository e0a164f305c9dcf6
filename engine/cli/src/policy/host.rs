//! The host, as the engines have it: the same limits, the same lists, the same compiler in a child.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_policy_host::{Failure, Host, HostOptions, Limits, Metering, Policy};

use super::node_config::NodeConfig;
use crate::progress::Progress;

/// For every command that loads a policy.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct HostArguments {
    /// The node engine's configuration: its units, fixes and limits hold, as they will on the node
    #[arg(long, value_name = "FILE")]
    node_config: Option<PathBuf>,
    /// The folder of compiled policies [default: rectifier/compiled-policies in the user's cache]
    #[arg(
        long,
        value_name = "DIR",
        env = "RECTIFIER_POLICY_CACHE",
        hide_env_values = true
    )]
    cache: Option<PathBuf>,
}

/// How large a policy's file may be where no node engine's configuration says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// As an engine that was told nothing.
    Usual,
    /// As large as any engine may be told: an author is not kept from asking a policy that an operator has yet to allow.
    Any,
}

impl HostArguments {
    /// # Errors
    /// The configuration or the cache cannot be used.
    pub(crate) fn open(&self, metering: Metering) -> anyhow::Result<Host> {
        self.open_with(self.cache()?, metering, Sizes::Any)
    }

    /// As an engine would be.
    ///
    /// # Errors
    /// See [`HostArguments::open`].
    pub(crate) fn open_strictly(&self, metering: Metering) -> anyhow::Result<Host> {
        self.open_with(self.cache()?, metering, Sizes::Usual)
    }

    fn cache(&self) -> anyhow::Result<PathBuf> {
        match &self.cache {
            Some(cache) => Ok(cache.clone()),
            None => usual_cache(),
        }
    }

    /// The node engine's configuration, if there is one.
    pub(crate) fn node_config(&self) -> Option<&Path> {
        self.node_config.as_deref()
    }

    /// With another folder of compiled policies.
    ///
    /// # Errors
    /// See [`HostArguments::open`].
    pub(crate) fn open_with(
        &self,
        cache: PathBuf,
        metering: Metering,
        sizes: Sizes,
    ) -> anyhow::Result<Host> {
        let config = match &self.node_config {
            Some(file) => NodeConfig::read(file)?,
            None => NodeConfig::default(),
        };
        let (mut limits, mut ceiling) = config.limits().context("the policies' limits")?;
        if self.node_config.is_none() && sizes == Sizes::Any {
            limits.module_bytes = Limits::most().module_bytes;
            ceiling.module_bytes = limits.module_bytes;
        }
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        Ok(Host::open(HostOptions {
            cache,
            compiler: Compiler::new(program, &[super::COMPILE], compile_limits()),
            limits,
            ceiling,
            allowed: config.allowed(),
            metering,
        })?)
    }
}

/// The engines' limits, but for time: a machine on which policies are written or tested may be busy with anything.
fn compile_limits() -> CompileLimits {
    CompileLimits {
        time: Duration::from_secs(600),
        ..CompileLimits::default()
    }
}

/// Loads it; while it compiles, that is said.
pub(crate) async fn load(host: &Host, file: &Path) -> Result<Policy, Failure> {
    let _shown = Progress::start(format!("loading {}", file.display()));
    host.load(file).await
}

/// `$XDG_CACHE_HOME/rectifier/compiled-policies`, or that in `~/.cache`. (The host makes it for this user alone.)
fn usual_cache() -> anyhow::Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = match set("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(
            set("HOME").context("neither XDG_CACHE_HOME nor HOME is set: give --cache DIR")?,
        )
        .join(".cache"),
    };
    let folder = home.join("rectifier");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder.join("compiled-policies"))
}
