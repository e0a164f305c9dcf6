//! A whole cluster in the world, with the real engines in it: nodes in zones, a workload with a disruption budget, a pool.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use rectifier_cloud::openstack::OpenStack;
use rectifier_controller::{Context, Settings, Telemetry};
use rectifier_core::clock::{Clock, Timestamp};
use rectifier_core::name::UnitName;
use rectifier_core::switches::Switches;
use rectifier_node::{Config, LimitsConfig, NpdConfig, SystemdConfig};
use rectifier_policy_host::Advisor;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::agents::Agents;
use crate::clock::WorldClock;
use crate::cluster::{self, Cluster};
use crate::kubernetes::{self, ApiServer, Identity};
use crate::landing::lock;
use crate::machine::{self, CHECKED, Check, Machines};
use crate::openstack::{self, Fault, World};
use crate::record::Record;
use crate::trace::Trace;

mod dumped;

pub use dumped::Furnishing;
pub use rectifier_node::{Config as NodeConfig, shipped as shipped_fixes};

/// The namespace of the controller.
pub const NAMESPACE: &str = "rectifier-system";
/// The name by which the controller asks.
pub const CONTROLLER: &str = "rectifier-controller";
/// The admission policies of every cluster that we are installed in.
const ADMISSION: &str = include_str!("../../../deploy/admission.yaml");
/// What new servers are told; the world reads of it what joins a node.
const USER_DATA: &str =
    "join with {{ token }} --node-labels={{ labels }} --register-with-taints={{ taints }} ";

/// Made from the Rust types once, for all scenes of a process.
static CRDS: LazyLock<Vec<CustomResourceDefinition>> = LazyLock::new(rectifier_api::crds);

/// What a scene is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// How many nodes there are.
    pub nodes: usize,
    /// Their zones, in turn.
    pub zones: Vec<String>,
    /// Pods of the workload. One fewer may be missing at a time.
    pub pods: usize,
    /// Between two looks of a node's engine at Node Problem Detector.
    pub look: Duration,
    /// What a node's engine may do.
    pub limits: LimitsConfig,
    /// Between two looks of the controller at what it awaits outside of the API server.
    pub poll: Duration,
    /// As the controller's `--hourly-replacements`.
    pub hourly: u32,
    /// The pool's `breaker` and `pacing`: by default neither stands in the way of any story.
    pub safety: Value,
    /// When it begins.
    pub begins: Timestamp,
    /// The node engines' configuration; without one they may touch the units that are checked.
    pub agent: Option<Config>,
    /// What Node Problem Detector reports besides: kinds of conditions behind which there is no unit, but a
    /// [`Problem`](machine::Problem).
    pub kinds: Vec<String>,
    /// How long a request to the API server takes to land, and as long its answer: each is drawn from this.
    pub delay: RangeInclusive<Duration>,
}

impl Default for Options {
    /// Three nodes in three zones, three pods, the engines' own defaults; it begins with the year 2026.
    fn default() -> Self {
        Self {
            seed: 0,
            nodes: 3,
            zones: ["az-1", "az-2", "az-3"].map(str::to_owned).into(),
            pods: 3,
            look: Duration::from_secs(NpdConfig::default().interval.into()),
            limits: LimitsConfig::default(),
            poll: Duration::from_secs(2),
            hourly: 1000,
            safety: json!({
                "breaker": {"sickPercent": 0, "zoneSickPercent": 0, "togetherPercent": 0, "steady": 0},
                "pacing": {"every": 0},
            }),
            begins: Timestamp::from_second(1_767_225_600).unwrap_or(Timestamp::UNIX_EPOCH),
            agent: None,
            kinds: Vec::new(),
            delay: kubernetes::Options::default().delay,
        }
    }
}

/// The world, furnished.
pub struct Scene {
    /// The API server.
    pub api: ApiServer,
    /// The cloud.
    pub cloud: World,
    /// The machines under the nodes.
    pub machines: Machines,
    /// The one clock.
    pub clock: Arc<dyn Clock>,
    /// What happened, in one number.
    pub trace: Trace,
    /// What happens, thing by thing, while it is kept.
    pub(crate) record: Record,
    options: Options,
    policies: Arc<dyn Advisor>,
    _nature: JoinSet<()>,
}

