//! The engine's loop: it waits for whatever may change its mind, and makes a pass. Waiting is here, changing is there.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::Api;
use rectifier_api::{NodeRepair, repair_name};
use rectifier_core::clock::Clock;
use rectifier_core::episode::{Memory, Watched};
use rectifier_core::name::UnitName;
use rectifier_core::policy::Freshness;
use rectifier_core::repair::STOP;
use rectifier_core::switches::Switches;
use rectifier_policy_host::compile::{CompileLimits, Compiler};
use rectifier_policy_host::{Allowed, Options as PolicyOptions, Policies, Rollout};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};

use crate::context::Context;
use crate::journal::{Journal, JournalError};
use crate::machine::{Host, Machine};
use crate::npd;
use crate::observe::{self, Inbox, Known};
use crate::pass::{State, pass};
use crate::tell::Teller;
use crate::trouble::{Trouble, chain};
use crate::{Options, Parts};

/// Between two tries to listen to systemd. 5 s: until then units are read at every pass anyway.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);

/// So long an engine that starts waits for the API server's first word. 10 s: a list that is not there by then may not come.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// Between two passes for units that change. 500 ms: the first is at once, and what follows within is seen together.
const MOVED: Duration = Duration::from_millis(500);

/// How long the journal's lock is waited for. 10 s: twice the pod's grace period.
const PREDECESSOR: Duration = Duration::from_secs(10);

