//! A dump of three nodes in three zones, and a folder of policies beside it.

#[path = "../said/mod.rs"]
pub(crate) mod said;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use rectifier_provision::{Cache, Stderr};
use said::{Said, said};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The policy that ships, asked about a condition that every node has.
const SIDECAR: &str = "\
handles: [{conditions: [KernelDeadlock, ProxyUnhealthy], sites: [node, control-plane]}]
settings:
  rules:
  - {condition: KernelDeadlock, unit: kubelet.service, attempts: 1, reboot: true, settleSeconds: 60}
  - {condition: ProxyUnhealthy, unit: proxy.service, attempts: 1, reboot: false, settleSeconds: 60}
";
const NODE_CONFIG: &str = "systemd: {units: [kubelet.service, proxy.service]}\n";

/// Where the program is called.
pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Result<Self> {
        let cache = Cache::from_env()?;
        let policy = cache.policy_component("restart-then-replace", &mut Stderr::default())?;
        let desk = Self {
            folder: tempfile::tempdir()?,
        };
        std::fs::create_dir(desk.path("policies"))?;
        std::fs::copy(policy, desk.path("policies/restart-then-replace.wasm"))?;
        desk.put("policies/restart-then-replace.yaml", SIDECAR)?;
        desk.put("node.yaml", NODE_CONFIG)?;
        Ok(desk)
    }

    /// And with that dump.
    pub(crate) fn with(dump: &Value) -> Result<Self> {
        let desk = Self::new()?;
        desk.put("cluster.json", &dump.to_string())?;
        Ok(desk)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.path(name), text)?)
    }

    pub(crate) fn call(&self, words: &[&str]) -> Result<Said> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rectifier"));
        command
            .current_dir(self.folder.path())
            .env("RECTIFIER_POLICY_CACHE", self.path("cache"));
        said(command.args(words))
    }

    /// `rectifier simulate` of the dump, with these words besides.
    pub(crate) fn simulate(&self, words: &[&str]) -> Result<Said> {
        let usual = [
            "simulate",
            "--from=cluster.json",
            "--policies=policies",
            "--node-config=node.yaml",
            "--hourly-replacements=1000",
        ];
        self.call(&[&usual[..], words].concat())
    }
}

/// Three nodes, a pod on each, at most one of them away; a pool that acts, however many are sick.
pub(crate) fn dump() -> Value {
    let nodes = (1..=3).map(|n| {
        json!({
            "metadata": {
                "name": format!("worker-{n}"), "uid": format!("node-{n}"),
                "labels": {"pool": "web", "topology.kubernetes.io/zone": format!("az-{n}")},
            },
            "spec": {"providerID": format!("openstack:///server-{n}")},
            "status": {
                "nodeInfo": {"bootID": format!("boot-{n}")},
                "conditions": [condition("Ready", "True"), condition("KernelDeadlock", "False")],
            },
        })
    });
    let pods = (1..=3).map(|n| {
        json!({
            "metadata": {
                "name": format!("web-{n}"), "namespace": "shop", "uid": format!("pod-{n}"), "labels": {"app": "web"},
                "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "set", "controller": true},
                ],
            },
            "spec": {"nodeName": format!("worker-{n}"), "terminationGracePeriodSeconds": 30},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        })
    });
    json!({
        "apiVersion": "rectifier.dev/dump/v1", "kind": "Dump",
        "takenAt": "2026-03-01T10:00:00Z", "serverVersion": "v1.33.1", "notInstalled": [],
        "nodes": nodes.collect::<Vec<_>>(), "pods": pods.collect::<Vec<_>>(),
        "podDisruptionBudgets": [{
            "metadata": {"name": "web", "namespace": "shop", "uid": "budget"},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        }],
        "replicaSets": [],
        "statefulSets": [{"metadata": {"name": "web", "namespace": "shop", "uid": "set"}, "spec": {"replicas": 3}}],
        "repairPools": [{
            "metadata": {"name": "web", "uid": "pool"},
            "spec": {
                "nodeSelector": {"matchLabels": {"pool": "web"}}, "mode": "Auto",
                "provisioning": {
                    "userData": "{{ token }} {{ labels }} {{ taints }}", "apiServer": "https://10.0.0.1:6443",
                    "copyLabels": ["pool"],
                },
                "breaker": {"sickPercent": 0, "zoneSickPercent": 0, "togetherPercent": 0},
                "pacing": {"every": 0},
            },
        }],
        "nodeRepairs": [],
    })
}

pub(crate) fn condition(kind: &str, status: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": "Seen", "message": "in the dump",
        "lastTransitionTime": "2026-03-01T09:00:00Z",
    })
}
