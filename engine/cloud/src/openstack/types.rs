//! The wire's records, and what they become.
//!
//! Lenient where nothing hangs on it: an unknown field is passed over, an absent or null one is absent, an
//! unknown status is kept. Strict where something does: a record without its id or status is no record.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rectifier_core::name::{InvalidName, PortId, ServerId};
use serde::Deserialize;

use crate::model::{
    ActionEvent, Address, AddressKind, AddressPair, Fault, InstanceAction, Port, PortTemplate,
    PowerState, Server, ServerStatus,
};

/// A time as Nova and Neutron write it: some with `Z`, some without, all UTC.
fn time(text: Option<String>) -> Option<Timestamp> {
    let text = text?;
    text.parse().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        civil
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    })
}

#[derive(Deserialize)]
pub(super) struct ServerAnswer {
    pub(super) server: ServerRecord,
}

#[derive(Deserialize)]
pub(super) struct CreatedAnswer {
    pub(super) server: Id,
}

#[derive(Deserialize)]
pub(super) struct Id {
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct ServerRecord {
    id: String,
    status: String,
    name: Option<String>,
    created: Option<String>,
    #[serde(rename = "OS-EXT-STS:task_state")]
    task: Option<String>,
    #[serde(rename = "OS-EXT-STS:power_state")]
    power: Option<i64>,
    #[serde(rename = "OS-EXT-AZ:availability_zone")]
    zone: Option<String>,
    #[serde(rename = "tenant_id")]
    project: Option<String>,
    fault: Option<FaultRecord>,
    locked: Option<bool>,
    tags: Option<Vec<String>>,
    metadata: Option<BTreeMap<String, String>>,
    /// By network, in the order of the server's interfaces.
    addresses: Option<IndexMap<String, Vec<AddressRecord>>>,
    pub(super) flavor: Option<FlavorRecord>,
    /// An object, or `""` for a server that boots from a volume.
    image: Option<serde_json::Value>,
    pub(super) key_name: Option<String>,
    pub(super) description: Option<String>,
    /// `"True"` or `""`.
    config_drive: Option<String>,
    pub(super) server_groups: Option<Vec<String>>,
    #[serde(rename = "os-extended-volumes:volumes_attached")]
    volumes: Option<Vec<Id>>,
}

#[derive(Deserialize)]
pub(super) struct FlavorRecord {
    /// Below 2.47 only.
    pub(super) id: Option<String>,
}

#[derive(Deserialize)]
struct FaultRecord {
    code: Option<u16>,
    message: Option<String>,
    created: Option<String>,
}

#[derive(Deserialize)]
struct AddressRecord {
    addr: String,
    #[serde(rename = "OS-EXT-IPS:type")]
    kind: Option<String>,
}

impl ServerRecord {
    pub(super) fn image(&self) -> Option<String> {
        Some(self.image.as_ref()?.get("id")?.as_str()?.to_owned())
    }

