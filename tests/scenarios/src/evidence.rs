//! What the world's own records say: who wrote what, in which order; which servers, ports, nodes and tokens there are;
//! what systemd did, and who asked it to.

mod audit;
mod bus;
mod cloud;
mod cluster;
mod machine;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use jiff::Timestamp;
use rectifier_bed::openstack::{Port, Server};

use crate::claim;
use crate::world::World;

pub use audit::{Report, Sought};
pub use bus::{Bus, Call};
pub(crate) use cloud::{similar, utc};
pub use machine::Start;
pub(crate) use machine::moment;

/// The control-plane engine, as the API server knows it.
pub const CONTROLLER: &str = "system:serviceaccount:rectifier-system:rectifier-controller";
/// The node engines.
pub const AGENT: &str = "system:serviceaccount:rectifier-agents:rectifier-node";
/// Node Problem Detector.
pub const NPD: &str = "system:serviceaccount:rectifier-agents:node-problem-detector";

/// A node's kubelet, as the API server knows it.
#[must_use]
pub fn kubelet(node: &str) -> String {
    format!("system:node:{node}")
}

/// A position in the story: what was so before it is none of a scenario's business.
#[derive(Debug, Clone)]
pub struct Mark {
    at: Timestamp,
    /// Those that are there.
    servers: BTreeSet<String>,
    /// Those that Nova has ever heard of.
    known: BTreeSet<String>,
    ports: BTreeSet<String>,
    nodes: BTreeSet<String>,
    tokens: BTreeSet<String>,
}

impl Mark {
    /// When.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// A node before something happened to it.
#[derive(Debug, Clone)]
pub struct Before {
    /// Its server, as Nova described it.
    pub server: Server,
    /// That server's ports.
    pub ports: Vec<Port>,
    /// The pods on it, by name, with their UIDs; those of DaemonSets are not among them.
    pub pods: BTreeMap<String, String>,
}

impl World {
    /// Remembers how things stand now.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub async fn mark(&self) -> Result<Mark> {
        let servers = self.openstack.records.servers().await?;
        Ok(Mark {
            at: Timestamp::now(),
            servers: self.server_ids().await?,
            known: servers.into_iter().map(|server| server.id).collect(),
            ports: self.port_ids().await?,
            nodes: self.node_names().await?,
            tokens: self.token_names().await?,
        })
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
        claim!(
            first <= second,
            "`{after}` ({second}) came before `{before}` ({first})"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_out_of_order_are_named() {
        let (early, late) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        assert!(in_order(&[("a", early), ("b", early), ("c", late)]).is_ok());
        let error = in_order(&[("a", early), ("b", late), ("c", early)]).unwrap_err();
        assert!(error.to_string().contains("`c`") && error.to_string().contains("`b`"));
    }
}
