//! Single policies, outside any directory: what the command line checks, runs and tests. It is the engines' own way of
//! loading and asking, so that what passes here passes there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rectifier_core::policy::{FailureClass, Observation};

use crate::allowed::Allowed;
use crate::compile::{Cache, Compiler};
use crate::directory;
use crate::engine::Metering;
use crate::load::Loader;
use crate::log::Lines;
use crate::policies::Error;
use crate::policy::{Asked, Policy};
use crate::runtime::Runtime;
use crate::{Failure, Limits};

/// How single policies are loaded and run.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// The folder of compiled policies. It is made if need be, and must be this user's alone.
    pub cache: PathBuf,
    /// The compiler's child.
    pub compiler: Compiler,
    /// For every policy whose sidecar says nothing else.
    pub limits: Limits,
    /// The most that a sidecar may say.
    pub ceiling: Limits,
    /// What policies may need.
    pub allowed: Allowed,
    /// How a guest that does not end is stopped.
    pub metering: Metering,
}

/// Loads single policies, and asks them. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    runtime: Arc<Runtime>,
    loader: Arc<Loader>,
}

impl Host {
    /// # Errors
    /// The cache cannot be used, or WebAssembly not be run.
    pub fn open(options: HostOptions) -> Result<Self, Error> {
        let HostOptions {
            cache: folder,
            compiler,
            limits,
            ceiling,
            allowed,
            metering,
        } = options;
        let runtime = Runtime::new(metering).map_err(Error::Engine)?;
        let cache = Cache::open(&folder, runtime.metering)
            .map_err(|source| Error::Cache { folder, source })?;
        Ok(Self {
            runtime: Arc::new(runtime),
            loader: Arc::new(Loader {
                compiler,
                cache,
                limits,
                ceiling,
                allowed,
            }),
        })
    }

    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        self.runtime.clone()
    }

    /// Loads the policy in `file`, with the sidecar beside it if there is one: as the engines would.
    ///
    /// # Errors
    /// As a directory's policy is refused; and if the file cannot be read.
    pub async fn load(&self, file: &Path) -> Result<Policy, Failure> {
        let refuse =
            |why: String| Failure::new(FailureClass::Load, format!("{}: {why}", file.display()));
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| refuse("it is no file's name".to_owned()))?;
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        let policy = directory::name_of(name).ok_or_else(|| {
            refuse("a policy's name ends in .wasm, .wasm.gz or .wasm.zst".to_owned())
        })?;
        let candidate = directory::read(folder, policy, &self.loader.limits)
            .map_err(|error| refuse(format!("its folder cannot be read: {error}")))?
            .ok_or_else(|| refuse("it is not there".to_owned()))?;
        self.loader.load(&self.runtime, name, candidate).await
    }

    /// Asks a policy once, whatever its mode is and however often it failed.
    pub async fn ask(&self, policy: &Policy, seen: &Observation) -> Asked {
        policy
            .ask_once(&self.runtime, seen, Lines::Kept(Vec::new()))
            .await
    }
}
