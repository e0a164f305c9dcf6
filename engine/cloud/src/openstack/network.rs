//! Neutron's part: ports.

use std::collections::HashMap;

use rectifier_core::name::PortId;
use rectifier_core::repair::Lack;
use serde_json::{Map, Value, json};

use super::list::Longest;
use super::transport::{Method, Request, Response, Service};
use super::types::{NetworkAnswer, PortAnswer, PortRecord};
use super::writes::{CREATE_PORT, DELETE_PORT, TAG_PORT};
use super::{OpenStack, answer, read, valid_tags};
use crate::error::{Call, CloudError};
use crate::model::{Port, PortSpec, PortTemplate, Server};

fn network<const N: usize>(method: Method, path: [&str; N]) -> Request {
    Request::new(Service::Network, method, path)
}

impl OpenStack {
    /// All ports that fit a filter, in the order in which they were made.
    pub(super) async fn ports<'a>(
        &self,
        call: Call,
        filter: impl IntoIterator<Item = (&'static str, &'a str)>,
    ) -> Result<Vec<Port>, CloudError> {
        let mut request = network(Method::Get, ["ports"]);
        let mut longest = Longest::Narrowed;
        for (key, value) in filter {
            // each port of each replacement bears our description
            if key == "description" {
                longest = Longest::Whole;
            }
            request = request.query(key, value);
        }
        let aged = |record: PortRecord| Ok((record.age(), record.into_port()?));
        let mut ports = self.list(call, "ports", request, longest, aged).await?;
        ports.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(ports.into_iter().map(|(_, port)| port).collect())
    }

    pub(super) async fn describe_port(&self, port: &PortId) -> Result<Option<Port>, CloudError> {
        const CALL: Call = read("describe port");
        let request = network(Method::Get, ["ports", port.as_str()]);
        match self.ask(CALL, request).await {
            Ok(response) => told(CALL, &response).map(Some),
            // The network service's own words: a stranger's 404 is `Garbled`.
            Err(CloudError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn make_port(&self, spec: &PortSpec) -> Result<Port, CloudError> {
        if spec.name.is_empty() {
            let why = "a port without a name could not be found again".to_owned();
            return Err(CloudError::Invalid {
                call: CREATE_PORT,
                why,
            });
        }
        let request = network(Method::Post, ["ports"]).json(create_body(spec));
        told(CREATE_PORT, &self.ask(CREATE_PORT, request).await?)
    }

    pub(super) async fn put_port_tag(&self, port: &PortId, tag: &str) -> Result<(), CloudError> {
        valid_tags(TAG_PORT, [tag])?;
        let request = network(Method::Put, ["ports", port.as_str(), "tags", tag]);
        self.ask(TAG_PORT, request).await.map(drop)
    }

    pub(super) async fn remove_port(&self, port: &PortId) -> Result<(), CloudError> {
        let request = network(Method::Delete, ["ports", port.as_str()]);
        self.ask_gone(DELETE_PORT, request).await
    }

    /// What ports like those of this server need, and would lack.
    pub(super) async fn template_ports(
        &self,
        call: Call,
        server: &Server,
    ) -> Result<(Vec<PortTemplate>, Vec<Lack>), CloudError> {
        let mut ports = self
            .ports(call, [("device_id", server.id.as_str())])
            .await?;
        // Neutron has no order of its own. The guest's first interface is the one that Nova names first.
        let place = |port: &Port| {
            let mut places = server.fixed_addresses();
            let found = places.position(|ip| port.addresses.contains(&ip));
            found.unwrap_or(usize::MAX)
        };
        ports.sort_by_key(place);
        let mut lacks = Vec::new();
        let mut defaults: HashMap<String, Option<bool>> = HashMap::new();
        let mut templates = Vec::new();
        for port in ports {
            if port.is_trunk {
                lacks.push(Lack::Trunk(port.id.to_string()));
            }
            let mut template = port.template;
            let default = match defaults.get(&template.network) {
                Some(known) => *known,
                None => {
                    let request = network(Method::Get, ["networks", &template.network]);
                    let response = self.ask(call, request).await?;
                    let answer: NetworkAnswer = answer::body(call, &response)?;
                    let default = answer.network.port_security_enabled;
                    defaults.insert(template.network.clone(), default);
                    default
                }
            };
            // Only a network's owner may name it, even to say what the network says anyway.
            if template.port_security == default {
                template.port_security = None;
            }
            templates.push(template);
        }
        Ok((templates, lacks))
    }
}

/// The one port of an answer.
fn told(call: Call, response: &Response) -> Result<Port, CloudError> {
    let answer: PortAnswer = answer::body(call, response)?;
    answer
        .port
        .into_port()
        .map_err(|error| CloudError::Garbled {
            call,
            status: response.status,
            why: error.to_string(),
        })
}

fn create_body(spec: &PortSpec) -> Value {
    let template = &spec.template;
    let mut port = Map::new();
    let mut set = |name: &str, value: Value| drop(port.insert(name.to_owned(), value));
    set("name", json!(spec.name));
    set("description", json!(spec.description));
    set("network_id", json!(template.network));
    set("security_groups", json!(template.security_groups));
    if !template.subnets.is_empty() {
        let ips = template
            .subnets
            .iter()
            .map(|subnet| json!({"subnet_id": subnet}));
        set("fixed_ips", ips.collect());
    }
    if !template.address_pairs.is_empty() {
        let pairs = template.address_pairs.iter().map(|pair| match &pair.mac {
            Some(mac) => json!({"ip_address": pair.ip, "mac_address": mac}),
            None => json!({"ip_address": pair.ip}),
        });
        set("allowed_address_pairs", pairs.collect());
    }
    if let Some(enabled) = template.port_security {
        set("port_security_enabled", json!(enabled));
    }
    if let Some(kind) = &template.vnic_type {
        set("binding:vnic_type", json!(kind));
    }
    if let Some(policy) = &template.qos_policy {
        set("qos_policy_id", json!(policy));
    }
    if !template.dhcp_options.is_empty() {
        set("extra_dhcp_opts", json!(template.dhcp_options));
    }
    json!({"port": port})
}
