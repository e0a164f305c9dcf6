//! What the world's own records say: who wrote what, in which order; which servers and ports there are.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use jiff::Timestamp;
use rectifier_bed::hypervisor::{Kind, journal};
use rectifier_bed::kubernetes::Record;

use crate::world::World;

/// The control-plane engine, as the API server knows it.
pub const CONTROLLER: &str = "system:serviceaccount:rectifier-system:rectifier-controller";
/// The node engines.
pub const AGENT: &str = "system:serviceaccount:rectifier-agents:rectifier-node";
/// Node Problem Detector.
pub const NPD: &str = "system:serviceaccount:rectifier-agents:node-problem-detector";

/// A position in the story: what was so before it is none of a scenario's business.
#[derive(Debug, Clone)]
pub struct Mark {
    at: Timestamp,
    servers: BTreeSet<String>,
    ports: BTreeSet<String>,
}

impl World {
    /// Remembers how things stand now.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub async fn mark(&self) -> Result<Mark> {
        Ok(Mark {
            at: Timestamp::now(),
            servers: self.server_ids().await?,
            ports: self.port_ids().await?,
        })
    }

    async fn server_ids(&self) -> Result<BTreeSet<String>> {
        let servers = self.openstack.records.servers().await?;
        // Nova goes on telling of what was deleted
        Ok(servers
            .into_iter()
            .filter(|server| server.status != "DELETED")
            .map(|server| server.id)
            .collect())
    }

    async fn port_ids(&self) -> Result<BTreeSet<String>> {
        Ok(self
            .openstack
            .records
            .ports()
            .await?
            .into_iter()
            .map(|port| port.id)
            .collect())
    }

    /// The successful writes of `user` since the mark, oldest first.
    ///
    /// # Errors
    /// If the audit log cannot be read.
    pub fn writes(&self, since: &Mark, user: &str) -> Result<Vec<Record>> {
        let mut records = self.kubernetes.audit().records()?;
        records.retain(|record| {
            record.received >= since.at
                && record.user == user
                && record.code < 300
                && !["get", "list", "watch"].contains(&record.verb.as_str())
        });
        records.sort_by_key(|record| record.received);
        Ok(records)
    }

    /// When the first write of this kind was made; an error if there was none.
    ///
    /// # Errors
    /// If there was none.
    pub fn first(
        &self,
        since: &Mark,
        user: &str,
        verb: &str,
        resource: &str,
        name: &str,
    ) -> Result<Timestamp> {
        let path = |record: &Record| match record.object.subresource.as_str() {
            "" => record.object.resource.clone(),
            sub => format!("{}/{sub}", record.object.resource),
        };
        let fits = |record: &&Record| {
            record.verb == verb
                && path(record) == resource
                && (name.is_empty() || record.object.name == name)
        };
        match self.writes(since, user)?.iter().find(fits) {
            Some(record) => Ok(record.received),
            None => bail!("the audit log has no `{verb} {resource} {name}` by {user}"),
        }
    }

    /// When Nova began this action on the server.
    ///
    /// # Errors
    /// If it did not.
    pub async fn action(&self, server: &str, action: &str) -> Result<Timestamp> {
        let actions = self.openstack.records.instance_actions(server).await?;
        match actions.iter().find(|one| one.action == action) {
            // Nova writes UTC, and does not say so
            Some(found) => Ok(format!("{}Z", found.start_time.trim_end_matches('Z')).parse()?),
            None => bail!("Nova knows of no `{action}` of the server {server}"),
        }
    }

    /// The servers and ports of the mark are there, and no others.
    ///
    /// # Errors
    /// If others are.
    pub async fn same_servers(&self, since: &Mark) -> Result<()> {
        ensure!(
            self.server_ids().await? == since.servers,
            "the servers are not those that were there"
        );
        ensure!(
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
        let booted = journal::read(self.bed.dir())?
            .into_iter()
            .filter(|entry| entry.time >= since.at);
        for entry in booted {
            ensure!(
                entry.event != Kind::Destroy && entry.event != Kind::Spawn,
                "the hypervisor was told {:?} {}",
                entry.event,
                entry.name
            );
        }
        Ok(())
    }

    /// Of the servers since the mark, `old` is gone with all its ports, and exactly one new one is there, with ports
    /// that name it. Gives its id.
    ///
    /// # Errors
    /// If anything else is there or missing.
    pub async fn one_server_took_the_place_of(&self, since: &Mark, old: &str) -> Result<String> {
        let (servers, ports) = (
            self.server_ids().await?,
            self.openstack.records.ports().await?,
        );
        ensure!(!servers.contains(old), "the old server is still there");
        let new: Vec<_> = servers.difference(&since.servers).collect();
        let [new] = new.as_slice() else {
            bail!("{} new servers are there, not one", new.len())
        };
        ensure!(
            servers.len() == since.servers.len(),
            "more servers are gone than the old one"
        );
        for port in &ports {
            ensure!(
                port.device_id != old,
                "the old server's port {} is left",
                port.id
            );
            ensure!(
                servers.contains(&port.device_id),
                "the port {} ({}) belongs to no server",
                port.id,
                port.name
            );
        }
        ensure!(
            ports.iter().any(|port| port.device_id == **new),
            "the new server has no port"
        );
        ensure!(
            ports.len() == since.ports.len(),
            "{} ports are there, {} were",
            ports.len(),
            since.ports.len()
        );
        Ok((*new).clone())
    }

    /// Nothing was evicted since the mark.
    ///
    /// # Errors
    /// If something was.
    pub fn nothing_was_evicted(&self, since: &Mark) -> Result<()> {
        match self.first(since, CONTROLLER, "create", "pods/eviction", "") {
            Ok(at) => bail!("a pod was evicted at {at}"),
            Err(_) => Ok(()),
        }
    }
}

impl Mark {
    /// When.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// These moments came one after the other.
///
/// # Errors
/// Names the first pair that did not.
pub fn in_order(moments: &[(&str, Timestamp)]) -> Result<()> {
    for pair in moments.windows(2) {
        let [(before, first), (after, second)] = pair else {
            continue;
        };
        ensure!(
            first <= second,
            "`{after}` ({second}) came before `{before}` ({first})"
        );
    }
    Ok(())
}
