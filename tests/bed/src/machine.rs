//! A node that is a real computer as far as anybody on it can tell: a systemd with D-Bus, logind
//! and a journal; a containerd; a kubelet that joins by TLS bootstrap.
//!
//! It is an nspawn container, and all its state is in its folder, whose last part is its name. So
//! the test and the hypervisor's hook, which are two processes, handle the same machine:
//!
//! ```text
//! DIR/machine.json     what it is made of, for whoever switches it on again
//! DIR/supervise.sh     boots it, and boots it again after a reboot; says how nothing stays behind
//! DIR/supervisor.pid   the process to kill to pull the plug
//! DIR/console.log      what it said
//! DIR/cgroups          its cgroups
//! DIR/disk/            its disk: `upper` over the shared Debian tree, and containerd's folder
//! ```
//!
//! It has a card on the bed's bridge with the address that it was given, and nothing else of the
//! host but its kernel. What it does not have: a kernel of its own (no kernel panic, no module, no
//! oom score of a real node), and pods with a network of their own (all pods are `hostNetwork`).

pub(crate) mod cgroups;
mod furnish;
mod inside;
mod power;

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::process::{Live, Record};

pub use furnish::{File, Furnish};

/// The folder of a machine's disk within its own.
pub(crate) const DISK: &str = "disk";

/// A machine, on or off. A value of this type is a name, not a possession: dropping it changes
/// nothing. The machine ends by [`Machine::kill`] or [`Machine::shutdown`], with its
/// [`Bed`](crate::Bed), or with the bed's owner.
#[derive(Debug, Clone)]
pub struct Machine {
    dir: PathBuf,
    name: String,
    hardware: Hardware,
}

/// What does not change from boot to boot.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Hardware {
    /// The Debian tree below its disk.
    root: PathBuf,
    /// The folder of containerd, kubelet and so on.
    programs: PathBuf,
    /// The image archives that it finds in `/opt/machine/images`.
    images: Vec<PathBuf>,
    /// Its address with the length of the prefix.
    address: String,
    /// The host's address.
    gateway: String,
    /// The bed that it belongs to.
    bed: PathBuf,
}

impl Machine {
    /// Makes a machine in `dir`, with what `furnish` puts on its disk, and switches it on; back
    /// when its systemd has started everything.
    ///
    /// # Errors
    /// If the folder holds a machine already, or as [`Machine::power_on`].
    pub async fn boot(dir: &Path, furnish: Furnish) -> Result<Self> {
        let machine = Self::make(dir, furnish)?;
        machine.power_on().await?;
        Ok(machine)
    }

    /// Finds the machine that somebody made in `dir`.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(dir: &Path) -> Result<Self> {
        let file = dir.join("machine.json");
        let text =
            std::fs::read(&file).with_context(|| format!("no machine: {}", file.display()))?;
        Ok(Self {
            dir: dir.to_owned(),
            name: name_of(dir)?,
            hardware: serde_json::from_slice(&text)?,
        })
    }

    /// Its name, which is its host name and its Node's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its address, without a prefix.
    #[must_use]
    pub fn address(&self) -> &str {
        self.hardware.address.split('/').next().unwrap_or_default()
    }

    /// What it said on its console.
    #[must_use]
    pub fn console(&self) -> PathBuf {
        self.dir.join("console.log")
    }

    /// The supervisor, if the machine is on.
    fn supervisor(&self) -> Result<Option<Live>> {
        match self.record() {
            Some(record) => record.live(),
            None => Ok(None),
        }
    }

    fn record(&self) -> Option<Record> {
        Record::read(&self.dir.join("supervisor.pid")).ok()
    }
}

fn name_of(dir: &Path) -> Result<String> {
    let name = dir.file_name().and_then(|name| name.to_str());
    Ok(name
        .with_context(|| format!("{} names no machine", dir.display()))?
        .to_owned())
}

/// Ten characters for what must be named outside its folder: two beds, and two caches, may each
/// have a machine of this name.
fn digest(dir: &Path) -> String {
    let digest = Sha256::digest(dir.as_os_str().as_bytes());
    digest
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
