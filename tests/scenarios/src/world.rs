//! A cluster on an OpenStack, with Rectifier deployed: where scenarios happen.

mod deploy;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use rectifier_api::NodeRepair;
use rectifier_bed::hypervisor::{self, Stock};
use rectifier_bed::kubernetes::node::condition;
use rectifier_bed::kubernetes::{Kubernetes, Options as KubernetesOptions};
use rectifier_bed::machine::Machine;
use rectifier_bed::openstack::{OpenStack, Options as OpenStackOptions, Subnet};
use rectifier_bed::{Bed, openstack::NewServer};
use rectifier_core::switches::Step;
use rectifier_provision::{Features, Image, Report};

use crate::controller::Controller;
use crate::wait::{object, within};

/// The variable that names the step of the loop that is switched off.
pub const WITHOUT: &str = "RECTIFIER_WITHOUT";
/// The node that falls sick: a real machine.
pub const SICK: &str = "worker-1";
/// Everything that runs on the sick node is up within this.
const UP: Duration = Duration::from_secs(180);

/// The world of one scenario. Dropping it ends all of it.
pub struct World {
    // in the order of their end: who needs another goes first
    /// The control-plane engine.
    pub controller: tokio::sync::Mutex<Controller>,
    /// Nova and its neighbours.
    pub openstack: OpenStack,
    /// The API server and its neighbours.
    pub kubernetes: Kubernetes,
    /// The policies' folder, as both engines see it.
    pub policies: deploy::Policies,
    /// The folder of it all.
    pub bed: Bed,
}

impl World {
    /// Makes a world in which all is well: the sick node to be is Ready, NPD reports on it, both engines run.
    ///
    /// # Errors
    /// If a part does not come up.
    pub async fn start(name: &str, report: &mut (dyn Report + Send)) -> Result<Self> {
        let without = without();
        let bed = Bed::new(name)?;
        let cache = bed.cache().clone();
        let features = if without.is_some() {
            Features::TestSwitches
        } else {
            Features::Shipped
        };
        let engine = cache.engine(features, report)?;
        let stock = Stock {
            root: cache.node_root(report)?,
            programs: cache.go_programs(report)?,
            images: vec![
                cache.image(Image::Pause, report)?,
                cache.image(Image::NodeProblemDetector, report)?,
                cache.image(Image::Engine(features), report)?,
            ],
        };
        stock.write(&bed)?;
        let component = cache.policy_component("restart-then-replace", report)?;
        let policies = deploy::Policies::new(bed.part("policies")?, &component)?;

        report.step("starting etcd, kube-apiserver, controller manager, scheduler, KWOK");
        let kubernetes = Kubernetes::start(&bed, KubernetesOptions::with_machines()).await?;
        deploy::manifests(&bed, &kubernetes, &policies, without).await?;
        hypervisor::connect(&bed, &kubernetes).await?;
        let options = OpenStackOptions {
            hook: Some(hypervisor::hook(&bed)?),
            subnet: Subnet::of(bed.network()?),
            ..OpenStackOptions::default()
        };
        let openstack = OpenStack::start(&bed, &options, report).await?;
        report.step(&format!("booting {SICK}: systemd, containerd, kubelet, and on it Node Problem Detector and the node engine"));
        deploy::servers(&kubernetes, &openstack).await?;
        let controller = Controller::start(
            &bed,
            &kubernetes,
            &openstack,
            engine,
            policies.folder().to_owned(),
        )
        .await?;
        let world = Self {
            controller: tokio::sync::Mutex::new(controller),
            openstack,
            kubernetes,
            policies,
            bed,
        };
        within("the sick node to be up", UP, world.up(SICK, without)).await?;
        Ok(world)
    }

    /// Until the node is Ready, reports on its services, and runs its daemons.
    async fn up(&self, node: &str, without: Option<Step>) -> Result<()> {
        let reports = |node: &Node| {
            without == Some(Step::Detect) || condition(node, "ProxyUnhealthy") == Some("False")
        };
        self.kubernetes
            .node(node, |node| {
                condition(node, "Ready") == Some("True") && reports(node)
            })
            .await?;
        self.daemon(node, "rectifier-node").await?;
        Ok(())
    }

    /// The pod of the DaemonSet `name` on `node`, when it is Ready.
    ///
    /// # Errors
    /// If it cannot be asked for.
    pub async fn daemon(&self, node: &str, name: &str) -> Result<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.kubernetes.admin(), "rectifier-agents");
        let here = ListParams::default()
            .labels(&format!("app={name}"))
            .fields(&format!("spec.nodeName={node}"));
        loop {
            if let Some(pod) = pods.list(&here).await?.items.into_iter().next() {
                return object(pods, &pod.name_any(), ready).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The machine of that node.
    ///
    /// # Errors
    /// If there is none.
    pub fn machine(&self, node: &str) -> Result<Machine> {
        Machine::open(&self.bed.machine(node)).with_context(|| format!("the machine {node}"))
    }

    /// The repairs.
    #[must_use]
    pub fn repairs(&self) -> Api<NodeRepair> {
        Api::all(self.kubernetes.admin())
    }

    /// The archived repairs of a node, oldest first.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn archive(&self, node: &str) -> Result<Vec<NodeRepair>> {
        let mut all = self.repairs().list(&ListParams::default()).await?.items;
        all.retain(|repair| {
            repair.spec.node_name == node && repair.name_any() != format!("{node}.repair")
        });
        all.sort_by_key(ResourceExt::name_any);
        Ok(all)
    }

    /// Where the logs are, for whoever reads a failure.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.bed.dir().to_owned()
    }
}

/// The step that is switched off in this run.
///
/// # Panics
/// If there is no such step: a run that switches nothing off must not be taken for one that does.
#[must_use]
pub fn without() -> Option<Step> {
    let label = std::env::var(WITHOUT).ok()?;
    let step = Step::from_label(&label);
    assert!(step.is_some(), "{WITHOUT}={label}: there is no such step");
    step
}

pub(crate) fn ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// A server of the scenarios: `m1.large` is a machine, `m1.small` a KWOK node.
fn server(name: &str, flavor: &str, user_data: String) -> NewServer {
    NewServer {
        name: name.to_owned(),
        flavor: flavor.to_owned(),
        user_data,
        ..NewServer::default()
    }
}
