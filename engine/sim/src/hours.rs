//! Hours in which things break, at random, as one seed decides: on machines, at the API server, in the cloud, in the policies,
//! and in the engines themselves. Nobody mends anything: at their end the engines must have made everything well again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rectifier_cloud::openstack::transport::Method;
use rectifier_controller::Telemetry;
use rectifier_policy_host::Advisor;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::ailing::{Ailing, Ailment};
use crate::clock::in_virtual_time;
use crate::machine::{Break, Cure};
use crate::openstack::{Effect, Fault};
use crate::scene::{self, Scene};

mod reasons;

use reasons::Reasons;

/// Between two faults, on average. 4 minutes: an episode lasts about so long, so that some meet.
const BETWEEN: Duration = Duration::from_secs(240);
/// So long everything may take to come to be well after its last fault. A repair's longest deadlines are an hour.
const PATIENCE: Duration = Duration::from_secs(3 * 3600);

/// How long, and in what cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cluster; its seed is the run's.
    pub scene: scene::Options,
    /// How long things break.
    pub lasting: Duration,
    /// Look every second whether each sick node has one reason, and that people can see it. It costs time.
    pub reasons: bool,
}

impl Default for Options {
    /// Ten nodes, an hour; the node engines look at Node Problem Detector as often as it looks itself, and at once when
    /// their Node says that it has found something; the controller looks at the cloud every 5 s.
    fn default() -> Self {
        Self {
            scene: scene::Options {
                nodes: 10,
                pods: 10,
                look: Duration::from_secs(30),
                poll: Duration::from_secs(5),
                ..scene::Options::default()
            },
            lasting: Duration::from_secs(3600),
            reasons: false,
        }
    }
}

/// What one run was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What was drawn from.
    pub seed: u64,
    /// How many nodes it had.
    pub nodes: usize,
    /// How long it lasted, in the world's time.
    pub time: Duration,
    /// How many nodes something broke on.
    pub sick: usize,
    /// How many faults were delivered.
    pub faults: usize,
    /// How many servers were asked for, beyond those that were there.
    pub servers: usize,
    /// How many requests landed.
    pub requests: u64,
    /// SHA-256 of all requests and answers, in hex.
    pub trace: String,
}

/// How a run ended that should not have.
#[derive(Debug, thiserror::Error)]
#[error("seed {seed}, after {time:?}: {why}")]
pub struct Unwell {
    /// What was drawn from.
    pub seed: u64,
    /// How long it lasted, in the world's time.
    pub time: Duration,
    /// What is wrong.
    pub why: String,
}

/// Runs one seed, on a runtime of its own whose time is virtual.
///
/// # Errors
/// Something is not well at the end, or one of the engines ended.
pub fn run(options: &Options, policies: Arc<dyn Advisor>) -> Result<Report, Unwell> {
    let seed = options.scene.seed;
    in_virtual_time(hours(options, policies)).unwrap_or_else(|error| {
        Err(Unwell {
            seed,
            time: Duration::ZERO,
            why: error.to_string(),
        })
    })
}

async fn hours(options: &Options, policies: Arc<dyn Advisor>) -> Result<Report, Unwell> {
    let seed = options.scene.seed;
    let began = Instant::now();
    let policies = Arc::new(Ailing::new(policies));
    let mut hours = Hours {
        scene: Scene::set(options.scene.clone(), policies.clone()),
        first: Vec::new(),
        policies,
        chance: fastrand::Rng::with_seed(seed ^ 0x5eed),
        engines: JoinSet::new(),
        controllers: 0,
        controller: JoinSet::new(),
        sick: BTreeSet::new(),
        faults: 0,
        reasons: options.reasons.then(Reasons::default),
        telemetry: Telemetry::default(),
    };
    hours.all(options.lasting).await.map_err(|why| Unwell {
        seed,
        time: began.elapsed(),
        why,
    })?;
    Ok(Report {
        seed,
        nodes: options.scene.nodes,
        time: began.elapsed(),
        sick: hours.sick.len(),
        faults: hours.faults + hours.policies.met(),
        servers: hours.scene.cloud.asked_for() - options.scene.nodes,
        requests: hours.scene.trace.requests(),
        trace: hours.scene.trace.hash(),
    })
}

struct Hours {
    scene: Scene,
    policies: Arc<Ailing>,
    chance: fastrand::Rng,
    engines: JoinSet<String>,
    controllers: u32,
    controller: JoinSet<String>,
    /// The nodes that were there from the beginning.
    first: Vec<String>,
    sick: BTreeSet<String>,
    faults: usize,
    reasons: Option<Reasons>,
    /// The present controller's.
    telemetry: Telemetry,
}

impl Hours {
    async fn all(&mut self, lasting: Duration) -> Result<(), String> {
        self.engines.spawn(self.scene.agents());
        self.start_controller();
        self.until_well().await?;
        self.first = self.scene.nodes();
        let end = Instant::now() + lasting;
        loop {
            let pause = BETWEEN.mul_f64(self.chance.f64() * 2.0);
            if Instant::now() + pause >= end {
                break;
            }
            self.wait(pause).await?;
            self.something_breaks().await?;
        }
        self.wait(end.saturating_duration_since(Instant::now()))
            .await?;
        // What met no request was not delivered.
        self.faults -= self.scene.cloud.clear_faults();
        self.until_well().await?;
        self.nothing_is_left()
    }

