//! What would be made for a node now, without making it: by the same code that makes it.

use jiff::Timestamp;
use kube::{Api, Client, ResourceExt};
use rectifier_api::{Provisioning, RepairPool};
use rectifier_cloud::{Cloud, CloudError, PortTemplate, ServerSpec, ServerTemplate};
use rectifier_core::name::{NodeName, ServerId};
use rectifier_core::repair::naming::Parts;
use rectifier_core::repair::{
    CloudView, Lack, NoCapacity, NoRules, NodeSeen, Replacement, Rules, Traits, differs, likeness,
};

use super::template::{self, FirstBoot};
use super::{Sick, labels, lacks_of, ports, root_ca, spec, taints};
use crate::cluster::Cluster;
use crate::error::{Error, api, chain};
use crate::observe;
use crate::slim::{SlimNode, in_pages};

/// Stands for what is new with every repair.
const ANY_UID: &str = "xxxxx";

/// The server that would take the sick one's place.
#[derive(Debug)]
pub struct Rehearsal {
    /// The node's pool.
    pub pool: String,
    /// The server that it has.
    pub server: ServerId,
    /// That server's name.
    pub name: String,
    /// How that is made.
    pub is: ServerTemplate,
    /// How its replacement would be made, on [`Self::ports`].
    pub would_be: ServerSpec,
    /// The ports of the replacement.
    pub ports: Vec<PortTemplate>,
    /// Why none would be made.
    pub refused: Vec<Lack>,
    /// What it would be made without, as the pool says.
    pub without: Vec<Lack>,
    /// Zones that would be tried when no host in this one can take it.
    pub zones: Vec<String>,
    /// What is done when none of those can, either.
    pub no_capacity: NoCapacity,
}