impl Scene {
    /// Sets it up. The engines do not run yet. To be called on a runtime of one thread, whose clock is best paused.
    pub fn set(options: Options, policies: Arc<dyn Advisor>) -> Self {
        let usual = machine::Options::default();
        let kinds = options.kinds.iter().map(|kind| Check {
            kind: kind.clone(),
            unit: None,
        });
        let machines = machine::Options {
            checks: usual.checks.iter().cloned().chain(kinds).collect(),
            ..usual
        };
        let (mut scene, cluster) = Self::bare(options, machines, policies);
        scene.furnish(&cluster);
        scene._nature.spawn(cluster.run());
        scene
    }

    /// Nothing is in it yet.
    fn bare(
        options: Options,
        machines: machine::Options,
        policies: Arc<dyn Advisor>,
    ) -> (Self, Cluster) {
        let seed = options.seed;
        let trace = Trace::default();
        let clock: Arc<dyn Clock> = Arc::new(WorldClock::starting(options.begins));
        let record = Record::of(clock.clone());
        let api = ApiServer::new(
            kubernetes::Options {
                seed,
                delay: options.delay.clone(),
                trace: trace.clone(),
                record: record.clone(),
                ..kubernetes::Options::default()
            },
            clock.clone(),
        );
        let hosts = (1..=options.zones.len().max(1) * 2).map(|n| format!("host-{n}"));
        let cloud = World::new(
            openstack::Options {
                seed,
                hosts: hosts.collect(),
                zones: options.zones.clone(),
                trace: trace.clone(),
                ..openstack::Options::default()
            },
            clock.clone(),
        );
        let machines = machine::Options {
            seed,
            record: record.clone(),
            ..machines
        };
        let machines = Machines::new(machines, clock.clone());
        let cluster = Cluster::new(
            api.clone(),
            cloud.clone(),
            machines.clone(),
            cluster::Options {
                seed,
                ..cluster::Options::default()
            },
        );
        let scene = Self {
            api,
            cloud,
            machines,
            clock,
            trace,
            record,
            options,
            policies,
            _nature: JoinSet::new(),
        };
        for crd in CRDS.iter() {
            // Its rules are all known here: a test says so.
            drop(scene.api.install(crd));
        }
        // Neither do these say anything that is not known here: another test says so.
        drop(scene.api.admit_by(ADMISSION));
        for namespace in [NAMESPACE, "kube-node-lease"] {
            let namespace = json!({"metadata": {"name": namespace}});
            scene.api.make("namespaces", None, namespace);
        }
        (scene, cluster)
    }

