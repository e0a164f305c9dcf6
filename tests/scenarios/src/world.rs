//! A cluster on an OpenStack, with Rectifier deployed: where scenarios happen.

mod again;
pub(crate) mod deploy;
mod policies;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::Api;
use kube::runtime::watcher;
use rectifier_api::{NodeRepair, Timing};
use rectifier_bed::Bed;
use rectifier_bed::hypervisor::{self, Stock};
use rectifier_bed::kubernetes::node::condition;
use rectifier_bed::kubernetes::{Kubernetes, Options as KubernetesOptions};
use rectifier_bed::machine::Machine;
use rectifier_bed::openstack::{OpenStack, Options as OpenStackOptions, Subnet};
use rectifier_bed::process::Record as Process;
use rectifier_core::switches::Step;
use rectifier_provision::{Features, Image, Report};

use crate::controller::Controller;
use crate::wait::{until, within};

pub use policies::{Policies, Policy};

/// The variable that names the step of the loop that is switched off.
pub const WITHOUT: &str = "RECTIFIER_WITHOUT";
/// The node that falls sick: a real machine.
pub const SICK: &str = "worker-1";
/// The nodes beside it: KWOK's.
pub(crate) const OTHERS: [&str; 2] = ["other-1", "other-2"];
/// The pool's waits and deadlines, in seconds: short, so that a story is told in a minute.
pub(crate) const POOL: Timing = Timing {
    agent_grace: 25,
    unready: 60,
    grant: 30,
    reboot: 90,
    power: 60,
    settle: 5,
    ready: 3,
    join: 120,
    create_settle: 10,
    drain: 300,
    owners: 120,
    load_balancers: 2,
};
/// How long the node engine watches a remedy: `settleSeconds` of `fixtures/policy.yaml`.
pub(crate) const SETTLE: SignedDuration = SignedDuration::from_secs(4);
/// How long it watches that a problem stays away: `limits.quiet` of `fixtures/node.yaml`.
pub(crate) const QUIET: SignedDuration = SignedDuration::from_secs(4);
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
    pub policies: Policies,
    /// What a scenario did itself.
    done: Mutex<Vec<(Timestamp, String)>>,
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
        let policies = Policies::new(bed.part("policies")?, &component)?;

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
            done: Mutex::default(),
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
    /// If it cannot be watched.
    pub async fn daemon(&self, node: &str, name: &str) -> Result<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.kubernetes.admin(), "rectifier-agents");
        let here = watcher::Config::default()
            .labels(&format!("app={name}"))
            .fields(&format!("spec.nodeName={node}"));
        until(pods, here, |all| all.iter().find(|pod| ready(pod)).cloned()).await
    }

    /// The node engine's process, as its machine numbers it. Another one has another number or another start.
    ///
    /// # Errors
    /// If there is not exactly one.
    pub async fn engine_process(&self, node: &str) -> Result<Process> {
        let machine = self.machine(node)?;
        let found = machine
            .exec(["pgrep", "--full", "^/usr/bin/rectifier-engine node"])
            .await?;
        let pid = found.trim();
        ensure!(
            !pid.is_empty() && !pid.contains('\n'),
            "the node engine's processes on {node}: {found:?}"
        );
        let stat = machine.exec(["cat", &format!("/proc/{pid}/stat")]).await?;
        // the program's name may hold spaces; what follows its bracket does not
        let (_, fields) = stat
            .rsplit_once(')')
            .context("a stat line without a name")?;
        let start = fields.split_whitespace().nth(19);
        Ok(Process {
            pid: pid.parse()?,
            start: start.context("a stat line without a start")?.parse()?,
        })
    }

    /// Its parts still do their work: what went wrong with a scenario did not go wrong with the world.
    ///
    /// # Errors
    /// Names the part that does not.
    pub async fn stands(&self) -> Result<()> {
        let version = self.kubernetes.admin().apiserver_version().await;
        version.context("the API server does not answer")?;
        let servers = self.openstack.records.servers().await;
        servers.context("Nova does not answer")?;
        self.kubernetes
            .audit()
            .records()
            .context("the audit log cannot be read")?;
        self.controller.lock().await.process()?;
        Ok(())
    }

    /// The machine of that node.
    ///
    /// # Errors
    /// If there is none.
    pub fn machine(&self, node: &str) -> Result<Machine> {
        Machine::open(&self.bed.machine(node)).with_context(|| format!("the machine {node}"))
    }

    /// Writes down what a scenario does itself, for the story.
    pub fn did(&self, what: &str) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push((Timestamp::now(), what.to_owned()));
    }

    pub(crate) fn done(&self) -> Vec<(Timestamp, String)> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.clone()
    }

    /// The repairs.
    #[must_use]
    pub fn repairs(&self) -> Api<NodeRepair> {
        Api::all(self.kubernetes.admin())
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
