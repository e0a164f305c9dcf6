//! OpenStack's records: Nova's servers and their actions, Neutron's ports, and what the hypervisor was told.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use jiff::Timestamp;
use rectifier_bed::hypervisor::{Kind, journal};
use rectifier_bed::openstack::{Port, Server};

use super::{Before, Mark};
use crate::world::World;
use crate::{claim, unmet};

/// Metadata and tags of ours; everything else is the operator's, and is copied.
const OURS: [&str; 2] = ["rectifier.", "rectifier-"];

impl World {
    pub(super) async fn server_ids(&self) -> Result<BTreeSet<String>> {
        let servers = self.openstack.records.servers().await?;
        // Nova goes on telling of what was deleted
        Ok(servers
            .into_iter()
            .filter(|server| server.status != "DELETED")
            .map(|server| server.id)
            .collect())
    }

    pub(super) async fn port_ids(&self) -> Result<BTreeSet<String>> {
        let ports = self.openstack.records.ports().await?;
        Ok(ports.into_iter().map(|port| port.id).collect())
    }

    /// The node as it is now: its server, that server's ports, its pods.
    ///
    /// # Errors
    /// If it has no server, or cannot be asked for.
    pub async fn before(&self, node: &str) -> Result<Before> {
        let id = self.server_of(node).await?;
        let server = self.openstack.records.server(&id).await?;
        Ok(Before {
            server: server.with_context(|| format!("Nova does not know {id}"))?,
            ports: self.ports_of(&id).await?,
            pods: self.pods_on(node).await?,
        })
    }

    /// The ports of that server.
    ///
    /// # Errors
    /// If Neutron cannot be asked.
    pub async fn ports_of(&self, server: &str) -> Result<Vec<Port>> {
        let mut ports = self.openstack.records.ports().await?;
        ports.retain(|port| port.device_id == server);
        Ok(ports)
    }

    /// The id of the node's server, from its providerID.
    ///
    /// # Errors
    /// If it has none, or there is no such node.
    pub async fn server_of(&self, node: &str) -> Result<String> {
        let node = self.kubernetes.node(node, |_| true).await?;
        let provider = node
            .spec
            .and_then(|spec| spec.provider_id)
            .context("the node has no providerID")?;
        Ok(provider.trim_start_matches("openstack:///").to_owned())
    }

    /// When Nova began this action on the server.
    ///
    /// # Errors
    /// If it did not.
    pub async fn action(&self, server: &str, action: &str) -> Result<Timestamp> {
        let actions = self.openstack.records.instance_actions(server).await?;
        match actions.iter().find(|one| one.action == action) {
            Some(found) => utc(&found.start_time),
            None => Err(unmet!("Nova knows of no `{action}` of the server {server}")),
        }
    }

    /// When the server's own compute host had terminated it: not merely Nova's word that it is gone.
    ///
    /// # Errors
    /// If it has not.
    pub async fn terminated(&self, server: &str) -> Result<Timestamp> {
        let actions = self.openstack.records.instance_actions(server).await?;
        let mut events = actions
            .iter()
            .filter(|action| action.action == "delete")
            .flat_map(|action| &action.events);
        let done = events.find(|event| {
            event.event == "compute_terminate_instance"
                && event.result.as_deref() == Some("Success")
        });
        match done.and_then(|event| event.finish_time.as_deref()) {
            Some(at) => utc(at),
            None => Err(unmet!("its host did not terminate the server {server}")),
        }
    }

    /// The ids of all servers that Nova was asked for since the mark, those that are gone among them.
    ///
    /// # Errors
    /// If Nova cannot be asked.
    pub async fn asked_for(&self, since: &Mark) -> Result<Vec<String>> {
        let servers = self.openstack.records.servers().await?;
        let new = servers
            .into_iter()
            .filter(|server| !since.known.contains(&server.id));
        Ok(new.map(|server| server.id).collect())
    }

    /// How many ports are there that were not there at the mark.
    ///
    /// # Errors
    /// If Neutron cannot be asked.
    pub async fn ports_since(&self, since: &Mark) -> Result<usize> {
        Ok(self.port_ids().await?.difference(&since.ports).count())
    }

    /// The servers and ports of the mark are there, and no others.
    ///
    /// # Errors
    /// If others are.
    pub async fn same_servers(&self, since: &Mark) -> Result<()> {
        claim!(
            self.server_ids().await? == since.servers,
            "the servers are not those that were there"
        );
        claim!(
            self.port_ids().await? == since.ports,
            "the ports are not those that were there"
        );
        Ok(())
    }

    /// As [`World::same_servers`], and none was there in between.
    ///
    /// # Errors
    /// If one was made or deleted.
    pub async fn no_server_was_touched(&self, since: &Mark) -> Result<()> {
        self.same_servers(since).await?;
        let told = journal::read(self.bed.dir())?;
        for entry in told.into_iter().filter(|entry| entry.time >= since.at) {
            // a boot's end may be told after its node is Ready
            let touched = !matches!(entry.event, Kind::Boot | Kind::PowerOn);
            claim!(
                !touched,
                "the hypervisor was told {:?} {}",
                entry.event,
                entry.name
            );
        }
        Ok(())
    }

