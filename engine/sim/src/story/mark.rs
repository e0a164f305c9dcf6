//! How things stood when a story began.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::openstack::ServerRecord;
use crate::scene::Scene;

/// What was there before is none of a story's business.
#[derive(Debug, Default)]
pub(super) struct Mark {
    /// The sick node's.
    pub(super) server: String,
    /// All that the cloud has ever heard of.
    pub(super) known: BTreeSet<String>,
    /// Those that were there, each with its actions by then.
    pub(super) servers: BTreeMap<String, usize>,
    /// Each with its server.
    pub(super) ports: BTreeMap<String, String>,
    pub(super) nodes: BTreeSet<String>,
    pub(super) repairs: BTreeSet<String>,
    pub(super) tokens: usize,
    /// On the sick node, by name, with their UIDs.
    pub(super) pods: BTreeMap<String, String>,
    /// Requests that had landed.
    pub(super) landed: u64,
}

impl Mark {
    pub(super) fn of(scene: &Scene, sick: &str) -> Self {
        let records = scene.cloud.server_records();
        let there = records.iter().filter(|server| !server.is_gone);
        let nodes = scene.api.objects("nodes");
        let own = nodes.iter().find(|node| name(node) == sick);
        let server = own.and_then(|node| node["spec"]["providerID"].as_str());
        Self {
            server: server
                .unwrap_or_default()
                .trim_start_matches("openstack:///")
                .to_owned(),
            known: records.iter().map(|server| server.id.clone()).collect(),
            servers: there.map(actions).collect(),
            ports: scene.cloud.port_records(),
            nodes: nodes.iter().map(|node| name(node).to_owned()).collect(),
            repairs: scene
                .api
                .objects("noderepairs.rectifier.dev")
                .iter()
                .map(|repair| name(repair).to_owned())
                .collect(),
            tokens: scene.bootstrap_tokens(),
            pods: pods_on(scene, sick),
            landed: scene.api.landed(),
        }
    }
}

pub(super) fn actions(server: &ServerRecord) -> (String, usize) {
    (server.id.clone(), server.actions.len())
}

/// By name, with their UIDs.
pub(super) fn pods_on(scene: &Scene, node: &str) -> BTreeMap<String, String> {
    let pods = scene.api.objects("pods");
    pods.iter()
        .filter(|pod| pod["spec"]["nodeName"] == node)
        .map(|pod| (name(pod).to_owned(), uid(pod).to_owned()))
        .collect()
}

pub(super) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

pub(super) fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}
