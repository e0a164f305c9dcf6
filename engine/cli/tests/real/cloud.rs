//! `rectifier cloud` beside a real API server and real OpenStack services: what it shows is what there is, and of each kind of
//! leak that it names one is planted, and found.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use rectifier_api::{NodeRepair, RepairPool};
use rectifier_bed::Bed;
use rectifier_bed::kubernetes::{Kubernetes, Options};
use rectifier_bed::openstack::{self as bed, Fault, NewServer, Server};
use rectifier_cloud::openstack::{OpenStack, OpenStackConfig};
use rectifier_cloud::{Cloud, PortSpec, PortTemplate};
use rectifier_core::repair::naming::Parts;
use rectifier_provision::Stderr;
use serde_json::{Value, json};

use super::world::Desk;
use super::world::said::Said;

const POOL: &str = "
apiVersion: rectifier.dev/v1alpha1
kind: RepairPool
metadata: {name: web}
spec:
  nodeSelector: {matchLabels: {pool: web}}
  provisioning:
    apiServer: https://10.0.0.1:6443
    copyLabels: [pool]
    zones: [az-9]
    userData: 'join {{ token }} as {{ node }} with {{ labels }} {{ taints }}'
";

/// What repairs of it are called.
const CLUSTER: &str = "prod";
const UID: &str = "6f1c2a3b-0000-4000-8000-000000000000";

struct Stage {
    kubernetes: Kubernetes,
    stack: bed::OpenStack,
    desk: Desk,
}

impl Stage {
    async fn new(bed: &Bed) -> Result<Self> {
        let kubernetes = Kubernetes::start(bed, Options::default()).await?;
        let stack =
            bed::OpenStack::start(bed, &bed::Options::default(), &mut Stderr::default()).await?;
        let crds = bed.cache().checkout().join("deploy/crds");
        kubernetes.apply_path(&crds).await?;
        kubernetes.apply(POOL).await?;
        let desk = Desk::new()?;
        let operator = kubernetes.certificate_for("operator", &["system:masters"])?;
        desk.put("kubeconfig", &kubernetes.kubeconfig_text(&operator))?;
        Ok(Self {
            kubernetes,
            stack,
            desk,
        })
    }

    fn cloud(&self, words: &[&str]) -> Result<Said> {
        let clouds = format!("--clouds={}", self.stack.clouds_yaml().display());
        let usual = ["--kubeconfig=kubeconfig", "--cloud=demo", &clouds];
        let words: Vec<&str> = ["cloud"]
            .iter()
            .chain(words)
            .chain(&usual)
            .copied()
            .collect();
        self.desk.call(&words)
    }

    fn audit(&self) -> Result<Said> {
        self.cloud(&["audit", "--cluster=prod", "--output=json"])
    }

    async fn server(&self, name: &str, marks: &[(&str, &str)], tag: &str) -> Result<Server> {
        let mut metadata: BTreeMap<String, String> = [("owner", "team")]
            .iter()
            .chain(marks)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        metadata.retain(|_, value| !value.is_empty());
        let wanted = NewServer {
            name: name.to_owned(),
            flavor: "m1.small".to_owned(),
            metadata,
            tags: vec![tag.to_owned()],
            ..NewServer::default()
        };
        self.stack.demo.create_server(&wanted).await
    }

    async fn node(&self, name: &str, server: &str, address: &str) -> Result<()> {
        self.kubernetes
            .add_kwok_node(name, &[("pool", "web")])
            .await?;
        let nodes: Api<Node> = Api::all(self.kubernetes.admin());
        let how = PatchParams::default();
        let spec = json!({"spec": {"providerID": format!("openstack:///{server}")}});
        nodes.patch(name, &how, &Patch::Merge(spec)).await?;
        self.address(name, address).await
    }