    fn furnish(&self, cluster: &Cluster) {
        let make = |kind, namespace, object| self.api.make(kind, namespace, object);
        for (n, zone) in (1..=self.options.nodes).zip(self.options.zones.iter().cycle()) {
            cluster.add_node(&format!("worker-{n}"), zone, &[("pool", "web")]);
        }
        let mut pool = json!({
            "apiVersion": "rectifier.dev/v1alpha1", "kind": "RepairPool", "metadata": {"name": "web"},
            "spec": {
                "nodeSelector": {"matchLabels": {"pool": "web"}}, "mode": "Auto",
                "provisioning": {"userData": USER_DATA, "apiServer": "https://10.0.0.1:6443", "copyLabels": ["pool"]},
            },
        });
        if let (Some(spec), Some(safety)) = (
            pool["spec"].as_object_mut(),
            self.options.safety.as_object(),
        ) {
            spec.extend(safety.clone());
        }
        make("repairpools.rectifier.dev", None, pool);
        let labels = json!({"app": "web"});
        let set = json!({
            "metadata": {"name": "web"},
            "spec": {
                "replicas": self.options.pods, "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "none:1"}]},
                },
            },
        });
        make("replicasets.apps", Some("default"), set);
        let budget = json!({
            "metadata": {"name": "web"},
            "spec": {"minAvailable": self.options.pods.saturating_sub(1), "selector": {"matchLabels": labels}},
        });
        make("poddisruptionbudgets.policy", Some("default"), budget);
    }

    /// All that a controller process is made of; each has a client of its own.
    pub fn controller(&self, identity: &str) -> Context {
        let chance = Mutex::new(fastrand::Rng::with_seed(self.options.seed));
        let telemetry = Telemetry::default();
        let calls = telemetry.clone();
        let cloud = OpenStack::over(self.cloud.clone())
            .observed(Arc::new(move |call, result| calls.called(call, result)));
        Context {
            client: self
                .api
                .client_of(CONTROLLER, Identity::account(NAMESPACE, CONTROLLER)),
            cloud: Arc::new(cloud),
            telemetry,
            policies: self.policies.clone(),
            clock: self.clock.clone(),
            entropy: Arc::new(move |bytes: &mut [u8]| lock(&chance).fill(bytes)),
            switches: Switches::default(),
            settings: Settings {
                namespace: NAMESPACE.to_owned(),
                identity: identity.to_owned(),
                cluster: "world".to_owned(),
                hourly: self.options.hourly,
                poll: self.options.poll,
            },
        }
    }

    /// Runs a node engine on every machine that is up. It ends only if one of them does, and says why.
    pub fn agents(&self) -> impl Future<Output = String> + Send + use<> {
        let units = CHECKED
            .iter()
            .filter_map(|(unit, _)| UnitName::parse(*unit).ok());
        let usual = || Config {
            npd: NpdConfig {
                interval: u32::try_from(self.options.look.as_secs()).unwrap_or(u32::MAX),
                ..NpdConfig::default()
            },
            systemd: SystemdConfig {
                units: units.collect::<BTreeSet<_>>(),
                ..SystemdConfig::default()
            },
            limits: self.options.limits.clone(),
            ..Config::default()
        };
        let config = self.options.agent.clone().unwrap_or_else(usual);
        Agents {
            api: self.api.clone(),
            machines: self.machines.clone(),
            clock: self.clock.clone(),
            policies: self.policies.clone(),
            config,
        }
        .run()
    }

    /// The hosts of a zone stop: nobody hears their machines any more.
    pub fn darken(&self, zone: &str) {
        for host in self.cloud.hosts_in(zone) {
            self.cloud.fault(Fault::HostStopped(host));
        }
    }

    /// All hosts run, and nothing else in the cloud goes wrong any more.
    pub fn lighten(&self) {
        self.cloud.clear_faults();
    }

    /// The names of all nodes.
    pub fn nodes(&self) -> Vec<String> {
        let nodes = self.api.objects("nodes");
        nodes.iter().map(|node| name(node).to_owned()).collect()
    }

    /// Bootstrap tokens that are there.
    pub fn bootstrap_tokens(&self) -> usize {
        let secrets = self.api.objects("secrets");
        let is_token = |secret: &&kubernetes::Object| name(secret).starts_with("bootstrap-token-");
        secrets.iter().filter(is_token).count()
    }

    /// Are all nodes there, Ready and free of our marks, all machines well, no repair open, and every pod running?
    pub fn is_well(&self) -> bool {
        self.ills().is_empty()
    }

    /// What is not well.
    pub fn ills(&self) -> Vec<String> {
        let mut ills = Vec::new();
        let nodes = self.api.objects("nodes");
        if nodes.len() != self.options.nodes {
            ills.push(format!("{} nodes", nodes.len()));
        }
        for node in &nodes {
            let name = name(node);
            if cluster::condition(node, "Ready") != Some("True") {
                ills.push(format!("{name} is not Ready"));
            }
            if node["spec"]["unschedulable"] == true {
                ills.push(format!("{name} is cordoned"));
            }
            if node["spec"]["taints"]
                .as_array()
                .is_some_and(|taints| !taints.is_empty())
            {
                ills.push(format!("{name} has a taint"));
            }
            for (_, kind) in CHECKED {
                if cluster::condition(node, kind) == Some("True") {
                    ills.push(format!("{name} has {kind}"));
                }
            }
            if !self.machines.is_well(name) {
                ills.push(format!("the machine of {name} is not well"));
            }
        }
        for repair in self.api.objects("noderepairs.rectifier.dev") {
            if name(&repair).ends_with(".repair") {
                let status = &repair["status"];
                ills.push(format!(
                    "{} is {}: {} {}",
                    name(&repair),
                    status["phase"],
                    status["reason"],
                    status["message"]
                ));
            }
        }
        let pods = self.api.objects("pods");
        let runs = |pod: &&kubernetes::Object| cluster::condition(pod, "Ready") == Some("True");
        let running = pods.iter().filter(runs).count();
        if running != self.options.pods {
            ills.push(format!("{running} pods run"));
        }
        ills
    }
}

fn name(object: &serde_json::Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}
