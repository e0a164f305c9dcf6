//! Nodes, as a test makes and awaits them.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::runtime::wait::await_condition;
use serde_json::json;

use super::Kubernetes;

/// Makes a Node KWOK's; without it the node is dead a grace time later.
pub const KWOK_LABEL: (&str, &str) = ("kwok.x-k8s.io/node", "fake");

impl Kubernetes {
    /// Makes a fake node with these labels, and waits until KWOK has made it Ready.
    ///
    /// # Errors
    /// If there is such a node already.
    pub async fn add_kwok_node(&self, name: &str, labels: &[(&str, &str)]) -> Result<Node> {
        let base = [
            KWOK_LABEL,
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/hostname", name),
        ];
        let labels: serde_json::Map<_, _> = base
            .iter()
            .chain(labels)
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": name, "labels": labels },
        });
        let nodes: Api<Node> = Api::all(self.admin());
        nodes
            .create(&Default::default(), &serde_json::from_value(node)?)
            .await?;
        self.node(name, |node| condition(node, "Ready") == Some("True"))
            .await
    }

    /// Waits until the node `name` is there and `wanted` accepts it. It waits for ever: a limit is
    /// the test's.
    ///
    /// # Errors
    /// If the API server cannot be watched.
    pub async fn node(&self, name: &str, wanted: impl Fn(&Node) -> bool) -> Result<Node> {
        let nodes: Api<Node> = Api::all(self.admin());
        let node = await_condition(nodes, name, |node: Option<&Node>| node.is_some_and(&wanted));
        node.await?.with_context(|| format!("node {name} is gone"))
    }
}

/// The status (`True`, `False`, `Unknown`) of a node's condition, if it has it.
#[must_use]
pub fn condition<'a>(node: &'a Node, kind: &str) -> Option<&'a str> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|condition| condition.type_ == kind)
        .map(|found| found.status.as_str())
}
