//! The services' answers, as far as tests read them. Nova's at the microversion that
//! [`Records`](super::Records) asks for.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A server as Nova shows it to an admin.
#[derive(Debug, Clone, Deserialize)]
pub struct Server {
    /// Its uuid.
    pub id: String,
    /// Its name, which is its node's.
    pub name: String,
    /// `ACTIVE`, `BUILD`, `ERROR`, `SHUTOFF`, `DELETED`, …
    pub status: String,
    /// What Nova is doing with it: `spawning`, `deleting`, …
    #[serde(rename = "OS-EXT-STS:task_state")]
    pub task: Option<String>,
    /// 1 is running, 4 is shut down, 0 is unknown.
    #[serde(rename = "OS-EXT-STS:power_state")]
    pub power: u8,
    /// Its compute host; none before it was scheduled.
    #[serde(rename = "OS-EXT-SRV-ATTR:host")]
    pub host: Option<String>,
    /// Its flavor, a copy of when it was made.
    pub flavor: ServerFlavor,
    /// What it was booted from.
    pub image: ServerImage,
    /// The name of its key pair.
    pub key_name: Option<String>,
    /// Its availability zone; empty before it was scheduled.
    #[serde(rename = "OS-EXT-AZ:availability_zone")]
    pub zone: String,
    /// As given at its creation, or later.
    pub metadata: BTreeMap<String, String>,
    /// In no order.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Why it is in ERROR.
    pub fault: Option<ServerFault>,
    /// RFC 3339.
    pub created: String,
    /// RFC 3339; none as long as it is there.
    #[serde(rename = "OS-SRV-USG:terminated_at")]
    pub terminated: Option<String>,
}

/// The flavor inside a [`Server`].
#[derive(Debug, Clone, Deserialize)]
pub struct ServerFlavor {
    /// `m1.small`, …
    pub original_name: String,
}

/// The image inside a [`Server`]; here none boots from a volume.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerImage {
    /// Its uuid.
    pub id: String,
}

/// Nova's reason for an ERROR.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerFault {
    /// As Nova answers it: an HTTP status, though none was sent.
    pub code: u16,
    /// One line.
    pub message: String,
}

/// One thing that was asked of a server, and what came of it. Nova keeps it beyond the server.
#[derive(Debug, Clone, Deserialize)]
pub struct Action {
    /// `create`, `reboot`, `stop`, `start`, `delete`, …
    pub action: String,
    /// The API request that asked for it.
    pub request_id: String,
    /// Who asked.
    pub user_id: Option<String>,
    /// RFC 3339, without an offset, which is UTC.
    pub start_time: String,
    /// Set when it failed.
    pub message: Option<String>,
    /// In the order in which they began. None for a delete that no compute host has done.
    #[serde(default)]
    pub events: Vec<ActionEvent>,
}

/// A step of an [`Action`], done by a service.
#[derive(Debug, Clone, Deserialize)]
pub struct ActionEvent {
    /// `compute_terminate_instance`, …
    pub event: String,
    /// `Success` or `Error`; none while it runs.
    pub result: Option<String>,
    /// RFC 3339, UTC.
    pub start_time: Option<String>,
    /// RFC 3339, UTC.
    pub finish_time: Option<String>,
    /// The service's host.
    pub host: Option<String>,
}

/// A Neutron port.
#[derive(Debug, Clone, Deserialize)]
pub struct Port {
    /// Its uuid.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `ACTIVE`, `DOWN`.
    pub status: String,
    /// The server that uses it, or empty.
    pub device_id: String,
    /// `compute:ZONE`, or empty.
    pub device_owner: String,
    /// In no order.
    pub tags: Vec<String>,
    /// Its addresses.
    pub fixed_ips: Vec<FixedIp>,
    /// Its network.
    pub network_id: String,
    /// The uuids of its security groups, in no order.
    pub security_groups: Vec<String>,
}

/// An address of a [`Port`].
#[derive(Debug, Clone, Deserialize)]
pub struct FixedIp {
    /// Without a prefix length.
    pub ip_address: String,
}

/// An image.
#[derive(Debug, Clone, Deserialize)]
pub struct Image {
    /// Its uuid.
    pub id: String,
    /// There is one, `tiny`.
    pub name: String,
}

/// A flavor.
#[derive(Debug, Clone, Deserialize)]
pub struct Flavor {
    /// Its uuid.
    pub id: String,
    /// `m1.small` or `m1.large`.
    pub name: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// MiB.
    pub ram: u32,
}
