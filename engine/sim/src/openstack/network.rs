//! Neutron's wire: ports, and the one network.

use rectifier_cloud::openstack::transport::{Method, Request};
use rectifier_core::clock::Timestamp;
use serde_json::{Value, json};

use super::state::{NETWORK_NAME, PROJECT, Port, State};
use super::wire::{Answer, neutron, page};

pub(super) fn answer(state: &mut State, request: &Request, path: &[&str]) -> Answer {
    let body = request.body.as_ref().unwrap_or(&Value::Null);
    match (request.method, path) {
        (Method::Get, ["ports"]) => list(state, request),
        (Method::Post, ["ports"]) => create(state, &body["port"]),
        (Method::Get, ["ports", id]) => {
            let port = state.ports.get(*id).ok_or_else(|| absent(id))?;
            Ok((200, Some(json!({"port": told(state, id, port)}))))
        }
        (Method::Delete, ["ports", id]) => {
            state.ports.remove(*id).ok_or_else(|| absent(id))?;
            Ok((204, None))
        }
        (Method::Put, ["ports", id, "tags", tag]) => {
            let port = state.ports.get_mut(*id).ok_or_else(|| absent(id))?;
            if port.tags.iter().all(|is| is != tag) {
                port.tags.push((*tag).into());
            }
            Ok((201, None))
        }
        (Method::Get, ["networks", id]) if *id == state.network => {
            let network = json!({"id": id, "name": NETWORK_NAME, "shared": false, "port_security_enabled": true});
            Ok((200, Some(json!({"network": network}))))
        }
        (Method::Get, ["networks", id]) => Err(no_network(id)),
        _ => Err(neutron(
            "HTTPNotFound",
            404,
            "The resource could not be found.",
        )),
    }
}

fn absent(port: &str) -> (u16, Value) {
    neutron(
        "PortNotFound",
        404,
        format!("Port {port} could not be found."),
    )
}

fn no_network(network: &str) -> (u16, Value) {
    neutron(
        "NetworkNotFound",
        404,
        format!("Network {network} could not be found."),
    )
}

fn list(state: &State, request: &Request) -> Answer {
    let fits = |id: &String, port: &Port| {
        // Of one key any value may fit.
        let any = |key: &str, is: &String| {
            let mut values = request.query.iter().filter(|(of, _)| of == key).peekable();
            values.peek().is_none() || values.any(|(_, value)| value == is)
        };
        any("name", &port.name)
            && any("description", &port.description)
            && any("device_id", &port.device)
            && any("id", id)
    };
    // Neutron sorts by id if it is not told otherwise.
    let found = state.ports.iter().filter(|(id, port)| fits(id, port));
    let found = found.map(|(id, port)| told(state, id, port)).collect();
    page(request, "ports", found, absent)
}

fn create(state: &mut State, wanted: &Value) -> Answer {
    let network = wanted["network_id"].as_str().unwrap_or_default();
    if network != state.network {
        return Err(no_network(network));
    }
    for ip in wanted["fixed_ips"].as_array().into_iter().flatten() {
        if ip["subnet_id"] != state.subnet {
            let why = format!(
                "Invalid input for operation: no such subnet: {}",
                ip["subnet_id"]
            );
            return Err(neutron("InvalidInput", 400, why));
        }
    }
    let created = state.wall;
    let (id, mut port) = blank(state, created);
    port.name = wanted["name"].as_str().unwrap_or_default().to_owned();
    let description = wanted["description"].as_str().unwrap_or_default();
    port.description = description.to_owned();
    if let Some(groups) = wanted["security_groups"].as_array() {
        port.groups.clone_from(groups);
    }
    let pairs = wanted["allowed_address_pairs"]
        .as_array()
        .into_iter()
        .flatten();
    port.pairs = pairs
        .map(|pair| {
            let mut pair = pair.clone();
            if pair["mac_address"].is_null() {
                pair["mac_address"] = port.mac.clone().into();
            }
            pair
        })
        .collect();
    port.security = wanted["port_security_enabled"] != false;
    if let Some(kind) = wanted["binding:vnic_type"].as_str() {
        port.vnic = kind.to_owned();
    }
    let answer = told(state, &id, &port);
    state.ports.insert(id, port);
    Ok((201, Some(json!({"port": answer}))))
}

/// A port with an address, and the group that a project gives to whoever names none.
fn blank(state: &mut State, created: Timestamp) -> (String, Port) {
    let (id, number) = (state.id(), state.number());
    let [.., high, low] = number.to_be_bytes();
    let port = Port {
        number,
        name: String::new(),
        description: String::new(),
        created,
        device: String::new(),
        status: "DOWN",
        mac: format!("fa:16:3e:00:{high:02x}:{low:02x}"),
        address: format!("10.20.{high}.{low}"),
        groups: vec![state.group.clone().into()],
        pairs: Vec::new(),
        security: true,
        vnic: "normal".to_owned(),
        tags: Vec::new(),
        is_trunk: false,
        is_novas: false,
    };
    (id, port)
}

impl State {
    /// A port that Nova makes for a server that brought none.
    pub(super) fn novas_port(&mut self, server: &str, created: Timestamp) -> String {
        let (id, mut port) = blank(self, created);
        port.device = server.to_owned();
        port.is_novas = true;
        self.ports.insert(id.clone(), port);
        id
    }
}

fn told(state: &State, id: &str, port: &Port) -> Value {
    let mut told = json!({
        "id": id, "name": port.name, "description": port.description, "network_id": state.network, "project_id": PROJECT, "tenant_id": PROJECT,
        "mac_address": port.mac, "admin_state_up": true, "status": port.status, "device_id": port.device,
        "device_owner": if port.device.is_empty() { "" } else { "compute:nova" },
        "fixed_ips": [{"subnet_id": state.subnet, "ip_address": port.address}],
        "port_security_enabled": port.security, "security_groups": port.groups, "binding:vnic_type": port.vnic,
        "allowed_address_pairs": port.pairs, "tags": port.tags,
        "created_at": Timestamp::from_second(port.created.as_second()).unwrap_or(port.created).to_string(),
    });
    if port.is_trunk {
        told["trunk_details"] = json!({"trunk_id": id, "sub_ports": []});
    }
    told
}
