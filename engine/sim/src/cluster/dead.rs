//! What Kubernetes does about nodes that are not heard.

use serde_json::json;

use super::{Cluster, condition, text};
use crate::kubernetes::Object;

const LEASES: &str = "kube-node-lease";

impl Cluster {
    /// A kubelet renews its node's Lease every ten seconds; here only when its node is not Ready, and is heard: nobody looks at
    /// one of a node that is.
    pub(super) fn renew_lease(&self, node: &str) {
        let renewed =
            json!({"renewTime": self.api.now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()});
        let leases = self.api.objects("leases.coordination.k8s.io");
        let is_own = |lease: &&Object| {
            text(lease, "/metadata/namespace") == LEASES && text(lease, "/metadata/name") == node
        };
        match leases.iter().find(is_own) {
            Some(lease) => {
                self.api
                    .change("leases.coordination.k8s.io", lease, false, |lease| {
                        lease["spec"]["renewTime"] = renewed["renewTime"].clone();
                    });
            }
            None => {
                let lease = json!({"metadata": {"name": node}, "spec": renewed});
                self.api
                    .make("leases.coordination.k8s.io", Some(LEASES), lease);
            }
        }
    }

    /// The pods of a node that is out of service, and not heard, are ended without its kubelet.
    pub(super) fn end_out_of_service(&self) {
        for node in self.api.objects("nodes") {
            if !is_out_of_service(&node) {
                continue;
            }
            for pod in self.api.objects("pods") {
                if pod["spec"]["nodeName"] == node["metadata"]["name"] {
                    self.api.end(&pod);
                }
            }
        }
    }
}

pub(super) fn is_out_of_service(node: &Object) -> bool {
    let mut taints = node["spec"]["taints"].as_array().into_iter().flatten();
    condition(node, "Ready") != Some("True")
        && taints.any(|taint| taint["key"] == "node.kubernetes.io/out-of-service")
}