    async fn address(&self, name: &str, address: &str) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.kubernetes.admin());
        let addresses = json!([{"type": "InternalIP", "address": address}]);
        // KWOK writes the same list, until it has its own; ours is the last word
        let patch = json!({"status": {"addresses": addresses}});
        let how = PatchParams::default();
        nodes.patch_status(name, &how, &Patch::Merge(patch)).await?;
        Ok(())
    }

    async fn address_of(&self, server: &Server) -> Result<String> {
        let ports = self.stack.records.ports().await?;
        let port = ports.into_iter().find(|port| port.device_id == server.id);
        let port = port.context("it has no port")?;
        let address = port.fixed_ips.first().context("it has no address")?;
        Ok(address.ip_address.clone())
    }
}

#[tokio::test]
async fn what_would_be_made_is_shown_and_every_leak_is_found() -> Result<()> {
    let bed = Bed::new("audit")?;
    let stage = Stage::new(&bed).await?;
    let sick = stage.server("worker-1", &[], "theirs").await?;
    let address = stage.address_of(&sick).await?;
    stage.node("worker-1", &sick.id, &address).await?;
    stage.audit()?.ended(0)?;
    stage
        .cloud(&["audit", "--cluster=prod"])?
        .ended(0)?
        .shows(&["well:"])?;

    shown(&stage, &sick, &address).await?;
    found(&stage, &sick, &address).await?;
    stage.stack.stop().await;
    Ok(())
}

async fn shown(stage: &Stage, sick: &Server, address: &str) -> Result<()> {
    let table = stage
        .cloud(&["show", "worker-1", "--cluster=prod"])?
        .ended(0)?;
    table.shows(&[
        &format!("worker-1 is server {}, in pool web", sick.id),
        "- name: worker-1\n",
        "+ name: worker-1-rXXXXXX\n",
        "  metadata owner: team\n",
        "+ metadata rectifier.cluster: prod\n",
        "  tag: theirs\n",
        "  interface 0 network:",
        "if no host there can take it: in az-9",
    ])?;
    let answer = stage
        .cloud(&["show", "worker-1", "--output=json"])?
        .ended(0)?
        .json()?;
    ensure!(
        answer["is"]["flavor"] == answer["wouldBe"]["flavor"],
        "{answer}"
    );
    ensure!(
        answer["is"]["interfaces"] == answer["wouldBe"]["interfaces"],
        "{answer}"
    );
    ensure!(
        answer["wouldBe"]["metadata"]["rectifier.state"] == "provisional",
        "{answer}"
    );
    stage
        .cloud(&["show", "worker-1", "--user-data"])?
        .ended(0)?
        .shows(&[
            "join BOOTSTRAP-TOKEN as worker-1-r",
            "with pool=web rectifier.dev/provisional=:NoSchedule",
        ])?;

    // Whatever makes the engine refuse is told, and is no.
    stage.address("worker-1", "192.0.2.1").await?;
    let why = format!("its address is 192.0.2.1, its server's {address}");
    stage
        .cloud(&["show", "worker-1"])?
        .ended(1)?
        .shows(&["not replaced:", &why])?;
    stage.address("worker-1", address).await?;
    let gone = "00000000-0000-4000-8000-000000000000";
    let image = format!("spec: {{provisioning: {{image: {gone}}}}}");
    stage.pool(&image).await?;
    stage.cloud(&["show", "worker-1"])?.ended(1)?.shows(&[
        &format!("refused: its image {gone} is gone"),
        &format!("+ image: {gone}"),
    ])?;
    stage.pool("spec: {provisioning: {image: null}}").await?;
    stage
        .cloud(&["show", "nobody"])?
        .ended(1)?
        .shows(&["there is no node nobody"])?;
    stage
        .cloud(&["show", "worker-1", "--region=moon"])?
        .ended(3)?
        .complains(&["cloud cannot be asked"])?;
    Ok(())
}

impl Stage {
    /// The UID of a repair of a node that is gone.
    async fn repair(&self, node: &str) -> Result<String> {
        let repairs: Api<NodeRepair> = Api::all(self.kubernetes.admin());
        let repair = serde_json::from_value(json!({
            "metadata": {"name": format!("{node}.repair")},
            "spec": {
                "nodeName": node, "nodeUid": "gone",
                "problem": {"kind": "KernelDeadlock", "since": "2026-01-01T00:00:00Z"},
            },
        }))?;
        let made = repairs.create(&PostParams::default(), &repair).await?;
        made.metadata.uid.context("it has no UID")
    }