/// Why it cannot be said what would be made.
#[derive(Debug, thiserror::Error)]
pub enum Unclear {
    /// There is no such Node.
    #[error("there is no node {0}")]
    NoNode(String),
    /// No pool's rules apply to it.
    #[error("{}", match .0 {
        NoRules::NoPool => "no RepairPool selects this node: it is not repaired",
        NoRules::TwoPools => "more than one RepairPool selects this node: it is not repaired",
    })]
    NoRules(NoRules),
    /// The pool says nothing about new servers.
    #[error("pool {0} has no `provisioning`: its nodes are not replaced")]
    NoProvisioning(String),
    /// It is not certain which server the node is.
    #[error("it is not certain which server this node is: {0}")]
    Uncertain(String),
    /// The API server does not answer.
    #[error("the API server cannot be asked")]
    Api(#[from] Box<Error>),
    /// The cloud does not answer.
    #[error("the cloud cannot be asked")]
    Cloud(#[from] Box<CloudError>),
}

impl Unclear {
    /// Nothing can be said because somebody could not be asked; else the answer is that nothing would be made.
    pub fn is_silence(&self) -> bool {
        matches!(self, Unclear::Api(_) | Unclear::Cloud(_))
    }
}

/// What would be made for this node. `cluster` marks what is made.
///
/// # Errors
/// Nothing would, or it cannot be said.
pub async fn rehearse(
    client: &Client,
    cloud: &dyn Cloud,
    cluster: &str,
    node: &str,
    now: Timestamp,
) -> Result<Rehearsal, Unclear> {
    let (sick, rules, how) = sick(client, node, now).await?;
    let uncertain = |why: String| Unclear::Uncertain(why);
    let id = sick
        .server
        .clone()
        .ok_or_else(|| uncertain("its providerID names none of OpenStack's".to_owned()))?;
    let server = cloud.describe(&id).await.map_err(Box::new)?;
    let server = server.ok_or_else(|| {
        uncertain(format!(
            "the cloud has no server {id} for these credentials"
        ))
    })?;
    let name = server.name.clone();
    let view = CloudView {
        region: cloud.region().map(str::to_owned),
        ..CloudView::default()
    };
    let seen = observe::cloud::seen(server, Vec::new(), now);
    if let Some(why) = differs(&sick, &view, &seen) {
        return Err(uncertain(why));
    }
    let is = cloud.template(&id).await.map_err(Box::new)?;
    let of = Sick {
        node,
        pool: &rules.name,
        server: &id,
    };
    let lacks = lacks_of(cloud, of, &how, &is).await.map_err(Box::new)?;
    let refused: Vec<Lack> = likeness::forbidden(&lacks, &rules, Some(&sick))
        .cloned()
        .collect();
    let replacement = Replacement {
        // it is refused by name above, if there can be none
        name: any_name(&how, node, &rules),
        tag: format!("rectifier-{ANY_UID}-1"),
        ..Replacement::default()
    };
    let would_be = spec(&is, &how, &replacement, (cluster, ANY_UID), String::new());
    Ok(Rehearsal {
        pool: rules.name.clone(),
        server: id,
        name,
        ports: ports(&is, &how),
        would_be: would_be.map_err(|error| Box::new(Error::from(error)))?,
        without: lacks
            .into_iter()
            .filter(|lack| !refused.contains(lack))
            .collect(),
        is,
        refused,
        zones: how.zones,
        no_capacity: how.when_no_capacity,
    })
}

/// What a new server's first boot would be told, with a word in the place of the token.
///
/// # Errors
/// Nothing would be made, or it cannot be said.
pub async fn first_boot(client: &Client, node: &str, now: Timestamp) -> Result<String, Unclear> {
    let (sick, rules, how) = sick(client, node, now).await?;
    let name = any_name(&how, node, &rules);
    let node = Traits::from(&sick);
    let boot = FirstBoot {
        node: &name,
        token: "BOOTSTRAP-TOKEN",
        server: &how.api_server,
        ca: &root_ca(client, "default").await.map_err(Box::new)?,
        labels: &labels(Some(&node), &how, None),
        taints: &taints(Some(&node), &how),
    };
    template::user_data(&how, &boot).map_err(|error| Unclear::Uncertain(chain(&error)))
}

/// What it would be called. Capitals stand for what is new with every repair.
fn any_name(how: &Provisioning, node: &str, rules: &Rules) -> String {
    let parts = Parts {
        id: "rXXXXXX".to_owned(),
        ..Parts::of(node, "", 1)
    };
    template::with_any_id(how, &parts, node, &rules.name)
}

/// The node, with all others beside it, and its pool.
async fn sick(
    client: &Client,
    node: &str,
    now: Timestamp,
) -> Result<(NodeSeen, Rules, Provisioning), Unclear> {
    let cluster = Cluster::default();
    let api_error = |what| move |error| Unclear::Api(Box::new(api(what)(error)));
    cluster.pools_begin();
    let pools: Api<RepairPool> = Api::all(client.clone());
    let told = in_pages(&pools, |pool| {
        cluster.see_pool(pool.name_any(), Some(pool.clone()));
    });
    told.await.map_err(api_error("list repairpools"))?;
    cluster.pools_end();
    let nodes: Api<SlimNode> = Api::all(client.clone());
    let mut found = None;
    let told = in_pages(&nodes, |one| {
        cluster.see(one, now);
        if one.name_any() == node {
            found = Some(one.clone());
        }
    });
    told.await.map_err(api_error("list nodes"))?;
    let found = found.ok_or_else(|| Unclear::NoNode(node.to_owned()))?;
    let invalid = |error| Box::new(Error::from(error));
    let seen = observe::node::seen(&found, &cluster, now).map_err(invalid)?;
    let name = NodeName::parse(node).map_err(invalid)?;
    let (rules, how) = observe::pool::of(&cluster, &name);
    let rules = rules.map_err(Unclear::NoRules)?;
    let how = how.ok_or_else(|| Unclear::NoProvisioning(rules.name.clone()))?;
    Ok((seen, rules, how))
}
