//! OpenStack: Nova for servers, Neutron for their ports, Glance for what becomes of images.
//!
//! ```text
//!   impl Cloud            this file: the calls by name
//!   access, writes        all that is asked, and what of it changes something
//!   compute, network      bodies and paths
//!   list, answer, types   pages, statuses, records
//!   transport             one request, one answer
//!   guarded, breaker      not too many of them, not on and on, and reads once more
//!   http                  … over HTTP
//!   config                which cloud, and as whom
//! ```

pub mod access;
mod answer;
mod breaker;
mod compute;
mod config;
mod guarded;
mod http;
mod list;
mod network;
pub mod transport;
mod types;
mod writes;

pub use self::config::{ConfigError, OpenStackConfig};
pub use self::http::Http;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rectifier_core::name::{PortId, ServerId};
use rectifier_core::repair::Lack;
use serde_json::json;

use self::guarded::Guarded;
use self::transport::{Request, Response, Service, Transport};
pub use self::writes::WRITES;
use self::writes::{START_SERVER, STOP_SERVER};
use crate::Cloud;
use crate::error::{Call, CloudError};
use crate::model::{
    InstanceAction, Port, PortSpec, Reboot, Server, ServerSpec, ServerTemplate, Shape,
};

/// An OpenStack cloud, seen from one project.
#[derive(Clone)]
pub struct OpenStack {
    transport: Arc<dyn Transport>,
    observer: Option<Arc<Observer>>,
}

/// Told of each request: what was asked, and `ok` or the [label](CloudError::label) of its error.
pub type Observer = dyn Fn(&'static str, &'static str) + Send + Sync;

const fn read(name: &'static str) -> Call {
    Call {
        name,
        writes: false,
    }
}

/// Nova's and Neutron's common rule for tags; a list filter would take a comma for "and".
fn valid_tags<'a>(call: Call, tags: impl IntoIterator<Item = &'a str>) -> Result<(), CloudError> {
    let mut count = 0;
    for tag in tags {
        count += 1;
        if tag.is_empty() || tag.chars().count() > 60 || tag.contains([',', '/']) || count > 50 {
            let why = format!("{tag:?}: at most 50 tags of 1 to 60 characters, without , and /");
            return Err(CloudError::Invalid { call, why });
        }
    }
    Ok(())
}

/// A service that passes over a filter tells of all: nothing of it may be taken for ours, and nobody can say what is.
fn heeded<'a>(
    call: Call,
    tag: &str,
    mut all: impl Iterator<Item = &'a Vec<String>>,
) -> Result<(), CloudError> {
    match all.all(|tags| tags.iter().any(|of| of == tag)) {
        true => Ok(()),
        false => Err(CloudError::Incomplete {
            call,
            why: format!("asked for those with the tag {tag}, the cloud tells of others"),
        }),
    }
}

impl OpenStack {
    /// A cloud over HTTP. Nothing is sent before the first call.
    ///
    /// # Errors
    /// The configuration cannot be read.
    pub fn new(config: OpenStackConfig) -> Result<Self, ConfigError> {
        Ok(Self::over(Guarded::new(Http::new(config)?)))
    }

    /// A cloud over another transport.
    pub fn over(transport: impl Transport + 'static) -> Self {
        Self {
            transport: Arc::new(transport),
            observer: None,
        }
    }

    /// The same, observed.
    #[must_use]
    pub fn observed(self, observer: Arc<Observer>) -> Self {
        Self {
            observer: Some(observer),
            ..self
        }
    }

    /// One request, and its answer if that says that the request was taken.
    async fn ask(&self, call: Call, request: Request) -> Result<Response, CloudError> {
        let answered = self.answered(call, request).await;
        if let Some(observer) = &self.observer {
            observer(
                call.name,
                answered.as_ref().map_or_else(CloudError::label, |_| "ok"),
            );
        }
        answered
    }

    async fn answered(&self, call: Call, request: Request) -> Result<Response, CloudError> {
        let service = request.service;
        debug_assert!(
            access::is_allowed(&request),
            "no access rule allows {request:?}"
        );
        let response = self.transport.send(request).await.map_err(|error| {
            tracing::debug!(call = call.name, ?service, %error, "no answer");
            answer::none(call, error)
        })?;
        // Operators of a cloud find a request in their logs by this id.
        let id = response.header("x-openstack-request-id");
        tracing::debug!(
            call = call.name,
            ?service,
            status = response.status,
            id,
            "answer"
        );
        // Glance has a web page for its errors; by the id it is known that it is Glance's.
        if service == Service::Image && response.status == 404 && id.is_some() {
            let message = "there is no such image".to_owned();
            return Err(CloudError::NotFound { call, message });
        }
        answer::accepted(call, response)
    }

