//! What a test does before the first server: it says where the hook is, what machines are made of,
//! and lets the hypervisor into the cluster.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rectifier_provision::{build_programs, programs};
use serde::{Deserialize, Serialize};

use super::KUBECONFIG;
use crate::Bed;
use crate::kubernetes::Kubernetes;

/// What the machines of a bed are made of; without it there are no servers of flavor `m1.large`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stock {
    /// The Debian tree.
    pub root: PathBuf,
    /// The folder of containerd, kubelet and so on.
    pub programs: PathBuf,
    /// The image archives that each machine imports at its first boot.
    pub images: Vec<PathBuf>,
}

impl Stock {
    const FILE: &str = "hypervisor.json";

    /// Leaves it where the hook finds it.
    ///
    /// # Errors
    /// If the bed's folder cannot be written.
    pub fn write(&self, bed: &Bed) -> Result<()> {
        let file = bed.dir().join(Self::FILE);
        std::fs::write(&file, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("writing {}", file.display()))
    }

    pub(super) fn read(bed: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(bed.join(Self::FILE));
        let text = text.context("nobody said what machines are made of (hypervisor::Stock)")?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// The hypervisor's only access to the cluster: whose lights it can put out, it need not see.
const ROLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: bed:hypervisor}
rules:
- {apiGroups: [''], resources: [nodes], verbs: [patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bed:hypervisor}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bed:hypervisor}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: bed:hypervisor}]
";

/// Lets the hypervisor stop and start the heartbeats of KWOK nodes in that cluster. Without it,
/// servers of flavor `m1.small` join, and then their events fail.
///
/// # Errors
/// If the cluster refuses the role, or the bed's folder cannot be written.
pub async fn connect(bed: &Bed, kubernetes: &Kubernetes) -> Result<()> {
    kubernetes.apply(ROLE).await?;
    let credential = kubernetes.certificate_for("bed:hypervisor", &[])?;
    let file = bed.dir().join(KUBECONFIG);
    std::fs::write(&file, kubernetes.kubeconfig_text(&credential))
        .with_context(|| format!("writing {}", file.display()))
}

/// The program that [`Options::hook`](crate::openstack::Options) wants, built from the checkout and
/// copied into the bed: a build that comes later does not touch it.
///
/// # Errors
/// If it does not compile.
pub fn hook(bed: &Bed) -> Result<PathBuf> {
    let built = build_programs(bed.cache())
        .arg("--quiet")
        .status()
        .context("cargo")?;
    ensure!(built.success(), "the hypervisor's hook does not compile");
    let (program, hook) = (programs(bed.cache()).join(PROGRAM), bed.dir().join(PROGRAM));
    std::fs::copy(&program, &hook).with_context(|| format!("copying {}", program.display()))?;
    Ok(hook)
}

const PROGRAM: &str = "hypervisor-hook";
