//! What the API server knows of nodes, their repairs and their pools.

use anyhow::{Context, anyhow};
use k8s_openapi::api::core::v1::{ConfigMap, Event, Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, ListParams};
use kube::core::{Selector, SelectorExt};
use kube::{Client, ResourceExt};
use rectifier_api::{CONTROLLER, NodeRepair, RepairPool};
use rectifier_core::name::NodeName;
use rectifier_core::repair::STOP;
use serde::de::DeserializeOwned;

use crate::verdict::usage;

/// As kubectl has it.
const PAGE: u32 = 500;
/// The namespace of the controller and of the stop switch, as `deploy/` has it.
pub(super) const NAMESPACE: &str = "rectifier-system";

/// Asks it.
pub(super) struct Look {
    pub(super) client: Client,
}

impl Look {
    /// A node that people name, or its repair.
    ///
    /// # Errors
    /// That can be no node's name, or there is no such node (wrong usage).
    pub(super) async fn node(&self, named: &str) -> anyhow::Result<(NodeName, Node)> {
        let name = node_name(named)?;
        let nodes: Api<Node> = Api::all(self.client.clone());
        let node = nodes.get_opt(name.as_str()).await;
        let node = node.with_context(|| format!("node {name} cannot be read"))?;
        let node = node.ok_or_else(|| {
            usage(format!(
                "there is no node {name}: `kubectl get nodes` lists them, `rectifier history {name}` tells of one that is gone"
            ))
        })?;
        Ok((name, node))
    }

    /// The node's one open repair.
    pub(super) async fn open(&self, node: &NodeName) -> anyhow::Result<Option<NodeRepair>> {
        let name = rectifier_api::repair_name(node);
        let repairs: Api<NodeRepair> = Api::all(self.client.clone());
        repairs
            .get_opt(&name)
            .await
            .with_context(|| format!("noderepair {name} cannot be read"))
    }

    /// Repairs, open ones and those that are over: of one node, or of all.
    pub(super) async fn repairs(&self, node: Option<&NodeName>) -> anyhow::Result<Vec<NodeRepair>> {
        let mut params = ListParams::default();
        if let Some(node) = node {
            params = params.fields(&format!("spec.nodeName={node}"));
        }
        all(&Api::all(self.client.clone()), params, "noderepairs").await
    }

    pub(super) async fn pools(&self) -> anyhow::Result<Vec<RepairPool>> {
        let pools = Api::all(self.client.clone());
        all(&pools, ListParams::default(), "repairpools").await
    }

    pub(super) async fn nodes(&self) -> anyhow::Result<Vec<Node>> {
        let nodes = Api::all(self.client.clone());
        all(&nodes, ListParams::default(), "nodes").await
    }

    pub(super) async fn pods(&self, node: &NodeName) -> anyhow::Result<Vec<Pod>> {
        let bound = ListParams::default().fields(&format!("spec.nodeName={node}"));
        all(&Api::all(self.client.clone()), bound, "pods").await
    }

    pub(super) async fn budgets(&self) -> anyhow::Result<Vec<PodDisruptionBudget>> {
        let budgets = Api::all(self.client.clone());
        all(
            &budgets,
            ListParams::default(),
            "poddisruptionbudgets.policy",
        )
        .await
    }

    /// What the controller says of Nodes, newest last: of one, or of all.
    pub(super) async fn events(&self, node: Option<&NodeName>) -> anyhow::Result<Vec<Event>> {
        let mut fields = format!("involvedObject.kind=Node,source={CONTROLLER}");
        if let Some(node) = node {
            fields.push_str(&format!(",involvedObject.name={node}"));
        }
        let events: Api<Event> = Api::namespaced(self.client.clone(), "default");
        let mut events = all(&events, ListParams::default().fields(&fields), "events").await?;
        events.sort_by_key(|event| event.last_timestamp.clone().map(|time| time.0));
        Ok(events)
    }

    /// Why everything is stopped, if it is; or why that cannot be told.
    pub(super) async fn stop(&self) -> Result<Option<String>, String> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), NAMESPACE);
        match maps.get_opt(STOP).await {
            Ok(map) => Ok(map.map(|map| {
                let why = map.data.and_then(|mut data| data.remove("why"));
                why.unwrap_or_else(|| "no reason given".to_owned())
            })),
            Err(error) => Err(format!("{error}")),
        }
    }
}

/// `worker-1`, also as `worker-1.repair`.
pub(super) fn node_name(named: &str) -> anyhow::Result<NodeName> {
    let name = named.strip_suffix(".repair").unwrap_or(named);
    NodeName::parse(name).map_err(|error| usage(format!("{named:?} is no node's name: {error}")))
}

/// The one pool that selects the node, or why there is none.
pub(super) fn pool_of<'a>(pools: &'a [RepairPool], node: &Node) -> Result<&'a RepairPool, String> {
    let selects = |pool: &&RepairPool| {
        let selector = Selector::try_from(pool.spec.node_selector.clone());
        selector.is_ok_and(|selector| selector.matches(node.labels()))
    };
    let mut of = pools.iter().filter(selects);
    match (of.next(), of.next()) {
        (Some(pool), None) => Ok(pool),
        (None, _) => Err("no repair pool selects it".to_owned()),
        (Some(one), Some(other)) => Err(format!(
            "two repair pools select it: {} and {}",
            one.name_any(),
            other.name_any()
        )),
    }
}

/// Page by page.
async fn all<K>(api: &Api<K>, params: ListParams, what: &str) -> anyhow::Result<Vec<K>>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut items = Vec::new();
    let mut params = params.limit(PAGE);
    loop {
        let page = match api.list(&params).await {
            Ok(page) => page,
            Err(kube::Error::Api(status)) if status.code == 404 => {
                return Err(anyhow!(
                    "this cluster knows no {what}: Rectifier is installed with `kubectl apply -f deploy/crds` and what follows there"
                ));
            }
            Err(error) => {
                return Err(anyhow::Error::from(error).context(format!("{what} cannot be listed")));
            }
        };
        items.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(items),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_may_be_named_by_its_repair() {
        assert_eq!(node_name("worker-1").unwrap().as_str(), "worker-1");
        assert_eq!(node_name("worker-1.repair").unwrap().as_str(), "worker-1");
        assert!(node_name("Worker 1").is_err());
    }
}
