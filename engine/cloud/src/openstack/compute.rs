//! Nova's part: servers, their actions, tags and metadata.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rectifier_core::name::ServerId;
use rectifier_core::repair::Lack;
use serde_json::{Map, Value, json};

use super::list::Longest;
use super::transport::{Method, Microversion, Request, Response, Service};
use super::types::{
    ActionAnswer, ActionsAnswer, ConsoleAnswer, CreatedAnswer, ImageAnswer, MetadataAnswer,
    ServerAnswer, ServerRecord,
};
use super::writes::{CREATE_SERVER, DELETE_SERVER, REBOOT_SERVER, SET_METADATA};
use super::{OpenStack, answer, read, valid_tags};
use crate::error::{Call, CloudError};
use crate::model::{
    AddressKind, InstanceAction, Reboot, Server, ServerSpec, ServerStatus, ServerTemplate, Shape,
};

/// Train (2019), which every supported cloud has: tags in a create need 2.52, events without admin rights
/// 2.51, server groups in the answer 2.71.
const VERSION: Microversion = Microversion(2, 79);

/// The last but few that tells a flavor's id rather than its name: from 2.47 on only the name is told.
const FLAVOR_ID: Microversion = Microversion(2, 42);

/// Nova takes 65 535 characters of base64.
const LONGEST_USER_DATA: usize = 65_535 / 4 * 3;

/// How many actions are told, newest first; each costs a request.
const ACTIONS: usize = 16;

fn compute<const N: usize>(method: Method, path: [&str; N]) -> Request {
    Request::new(Service::Compute, method, path).at(VERSION)
}

impl OpenStack {
    pub(super) async fn server(
        &self,
        call: Call,
        server: &ServerId,
        version: Microversion,
    ) -> Result<ServerRecord, CloudError> {
        let request = compute(Method::Get, ["servers", server.as_str()]).at(version);
        let response = self.ask(call, request).await?;
        Ok(answer::body::<ServerAnswer>(call, &response)?.server)
    }

