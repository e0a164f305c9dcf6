//! A server similar to the sick one: what is copied of it, and what its pool has in place of that.

mod joined;
mod rehearsal;
pub(crate) mod template;

pub(crate) use joined::{labels, taints};
pub use rehearsal::{Rehearsal, Unclear, first_boot, rehearse};

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use rectifier_api::{Interface, Provisioning};
use rectifier_cloud::{Cloud, CloudError, PortTemplate, ServerSpec, ServerTemplate, Shape};
use rectifier_core::leftovers::PROVISIONAL;
use rectifier_core::name::{InvalidName, PortId, ServerId};
use rectifier_core::repair::naming::Parts;
use rectifier_core::repair::{Lack, Part, Record, Replacement};

use crate::act::marks;
use crate::error::{Error, api};

/// Tags of ours say which repair made a server: they are not its replacement's.
const OUR_TAGS: &str = "rectifier-";

/// The sick server's shape, with what the pool says otherwise. `zone`: it is made in another than the sick server's.
pub fn shape(
    template: &ServerTemplate,
    provisioning: &Provisioning,
    zone: Option<&String>,
) -> Shape {
    let mut shape = template.shape.clone();
    if let Some(image) = &provisioning.image {
        shape.image = Some(image.clone());
    }
    if let Some(flavor) = &provisioning.flavor {
        shape.flavor.clone_from(flavor);
    }
    if provisioning.without.contains(&Part::KeyPair) {
        shape.key_name = None;
    }
    if zone.is_some() {
        shape.zone = zone.cloned();
    }
    shape
}

/// The ports of such a server, the node's address first.
pub fn ports(template: &ServerTemplate, provisioning: &Provisioning) -> Vec<PortTemplate> {
    if provisioning.networks.is_empty() {
        return template.ports.clone();
    }
    let theirs = template
        .ports
        .iter()
        .map(Some)
        .chain(std::iter::repeat(None));
    let pairs = provisioning.networks.iter().zip(theirs);
    pairs.map(|(own, theirs)| port(own, theirs)).collect()
}

fn port(own: &Interface, theirs: Option<&PortTemplate>) -> PortTemplate {
    let mut port = theirs.cloned().unwrap_or_default();
    if port.network != own.network {
        port.network.clone_from(&own.network);
        port.subnets.clear();
    }
    if !own.subnets.is_empty() {
        port.subnets.clone_from(&own.subnets);
    }
    if !own.security_groups.is_empty() {
        port.security_groups.clone_from(&own.security_groups);
    }
    port
}

/// The server that is asked for. `cluster` and `repair` say whose it is.
///
/// # Errors
/// The record names a port that cannot be one.
pub fn spec(
    template: &ServerTemplate,
    provisioning: &Provisioning,
    replacement: &Replacement,
    (cluster, repair): (&str, &str),
    user_data: String,
) -> Result<ServerSpec, InvalidName> {
    let theirs = template
        .tags
        .iter()
        .filter(|tag| !tag.starts_with(OUR_TAGS));
    let ports = replacement.ports.iter().map(PortId::parse);
    Ok(ServerSpec {
        name: replacement.name.clone(),
        shape: shape(template, provisioning, replacement.zone.as_ref()),
        description: template.description.clone(),
        ports: ports.collect::<Result<_, _>>()?,
        user_data,
        metadata: metadata(template, cluster, repair),
        tags: theirs.cloned().chain([replacement.tag.clone()]).collect(),
    })
}

fn metadata(template: &ServerTemplate, cluster: &str, repair: &str) -> BTreeMap<String, String> {
    let ours = [
        (marks::CLUSTER, cluster),
        (marks::REPAIR, repair),
        (marks::STATE, PROVISIONAL),
    ];
    let mut metadata = template.metadata.clone();
    metadata.extend(ours.map(|(key, value)| (key.to_owned(), value.to_owned())));
    metadata
}

/// The cluster's certificate authority, which the controller manager publishes in every namespace.
const ROOT_CA: &str = "kube-root-ca.crt";

/// The same, base64 of the PEM.
pub(crate) async fn root_ca(client: &Client, namespace: &str) -> Result<String, Error> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = maps.get(ROOT_CA).await;
    let data = map
        .map_err(api("get the cluster's certificate authority"))?
        .data;
    let ca = data.and_then(|mut data| data.remove("ca.crt"));
    let ca = ca.ok_or(Error::Missing("kube-root-ca.crt has no ca.crt"))?;
    // k8s-openapi's ByteString is the API's own base64
    let text = serde_json::to_value(ByteString(ca.into_bytes()));
    let text = text.ok().and_then(|text| text.as_str().map(str::to_owned));
    Ok(text.unwrap_or_default())
}

/// For whom a similar server is made: the sick node, and what it is.
#[derive(Debug, Clone, Copy)]
pub struct Sick<'a> {
    /// The node's name.
    pub node: &'a str,
    /// Its pool's.
    pub pool: &'a str,
    /// Its server.
    pub server: &'a ServerId,
}

/// What a server similar to the sick one needs; or needed, where that goes first.
///
/// # Errors
/// What was kept of it cannot be read.
pub(crate) fn kept(record: &Record) -> Result<Option<ServerTemplate>, serde_json::Error> {
    let kept = record.kept();
    kept.map(|kept| serde_json::from_str(&kept.server))
        .transpose()
}

/// What a server similar to this one would lack. Nothing is made.
///
/// # Errors
/// The cloud does not say.
pub async fn lacks(
    cloud: &dyn Cloud,
    sick: Sick<'_>,
    provisioning: &Provisioning,
) -> Result<Vec<Lack>, CloudError> {
    let template = cloud.template(sick.server).await?;
    lacks_of(cloud, sick, provisioning, &template).await
}

async fn lacks_of(
    cloud: &dyn Cloud,
    sick: Sick<'_>,
    provisioning: &Provisioning,
    template: &ServerTemplate,
) -> Result<Vec<Lack>, CloudError> {
    let shape = shape(template, provisioning, None);
    let mut lacks = cloud.missing(&shape).await?;
    if ports(template, provisioning).is_empty() {
        lacks.push(Lack::Base("it has no port of its own".to_owned()));
    }
    lacks.extend(template.lacks.iter().cloned());
    let parts = Parts::of(sick.node, "", 1);
    if let Err(why) = template::name(provisioning, &parts, sick.node, sick.pool) {
        lacks.push(Lack::Base(format!("no name can be made for it: {why}")));
    }
    // A list is of the credentials' own project alone, whatever else they may see by id.
    let namesakes = cloud.find_by_name(sick.node).await?;
    let others = namesakes.iter().filter(|one| one.id != *sick.server);
    lacks.extend(others.map(|other| {
        let id = &other.id;
        Lack::Base(format!(
            "server {id} has its name, too: which of them is the node is not certain"
        ))
    }));
    if namesakes.iter().all(|one| one.id != *sick.server) {
        let why = "the credentials' project does not list it: it is another's";
        lacks.push(Lack::Base(why.to_owned()));
    }
    Ok(lacks)
}
