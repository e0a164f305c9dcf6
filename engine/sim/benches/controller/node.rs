//! Nodes, made up as they are asked for: each as large as a real one.

use bytes::Bytes;
use serde_json::{Value, json};

/// A Node as a kubelet and its cluster write it.
pub(crate) fn node(n: usize, sick: bool) -> Value {
    let name = format!("worker-{n:05}.cluster.example");
    let mut labels = json!({
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64", "pool": format!("pool-{}", n % 20),
        "topology.kubernetes.io/zone": format!("az-{}", n % 3), "topology.kubernetes.io/region": "RegionOne",
        "node.kubernetes.io/instance-type": "m1.large", "topology.cinder.csi.openstack.org/zone": format!("az-{}", n % 3),
    });
    for more in 0..5 {
        labels[format!("feature.node.kubernetes.io/cpu-cpuid.F{more}")] = "true".into();
    }
    let condition = |kind: &str, bad: bool, reason: &str| {
        json!({
            "type": kind, "status": if bad { "True" } else { "False" }, "reason": reason,
            "message": format!("{reason}: as the kubelet or the detector words it, which is a line of its own"),
            "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let mut conditions = vec![condition(
        "KernelDeadlock",
        sick,
        if sick {
            "DockerHung"
        } else {
            "KernelHasNoDeadlock"
        },
    )];
    for kind in [
        "MemoryPressure",
        "DiskPressure",
        "PIDPressure",
        "ReadonlyFilesystem",
        "KubeletUnhealthy",
        "ContainerRuntimeUnhealthy",
        "FrequentKubeletRestart",
        "FrequentContainerdRestart",
        "FrequentUnregisterNetDevice",
        "NTPProblem",
        "NetworkUnavailable",
    ] {
        conditions.push(condition(kind, false, &format!("No{kind}")));
    }
    let mut ready = condition("Ready", true, "KubeletReady");
    ready["message"] = "kubelet is posting ready status".into();
    conditions.push(ready);
    let images: Vec<Value> = (0..40)
        .map(|image| {
            json!({"names": [
                format!("registry.example/team/image-{image}@sha256:{:064x}", image * 7919 + n % 7),
                format!("registry.example/team/image-{image}:v1.{image}.0"),
            ], "sizeBytes": 10_000_000 + image})
        })
        .collect();
    let field = |name: &str| {
        (
            format!("f:{name}"),
            json!({".": {}, "f:reason": {}, "f:message": {}, "f:status": {}}),
        )
    };
    let fields: serde_json::Map<String, Value> =
        (0..20).map(|n| field(&format!("field-{n}"))).collect();
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "uid": format!("{n:08x}-0000-4000-8000-000000000000"), "resourceVersion": "1", "labels": labels,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {
                "csi.volume.kubernetes.io/nodeid": format!("{{\"cinder.csi.openstack.org\":\"{n:08x}-0000-4000-8000-000000000001\"}}"),
                "node.alpha.kubernetes.io/ttl": "0", "volumes.kubernetes.io/controller-managed-attach-detach": "true",
                "projectcalico.org/IPv4Address": format!("10.{}.{}.1/24", n / 256, n % 256),
            },
            "managedFields": [
                {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": fields}},
                {"manager": "node-problem-detector", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": fields}},
            ],
        },
        "spec": {"providerID": format!("openstack:///{n:08x}-0000-4000-8000-000000000001"), "podCIDR": format!("10.{}.{}.0/24", n / 256, n % 256)},
        "status": {
            "addresses": [{"type": "InternalIP", "address": format!("10.0.{}.{}", n / 256, n % 256)}, {"type": "Hostname", "address": name}],
            "allocatable": {"cpu": "7910m", "memory": "15Gi", "pods": "110", "ephemeral-storage": "95Gi"},
            "capacity": {"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"},
            "conditions": conditions, "images": images,
            "nodeInfo": {
                "bootID": format!("{n:08x}-0000-4000-8000-000000000002"), "machineID": format!("{n:032x}"), "systemUUID": format!("{n:032x}"),
                "kernelVersion": "6.1.0-30-amd64", "osImage": "Debian GNU/Linux 12", "containerRuntimeVersion": "containerd://2.1.0",
                "kubeletVersion": "v1.34.0", "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64",
            },
        },
    })
}

/// A line of a watch.
pub(crate) fn event(n: usize, sick: bool, version: usize) -> Bytes {
    let mut object = node(n, sick);
    object["metadata"]["resourceVersion"] = (version + 2).to_string().into();
    format!("{}\n", json!({"type": "MODIFIED", "object": object})).into()
}
