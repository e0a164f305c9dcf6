//! A cluster in one document: what `rectifier dump` reads of it, and a [scene](crate::scene::Scene) can be made of.
//!
//! Objects are as the API server gives them, less what no decision reads. A later version of the document is another
//! `apiVersion`: what is read here is known to be whole.

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use rectifier_api::{NodeRepair, RepairPool};
use rectifier_core::clock::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The document's version.
pub const API_VERSION: &str = "rectifier.dev/dump/v1";
/// Its kind.
pub const KIND: &str = "Dump";

/// The cluster, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dump {
    /// [`API_VERSION`]
    pub api_version: String,
    /// [`KIND`]
    pub kind: String,
    /// When it was read.
    pub taken_at: Timestamp,
    /// The API server's version, as it says it.
    pub server_version: String,
    /// Kinds that the cluster does not know, by their qualified plural.
    pub not_installed: Vec<String>,
    /// All nodes.
    pub nodes: Vec<Value>,
    /// All pods.
    pub pods: Vec<Value>,
    /// All disruption budgets.
    pub pod_disruption_budgets: Vec<Value>,
    /// ReplicaSets that want pods.
    pub replica_sets: Vec<Value>,
    /// StatefulSets that want pods.
    pub stateful_sets: Vec<Value>,
    /// All pools.
    pub repair_pools: Vec<Value>,
    /// All repairs, open and archived.
    pub node_repairs: Vec<Value>,
}

/// Why a text is no dump.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// It is something else, or cut off.
    #[error("it is no dump: make one with `rectifier dump`")]
    Json(#[from] serde_json::Error),
    /// It is one of another version.
    #[error(
        "it is {found}, and this program reads {API_VERSION}: make a new one with `rectifier dump`"
    )]
    Version {
        /// What it says of itself.
        found: String,
    },
    /// One of its objects is not what it should be.
    #[error("its {list}, number {number} ({name}), cannot be read")]
    Object {
        /// In which list.
        list: &'static str,
        /// From 1.
        number: usize,
        /// Its name, or nothing.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl Dump {
    /// Reads it, and sees that every object is one.
    ///
    /// # Errors
    /// It is no dump of this version, or a part of it is broken.
    pub fn parse(text: &[u8]) -> Result<Self, DumpError> {
        let document: Value = serde_json::from_slice(text)?;
        let is = |key: &str, wanted: &str| document[key] == wanted;
        if document.is_object() && !(is("apiVersion", API_VERSION) && is("kind", KIND)) {
            let said = |key: &str| document[key].as_str().unwrap_or("nothing").to_owned();
            return Err(DumpError::Version {
                found: format!("{} {}", said("apiVersion"), said("kind")),
            });
        }
        let dump: Self = serde_json::from_value(document)?;
        are::<Node>("nodes", &dump.nodes)?;
        are::<Pod>("pods", &dump.pods)?;
        are::<PodDisruptionBudget>("podDisruptionBudgets", &dump.pod_disruption_budgets)?;
        are::<RepairPool>("repairPools", &dump.repair_pools)?;
        are::<NodeRepair>("nodeRepairs", &dump.node_repairs)?;
        Ok(dump)
    }

    /// The names of the zones, each once, in order.
    pub fn zones(&self) -> Vec<String> {
        let zones = self.nodes.iter().filter_map(zone).map(str::to_owned);
        let zones: std::collections::BTreeSet<String> = zones.collect();
        zones.into_iter().collect()
    }
}

fn are<K: DeserializeOwned>(list: &'static str, objects: &[Value]) -> Result<(), DumpError> {
    for (at, object) in objects.iter().enumerate() {
        let failed = |source| DumpError::Object {
            list,
            number: at + 1,
            name: name(object).to_owned(),
            source,
        };
        K::deserialize(object).map_err(failed)?;
        if name(object).is_empty() {
            return Err(failed(serde::de::Error::custom("it has no metadata.name")));
        }
    }
    Ok(())
}

/// An object's name.
pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// A node's zone, if it has one.
pub fn zone(node: &Value) -> Option<&str> {
    node["metadata"]["labels"]["topology.kubernetes.io/zone"].as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({
            "apiVersion": API_VERSION, "kind": KIND, "takenAt": "2026-01-01T00:00:00Z", "serverVersion": "v1.33.0",
            "notInstalled": [], "nodes": [{"metadata": {"name": "a"}}], "pods": [], "podDisruptionBudgets": [],
            "replicaSets": [], "statefulSets": [], "repairPools": [], "nodeRepairs": [],
        })
    }

    fn why(document: &Value) -> String {
        let error = Dump::parse(document.to_string().as_bytes()).unwrap_err();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    }

    #[test]
    fn what_is_whole_is_read() {
        let dump = Dump::parse(document().to_string().as_bytes()).unwrap();
        assert_eq!(dump.nodes.len(), 1);
    }

    #[test]
    fn what_is_broken_is_refused_with_its_place() {
        let mut other = document();
        other["apiVersion"] = "rectifier.dev/dump/v2".into();
        assert!(why(&other).contains("dump/v2"), "{}", why(&other));
        let mut other = document();
        other["nodes"] = json!([{"metadata": {"name": "a"}}, {"metadata": {"labels": 3}}]);
        assert!(why(&other).contains("nodes, number 2"), "{}", why(&other));
        let mut other = document();
        other["nodes"] = json!([{"metadata": {}}]);
        assert!(why(&other).contains("no metadata.name"), "{}", why(&other));
        let mut other = document();
        other.as_object_mut().unwrap().remove("pods");
        assert!(why(&other).contains("pods"), "{}", why(&other));
        assert!(Dump::parse(b"{\"apiVersion\": \"rectif").is_err());
        assert!(Dump::parse(b"[]").is_err());
    }
}