    pub(super) fn config_drive(&self) -> bool {
        self.config_drive
            .as_deref()
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    pub(super) fn volumes(&self) -> Vec<String> {
        self.volumes
            .iter()
            .flatten()
            .map(|volume| volume.id.clone())
            .collect()
    }

    pub(super) fn into_server(self) -> Result<Server, InvalidName> {
        let mut addresses = Vec::new();
        for (network, records) in self.addresses.unwrap_or_default() {
            for record in records {
                // An address of a kind that is no IP address cannot be a node's, and nothing else asks.
                let Ok(ip) = record.addr.parse() else {
                    continue;
                };
                let kind = match record.kind.as_deref() {
                    Some("floating") => AddressKind::Floating,
                    Some(_) | None => AddressKind::Fixed,
                };
                addresses.push(Address {
                    network: network.clone(),
                    ip,
                    kind,
                });
            }
        }
        Ok(Server {
            id: ServerId::parse(self.id)?,
            name: self.name.unwrap_or_default(),
            status: ServerStatus::parse(&self.status),
            task: self.task,
            power: self.power.map(PowerState::from_number),
            fault: self.fault.map(|fault| Fault {
                code: fault.code.unwrap_or_default(),
                message: fault.message.unwrap_or_default(),
                created: time(fault.created),
            }),
            created: time(self.created),
            locked: self.locked.unwrap_or_default(),
            project: self.project,
            zone: self.zone.filter(|zone| !zone.is_empty()),
            tags: self.tags.unwrap_or_default(),
            metadata: self.metadata.unwrap_or_default(),
            addresses,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct ActionsAnswer {
    #[serde(rename = "instanceActions")]
    pub(super) actions: Vec<ActionRecord>,
}

#[derive(Deserialize)]
pub(super) struct ActionAnswer {
    #[serde(rename = "instanceAction")]
    pub(super) action: ActionRecord,
}

#[derive(Deserialize)]
pub(super) struct ActionRecord {
    action: String,
    pub(super) request_id: String,
    user_id: Option<String>,
    start_time: Option<String>,
    message: Option<String>,
    events: Option<Vec<EventRecord>>,
}

#[derive(Deserialize)]
struct EventRecord {
    event: String,
    result: Option<String>,
    start_time: Option<String>,
    finish_time: Option<String>,
}

impl From<ActionRecord> for InstanceAction {
    fn from(record: ActionRecord) -> Self {
        let mut events: Vec<ActionEvent> = record
            .events
            .unwrap_or_default()
            .into_iter()
            .map(|event| ActionEvent {
                event: event.event,
                result: event.result,
                started: time(event.start_time),
                finished: time(event.finish_time),
            })
            .collect();
        events.sort_by_key(|event| event.started);
        Self {
            action: record.action,
            request: record.request_id,
            user: record.user_id,
            started: time(record.start_time),
            message: record.message,
            events,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct MetadataAnswer {
    #[serde(rename = "metadata")]
    _all: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct ImageAnswer {
    pub(super) status: String,
}

#[derive(Deserialize)]
pub(super) struct ConsoleAnswer {
    pub(super) output: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct NetworkAnswer {
    pub(super) network: NetworkRecord,
}

#[derive(Deserialize)]
pub(super) struct NetworkRecord {
    pub(super) port_security_enabled: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct PortAnswer {
    pub(super) port: PortRecord,
}

#[derive(Deserialize)]
pub(super) struct PortRecord {
    id: String,
    status: String,
    network_id: String,
    name: Option<String>,
    device_id: Option<String>,
    mac_address: Option<String>,
    created_at: Option<String>,
    description: Option<String>,
    tags: Option<Vec<String>>,
    fixed_ips: Option<Vec<FixedIp>>,
    security_groups: Option<Vec<String>>,
    allowed_address_pairs: Option<Vec<PairRecord>>,
    port_security_enabled: Option<bool>,
    #[serde(rename = "binding:vnic_type")]
    vnic_type: Option<String>,
    qos_policy_id: Option<String>,
    extra_dhcp_opts: Option<Vec<serde_json::Value>>,
    trunk_details: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct FixedIp {
    subnet_id: String,
    ip_address: Option<String>,
}

#[derive(Deserialize)]
struct PairRecord {
    ip_address: String,
    mac_address: Option<String>,
}

impl PortRecord {
    /// Ports are told in the order in which they were made.
    pub(super) fn age(&self) -> (Option<Timestamp>, String) {
        (time(self.created_at.clone()), self.id.clone())
    }

    pub(super) fn into_port(self) -> Result<Port, InvalidName> {
        let fixed = self.fixed_ips.unwrap_or_default();
        let own = self.mac_address;
        let device = self.device_id.filter(|device| !device.is_empty());
        Ok(Port {
            id: PortId::parse(self.id)?,
            name: self.name.unwrap_or_default(),
            device: device.map(ServerId::parse).transpose()?,
            status: self.status,
            tags: self.tags.unwrap_or_default(),
            description: self.description.filter(|words| !words.is_empty()),
            created: time(self.created_at),
            addresses: fixed
                .iter()
                .filter_map(|ip| ip.ip_address.as_ref()?.parse().ok())
                .collect(),
            template: PortTemplate {
                network: self.network_id,
                subnets: fixed.into_iter().map(|ip| ip.subnet_id).collect(),
                security_groups: self.security_groups.unwrap_or_default(),
                address_pairs: self
                    .allowed_address_pairs
                    .unwrap_or_default()
                    .into_iter()
                    .map(|pair| AddressPair {
                        ip: pair.ip_address,
                        // Neutron fills in the port's own hardware address, which a new port has not.
                        mac: pair.mac_address.filter(|mac| Some(mac) != own.as_ref()),
                    })
                    .collect(),
                port_security: self.port_security_enabled,
                vnic_type: self.vnic_type.filter(|kind| kind != "normal"),
                qos_policy: self.qos_policy_id,
                dhcp_options: self.extra_dhcp_opts.unwrap_or_default(),
            },
            is_trunk: self.trunk_details.is_some_and(|details| !details.is_null()),
        })
    }
}
