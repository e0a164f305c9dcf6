//! Deploys what ships (`deploy/`), with the scenarios' own configuration, and makes the first nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, Patch, PatchParams};
use minijinja::{Environment, context};
use rectifier_bed::Bed;
use rectifier_bed::kubernetes::Kubernetes;
use rectifier_bed::openstack::{NewServer, OpenStack};
use rectifier_core::switches::Step;
use serde_json::json;

use super::policies::Policies;
use super::{OTHERS, POOL, SICK, WITHOUT};

const AGENTS: &str = "rectifier-agents";
const USER_DATA: &str = include_str!("../../fixtures/user-data.yaml");
/// The key pair of the sick node to be.
const KEY: &str = "operator";

/// Applies the manifests as they ship, and the configuration that an operator would write.
pub(super) async fn manifests(
    bed: &Bed,
    kubernetes: &Kubernetes,
    policies: &Policies,
    without: Option<Step>,
) -> Result<()> {
    kubernetes.apply_rights(bed).await?;
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
    let deploy = bed.cache().checkout().join("deploy");
    for file in daemons {
        kubernetes.apply_path(&deploy.join(file)).await?;
    }
    on_machines(kubernetes, without).await?;
    let pool = json!({
        "apiVersion": "rectifier.dev/v1alpha1", "kind": "RepairPool", "metadata": {"name": "web"},
        "spec": {
            "nodeSelector": {"matchLabels": {"pool": "web"}},
            "mode": "Auto",
            "provisioning": {"userData": USER_DATA, "apiServer": kubernetes.url(), "copyLabels": ["pool"]},
            "timing": POOL,
            // three nodes, of which more than one is ill in some stories, and no time to lose
            "breaker": {"sickPercent": 0, "zoneSickPercent": 0, "togetherPercent": 0, "steady": 0},
            "pacing": {"every": 0},
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
    openstack.demo.create_key_pair(KEY).await?;
    sick_node(kubernetes, openstack).await?;
    for name in OTHERS {
        let user_data = user_data(kubernetes, name, "pool=other").await?;
        let server = NewServer {
            name: name.to_owned(),
            flavor: "m1.small".to_owned(),
            user_data,
            ..NewServer::default()
        };
        create(openstack, &server).await?;
    }
    Ok(())
}

/// Makes the server that is the sick node to be: with a key, metadata and a tag, so that it can be seen whether a
/// replacement has them, too.
pub(super) async fn sick_node(kubernetes: &Kubernetes, openstack: &OpenStack) -> Result<()> {
    let server = NewServer {
        name: SICK.to_owned(),
        flavor: "m1.large".to_owned(),
        user_data: user_data(kubernetes, SICK, "pool=web").await?,
        metadata: BTreeMap::from([("owner".to_owned(), "web team".to_owned())]),
        tags: vec!["production".to_owned()],
        key_name: Some(KEY.to_owned()),
        group: None,
    };
    create(openstack, &server).await
}

async fn create(openstack: &OpenStack, server: &NewServer) -> Result<()> {
    let made = openstack.demo.create_server(server).await;
    made.with_context(|| format!("the server {}", server.name))?;
    Ok(())
}

async fn user_data(kubernetes: &Kubernetes, name: &str, labels: &str) -> Result<String> {
    let token = kubernetes
        .bootstrap_token(Duration::from_secs(3600))
        .await?;
    let ca = serde_json::to_value(ByteString(kubernetes.ca().into_bytes()))?;
    let values = context! {
        node => name,
        token => token,
        server => kubernetes.url(),
        ca => ca.as_str(),
        labels => labels,
    };
    Ok(Environment::new().render_str(USER_DATA, values)?)
}

/// Where the node engines run: on every node, or on none.
///
/// # Errors
/// If the API server refuses.
pub(crate) async fn node_engines(kubernetes: &Kubernetes, everywhere: bool) -> Result<()> {
    let daemons: Api<DaemonSet> = Api::namespaced(kubernetes.admin(), AGENTS);
    // `null` takes the key away
    let no = if everywhere { None } else { Some("where") };
    let patch = json!({"spec": {"template": {"spec": {"nodeSelector": {"no": no}}}}});
    let patch = Patch::Strategic(patch);
    daemons
        .patch("rectifier-node", &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

pub(super) fn named(name: &str) -> ConfigMap {
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

pub(super) async fn config_map(kubernetes: &Kubernetes, map: ConfigMap) -> Result<()> {
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
