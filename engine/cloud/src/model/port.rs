//! A network port, and what a similar one needs.

use std::net::IpAddr;

use jiff::Timestamp;
use rectifier_core::name::{PortId, ServerId};
use serde::{Deserialize, Serialize};

/// A port as the network service describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its id.
    pub id: PortId,
    /// Its name; for ports of ours their first identity.
    pub name: String,
    /// The server that it is bound to; absent if it is free.
    pub device: Option<ServerId>,
    /// `ACTIVE`, `DOWN`, `BUILD` or `ERROR`, or whatever the network service says.
    pub status: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its description; absent if it has none.
    pub description: Option<String>,
    /// When it was made; absent where the cloud does not say.
    pub created: Option<Timestamp>,
    /// Its own addresses.
    pub addresses: Vec<IpAddr>,
    /// What a port similar to it needs.
    pub template: PortTemplate,
    /// It is the parent of a trunk: further networks reach the server through it.
    pub is_trunk: bool,
}

/// What a similar port needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortTemplate {
    /// The network's id.
    pub network: String,
    /// The ids of the subnets that its addresses are of, one for each address. An address itself is never
    /// copied: the old server still has it.
    pub subnets: Vec<String>,
    /// The ids of its security groups.
    pub security_groups: Vec<String>,
    /// Addresses other than its own that it may send from, such as the pods'.
    pub address_pairs: Vec<AddressPair>,
    /// Whether anything but its own addresses is filtered; absent where the cloud has no such switch.
    pub port_security: Option<bool>,
    /// How the port reaches the server, e.g. `direct`; absent for the usual `normal`.
    pub vnic_type: Option<String>,
    /// The id of its own quality-of-service policy; a network's is its ports' without it.
    pub qos_policy: Option<String>,
    /// Options of its DHCP answers, as the network service tells them.
    pub dhcp_options: Vec<serde_json::Value>,
}

/// Addresses that a port may send from besides its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddressPair {
    /// An address or a range.
    pub ip: String,
    /// The hardware address, if it is another than the port's own.
    pub mac: Option<String>,
}

/// A port to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSpec {
    /// A name that no other port has: by it the port is found when the answer is lost.
    pub name: String,
    /// Whose it is, at most 255 characters. Tags cannot be set in the moment in which a port is made; this is.
    pub description: String,
    /// Network, security groups and the rest.
    pub template: PortTemplate,
}
