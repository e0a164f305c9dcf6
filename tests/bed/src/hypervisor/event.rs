//! What Nova's driver tells the hook: `describe` in `tests/bed/openstack/virt/hooked.py`.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

/// One event of one server.
#[derive(Debug, Clone, Deserialize)]
pub struct Event {
    /// What happens.
    #[serde(rename = "event")]
    pub kind: Kind,
    /// The server.
    pub uuid: String,
    /// Its name, which is its node's.
    pub name: String,
    /// Its compute host.
    pub host: String,
    /// Its flavor.
    pub flavor: Flavor,
    /// Base64, as the API took it.
    pub user_data: Option<String>,
    /// Its cards.
    pub networks: Vec<Card>,
    /// Of a reboot: `SOFT` or `HARD`.
    #[serde(rename = "type")]
    pub reboot: Option<String>,
}

/// The kinds of event; the table in [`hypervisor`](super) says what each does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The server is about to be ACTIVE.
    Spawn,
    /// Its guest is up: after a spawn, a reboot or a power-on.
    Boot,
    /// Its guest goes down, and boots again.
    Reboot,
    /// Its guest goes down.
    PowerOff,
    /// Its guest is about to boot.
    PowerOn,
    /// It is deleted, or rebuilt.
    Destroy,
}

/// The part of a flavor that matters here.
#[derive(Debug, Clone, Deserialize)]
pub struct Flavor {
    /// `m1.large`, …
    pub name: String,
}

/// A network card.
#[derive(Debug, Clone, Deserialize)]
pub struct Card {
    /// The Neutron port.
    pub port: String,
    /// Its addresses.
    pub fixed_ips: Vec<String>,
}

impl Event {
    /// The address of its first card: the node's `InternalIP`.
    pub(super) fn address(&self) -> Result<Ipv4Addr> {
        let first = self.networks.iter().flat_map(|card| &card.fixed_ips).next();
        let first = first.with_context(|| format!("server {} has no address", self.name))?;
        first
            .parse()
            .with_context(|| format!("the address {first}"))
    }

    /// As the cloud provider writes it into a Node.
    pub(super) fn provider_id(&self) -> String {
        format!("openstack:///{}", self.uuid)
    }

    /// The user data, decoded.
    pub(super) fn user_data(&self) -> Result<String> {
        let encoded = self.user_data.as_ref().context("no user data")?;
        let bytes = BASE64_STANDARD.decode(encoded).context("user data")?;
        String::from_utf8(bytes).context("user data")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_the_driver_writes_it() {
        let text = r#"{"event": "reboot", "uuid": "u-1", "name": "node-1", "hostname": "node-1",
            "instance_name": "instance-00000001", "host": "c2", "availability_zone": "nova",
            "project_id": "p", "user_id": "u", "metadata": {"a": "b"}, "tags": ["t"],
            "flavor": {"id": "f", "name": "m1.small", "vcpus": 1, "ram": 512}, "image": "i",
            "key_name": null, "user_data": "I2Nsb3VkLWNvbmZpZwo=", "type": "HARD",
            "networks": [{"port": "p-1", "mac": "fa:16:3e:00:00:01", "network": "n",
                          "label": "demo-net", "fixed_ips": ["10.213.0.131"]}]}"#;
        let event: Event = serde_json::from_str(text).unwrap();
        assert_eq!(event.kind, Kind::Reboot);
        assert_eq!(event.address().unwrap(), Ipv4Addr::new(10, 213, 0, 131));
        assert_eq!(event.user_data().unwrap(), "#cloud-config\n");
        assert_eq!(event.provider_id(), "openstack:///u-1");
    }
}