/// Why the engine ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The configured limits of policies make no sense.
    #[error("policies in the configuration")]
    Limits(#[source] rectifier_policy_host::LimitRefused),
    /// The policies cannot be opened.
    #[error("cannot open the policies")]
    Policies(#[source] rectifier_policy_host::Error),
    /// The policies' compiler is not where it belongs.
    #[error(transparent)]
    Compiler(std::io::Error),
    /// The client of the API server cannot be made.
    #[error(transparent)]
    Client(#[from] rectifier_api::ClientError),
    /// A task that never ends has ended.
    #[error("the engine's task {0} ended")]
    TaskEnded(&'static str),
    /// A task panicked.
    #[error("one of the engine's tasks died")]
    TaskDied(#[source] JoinError),
}

/// All that runs.
pub(crate) struct Engine {
    ctx: Context,
    state: State,
    node: watch::Receiver<Watched<Arc<Node>>>,
    repair: watch::Receiver<Watched<Arc<NodeRepair>>>,
    stop: watch::Receiver<Watched<Arc<ConfigMap>>>,
    policies: watch::Receiver<u64>,
    /// A job of an allowed unit has ended, or a watched one has changed.
    moved_units: Arc<Notify>,
    /// These never end.
    tasks: JoinSet<&'static str>,
}

/// Opens what a real node has: the configured journal and policies, the API server of the environment, the machine.
///
/// # Errors
/// One of them cannot be opened.
pub(crate) async fn open(
    options: Options,
    clock: Arc<dyn Clock>,
    switches: Switches,
) -> Result<Parts, Error> {
    let Options {
        config,
        node,
        telemetry,
        history,
    } = options;
    let limits = config.limits();
    let journal = open_journal(&config.state_dir, clock.as_ref()).await?;
    let compiler =
        Compiler::beside_this_program(CompileLimits::default()).map_err(Error::Compiler)?;
    let (usual, ceiling) = config.policies.limits().map_err(Error::Limits)?;
    let policies = Policies::open(PolicyOptions {
        directory: config.policies.dir.clone(),
        cache: config.policies.cache.clone(),
        compiler,
        limits: usual,
        ceiling,
        allowed: Allowed {
            units: Some(limits.units.clone()),
            fixes: Some(limits.fixes.keys().cloned().collect()),
        },
        telemetry,
        rollout: Some(Rollout {
            node: node.to_string(),
            over: Duration::from_secs(config.policies.rollout.into()),
            state: config.state_dir.join("policy-state"),
            clock: clock.clone(),
        }),
    })
    .await
    .map_err(Error::Policies)?;
    tracing::info!(policies = %config.policies.dir.display(), "the policies are read");
    Ok(Parts {
        client: rectifier_api::client().await?,
        machine: Arc::new(Host::new(&config)),
        policies: Arc::new(policies),
        history,
        journal,
        config,
        node,
        clock,
        switches,
    })
}

impl Engine {
    pub(crate) fn start(parts: Parts) -> Self {
        let Parts {
            config,
            node: name,
            clock,
            switches,
            policies,
            client,
            machine,
            history,
            journal: (journal, memory),
        } = parts;
        history.add(journal.told());
        let limits = config.limits();
        let mut tasks = JoinSet::new();
        let (to_node, node) = watch::channel(Watched::default());
        let (to_repair, repair) = watch::channel(Watched::default());
        let (to_stop, stop) = watch::channel(Watched::default());
        let nodes: Api<Node> = Api::all(client.clone());
        let repairs: Api<NodeRepair> = Api::all(client.clone());
        let stops: Api<ConfigMap> = Api::namespaced(client.clone(), &config.stop_namespace);
        let (node_name, object) = (name.to_string(), repair_name(&name));
        tasks.spawn(async move { match observe::watch(nodes, node_name, to_node).await {} });
        tasks.spawn(async move { match observe::watch(repairs, object, to_repair).await {} });
        tasks.spawn(async move { match observe::watch(stops, STOP.to_owned(), to_stop).await {} });
        let moved_units = Arc::new(Notify::new());
        let watched = config.watched();
        let units: Vec<&str> = limits.units.iter().map(UnitName::as_str).collect();
        tracing::info!(node = %name, ?units, "the node engine runs");
        let ours = limits.units.union(&watched).cloned().collect();
        let moved = listen(machine.clone(), watched.clone(), ours, moved_units.clone());
        tasks.spawn(moved);
        let (teller, telling) = Teller::new(client.clone(), name.clone());
        tasks.spawn(async move {
            telling.await;
            "telling"
        });

        let unwritable = journal.is_closed().then(|| {
            let why = "it cannot be opened".to_owned();
            (clock.now(), why)
        });
        let changes = policies.changed();
        Self {
            ctx: Context {
                config,
                limits,
                node: name,
                clock,
                switches,
                policies,
                client,
                machine,
                npd: npd::Reader::default(),
                npd_trouble: Trouble::default(),
                inhibited: Trouble::default(),
                counters_trouble: Trouble::default(),
                unknown: Trouble::default(),
                unhandled: Trouble::default(),
                watched,
                teller,
                history,
            },
            state: State {
                memory,
                journal,
                remedies: JoinSet::new(),
                ended: None,
                unwritable,
                known: Known::default(),
            },
            node,
            repair,
            stop,
            policies: changes,
            moved_units,
            tasks,
        }
    }

    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let mut stop = std::pin::pin!(stop);
        if self.hear(stop.as_mut()).await.is_break() {
            return Ok(());
        }
        let mut rounds = tokio::time::interval(self.ctx.config.interval());
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rests = Instant::now();
        loop {
            let mut moved = false;
            // A remedy that ended at once is taken in at once.
            if self.state.ended.is_none() {
                tokio::select! {
                    biased;
                    () = &mut stop => break,
                    Some(ended) = self.tasks.join_next() => return Err(untimely(ended)),
                    Some(ended) = self.state.remedies.join_next() => {
                        self.state.ended = Some(ended.map_err(Error::TaskDied)?);
                    }
                    Ok(()) = self.node.changed() => {}
                    Ok(()) = self.repair.changed() => {}
                    Ok(()) = self.stop.changed() => {}
                    Ok(()) = self.policies.changed() => tracing::info!("the policies have changed"),
                    () = moved_after(&self.moved_units, rests) => {
                        rests = Instant::now() + MOVED;
                        moved = true;
                    }
                    _ = rounds.tick() => {}
                }
            }
            let inbox = self.inbox(moved);
            pass(&self.ctx, &mut self.state, inbox).await?;
        }
        // A remedy under way goes on in systemd without us; the journal knows that it began.
        tracing::info!("the node engine ends");
        Ok(())
    }

    /// Waits until it is known what people and the control plane said last. An API server that is away is not waited for for
    /// long: what is remembered counts then. Breaks when it is to stop.
    async fn hear(&mut self, stop: Pin<&mut impl Future<Output = ()>>) -> ControlFlow<()> {
        let (node, repair, switch) = (&mut self.node, &mut self.repair, &mut self.stop);
        let all = async {
            let _ = node.wait_for(is_heard).await;
            let _ = repair.wait_for(is_heard).await;
            let _ = switch.wait_for(is_heard).await;
        };
        tokio::select! {
            biased;
            () = stop => ControlFlow::Break(()),
            _ = tokio::time::timeout(HEARD_WITHIN, all) => ControlFlow::Continue(()),
        }
    }

    fn inbox(&mut self, moved: bool) -> Inbox {
        Inbox {
            node: self.node.borrow_and_update().clone(),
            repair: self.repair.borrow_and_update().clone(),
            stop: self.stop.borrow_and_update().clone(),
            policies: *self.policies.borrow_and_update(),
            moved,
            carrying_out: !self.state.remedies.is_empty(),
            ended: self.state.ended.take(),
        }
    }
}

/// A unit that changes all the time makes no pass each time.
async fn moved_after(moved_units: &Notify, rests: Instant) {
    tokio::time::sleep_until(rests).await;
    moved_units.notified().await;
}

fn is_heard<T>(watched: &Watched<T>) -> bool {
    watched.freshness != Freshness::Missing
}

/// A predecessor that was killed may still be on its way out, its lock with it.
async fn open_journal(folder: &Path, clock: &dyn Clock) -> Result<(Journal, Memory), JournalError> {
    let patience = Instant::now() + PREDECESSOR;
    loop {
        match Journal::open(folder, clock.now()) {
            Err(JournalError::Taken { .. }) if Instant::now() < patience => {
                tokio::time::sleep(PREDECESSOR / 50).await;
            }
            // what it says is out of reach, and not lost: nothing is begun until this process begins anew with it
            Err(
                error @ (JournalError::Open { .. }
                | JournalError::Folder { .. }
                | JournalError::Write(_)),
            ) => {
                tracing::error!(
                    error = %chain(&error),
                    "the journal cannot be opened: until it can, what is ill on this node is escalated, not healed"
                );
                return Ok((Journal::closed(folder, clock.now()), Memory::lost()));
            }
            opened => return opened,
        }
    }
}

fn untimely(ended: Result<&'static str, JoinError>) -> Error {
    match ended {
        Ok(name) => Error::TaskEnded(name),
        Err(error) => Error::TaskDied(error),
    }
}

/// Wakes the engine when systemd has done something to a unit that concerns it.
async fn listen(
    machine: Arc<dyn Machine>,
    watched: BTreeSet<UnitName>,
    ours: BTreeSet<UnitName>,
    moved_units: Arc<Notify>,
) -> &'static str {
    loop {
        // An error is said where the connection is made.
        if let Ok(mut moved) = machine.moved_units(&watched).await {
            // what happened while nobody listened
            moved_units.notify_one();
            while let Some(unit) = moved.next().await {
                if UnitName::parse(unit).is_ok_and(|unit| ours.contains(&unit)) {
                    moved_units.notify_one();
                }
            }
            tracing::warn!("systemd's signals ended; listening again");
        }
        tokio::time::sleep(LISTEN_AGAIN).await;
    }
}
