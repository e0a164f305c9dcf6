//! The cloud's own record of its servers: what there was, what was done to each and by its host.

use std::collections::BTreeMap;

use rectifier_core::clock::Timestamp;

use super::World;

/// A server, there or gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerRecord {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) is_gone: bool,
    pub(crate) flavor: String,
    pub(crate) image: String,
    pub(crate) zone: String,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tags: Vec<String>,
    pub(crate) actions: Vec<ActionRecord>,
}

/// An instance action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActionRecord {
    pub(crate) action: &'static str,
    pub(crate) started: Timestamp,
    /// The event with which its host said that it is done, and when.
    pub(crate) ended: Option<(&'static str, Timestamp)>,
}

impl World {
    /// Of all servers that there ever were, in their order.
    pub(crate) fn server_records(&self) -> Vec<ServerRecord> {
        self.now(|state| {
            let mut all: Vec<_> = state.servers.iter().collect();
            all.sort_by_key(|(_, server)| server.number);
            let told = all.into_iter().map(|(id, server)| ServerRecord {
                id: id.clone(),
                name: server.name.clone(),
                is_gone: server.is_gone,
                flavor: server.flavor.0.clone(),
                image: server.image.clone(),
                zone: server.zone.clone().unwrap_or_default(),
                metadata: server
                    .metadata
                    .iter()
                    .map(|(key, value)| {
                        (key.clone(), value.as_str().unwrap_or_default().to_owned())
                    })
                    .collect(),
                tags: server.tags.clone(),
                actions: server
                    .actions
                    .iter()
                    .map(|action| ActionRecord {
                        action: action.action,
                        started: action.started,
                        ended: action.event.map(|(event, _, ended)| (event, ended)),
                    })
                    .collect(),
            });
            told.collect()
        })
    }

    /// The ids of all ports, each with the id of the server that has it, or nothing.
    pub(crate) fn port_records(&self) -> BTreeMap<String, String> {
        self.now(|state| {
            let ports = state.ports.iter();
            ports
                .map(|(id, port)| (id.clone(), port.device.clone()))
                .collect()
        })
    }
}
