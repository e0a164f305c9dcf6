//! One bed: a folder, its owner, and the duty to leave nothing behind.
//!
//! Everything that a test starts lives below one folder of `run/` in the project's cache. The
//! process that made the folder holds a lock on `owner` in it. The kernel frees that lock when the
//! process ends, in whatever way, and that is how everybody knows: a machine's supervisor waits for
//! it and pulls the plug, and the next bed that starts on this computer [`sweep`]s away what is
//! left: processes by their records and by the bed's name in their environment, cgroups, bridges,
//! the folder.
//!
//! With `RECTIFIER_BED_KEEP=1` the folder stays, without its processes, and its path is printed.

mod sweep;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use rectifier_provision::Cache;

use crate::network::Network;
use crate::ports::Port;

pub use sweep::sweep;

/// The file whose lock says that a bed is in use.
pub(crate) const OWNER: &str = "owner";
/// The variable that every program of a bed has in its environment: the bed's folder.
pub const MARK: &str = "RECTIFIER_BED";
/// The file that says that a folder is kept for somebody to read.
const KEPT: &str = "kept";

/// The folder of one test, with what runs in it. Dropping it ends everything and removes the
/// folder.
#[derive(Debug)]
pub struct Bed {
    dir: PathBuf,
    cache: Cache,
    network: OnceLock<Network>,
    keep: bool,
    _owner: Flock<File>,
}

impl Bed {
    /// Makes a bed for the test `name`, after sweeping up what dead owners left.
    ///
    /// # Errors
    /// If the cache folder cannot be written.
    pub fn new(name: &str) -> Result<Self> {
        let cache = Cache::from_env()?;
        let run = cache.run()?;
        // Between the folder's birth and its lock, a sweep would take it for an orphan: one at a
        // time.
        let gate = File::create(run.join("lock"))?;
        let _gate = Flock::lock(gate, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
        sweep(&run);
        let dir = fresh(&run, name)?;
        let owner = Flock::lock(
            File::create(dir.join(OWNER))?,
            FlockArg::LockExclusiveNonblock,
        )
        .map_err(|(_, error)| error)
        .context("locking a folder that we have just made")?;
        let keep = std::env::var_os("RECTIFIER_BED_KEEP").is_some_and(|value| value != "0");
        if keep {
            File::create(dir.join(KEPT))?;
        }
        Ok(Self {
            dir,
            cache,
            network: OnceLock::new(),
            keep,
            _owner: owner,
        })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where programs, images and trees come from.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The folder of the part `name`, made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn part(&self, name: &str) -> Result<PathBuf> {
        let dir = self.dir.join(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        Ok(dir)
    }

    /// A free TCP port on loopback, ours until the [`Port`] is dropped.
    ///
    /// # Errors
    /// If none is free.
    pub fn port(&self) -> Result<Port> {
        Port::claim(&self.cache.run()?.join("ports"))
    }

    /// The bed's own network, made when it is first asked for. Needs root.
    ///
    /// # Errors
    /// If no bridge can be made.
    pub fn network(&self) -> Result<&Network> {
        if let Some(network) = self.network.get() {
            return Ok(network);
        }
        let network = Network::create(&self.dir)?;
        Ok(self.network.get_or_init(|| network))
    }

    /// The folder of the machine `name`, whether it is there or not.
    #[must_use]
    pub fn machine(&self, name: &str) -> PathBuf {
        self.dir.join("machines").join(name)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        sweep::clear(&self.dir);
        if self.keep {
            eprintln!("bed: kept {}", self.dir.display());
            return;
        }
        if std::thread::panicking() {
            eprintln!("bed: RECTIFIER_BED_KEEP=1 keeps the folder of a failed test, with all logs");
        }
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            eprintln!("bed: {} is not removed: {error}", self.dir.display());
        }
    }
}

/// The bed that `path` lies in.
pub(crate) fn bed_of(path: &Path) -> Option<&Path> {
    path.ancestors().find(|above| above.join(OWNER).exists())
}

/// A folder that is not there yet: `NAME`, or `NAME-2`, …: short, since sockets live in it and
/// their paths end at 107 bytes.
fn fresh(run: &Path, name: &str) -> Result<PathBuf> {
    for suffix in 1.. {
        let dir = match suffix {
            1 => run.join(name),
            more => run.join(format!("{name}-{more}")),
        };
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("making {}", dir.display())),
        }
    }
    unreachable!("there are more numbers than folders")
}
