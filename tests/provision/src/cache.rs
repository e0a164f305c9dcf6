//! Where everything lies.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder that holds what the checkout's pins were made into, and the checkout itself.
///
/// ```text
/// bin/HASH/        the Go programs: etcd, kube-apiserver, kubelet, containerd, …
/// node-root/HASH/  a Debian tree: the disk that a machine boots from
/// openstack/       venv-HASH/ and, made by the stack itself, seed-HASH/
/// images/          OCI images, NAME-HASH.tar
/// policies/        policies as components, NAME-HASH/NAME.wasm
/// policy-build/    what cargo keeps of compiling them
/// engine/HASH/     the engine's program
/// tools/           cargo-nextest, cargo-deny, cargo-fuzz
/// fuzz/            what fuzz targets are compiled to, what they keep, what they found
/// run/             folders of running beds
/// log/             what the builders said
/// locks/           one per part
/// ```
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    checkout: PathBuf,
}

impl Cache {
    /// The folder `$RECTIFIER_CACHE`, or `~/.cache/rectifier`; it is made if it is missing.
    ///
    /// # Errors
    /// Neither variable is set, or the folder cannot be made.
    pub fn from_env() -> Result<Self> {
        let root = match std::env::var_os("RECTIFIER_CACHE") {
            Some(folder) => PathBuf::from(folder),
            None => {
                let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
                let home =
                    home.context("set RECTIFIER_CACHE: there is no HOME to put .cache in")?;
                Path::new(&home).join(".cache/rectifier")
            }
        };
        Self::at(&root)
    }

    /// The cache in that folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn at(root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root)
            .with_context(|| format!("cannot make the cache folder {}", root.display()))?;
        let root = root.canonicalize()?;
        // this crate is `tests/provision` of the checkout that it was built in
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        let checkout = checkout
            .context("this crate has no checkout above it")?
            .to_owned();
        Ok(Self { root, checkout })
    }

    /// The cache folder itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The checkout whose pins are made.
    pub fn checkout(&self) -> &Path {
        &self.checkout
    }

    /// Where running beds have their folders; made if it is missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn run(&self) -> Result<PathBuf> {
        self.folder("run")
    }

    /// Where the OpenStack stack keeps its environment and its seeded databases.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn openstack(&self) -> Result<PathBuf> {
        self.folder("openstack")
    }

    /// The file that a builder of that name writes its output to; its folder is made.
    pub(crate) fn log(&self, name: &str) -> Result<PathBuf> {
        Ok(self.folder("log")?.join(format!("{name}.log")))
    }

    /// The folder of that name in the cache; it is made.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.root.join(name);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}
