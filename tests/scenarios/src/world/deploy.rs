//! Deploys what ships (`deploy/`), with the scenarios' own configuration, and makes the first nodes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, Patch, PatchParams};
use minijinja::{Environment, context};
use rectifier_bed::Bed;
use rectifier_bed::kubernetes::Kubernetes;
use rectifier_bed::openstack::OpenStack;
use rectifier_core::switches::Step;
use serde_json::json;

use super::{SICK, WITHOUT, server};

const AGENTS: &str = "rectifier-agents";
const USER_DATA: &str = include_str!("../../fixtures/user-data.yaml");
const POLICY: &str = "restart-then-replace";

/// The policies' folder: the controller reads it, the node engines get it as a ConfigMap.
pub struct Policies {
    folder: PathBuf,
}

impl Policies {
    pub(super) fn new(folder: PathBuf, component: &Path) -> Result<Self> {
        let policies = Self { folder };
        policies.write(
            &std::fs::read(component)?,
            include_str!("../../fixtures/policy.yaml"),
        )?;
        Ok(policies)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn write(&self, component: &[u8], sidecar: &str) -> Result<()> {
        // as an editor or a ConfigMap does: beside it, and then renamed over it
        for (name, content) in [
            (format!("{POLICY}.wasm"), component),
            (format!("{POLICY}.yaml"), sidecar.as_bytes()),
        ] {
            let new = self.folder.join(format!(".{name}"));
            std::fs::write(&new, content)?;
            std::fs::rename(new, self.folder.join(name))?;
        }
        Ok(())
    }

    /// Replaces the policy's file and its sidecar, for both engines. The new file has a digest of its own.
    ///
    /// # Errors
    /// If they cannot be written.
    pub async fn replace(&self, kubernetes: &Kubernetes, sidecar: &str) -> Result<()> {
        let mut component = std::fs::read(self.folder.join(format!("{POLICY}.wasm")))?;
        // a custom section (id 0) that nobody reads: another file, the same code
        let stamp = Timestamp::now().to_string();
        let name = b"\x05stamp";
        component.push(0);
        component.push(u8::try_from(name.len() + stamp.len()).context("a short section")?);
        component.extend_from_slice(name);
        component.extend_from_slice(stamp.as_bytes());
        self.write(&component, sidecar)?;
        self.publish(kubernetes).await
    }

    async fn publish(&self, kubernetes: &Kubernetes) -> Result<()> {
        let read = |suffix: &str| std::fs::read(self.folder.join(format!("{POLICY}.{suffix}")));
        let map = ConfigMap {
            binary_data: Some(BTreeMap::from([(
                format!("{POLICY}.wasm"),
                ByteString(read("wasm")?),
            )])),
            data: Some(BTreeMap::from([(
                format!("{POLICY}.yaml"),
                String::from_utf8(read("yaml")?)?,
            )])),
            ..named("rectifier-policies")
        };
        config_map(kubernetes, map).await
    }
}

/// Applies the manifests as they ship, and the configuration that an operator would write.
pub(super) async fn manifests(
    bed: &Bed,
    kubernetes: &Kubernetes,
    policies: &Policies,
    without: Option<Step>,
) -> Result<()> {
    let deploy = bed.cache().checkout().join("deploy");
    kubernetes.apply_path(&deploy.join("crds")).await?;
    for file in ["namespaces.yaml", "rbac.yaml", "admission.yaml"] {
        kubernetes
            .apply_path(&deploy.join(file))
            .await
            .context(file)?;
    }
    policies.publish(kubernetes).await?;
    let npd = [
        ("units.json", include_str!("../../fixtures/units.json")),
        (
            "check-unit.sh",
            include_str!("../../../../deploy/example/check-unit.sh"),
        ),
    ];
    config_map(kubernetes, texts("node-problem-detector-config", &npd)).await?;
    config_map(
        kubernetes,
        texts(
            "rectifier-node-config",
            &[("node.yaml", include_str!("../../fixtures/node.yaml"))],
        ),
    )
    .await?;
    // without step 1 nobody looks for problems
    let daemons: &[&str] = match without {
        Some(Step::Detect) => &["node.yaml", "controller.yaml"],
        Some(_) | None => &["node-problem-detector.yaml", "node.yaml", "controller.yaml"],
    };
    for file in daemons {
        kubernetes
            .apply_path(&deploy.join(file))
            .await
            .context(*file)?;
    }
    on_machines(kubernetes, without).await?;
    let pool = json!({
        "apiVersion": "rectifier.dev/v1alpha1", "kind": "RepairPool", "metadata": {"name": "web"},
        "spec": {
            "nodeSelector": {"matchLabels": {"pool": "web"}},
            "mode": "Auto",
            "provisioning": {"userData": USER_DATA, "apiServer": kubernetes.url(), "copyLabels": ["pool"]},
            "timing": {"agentGrace": 25, "grant": 30, "reboot": 90, "settle": 5, "ready": 3, "join": 120, "createSettle": 10},
        },
    });
    kubernetes.apply(&pool.to_string()).await?;
    kubernetes
        .apply(include_str!("../../fixtures/web.yaml"))
        .await
}

/// What differs from the manifest that ships: a machine of the bed is itself a container, so its boot id is mounted; and a
/// test build is told which step it must not carry out.
async fn on_machines(kubernetes: &Kubernetes, without: Option<Step>) -> Result<()> {
    let daemons: Api<DaemonSet> = Api::namespaced(kubernetes.admin(), AGENTS);
    let env: Vec<_> = without
        .iter()
        .map(|step| json!({"name": WITHOUT, "value": step.label()}))
        .collect();
    let mount =
        json!([{"name": "boot-id", "mountPath": "/run/rectifier/boot_id", "readOnly": true}]);
    let volume =
        json!([{"name": "boot-id", "hostPath": {"path": "/run/machine/boot_id", "type": "File"}}]);
    let spec = json!({"containers": [{"name": "node", "env": env, "volumeMounts": mount}], "volumes": volume});
    let patch = json!({"spec": {"template": {"spec": spec}}});
    daemons
        .patch(
            "rectifier-node",
            &PatchParams::default(),
            &Patch::Strategic(patch),
        )
        .await?;
    Ok(())
}

/// The sick node to be is a machine, the two others are KWOK's; all are servers. A node of the control plane bears the
/// controller's pod.
pub(super) async fn servers(kubernetes: &Kubernetes, openstack: &OpenStack) -> Result<()> {
    kubernetes
        .add_kwok_node(
            "control-plane-1",
            &[("node-role.kubernetes.io/control-plane", "")],
        )
        .await?;
    for (name, flavor, labels) in [
        (SICK, "m1.large", "pool=web"),
        ("other-1", "m1.small", "pool=other"),
        ("other-2", "m1.small", "pool=other"),
    ] {
        let token = kubernetes
            .bootstrap_token(Duration::from_secs(3600))
            .await?;
        let user_data = Environment::new().render_str(
            USER_DATA,
            context! {
                node => name,
                token => token,
                server => kubernetes.url(),
                ca => serde_json::to_value(ByteString(kubernetes.ca().into_bytes()))?.as_str(),
                labels => labels,
            },
        )?;
        openstack
            .demo
            .create_server(&server(name, flavor, user_data))
            .await
            .with_context(|| format!("the server {name}"))?;
    }
    Ok(())
}

fn named(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}

fn texts(name: &str, files: &[(&str, &str)]) -> ConfigMap {
    let data = files
        .iter()
        .map(|(name, content)| ((*name).to_owned(), (*content).to_owned()));
    ConfigMap {
        data: Some(data.collect()),
        ..named(name)
    }
}

async fn config_map(kubernetes: &Kubernetes, map: ConfigMap) -> Result<()> {
    let maps: Api<ConfigMap> = Api::namespaced(kubernetes.admin(), AGENTS);
    let name = map.metadata.name.clone().unwrap_or_default();
    maps.patch(
        &name,
        &PatchParams::apply("operator").force(),
        &Patch::Apply(&map),
    )
    .await
    .with_context(|| format!("the ConfigMap {name}"))?;
    Ok(())
}