    pub(super) async fn describe_server(
        &self,
        server: &ServerId,
    ) -> Result<Option<Server>, CloudError> {
        const CALL: Call = read("describe server");
        match self.server(CALL, server, VERSION).await {
            Ok(record) => record
                .into_server()
                .map(Some)
                .map_err(|error| garbled(CALL, error)),
            // The compute service's own words: a stranger's 404 is `Garbled`.
            Err(CloudError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All servers that fit a filter, oldest first.
    pub(super) async fn servers(
        &self,
        call: Call,
        filter: &str,
        value: &str,
    ) -> Result<Vec<Server>, CloudError> {
        let request = compute(Method::Get, ["servers", "detail"]).query(filter, value);
        self.listed(call, request, Longest::Narrowed).await
    }

    async fn listed(
        &self,
        call: Call,
        request: Request,
        longest: Longest,
    ) -> Result<Vec<Server>, CloudError> {
        let request = request
            .query("sort_key", "created_at")
            .query("sort_dir", "asc");
        self.list(call, "servers", request, longest, ServerRecord::into_server)
            .await
    }

    /// All servers of the project, oldest first. No filter: with one, Nova leaves out the servers of a cell that is down
    /// instead of telling of them what it knows.
    pub(super) async fn all_servers(&self) -> Result<Vec<Server>, CloudError> {
        self.listed(
            read("list servers"),
            compute(Method::Get, ["servers", "detail"]),
            Longest::Whole,
        )
        .await
    }

    /// Only the deleted ones of what changed since then.
    pub(super) async fn servers_deleted_since(
        &self,
        since: Timestamp,
    ) -> Result<Vec<Server>, CloudError> {
        let request = compute(Method::Get, ["servers", "detail"]).query(
            "changes-since",
            since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        );
        let mut servers = self
            .listed(read("list deleted servers"), request, Longest::Whole)
            .await?;
        servers.retain(|server| server.status == ServerStatus::Deleted);
        Ok(servers)
    }

    pub(super) async fn servers_by_name(&self, name: &str) -> Result<Vec<Server>, CloudError> {
        let mut servers = self
            .servers(read("find servers by name"), "name", &exact(name))
            .await?;
        // The database decides what a regular expression means, and often ignores case.
        servers.retain(|server| server.name == name);
        Ok(servers)
    }

    pub(super) async fn server_template(
        &self,
        server: &ServerId,
    ) -> Result<ServerTemplate, CloudError> {
        const CALL: Call = read("template of server");
        let old = self.server(CALL, server, FLAVOR_ID).await?;
        let record = self.server(CALL, server, VERSION).await?;
        let flavor =
            old.flavor
                .and_then(|flavor| flavor.id)
                .ok_or_else(|| CloudError::Garbled {
                    call: CALL,
                    status: 200,
                    why: "no flavor id".to_owned(),
                })?;
        let mut lacks: Vec<_> = record.volumes().into_iter().map(Lack::Volume).collect();
        let description = record.description.clone();
        let mut shape = Shape {
            flavor,
            image: record.image(),
            key_name: record.key_name.clone(),
            zone: None,
            server_group: record.server_groups.iter().flatten().next().cloned(),
            config_drive: record.config_drive(),
        };
        let described = record.into_server().map_err(|error| garbled(CALL, error))?;
        let (ports, without) = self.template_ports(CALL, &described).await?;
        lacks.extend(without);
        lacks.extend(floating(&described));
        shape.zone = described.zone.clone();
        Ok(ServerTemplate {
            shape,
            ports,
            metadata: described.metadata,
            tags: described.tags,
            // Nova's own word for a server that nobody described
            description: description.filter(|words| !words.is_empty() && *words != described.name),
            lacks,
        })
    }

    /// The shape is asked about part by part: Nova would refuse a server without one of them, but only once its ports are
    /// made, and without a word of what else is missing.
    pub(super) async fn missing_of(&self, shape: &Shape) -> Result<Vec<Lack>, CloudError> {
        let mut lacks = Vec::new();
        let flavor = compute(Method::Get, ["flavors", &shape.flavor]);
        if self.found(read("describe flavor"), flavor).await?.is_none() {
            lacks.push(Lack::Base(format!("its flavor {} is gone", shape.flavor)));
        }
        match &shape.image {
            Some(image) => lacks.extend(self.missing_image(image).await?),
            None => lacks.push(Lack::Base("it boots from a volume".to_owned())),
        }
        if let Some(name) = &shape.key_name {
            let key = compute(Method::Get, ["os-keypairs", name]);
            if self.found(read("describe key pair"), key).await?.is_none() {
                lacks.push(Lack::KeyPair(name.clone()));
            }
        }
        Ok(lacks)
    }

    async fn missing_image(&self, image: &str) -> Result<Option<Lack>, CloudError> {
        const CALL: Call = read("describe image");
        let request = Request::new(Service::Image, Method::Get, ["images", image]);
        let Some(response) = self.found(CALL, request).await? else {
            return Ok(Some(Lack::Base(format!("its image {image} is gone"))));
        };
        let status = answer::body::<ImageAnswer>(CALL, &response)?.status;
        // An image in any other is not given out: being made, deactivated by an administrator, deleted.
        let lack = || Lack::Base(format!("its image {image} is {status}"));
        Ok((status != "active").then(lack))
    }

    /// `None`: there is no such thing, in the service's own words.
    async fn found(&self, call: Call, request: Request) -> Result<Option<Response>, CloudError> {
        match self.ask(call, request).await {
            Ok(response) => Ok(Some(response)),
            Err(CloudError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn post_server(&self, spec: &ServerSpec) -> Result<ServerId, CloudError> {
        let request = compute(Method::Post, ["servers"]).json(create_body(CREATE_SERVER, spec)?);
        let response = self
            .ask(CREATE_SERVER, request)
            .await
            .map_err(|error| match error {
                // With ports that were made before, this is what a conflict means here; the code alone says no
                // more than "conflict", and only the words would tell the rarer causes.
                CloudError::Busy { call, message } => CloudError::PortInUse { call, message },
                other => other,
            })?;
        let created: CreatedAnswer = answer::body(CREATE_SERVER, &response)?;
        ServerId::parse(created.server.id).map_err(|error| garbled(CREATE_SERVER, error))
    }

    pub(super) async fn remove_server(&self, server: &ServerId) -> Result<(), CloudError> {
        let request = compute(Method::Delete, ["servers", server.as_str()]);
        self.ask_gone(DELETE_SERVER, request).await
    }

    /// An action whose answer says nothing but "taken".
    pub(super) async fn act(
        &self,
        call: Call,
        server: &ServerId,
        action: Value,
    ) -> Result<(), CloudError> {
        let request = compute(Method::Post, ["servers", server.as_str(), "action"]).json(action);
        self.ask(call, request).await.map(drop)
    }

    pub(super) async fn reboot_server(
        &self,
        server: &ServerId,
        how: Reboot,
    ) -> Result<(), CloudError> {
        let how = match how {
            Reboot::Soft => "SOFT",
            Reboot::Hard => "HARD",
        };
        self.act(REBOOT_SERVER, server, json!({"reboot": {"type": how}}))
            .await
    }

    pub(super) async fn server_actions(
        &self,
        server: &ServerId,
    ) -> Result<Vec<InstanceAction>, CloudError> {
        const CALL: Call = read("actions of server");
        const JOURNAL: &str = "os-instance-actions";
        let request = compute(Method::Get, ["servers", server.as_str(), JOURNAL])
            .query("limit", ACTIONS.to_string());
        let response = self.ask(CALL, request).await?;
        let list: ActionsAnswer = answer::body(CALL, &response)?;
        let mut actions = Vec::new();
        for action in list.actions.into_iter().take(ACTIONS) {
            // Only an action by itself is told with its events.
            let path = ["servers", server.as_str(), JOURNAL, &action.request_id];
            let response = self.ask(CALL, compute(Method::Get, path)).await?;
            let whole: ActionAnswer = answer::body(CALL, &response)?;
            actions.push(InstanceAction::from(whole.action));
        }
        Ok(actions)
    }

    pub(super) async fn console(
        &self,
        server: &ServerId,
        lines: u32,
    ) -> Result<String, CloudError> {
        const CALL: Call = read("console of server");
        let request = compute(Method::Post, ["servers", server.as_str(), "action"])
            .json(json!({"os-getConsoleOutput": {"length": lines}}));
        let response = self.ask(CALL, request).await?;
        Ok(answer::body::<ConsoleAnswer>(CALL, &response)?
            .output
            .unwrap_or_default())
    }

    pub(super) async fn post_metadata(
        &self,
        server: &ServerId,
        metadata: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        // POST adds; PUT would remove all other keys.
        let request = compute(Method::Post, ["servers", server.as_str(), "metadata"])
            .json(json!({"metadata": metadata}));
        let response = self.ask(SET_METADATA, request).await?;
        // a stranger's "all is well" has set nothing
        answer::body::<MetadataAnswer>(SET_METADATA, &response).map(drop)
    }
}

fn floating(server: &Server) -> impl Iterator<Item = Lack> {
    let all = server.addresses.iter();
    all.filter(|address| address.kind == AddressKind::Floating)
        .map(|address| Lack::FloatingIp(address.ip.to_string()))
}

fn garbled(call: Call, error: impl std::fmt::Display) -> CloudError {
    CloudError::Garbled {
        call,
        status: 200,
        why: error.to_string(),
    }
}

fn create_body(call: Call, spec: &ServerSpec) -> Result<Value, CloudError> {
    let invalid = |why: &str| CloudError::Invalid {
        call,
        why: why.to_owned(),
    };
    valid_tags(call, spec.tags.iter().map(String::as_str))?;
    if spec.ports.is_empty() {
        return Err(invalid(
            "a server without ports made before could be made twice",
        ));
    }
    if spec.user_data.len() > LONGEST_USER_DATA {
        return Err(invalid("the user data are longer than 49149 bytes"));
    }
    let shape = &spec.shape;
    let Some(image) = &shape.image else {
        return Err(invalid("a server that boots from a volume cannot be made"));
    };
    let mut server = Map::new();
    let mut set = |name: &str, value: Value| drop(server.insert(name.to_owned(), value));
    set("name", json!(spec.name));
    set("flavorRef", json!(shape.flavor));
    set("imageRef", json!(image));
    let ports = spec.ports.iter().map(|port| json!({"port": port.as_str()}));
    set("networks", ports.collect());
    set("metadata", json!(spec.metadata));
    set("tags", json!(spec.tags));
    if !spec.user_data.is_empty() {
        set("user_data", json!(STANDARD.encode(&spec.user_data)));
    }
    if shape.config_drive {
        set("config_drive", json!(true));
    }
    if let Some(words) = &spec.description {
        set("description", json!(words));
    }
    if let Some(key) = &shape.key_name {
        set("key_name", json!(key));
    }
    if let Some(zone) = &shape.zone {
        set("availability_zone", json!(zone));
    }
    let mut body = json!({"server": server});
    if let Some(group) = &shape.server_group {
        body["os:scheduler_hints"] = json!({"group": group});
    }
    Ok(body)
}

/// A regular expression that only this name fits.
fn exact(name: &str) -> String {
    let mut pattern = String::from("^");
    for c in name.chars() {
        if !c.is_alphanumeric() && !matches!(c, '-' | '_') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('$');
    pattern
}
