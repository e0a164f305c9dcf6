//! Which of our own things in the cloud nobody needs any more: what a create left that came so late that no repair looked
//! for it again, or that an engine made which then lost its database.
//!
//! To delete a thing that somebody needs is the worst that can happen here, and to leave one is cheap. So what is taken
//! must say by itself that it is this cluster's and provisional, must be older than any repair works on one attempt, and
//! must not be named by anybody. Somebody else's things, another cluster's and a person's, say no such thing.

pub mod audit;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::clock::seconds_between;
use crate::name::{PortId, ServerId};
use crate::policy::Seconds;
use crate::repair::{Phase, Record};

/// Nothing younger is taken. 2 h: a repair that is cut off looks for its things for as long as it is open, and the longest
/// of its attempts ends in a fraction of that.
pub const AGE: Seconds = 2 * 3600;

/// What a server's metadata say before the commit.
pub const PROVISIONAL: &str = "provisional";
/// What they say, and a port's tag, from the commit on.
pub const ADOPTED: &str = "adopted";

/// A server of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFound {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// The cluster that it says to be of.
    pub cluster: Option<String>,
    /// The UID of the repair that it says to be of.
    pub repair: Option<String>,
    /// [`PROVISIONAL`] or [`ADOPTED`].
    pub state: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was asked for.
    pub created: Option<Timestamp>,
    /// The cloud knows more of it than its id: its cell is not down.
    pub known: bool,
}

/// A port that says to be of this cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortFound {
    /// Its id.
    pub id: PortId,
    /// Its name, which says of which repair it is.
    pub name: String,
    /// It bears the tag of what was adopted.
    pub adopted: bool,
    /// The server that has it.
    pub device: Option<ServerId>,
    /// When it was made.
    pub created: Option<Timestamp>,
}

/// What the cloud has: complete lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// All servers of the project.
    pub servers: Vec<ServerFound>,
    /// All ports of this cluster.
    pub ports: Vec<PortFound>,
}

/// What somebody in the cluster still needs: from complete lists of Nodes and repairs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    /// By server, the Nodes that say they are it.
    claims: BTreeMap<String, Vec<String>>,
    servers: BTreeSet<String>,
    /// Those that an open repair takes away.
    going: BTreeSet<String>,
    ports: BTreeSet<String>,
    nodes: BTreeSet<String>,
    repairs: BTreeSet<String>,
}

impl Named {
    /// A Node: the server that it says it is, and its name.
    pub fn node(&mut self, name: &str, server: Option<&ServerId>) {
        self.nodes.insert(name.to_owned());
        if let Some(server) = server {
            self.servers.insert(server.to_string());
            let nodes = self.claims.entry(server.to_string()).or_default();
            nodes.push(name.to_owned());
        }
    }

    /// A repair. All of an open one's is its own, whatever its record says yet; of one that is over only the replacement
    /// that took the node's place.
    pub fn repair(&mut self, uid: &str, record: &Record) {
        if !record.phase.is_final() {
            self.repairs.insert(uid.to_owned());
            self.servers.extend(record.server_id.clone());
            if record.side().is_past_return() {
                self.going.extend(record.server_id.clone());
            }
            self.ports.extend(record.server_ports.iter().cloned());
        }
        if record.phase.is_final() && record.phase != Phase::Replaced {
            return;
        }
        if let Some(replacement) = &record.replacement {
            self.nodes.insert(replacement.name.clone());
            self.servers.extend(replacement.server_id.clone());
            self.ports.extend(replacement.ports.iter().cloned());
        }
    }
}

/// A thing that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftover {
    /// A server.
    Server(ServerId),
    /// A port.
    Port(PortId),
}

/// Not all that the cloud has was told: nothing may be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cloud's list is not whole: of server {0} it knows nothing, as when its cell is down")]
pub struct Partial(pub ServerId);

/// What is taken, servers first: a server's ports are free only when it is gone.
///
/// # Errors
/// The list of servers is not whole.
pub fn leftovers(
    found: &Found,
    named: &Named,
    cluster: &str,
    now: Timestamp,
) -> Result<Vec<Leftover>, Partial> {
    if let Some(unknown) = found.servers.iter().find(|server| !server.known) {
        return Err(Partial(unknown.id.clone()));
    }
    let servers = found
        .servers
        .iter()
        .filter(|server| takes_server(server, named, cluster, now))
        .map(|server| Leftover::Server(server.id.clone()));
    let ports = found
        .ports
        .iter()
        .filter(|port| takes_port(port, named, now))
        .map(|port| Leftover::Port(port.id.clone()));
    Ok(servers.chain(ports).collect())
}

/// May this server be taken? Asked again of what the cloud says right before it is.
pub fn takes_server(server: &ServerFound, named: &Named, cluster: &str, now: Timestamp) -> bool {
    let of_a_repair = |repair: &String| !named.repairs.contains(repair);
    server.known
        && server.cluster.as_deref() == Some(cluster)
        && server.state.as_deref() == Some(PROVISIONAL)
        && server.repair.as_ref().is_some_and(of_a_repair)
        && is_old(server.created, now)
        && !named.servers.contains(server.id.as_str())
        && !named.nodes.contains(&server.name)
}

/// May this port be taken? Only a free one: what a server has is that server's.
pub fn takes_port(port: &PortFound, named: &Named, now: Timestamp) -> bool {
    port.device.is_none()
        && !port.adopted
        && repair_of(&port.name).is_some_and(|repair| !named.repairs.contains(repair))
        && is_old(port.created, now)
        && !named.ports.contains(port.id.as_str())
}

/// Of what the cloud does not say the age nothing is taken.
fn is_old(created: Option<Timestamp>, now: Timestamp) -> bool {
    created.is_some_and(|created| seconds_between(created, now) > AGE)
}

/// The repair's UID in the name of a port that we made: `rectifier-UID-ATTEMPT-NUMBER`.
fn repair_of(name: &str) -> Option<&str> {
    let (tag, number) = name.strip_prefix("rectifier-")?.rsplit_once('-')?;
    let (uid, attempt) = tag.rsplit_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(number) && is_number(attempt) && !uid.is_empty()).then_some(uid)
}

#[cfg(test)]
mod tests;