    /// Of the servers since the mark, the old one is gone with all its ports, and exactly one new one is there, with
    /// ports that name it. Gives it.
    ///
    /// # Errors
    /// If anything else is there or missing.
    pub async fn one_server_took_the_place_of(
        &self,
        since: &Mark,
        old: &Before,
    ) -> Result<(Server, Vec<Port>)> {
        let (servers, ports) = (
            self.server_ids().await?,
            self.openstack.records.ports().await?,
        );
        let old = &old.server.id;
        claim!(!servers.contains(old), "the old server is still there");
        let new: Vec<_> = servers.difference(&since.servers).collect();
        let [new] = new.as_slice() else {
            return Err(unmet!("{} new servers are there, not one", new.len()));
        };
        claim!(
            servers.len() == since.servers.len(),
            "more servers are gone than the old one"
        );
        for port in &ports {
            claim!(
                port.device_id != *old,
                "the old server's port {} is left",
                port.id
            );
            claim!(
                servers.contains(&port.device_id),
                "the port {} ({}) belongs to no server",
                port.id,
                port.name
            );
        }
        claim!(
            ports.len() == since.ports.len(),
            "{} ports are there, {} were",
            ports.len(),
            since.ports.len()
        );
        let server = self.openstack.records.server(new).await?;
        let server = server.with_context(|| format!("Nova does not know {new}"))?;
        let ports = self.ports_of(&server.id).await?;
        claim!(!ports.is_empty(), "the new server has no port");
        Ok((server, ports))
    }

    /// It bears our tag and is marked as adopted; and no server is there that is marked as provisional.
    ///
    /// # Errors
    /// If it is not so.
    pub async fn is_adopted(&self, server: &Server) -> Result<()> {
        let metadata = |name: &str| server.metadata.get(name).map_or("", String::as_str);
        let state = metadata("rectifier.state");
        claim!(state == "adopted", "the new server is marked as {state:?}");
        let tags: Vec<_> = server.tags.iter().filter(|tag| is_ours(tag)).collect();
        let repair = metadata("rectifier.repair");
        claim!(
            matches!(tags.as_slice(), [tag] if !repair.is_empty() && tag.contains(repair)),
            "the new server's tags {tags:?} do not name the repair {repair:?}, once"
        );
        for other in self.openstack.records.servers().await? {
            let state = other.metadata.get("rectifier.state").map(String::as_str);
            claim!(
                other.status == "DELETED" || state != Some("provisional"),
                "the server {} is still provisional",
                other.name
            );
        }
        Ok(())
    }
}

/// The new server is like the old one, in everything that the cloud keeps of a server.
///
/// # Errors
/// Names what differs.
pub(crate) fn similar(old: &Before, (server, ports): &(Server, Vec<Port>)) -> Result<()> {
    let was = &old.server;
    for (what, before, now) in [
        (
            "flavor",
            &was.flavor.original_name,
            &server.flavor.original_name,
        ),
        ("image", &was.image.id, &server.image.id),
        ("zone", &was.zone, &server.zone),
    ] {
        claim!(before == now, "the {what} was {before}, and is {now}");
    }
    claim!(
        was.key_name == server.key_name,
        "the key pair was {:?}, and is {:?}",
        was.key_name,
        server.key_name
    );
    claim!(
        theirs(&was.metadata) == theirs(&server.metadata),
        "the metadata were {:?}, and are {:?}",
        was.metadata,
        server.metadata
    );
    let tags = |server: &Server| -> BTreeSet<String> {
        server
            .tags
            .iter()
            .filter(|tag| !is_ours(tag))
            .cloned()
            .collect()
    };
    claim!(
        tags(was) == tags(server),
        "the tags were {:?}, and are {:?}",
        was.tags,
        server.tags
    );
    let networks = |ports: &[Port]| -> Vec<(String, BTreeSet<String>)> {
        let mut all: Vec<_> = ports
            .iter()
            .map(|port| {
                let groups = port.security_groups.iter().cloned().collect();
                (port.network_id.clone(), groups)
            })
            .collect();
        all.sort();
        all
    };
    claim!(
        networks(&old.ports) == networks(ports),
        "the networks and security groups were {:?}, and are {:?}",
        networks(&old.ports),
        networks(ports)
    );
    Ok(())
}

fn theirs(metadata: &BTreeMap<String, String>) -> BTreeMap<&String, &String> {
    metadata.iter().filter(|(name, _)| !is_ours(name)).collect()
}

fn is_ours(name: &str) -> bool {
    OURS.iter().any(|ours| name.starts_with(ours))
}

/// A time as Nova writes it: UTC, without saying so.
pub(crate) fn utc(time: &str) -> Result<Timestamp> {
    Ok(format!("{}Z", time.trim_end_matches('Z')).parse()?)
}
