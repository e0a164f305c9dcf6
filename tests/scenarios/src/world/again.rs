//! Making a world well again, so that the next scenario begins as in a new one.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::watcher;
use rectifier_bed::openstack::Fault;
use serde_json::json;

use super::{OTHERS, SICK, UP, World, deploy, without};
use crate::wait::{until, within};

impl World {
    /// Takes back what a scenario leaves behind: faults, another policy, node engines that are stopped, a sick node that
    /// is gone, and the one that took its place.
    ///
    /// # Errors
    /// If a part does not do what it is asked.
    pub async fn make_well(&self) -> Result<()> {
        self.openstack.clear_faults().await?;
        self.openstack
            .fault(Fault::BootDelay(Duration::ZERO))
            .await?;
        self.policies
            .replace(&self.kubernetes, self.policies.shipped())
            .await?;
        deploy::node_engines(&self.kubernetes, true).await?;
        let nodes: Api<Node> = Api::all(self.kubernetes.admin());
        if nodes.get_opt(SICK).await?.is_none() {
            deploy::sick_node(&self.kubernetes, &self.openstack).await?;
        }
        within("a sick node to be", UP, self.up(SICK, without())).await?;
        for node in nodes.list(&ListParams::default()).await? {
            let name = node.name_any();
            if name != SICK && name != "control-plane-1" && !OTHERS.contains(&name.as_str()) {
                self.dismiss(&name)
                    .await
                    .with_context(|| format!("dismissing {name}"))?;
            }
        }
        Ok(())
    }

    /// Empties a node and deletes it with its server and ports, as an operator would who needs it no more.
    async fn dismiss(&self, node: &str) -> Result<()> {
        let before = self.before(node).await?;
        let nodes: Api<Node> = Api::all(self.kubernetes.admin());
        let cordon = Patch::Merge(json!({"spec": {"unschedulable": true}}));
        nodes.patch(node, &PatchParams::default(), &cordon).await?;
        // now, by its kubelet: pods of a Node that is gone are collected a minute later
        let pods: Api<Pod> = Api::namespaced(self.kubernetes.admin(), "default");
        let here = format!("spec.nodeName={node}");
        let all = ListParams::default().fields(&here);
        pods.delete_collection(&DeleteParams::default(), &all)
            .await?;
        let left = watcher::Config::default().fields(&here);
        let empty = until(pods, left, |all| all.is_empty().then_some(()));
        within("the node to be empty", UP, empty).await?;
        let id = &before.server.id;
        self.openstack.demo.delete_server(id).await?;
        self.openstack.records.await_gone(id).await?;
        for port in &before.ports {
            self.openstack.demo.delete_port(&port.id).await?;
        }
        nodes.delete(node, &DeleteParams::default()).await?;
        Ok(())
    }
}
