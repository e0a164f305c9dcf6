//! A server's folder: what the hook has to remember of it between two events.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

/// `BED/servers/UUID`, held by one hook at a time.
pub(super) struct ServerFolder {
    path: PathBuf,
    _lock: Flock<File>,
}

impl ServerFolder {
    /// Waits for another event of the same server to be over: a delete may come during a slow boot.
    pub(super) async fn lock(bed: &Path, uuid: &str) -> Result<Self> {
        let path = bed.join("servers").join(uuid);
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        let file = File::create(path.join("lock"))?;
        let lock =
            tokio::task::spawn_blocking(|| Flock::lock(file, FlockArg::LockExclusive)).await?;
        let lock = lock
            .map_err(|(_, error)| error)
            .context("locking a server's folder")?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn is_destroyed(&self) -> bool {
        self.path.join("destroyed").exists()
    }

    pub(super) fn mark_destroyed(&self) -> Result<()> {
        File::create(self.path.join("destroyed"))
            .map(drop)
            .context("marking it destroyed")
    }

    /// The kubeconfig with the node's own certificate, if it has joined.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.path.join("kubeconfig")
    }
}
