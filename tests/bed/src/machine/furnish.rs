//! What a machine finds on its disk at its first boot.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{DISK, Hardware, Machine, cgroups, digest, name_of};
use crate::bed::bed_of;
use crate::network::Network;

/// How a machine is made. Files written here stand before the first boot, as cloud-init would have
/// written them early.
#[derive(Debug, Clone)]
pub struct Furnish {
    /// The Debian tree (`Cache::node_root`); many machines share it.
    pub root: PathBuf,
    /// The folder of containerd, its shim, ctr, kubelet and CNI's loopback.
    pub programs: PathBuf,
    /// The image archives (`Cache::image`) that are imported at the first boot.
    pub images: Vec<PathBuf>,
    /// Its address on the bed's network: Neutron's fixed IP, say. It becomes the Node's
    /// `InternalIP`.
    pub address: Ipv4Addr,
    /// What else is on its disk.
    pub files: Vec<File>,
}

impl Furnish {
    /// Adds a file that everybody may read.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.files.push(File {
            path: path.into(),
            content: content.into(),
            mode: 0o644,
        });
        self
    }

    /// Adds a systemd unit that starts at boot.
    #[must_use]
    pub fn unit(mut self, name: &str, content: &str) -> Self {
        let wants = format!("/etc/systemd/system/multi-user.target.wants/{name}");
        self = self.file(format!("/etc/systemd/system/{name}"), content);
        self.file(wants, content)
    }
}

/// One file on a machine's disk.
#[derive(Debug, Clone)]
pub struct File {
    /// Absolute, as the machine sees it.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// The files that make a Debian tree a node: `tests/bed/machine/etc`.
macro_rules! etc {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../machine", $path)))),*]
    };
}
const ETC: &[(&str, &str)] = etc![
    "/etc/cni/net.d/10-machine.conflist",
    "/etc/containerd/config.toml",
    "/etc/hosts",
    "/etc/kubernetes/kubelet.yaml",
    "/etc/machine/authority.sh",
    "/etc/machine/images.sh",
    "/etc/machine/prepare.sh",
    "/etc/systemd/system/containerd.service",
    "/etc/systemd/system/images.service",
    "/etc/systemd/system/kubelet.service",
    "/etc/systemd/system/machine.service",
];
const ENABLED: &[&str] = &["containerd.service", "images.service", "kubelet.service"];
const SUPERVISE: &str = include_str!("../../machine/supervise.sh");

impl Machine {
    /// Makes a machine in `dir` and leaves it off.
    ///
    /// # Errors
    /// If `dir` holds one already, lies in no bed or in one without a network, or cannot be
    /// written.
    pub fn make(dir: &Path, furnish: Furnish) -> Result<Self> {
        let name = name_of(dir)?;
        let file = dir.join("machine.json");
        if file.exists() {
            bail!("{} holds a machine already", dir.display());
        }
        let bed = bed_of(dir).with_context(|| format!("{} lies in no bed", dir.display()))?;
        let network = Network::of(bed).context("the bed's network")?;
        for part in ["upper", "work", "root", "containerd"] {
            fs::create_dir_all(dir.join(DISK).join(part))?;
        }
        let upper = dir.join(DISK).join("upper");
        for (path, content) in ETC {
            write(&upper, path, content.as_bytes(), 0o644)?;
        }
        for unit in ENABLED {
            enable(&upper, unit)?;
        }
        write(
            &upper,
            "/etc/hostname",
            format!("{name}\n").as_bytes(),
            0o644,
        )?;
        let address = format!("ADDRESS={}\n", furnish.address);
        write(&upper, "/etc/default/machine", address.as_bytes(), 0o644)?;
        // a journal that outlives a reboot, as a node's does: it is evidence
        fs::create_dir_all(upper.join("var/log/journal"))?;
        for file in &furnish.files {
            write(&upper, &file.path, &file.content, file.mode)?;
        }
        fs::write(dir.join("supervise.sh"), SUPERVISE)?;
        cgroups::create(dir, &format!("rectifier-{name}-{}", digest(dir)))?;
        let hardware = Hardware {
            root: furnish.root,
            programs: furnish.programs,
            images: furnish.images,
            address: network.with_prefix(furnish.address),
            gateway: network.gateway().to_string(),
            bed: bed.to_owned(),
        };
        // last: a folder with this file is a whole machine
        fs::write(&file, serde_json::to_vec_pretty(&hardware)?)?;
        Ok(Self {
            dir: dir.to_owned(),
            name,
            hardware,
        })
    }
}

fn write(disk: &Path, path: &str, content: &[u8], mode: u32) -> Result<()> {
    let file = disk.join(path.trim_start_matches('/'));
    let folder = file.parent().context("a file that is the root")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, content))
        .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(mode)))
        .with_context(|| format!("writing {}", file.display()))
}

fn enable(disk: &Path, unit: &str) -> Result<()> {
    let wants = disk.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants)?;
    symlink(format!("../{unit}"), wants.join(unit)).with_context(|| format!("enabling {unit}"))
}