    fn start_controller(&mut self) {
        self.controllers += 1;
        // Each a pod of its own: the Lease passes on when it runs out.
        let identity = format!("controller-{}", self.controllers);
        let ctx = self.scene.controller(&identity);
        self.telemetry = ctx.telemetry.clone();
        if let Some(reasons) = &mut self.reasons {
            reasons.begin_anew();
        }
        let process = rectifier_controller::run(ctx);
        self.controller = JoinSet::new();
        self.controller
            .spawn(async move { format!("the controller ended: {:?}", process.await) });
    }

    /// Lets time pass in which no engine may end.
    async fn wait(&mut self, time: Duration) -> Result<(), String> {
        let end = Instant::now() + time;
        while let Some(reasons) = &mut self.reasons
            && Instant::now() < end
        {
            if !self.controller.is_empty() {
                reasons.look(&self.scene, &self.telemetry)?;
            }
            let left = end.saturating_duration_since(Instant::now());
            self.pass(left.min(reasons::EVERY)).await?;
        }
        self.pass(end.saturating_duration_since(Instant::now()))
            .await
    }

    async fn pass(&mut self, time: Duration) -> Result<(), String> {
        tokio::select! {
            biased;
            () = sleep(time) => Ok(()),
            Some(ended) = self.engines.join_next() => Err(format!("{ended:?}")),
            Some(ended) = self.controller.join_next() => Err(format!("{ended:?}")),
        }
    }

    async fn until_well(&mut self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if self.scene.is_well() {
                return Ok(());
            }
            self.wait(Duration::from_secs(5)).await?;
        }
        Err(format!(
            "it does not come to be well: {}",
            self.scene.ills().join("; ")
        ))
    }

    fn nothing_is_left(&self) -> Result<(), String> {
        let nodes = self.scene.nodes();
        let (servers, ports) = (self.scene.cloud.servers(), self.scene.cloud.ports());
        if servers.len() != nodes.len() || ports.len() != nodes.len() {
            return Err(format!(
                "{} nodes, {} servers, {} ports",
                nodes.len(),
                servers.len(),
                ports.len()
            ));
        }
        if self
            .reasons
            .as_ref()
            .is_some_and(|reasons| reasons.met == 0)
        {
            return Err("no sick node was ever seen with its reason".to_owned());
        }
        match self.scene.bootstrap_tokens() {
            0 => Ok(()),
            tokens => Err(format!("{tokens} bootstrap tokens are left")),
        }
    }

    async fn something_breaks(&mut self) -> Result<(), String> {
        match self.chance.u8(..11) {
            0..5 => self.a_unit_fails(),
            5 => self.on_a_node(&Break::AgentKilled),
            6 => self.on_a_node(&Break::Rebooted),
            7 => {
                self.faults += 1;
                if self.chance.bool() {
                    self.scene.api.forget_history();
                }
                self.scene.api.cut_watches();
            }
            8 => self.the_cloud_fails(),
            9 => self.the_policies_fail(),
            _ => {
                // Killed, and started anew after a while.
                self.faults += 1;
                self.controller = JoinSet::new();
                let away = Duration::from_millis(self.chance.u64(500..20_000));
                self.wait(away).await?;
                self.start_controller();
            }
        }
        Ok(())
    }

    /// What no restart cures comes to no replacement: that it is replaced in its turn is for a person to say.
    fn a_unit_fails(&mut self) {
        let (unit, cure) = match self.chance.u8(..10) {
            0..3 => ("kubelet.service", Cure::Restart),
            3..5 => ("containerd.service", Cure::Restart),
            5..7 => ("proxy.service", Cure::Restart),
            7 => ("proxy.service", Cure::Boot),
            _ => ("proxy.service", Cure::Never),
        };
        let mut nodes = self.scene.nodes();
        if cure != Cure::Restart {
            nodes.retain(|node| self.first.contains(node));
        }
        self.on_one_of(&nodes, &Break::Unit(unit.to_owned(), cure));
    }

    fn on_a_node(&mut self, what: &Break) {
        self.on_one_of(&self.scene.nodes(), what);
    }

    fn on_one_of(&mut self, nodes: &[String], what: &Break) {
        let name = self.chance.choice(nodes).cloned().unwrap_or_default();
        if self.scene.machines.break_it(&name, what) {
            self.faults += 1;
            self.sick.insert(name);
        }
    }

    /// It counts when somebody has asked them meanwhile.
    fn the_policies_fail(&mut self) {
        let ailment = match self.chance.u8(..3) {
            0 => Ailment::Traps,
            1 => Ailment::Hangs,
            _ => Ailment::IsSlow,
        };
        let lasting = Duration::from_secs(self.chance.u64(10..300));
        self.policies.ail(ailment, lasting);
    }

    fn the_cloud_fails(&mut self) {
        let door = |method, path_ends: &str, effect| Fault::Door {
            method,
            path_ends: path_ends.to_owned(),
            effect,
        };
        let fault = match self.chance.u8(..4) {
            0 => Fault::NoValidHost(1),
            1 => door(Method::Post, "/servers", Effect::AnswerLost),
            2 => door(Method::Post, "/ports", Effect::AnswerLost),
            _ => door(Method::Get, "/servers/detail", Effect::NotSent),
        };
        self.faults += 1;
        self.scene.cloud.fault(fault);
    }
}
