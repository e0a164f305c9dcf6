//! The bed's own network: a bridge to which its machines are plugged, and where the API server
//! listens.
//!
//! Every machine has a network namespace, an address and a loopback of its own, so that each node
//! has a true `InternalIP`, and what ships with fixed ports (NPD, the kubelet) runs unchanged on
//! two nodes of one computer. The bridge has no way out: no route, no translation, no other card.
//!
//! ```text
//!   10.213.N.0/24 on the bridge rect-N
//!     .1            the host: kube-apiserver, on port 443
//!     .0 - .127     cluster IPs of Services. The first is always the API server's, and that is
//!                   .1: what pods find as KUBERNETES_SERVICE_HOST is the API server itself, and
//!                   no kube-proxy is needed
//!     .128 - .254   machines
//! ```

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Beside the bed's other files; also the record for the sweep.
const FILE: &str = "network.json";

/// A bridge of ours, unique on this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    bridge: String,
    number: u8,
    /// The kernel's number of the device. Names are used again, these are not.
    index: u32,
}

impl Network {
    /// Makes a bridge for the bed in `bed`, on the first subnet that nobody has.
    pub(crate) fn create(bed: &Path) -> Result<Self> {
        for number in 0..=u8::MAX {
            let mut network = Self {
                bridge: format!("rect-{number}"),
                number,
                index: 0,
            };
            // somebody else's: a packet to a machine would go there
            if !ip(&["route", "show", "to", "root", &network.subnet()])?.is_empty() {
                continue;
            }
            // The kernel makes a name once: this is the claim.
            let added = ip(&["link", "add", &network.bridge, "type", "bridge"]);
            match added {
                Ok(_) => {}
                Err(error) if error.to_string().contains("File exists") => continue,
                Err(error) => return Err(error.context("a bridge for the machines (needs root)")),
            }
            network.index = network.current_index()?;
            std::fs::write(bed.join(FILE), serde_json::to_string(&network)?)?;
            let address = network.with_prefix(network.gateway());
            ip(&["address", "add", &address, "dev", &network.bridge])?;
            ip(&["link", "set", &network.bridge, "up"])?;
            return Ok(network);
        }
        bail!("all 256 subnets of 10.213.0.0/16 are taken")
    }

    /// Which device has our bridge's name now.
    fn current_index(&self) -> Result<u32> {
        let file = format!("/sys/class/net/{}/ifindex", self.bridge);
        let index = std::fs::read_to_string(&file).with_context(|| file)?;
        Ok(index.trim().parse()?)
    }

    /// The network of the bed in `bed`, as another process sees it.
    ///
    /// # Errors
    /// If that bed has none.
    pub fn of(bed: &Path) -> Result<Self> {
        let file = bed.join(FILE);
        let text = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// The bridge's name.
    #[must_use]
    pub fn bridge(&self) -> &str {
        &self.bridge
    }

    /// The host's own address on it.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        self.host(1)
    }

    /// The whole subnet, for example `10.213.0.0/24`.
    #[must_use]
    pub fn subnet(&self) -> String {
        self.with_prefix(self.host(0))
    }

    /// The part of it that Services get.
    #[must_use]
    pub fn services(&self) -> String {
        format!("{}/25", self.host(0))
    }

    /// The first and the last address for machines.
    #[must_use]
    pub fn machines(&self) -> (Ipv4Addr, Ipv4Addr) {
        (self.host(128), self.host(254))
    }

    /// `address` as `ip` and nspawn want it: with the length of the prefix.
    #[must_use]
    pub fn with_prefix(&self, address: Ipv4Addr) -> String {
        format!("{address}/24")
    }

    fn host(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, host)
    }

    /// Takes the bridge away with its cables, if it is still ours: another bed may have the name
    /// by now.
    pub(crate) fn remove(&self) {
        if self.current_index().ok() != Some(self.index) {
            return;
        }
        for cable in self.cables() {
            unplug(&cable);
        }
        if let Err(error) = ip(&["link", "delete", &self.bridge]) {
            eprintln!("bed: {error:#}");
        }
    }

    fn cables(&self) -> Vec<String> {
        let ports = std::fs::read_dir(format!("/sys/class/net/{}/brif", self.bridge));
        let ports = ports.into_iter().flatten().flatten();
        ports
            .filter_map(|port| port.file_name().into_string().ok())
            .collect()
    }

    /// Plugs the network namespace of process `pid` in: its card is `eth0`, the cable's other end
    /// hangs on the bridge.
    pub(crate) fn plug(&self, pid: i32, cable: &str) -> Result<()> {
        unplug(cable);
        let pid = pid.to_string();
        ip(&[
            "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", &pid,
        ])?;
        ip(&["link", "set", cable, "master", &self.bridge, "up"])?;
        Ok(())
    }

    /// Whether anything passes through the cable. It keeps its carrier: the machine sees silence,
    /// not a card without a cable, which it would take a second to notice, and to forget.
    pub(crate) fn connect(&self, cable: &str, yes: bool) -> Result<()> {
        match yes {
            true => ip(&["link", "set", cable, "master", &self.bridge])?,
            false => ip(&["link", "set", cable, "nomaster"])?,
        };
        Ok(())
    }
}

/// Removes the cable, if it is there. It usually goes with the network namespace of its machine,
/// but the kernel keeps that for as long as a TCP connection in it waits for its last answer.
pub(crate) fn unplug(cable: &str) {
    let _ = ip(&["link", "delete", cable]);
}

fn ip(args: &[&str]) -> Result<String> {
    let done = Command::new("ip")
        .args(args)
        .output()
        .context("ip (package iproute2)")?;
    if !done.status.success() {
        let words = String::from_utf8_lossy(&done.stderr);
        bail!("ip {}: {}", args.join(" "), words.trim());
    }
    Ok(String::from_utf8(done.stdout)?)
}
