//! What the engines use: a directory of policies that can be asked.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rectifier_core::policy::{Advice, Observation, Remedy};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::allowed::Allowed;
use crate::compile::{Cache, Compiler};
use crate::engine::Metering;
use crate::load::Loader;
use crate::monitor::{self, Question};
use crate::reload::{Gradual, Reload, Workshop};
use crate::rollout::{Plan, Store};
use crate::runtime::Runtime;
use crate::{Limits, Mode, Rollout, Set, Telemetry};

/// Where policies lie and how they are run.
#[derive(Clone)]
pub struct Options {
    /// The directory of `NAME.wasm` (or `NAME.wasm.gz`, `NAME.wasm.zst`) and `NAME.yaml`; a mounted ConfigMap, or any
    /// other.
    pub directory: PathBuf,
    /// The folder of compiled policies. It is made if need be, and must be this user's alone.
    pub cache: PathBuf,
    /// The compiler's child.
    pub compiler: Compiler,
    /// For every policy whose sidecar says nothing else.
    pub limits: Limits,
    /// The most that a sidecar may say.
    pub ceiling: Limits,
    /// What policies may need.
    pub allowed: Allowed,
    /// Told of every answer and every change.
    pub telemetry: Telemetry,
    /// How a changed policy comes to enforce, and where the last good versions are kept for a restart. `None`: at once,
    /// and nowhere.
    pub rollout: Option<Rollout>,
}

impl Options {
    /// With the usual limits, which no sidecar may raise; policies may need anything, and change at once.
    pub fn usual(
        directory: impl Into<PathBuf>,
        cache: impl Into<PathBuf>,
        compiler: Compiler,
    ) -> Self {
        Self {
            directory: directory.into(),
            cache: cache.into(),
            compiler,
            limits: Limits::default(),
            ceiling: Limits::default(),
            allowed: Allowed::default(),
            telemetry: Telemetry::default(),
            rollout: None,
        }
    }
}

