//! A database of one pod, whose volume is attached to one node.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use rectifier_sim::scene::Scene;
use serde_json::json;

/// As a person makes it.
pub(crate) fn wanted() -> serde_json::Result<StatefulSet> {
    serde_json::from_value(json!({
        "metadata": {"name": "db"},
        "spec": {
            "replicas": 1, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "none:1"}]},
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        },
    }))
}

/// The nodes to which its volume is attached.
pub(crate) fn holders(scene: &Scene) -> Vec<String> {
    const VOLUME: &str = "kubernetes.io/csi/cinder.csi.openstack.org^data-db-0";
    let nodes: Vec<Node> = scene.api.all("nodes");
    let holds = |node: &&Node| {
        let status = node.status.iter();
        let mut volumes = status.flat_map(|status| status.volumes_attached.iter().flatten());
        volumes.any(|volume| volume.name == VOLUME)
    };
    let holders = nodes.iter().filter(holds);
    holders.map(ResourceExt::name_any).collect()
}
