//! A server similar to the sick one: what is copied of it, and what its pool has in place of that.

use std::collections::BTreeMap;

use rectifier_api::Provisioning;
use rectifier_cloud::{Cloud, CloudError, ServerSpec, ServerTemplate, Shape};
use rectifier_core::leftovers::PROVISIONAL;
use rectifier_core::name::{InvalidName, PortId, ServerId};
use rectifier_core::repair::{Lack, Part, Replacement};

use crate::act::marks;

/// Tags of ours say which repair made a server: they are not its replacement's.
const OUR_TAGS: &str = "rectifier-";

/// The sick server's shape, with what the pool says otherwise.
pub fn shape(template: &ServerTemplate, provisioning: &Provisioning) -> Shape {
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
    shape
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
        shape: shape(template, provisioning),
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

/// What a server similar to this one would lack. Nothing is made.
///
/// # Errors
/// The cloud does not say.
pub async fn lacks(
    cloud: &dyn Cloud,
    server: &ServerId,
    provisioning: &Provisioning,
) -> Result<Vec<Lack>, CloudError> {
    let template = cloud.template(server).await?;
    let mut lacks = cloud.missing(&shape(&template, provisioning)).await?;
    if template.ports.is_empty() {
        lacks.push(Lack::Base("it has no port of its own".to_owned()));
    }
    lacks.extend(template.lacks);
    Ok(lacks)
}
