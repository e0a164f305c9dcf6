//! What is left in the cluster: Nodes, bootstrap tokens, pods on a node.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use k8s_openapi::api::core::v1::{Node, Pod, Secret};
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::Mark;
use crate::claim;
use crate::world::World;

impl World {
    pub(super) async fn node_names(&self) -> Result<BTreeSet<String>> {
        let nodes: Api<Node> = Api::all(self.kubernetes.admin());
        let all = nodes.list(&ListParams::default()).await?;
        Ok(all.iter().map(ResourceExt::name_any).collect())
    }

    pub(super) async fn token_names(&self) -> Result<BTreeSet<String>> {
        let secrets: Api<Secret> = Api::namespaced(self.kubernetes.admin(), "kube-system");
        let tokens = ListParams::default().fields("type=bootstrap.kubernetes.io/token");
        let all = secrets.list(&tokens).await?;
        Ok(all.iter().map(ResourceExt::name_any).collect())
    }

    /// The pods on a node that a drain has to take away, by name, with their UIDs.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn pods_on(&self, node: &str) -> Result<BTreeMap<String, String>> {
        let pods: Api<Pod> = Api::all(self.kubernetes.admin());
        let here = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let all = pods.list(&here).await?;
        let of_a_daemon = |pod: &Pod| {
            let owners = pod.metadata.owner_references.iter().flatten();
            owners.into_iter().any(|owner| owner.kind == "DaemonSet")
        };
        let pods = all.into_iter().filter(|pod| !of_a_daemon(pod));
        Ok(pods
            .map(|pod| (pod.name_any(), pod.uid().unwrap_or_default()))
            .collect())
    }

    /// The Nodes of the mark are there, but for `gone`, and those of `new`; and no bootstrap token is left that was
    /// not there before.
    ///
    /// # Errors
    /// If others are there, or one is missing.
    pub async fn nothing_is_left_in_the_cluster(
        &self,
        since: &Mark,
        gone: &[&str],
        new: &[&str],
    ) -> Result<()> {
        let mut expected = since.nodes.clone();
        expected.retain(|name| !gone.contains(&name.as_str()));
        expected.extend(new.iter().map(|name| (*name).to_owned()));
        let nodes = self.node_names().await?;
        claim!(
            nodes == expected,
            "the Nodes are {nodes:?}, and should be {expected:?}"
        );
        let tokens = self.token_names().await?;
        let left: Vec<_> = tokens.difference(&since.tokens).collect();
        claim!(left.is_empty(), "bootstrap tokens are left: {left:?}");
        Ok(())
    }
}