    async fn pool(&self, patch: &str) -> Result<()> {
        let pools: Api<RepairPool> = Api::all(self.kubernetes.admin());
        let patch: Value = serde_saphyr::from_str(patch)?;
        pools
            .patch("web", &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }
}

async fn found(stage: &Stage, sick: &Server, address: &str) -> Result<()> {
    let ours = |state| {
        [
            ("rectifier.cluster", CLUSTER),
            ("rectifier.repair", UID),
            ("rectifier.state", state),
        ]
    };
    let tag = |number| format!("rectifier-{UID}-{number}");
    let leaked = stage
        .server("leaked", &ours("provisional"), &tag(1))
        .await?;
    let adopted = stage.server("adopted", &ours("adopted"), &tag(2)).await?;
    let unmarked = stage.server("unmarked", &[], &tag(3)).await?;
    let mut twins = Vec::new();
    for name in ["twin-1", "twin-2"] {
        let twin = stage.server(name, &ours("adopted"), &tag(4)).await?;
        stage
            .node(name, &twin.id, &stage.address_of(&twin).await?)
            .await?;
        twins.push(twin.id);
    }
    // Another cluster's, and a stranger's, are none of our business.
    let theirs = [
        ("rectifier.cluster", "other"),
        ("rectifier.state", "provisional"),
    ];
    stage.server("theirs", &theirs, "rectifier-x").await?;
    stage
        .node("ghost", "00000000-0000-4000-8000-000000000001", "192.0.2.7")
        .await?;
    stage.node("again", &sick.id, address).await?;
    let cloud = OpenStack::new(OpenStackConfig {
        clouds: stage.stack.clouds_yaml(),
        cloud: Some("demo".to_owned()),
        region: None,
    })?;
    let spec = PortSpec {
        name: format!("{}-0", tag(5)),
        description: format!("rectifier cluster {CLUSTER}"),
        template: PortTemplate {
            network: stage.stack.records.network().await?,
            ..PortTemplate::default()
        },
    };
    let port = cloud.create_port(&spec).await?;
    // Its host goes, and then it: Nova forgets it, and the machine may run on.
    let repair = stage.repair("worker-9").await?;
    let Parts { base, id } = Parts::of("worker-9", &repair, 1);
    let orphan = stage.server(&format!("{base}-{id}"), &[], "any").await?;
    let host = orphan.host.clone().context("it has no host")?;
    stage.stack.fault(Fault::HostStopped(host)).await?;
    stage.stack.demo.delete_server(&orphan.id).await?;
    stage.stack.records.await_gone(&orphan.id).await?;

    let answer = stage.audit()?.ended(1)?.json()?;
    let findings = answer["findings"].as_array().context("findings")?;
    let mut found: Vec<(String, String)> = findings
        .iter()
        .filter_map(|one| {
            Some((
                one["kind"].as_str()?.to_owned(),
                one["id"].as_str()?.to_owned(),
            ))
        })
        .collect();
    let mut planted: Vec<(String, String)> = [
        ("leaked-server", leaked.id.as_str()),
        ("adopted-without-node", &adopted.id),
        ("tag-without-marks", &unmarked.id),
        ("twin-servers", &twins[0]),
        ("twin-servers", &twins[1]),
        ("leaked-port", port.id.as_str()),
        (
            "node-without-server",
            "00000000-0000-4000-8000-000000000001",
        ),
        ("shared-server", &sick.id),
        ("may-still-run", &orphan.id),
    ]
    .map(|(kind, id)| (kind.to_owned(), id.to_owned()))
    .into();
    found.sort();
    planted.sort();
    assert_eq!(found, planted);
    // A Node that shares its server is not replaced, either.
    stage
        .cloud(&["show", "worker-1"])?
        .ended(1)?
        .shows(&["node again says that it is the same server"])?;
    let table = stage.cloud(&["audit", "--cluster=prod"])?.ended(1)?;
    table.shows(&[
        "WHO DELETES IT",
        "the controller, when it is two hours old",
        "nobody by itself",
        "9 findings",
    ])?;
    Ok(())
}