    /// As [`ask`](Self::ask), for what is done as well if the thing is not there.
    async fn ask_gone(&self, call: Call, request: Request) -> Result<(), CloudError> {
        match self.ask(call, request).await {
            Ok(_) | Err(CloudError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Cloud for OpenStack {
    fn region(&self) -> Option<&str> {
        self.transport.region()
    }

    async fn describe(&self, server: &ServerId) -> Result<Option<Server>, CloudError> {
        self.describe_server(server).await
    }

    async fn find_by_tag(&self, tag: &str) -> Result<Vec<Server>, CloudError> {
        const CALL: Call = read("find servers by tag");
        valid_tags(CALL, [tag])?;
        let servers = self.servers(CALL, "tags", tag).await?;
        heeded(CALL, tag, servers.iter().map(|server| &server.tags))?;
        Ok(servers)
    }

    async fn find_by_name(&self, name: &str) -> Result<Vec<Server>, CloudError> {
        self.servers_by_name(name).await
    }

    async fn servers(&self) -> Result<Vec<Server>, CloudError> {
        self.all_servers().await
    }

    async fn deleted_since(&self, since: Timestamp) -> Result<Vec<Server>, CloudError> {
        self.servers_deleted_since(since).await
    }

    async fn template(&self, server: &ServerId) -> Result<ServerTemplate, CloudError> {
        self.server_template(server).await
    }

    async fn missing(&self, shape: &Shape) -> Result<Vec<Lack>, CloudError> {
        self.missing_of(shape).await
    }

    async fn create_port(&self, spec: &PortSpec) -> Result<Port, CloudError> {
        self.make_port(spec).await
    }

    async fn port(&self, port: &PortId) -> Result<Option<Port>, CloudError> {
        self.describe_port(port).await
    }

    async fn ports_by_names(&self, names: &[String]) -> Result<Vec<Port>, CloudError> {
        const CALL: Call = read("find ports by name");
        if names.is_empty() {
            return Ok(Vec::new());
        }
        // Neutron's filters: of one key any value may fit
        let filter = names.iter().map(|name| ("name", name.as_str()));
        let mut ports = self.ports(CALL, filter).await?;
        ports.retain(|port| names.contains(&port.name));
        Ok(ports)
    }

    async fn ports_by_description(&self, description: &str) -> Result<Vec<Port>, CloudError> {
        const CALL: Call = read("find ports by description");
        let mut ports = self.ports(CALL, [("description", description)]).await?;
        // an older Neutron may not know the filter, and tells of all
        ports.retain(|port| port.description.as_deref() == Some(description));
        Ok(ports)
    }

    async fn ports_by_device(&self, server: &ServerId) -> Result<Vec<Port>, CloudError> {
        self.ports(read("ports of server"), [("device_id", server.as_str())])
            .await
    }

    async fn tag_port(&self, port: &PortId, tag: &str) -> Result<(), CloudError> {
        self.put_port_tag(port, tag).await
    }

    async fn delete_port(&self, port: &PortId) -> Result<(), CloudError> {
        self.remove_port(port).await
    }

    async fn create_server(&self, spec: &ServerSpec) -> Result<ServerId, CloudError> {
        self.post_server(spec).await
    }

    async fn delete_server(&self, server: &ServerId) -> Result<(), CloudError> {
        self.remove_server(server).await
    }

    async fn reboot(&self, server: &ServerId, how: Reboot) -> Result<(), CloudError> {
        self.reboot_server(server, how).await
    }

    async fn start(&self, server: &ServerId) -> Result<(), CloudError> {
        self.act(START_SERVER, server, json!({"os-start": null}))
            .await
    }

    async fn stop(&self, server: &ServerId) -> Result<(), CloudError> {
        self.act(STOP_SERVER, server, json!({"os-stop": null}))
            .await
    }

    async fn actions(&self, server: &ServerId) -> Result<Vec<InstanceAction>, CloudError> {
        self.server_actions(server).await
    }

    async fn console_log(&self, server: &ServerId, lines: u32) -> Result<String, CloudError> {
        self.console(server, lines).await
    }

    async fn set_metadata(
        &self,
        server: &ServerId,
        metadata: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        self.post_metadata(server, metadata).await
    }
}