/// Why no policy can be asked at all. (What is wrong with one of them is no error here.)
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory cannot be read.
    #[error("the policies in {} cannot be read", directory.display())]
    Directory {
        /// Which.
        directory: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The cache cannot be used.
    #[error("the folder of compiled policies {} cannot be used", folder.display())]
    Cache {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is remembered of the rollout cannot be used.
    #[error("the folder of the policies' rollout {} cannot be used", folder.display())]
    State {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// WebAssembly cannot be run here.
    #[error("the WebAssembly engine cannot be started: {0:#}")]
    Engine(wasmtime::Error),
}

/// The policies of one directory. Cheap to clone; the directory is watched until the last clone is dropped.
#[derive(Clone)]
pub struct Policies {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Arc<Runtime>,
    current: Arc<Current>,
    questions: mpsc::Sender<Question>,
    telemetry: Telemetry,
    _tasks: JoinSet<()>,
}

/// The present set, and how often it changed.
pub(crate) struct Current {
    set: RwLock<Arc<Set>>,
    generation: watch::Sender<u64>,
    at_rest: watch::Sender<bool>,
    telemetry: Telemetry,
}

impl Current {
    /// Whoever has the old set keeps it until he is done.
    pub(crate) fn swap(&self, set: Set) {
        self.retell(set);
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// The same policies answer for the same; only how their files stand is another. Nobody need ask again.
    pub(crate) fn retell(&self, set: Set) {
        self.telemetry.swapped(&set);
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
    }
}

impl Current {
    /// Says whether the set is what the directory had when it was last looked at.
    pub(crate) fn rest(&self, is_at_rest: bool) {
        self.at_rest
            .send_if_modified(|before| std::mem::replace(before, is_at_rest) != is_at_rest);
    }
}

impl Policies {
    /// Loads the directory once, and watches it from then on.
    ///
    /// # Errors
    /// The directory cannot be read, the cache or the rollout's folder not be used, or WebAssembly not be run. A policy
    /// that cannot be loaded is no error: the set says so.
    pub async fn open(options: Options) -> Result<Policies, Error> {
        let Options {
            directory,
            cache: folder,
            compiler,
            limits,
            ceiling,
            allowed,
            telemetry,
            rollout,
        } = options;
        let runtime = Arc::new(Runtime::new(Metering::Epoch).map_err(Error::Engine)?);
        let cache = Cache::open(&folder, runtime.metering)
            .map_err(|source| Error::Cache { folder, source })?;
        let loader = Loader {
            compiler,
            cache,
            limits,
            ceiling,
            allowed,
        };
        let (store, gradual) = match rollout {
            Some(rollout) => {
                let (store, gradual) = remembered(rollout)?;
                (Some(Arc::new(store)), Some(gradual))
            }
            None => (None, None),
        };
        let workshop = Workshop::new(directory.clone(), loader, runtime.clone(), store);
        let mut reload = Reload::new(workshop, gradual);
        // Before the directory is read, so that nothing changes unseen in between.
        let watch = reload.watch();
        let due = reload.due();
        let set = reload
            .first()
            .await
            .map_err(|source| Error::Directory { directory, source })?;
        telemetry.swapped(&set);
        let current = Arc::new(Current {
            set: RwLock::new(Arc::new(set)),
            generation: watch::Sender::new(0),
            at_rest: watch::Sender::new(false),
            telemetry: telemetry.clone(),
        });
        let (questions, asked) = monitor::questions();
        let mut tasks = JoinSet::new();
        tasks.spawn(watch);
        tasks.spawn(reload.run(current.clone()));
        tasks.spawn(monitor::run(runtime.clone(), telemetry.clone(), due, asked));
        Ok(Policies {
            inner: Arc::new(Inner {
                runtime,
                current,
                questions,
                telemetry,
                _tasks: tasks,
            }),
        })
    }

    /// The present set.
    pub fn set(&self) -> Arc<Set> {
        self.inner
            .current
            .set
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Counts the changes of the set.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.current.generation.subscribe()
    }

    /// Whether all that was last seen in the directory is in the set, loaded or refused: nothing is being compiled.
    pub fn at_rest(&self) -> watch::Receiver<bool> {
        self.inner.current.at_rest.subscribe()
    }

    /// Asks the most specific enforcing policy; whoever declines passes it on to the next less specific one. A policy
    /// that fails is not passed over: its failure is the advice.
    ///
    /// Returns within the time of the policies' limits. Never fails: no answer is advice too.
    pub async fn advise(&self, seen: &Observation) -> Advice {
        let set = self.set();
        let advice = ask_first(&self.inner.runtime, &self.inner.telemetry, &set, seen).await;
        monitor::ask_beside(&self.inner.questions, &set, seen);
        advice
    }
}

/// Asks the most specific enforcing policy of a set; whoever declines passes it on.
pub(crate) async fn ask_first(
    runtime: &Runtime,
    telemetry: &Telemetry,
    set: &Set,
    seen: &Observation,
) -> Advice {
    for policy in set.asked(&seen.episode.problem.kind, seen.site.kind(), Mode::Enforce) {
        match policy.ask(runtime, telemetry, seen).await {
            Ok(decision) if decision.remedy == Remedy::Decline => {
                let policy = policy.reference.name.as_str();
                tracing::debug!(policy, reason = decision.reason, "declined");
            }
            Ok(decision) => {
                return Advice::Decided {
                    policy: policy.reference.clone(),
                    decision,
                };
            }
            Err(failure) => {
                return Advice::Unavailable {
                    policy: policy.reference.clone(),
                    class: failure.class,
                    message: failure.message,
                    on_failure: policy.on_failure,
                };
            }
        }
    }
    Advice::None
}

/// How far the rollouts are that a former process began.
fn remembered(rollout: Rollout) -> Result<(Store, Gradual), Error> {
    let plan = Plan::of(rollout.node, rollout.over);
    let folder = rollout.state;
    let (store, ledger) = Store::open(&folder).map_err(|source| Error::State { folder, source })?;
    let gradual = Gradual {
        plan,
        ledger,
        clock: rollout.clock,
    };
    Ok((store, gradual))
}
