//! Loads one version of one policy, away from the runtime's thread: reading, unpacking, hashing and linking a large
//! module takes longer than the engine may be deaf.
//!
//! A version that takes seconds to compile must not delay the others. So each waits in a lane with its like: what is
//! compiled already, small modules, large ones. Of the latter one at a time: a compiler of an 18 MB module takes 350 MB,
//! and a pod has half a gigabyte. Whoever waits holds no bytes.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use rectifier_core::policy::FailureClass;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::Failure;
use crate::compile::LARGE_BYTES;
use crate::directory::{self, Candidate, Module};
use crate::fingerprint::Fingerprint;
use crate::load::Loader;
use crate::policy::Policy;
use crate::rollout::{Held, Store};
use crate::runtime::Runtime;

/// Compiled policies that are loaded at the same time. Two, so that one that takes its time to check its settings does
/// not stand in the way of the others.
const COMPILED: usize = 2;
/// Compilers of small modules at the same time: as many as the smallest node has cores.
const SMALL: usize = 2;
/// Compilers of large modules at the same time.
const LARGE: usize = 1;

/// All that loading needs.
pub(crate) struct Workshop {
    pub(crate) directory: PathBuf,
    pub(crate) loader: Loader,
    pub(crate) runtime: Arc<Runtime>,
    /// Where versions are kept that must outlive the process.
    pub(crate) store: Option<Arc<Store>>,
    lanes: Lanes,
}

struct Lanes {
    compiled: Arc<Semaphore>,
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// What loading a version takes.
enum Effort {
    Compiled,
    Small,
    Large,
}

/// One version to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) from: From,
}

/// Where the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// In the directory, as the look saw them.
    Directory(Option<Module>),
    /// In the state folder: it enforced last.
    Store,
}

/// What came of it.
pub(crate) enum Outcome {
    /// The version, usable.
    Good(Version),
    /// The version is unusable.
    Bad(Failure),
    /// The directory holds another version by now.
    Moved,
}

/// A usable version of a policy.
pub(crate) struct Version {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) policy: Arc<Policy>,
    /// Its bytes in the state folder stay as long.
    pub(crate) _held: Option<Held>,
}

impl Workshop {
    pub(crate) fn new(
        directory: PathBuf,
        loader: Loader,
        runtime: Arc<Runtime>,
        store: Option<Arc<Store>>,
    ) -> Self {
        let lane = |width| Arc::new(Semaphore::new(width));
        Self {
            directory,
            loader,
            runtime,
            store,
            lanes: Lanes {
                compiled: lane(COMPILED),
                small: lane(SMALL),
                large: lane(LARGE),
            },
        }
    }

    /// Dropped before it is ready, it ends soon, the compiler's child with it.
    pub(crate) async fn carry_out(self: Arc<Self>, job: Job) -> Outcome {
        // Nobody closes a lane.
        let Ok(place) = self.lane(&job).acquire_owned().await else {
            return Outcome::Moved;
        };
        let (alive, dropped) = oneshot::channel();
        let (runtime, file) = (Handle::current(), job.file.clone());
        let work = tokio::task::spawn_blocking(move || {
            let outcome = self.perform(job, &runtime, dropped);
            crate::memory::give_back();
            drop(place);
            outcome
        });
        let outcome = work.await;
        drop::<oneshot::Sender<Infallible>>(alive);
        outcome.unwrap_or_else(|error| {
            let why = format!("{file}: loading it ended unexpectedly: {error}");
            Outcome::Bad(Failure::new(FailureClass::Load, why))
        })
    }

    /// Seconds, most likely: a large module that is not compiled yet.
    pub(crate) fn takes_long(&self, job: &Job) -> bool {
        matches!(self.effort(job), Effort::Large)
    }

    fn lane(&self, job: &Job) -> Arc<Semaphore> {
        let lane = match self.effort(job) {
            Effort::Compiled => &self.lanes.compiled,
            Effort::Small => &self.lanes.small,
            Effort::Large => &self.lanes.large,
        };
        lane.clone()
    }

    fn effort(&self, job: &Job) -> Effort {
        match job.from {
            // It was compiled when it was loaded; and what cannot be read is not compiled.
            From::Store | From::Directory(None) => Effort::Compiled,
            From::Directory(Some(module)) if self.loader.cache.has(&module.sha256) => {
                Effort::Compiled
            }
            From::Directory(Some(module)) if module.bytes < LARGE_BYTES => Effort::Small,
            From::Directory(Some(_)) => Effort::Large,
        }
    }

    /// On a thread that may block. Compiler and guest are awaited there too; the runtime's own thread drives their timers.
    fn perform(
        &self,
        job: Job,
        runtime: &Handle,
        dropped: oneshot::Receiver<Infallible>,
    ) -> Outcome {
        let (candidate, held) = match self.fetch(&job) {
            Ok(Some(fetched)) => fetched,
            Ok(None) => return Outcome::Moved,
            Err(failure) => return Outcome::Bad(failure),
        };
        let load = self.loader.load(&self.runtime, &job.file, candidate);
        let loaded = runtime.block_on(async {
            tokio::select! {
                biased;
                _ = dropped => None,
                loaded = load => Some(loaded),
            }
        });
        match loaded {
            Some(Ok(policy)) => Outcome::Good(Version {
                fingerprint: job.fingerprint,
                policy: Arc::new(policy),
                _held: held,
            }),
            Some(Err(failure)) => Outcome::Bad(failure),
            // Nobody waits for it.
            None => Outcome::Moved,
        }
    }

    /// The bytes that the job is about; `None` if they are not there any more.
    fn fetch(&self, job: &Job) -> Result<Option<(Candidate, Option<Held>)>, Failure> {
        match job.from {
            From::Directory(_) => {
                let read = directory::read(&self.directory, &job.name, &self.loader.limits);
                let Some(candidate) = read.ok().flatten() else {
                    return Ok(None);
                };
                if candidate.fingerprint() != job.fingerprint {
                    return Ok(None);
                }
                let held = self.keep(job, &candidate);
                Ok(Some((candidate, held)))
            }
            From::Store => {
                let Some(store) = &self.store else {
                    return Ok(None);
                };
                let (candidate, held) =
                    store
                        .read(job.fingerprint, &self.loader.limits)
                        .map_err(|error| {
                            let why = format!("{}: its last good version: {error}", job.file);
                            Failure::new(FailureClass::Load, why)
                        })?;
                Ok(Some((candidate, Some(held))))
            }
        }
    }

    /// Before it is tried, so that what enforces is what lies there; if it is no good, it is swept.
    fn keep(&self, job: &Job, candidate: &Candidate) -> Option<Held> {
        let store = self.store.as_ref()?;
        match store.keep(job.fingerprint, candidate) {
            Ok(held) => held,
            Err(error) => {
                let file = &job.file;
                tracing::warn!(file, %error, "a policy cannot be kept for a restart: only its file can be loaded then");
                None
            }
        }
    }
}

#[cfg(test)]
#[cfg(feature = "compiler")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Limits;
    use crate::compile::{Cache, CompileLimits, Compiler};
    use crate::directory::{Care, Stamps};

    /// What it is asked to compile comes back unusable.
    fn workshop(folder: &Path) -> Workshop {
        let runtime = Arc::new(Runtime::new(crate::engine::Metering::Epoch).unwrap());
        let loader = Loader {
            compiler: Compiler::new("/bin/false", &[], CompileLimits::default()),
            cache: Cache::open(&folder.join("cache"), runtime.metering).unwrap(),
            limits: Limits::default(),
            ceiling: Limits::default(),
            allowed: crate::allowed::Allowed::default(),
        };
        Workshop::new(folder.to_owned(), loader, runtime, None)
    }

    fn job(workshop: &Workshop) -> Job {
        let (limits, mut stamps) = (Limits::default(), Stamps::default());
        let look = directory::look(&workshop.directory, &limits, &mut stamps, Care::Quick);
        let (name, seen) = look.unwrap().pop_first().unwrap();
        Job {
            name,
            file: seen.file,
            fingerprint: seen.fingerprint,
            from: From::Directory(seen.module),
        }
    }

    fn carried_out(workshop: Workshop, job: Job) -> Outcome {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(Arc::new(workshop).carry_out(job))
    }

    #[test]
    fn only_what_the_look_saw_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wasm");
        std::fs::write(&file, "seen").unwrap();
        let workshop = workshop(folder.path());
        let seen = job(&workshop);
        std::fs::write(&file, "another").unwrap();
        assert!(matches!(carried_out(workshop, seen), Outcome::Moved));
    }

    #[test]
    fn what_is_gone_has_moved_and_what_is_no_policy_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wasm");
        std::fs::write(&file, "no policy").unwrap();
        let bad = workshop(folder.path());
        let seen = job(&bad);
        let Outcome::Bad(failure) = carried_out(bad, seen.clone()) else {
            panic!("it was loaded");
        };
        assert!(failure.message.starts_with("a.wasm (sha256:"), "{failure}");
        std::fs::remove_file(&file).unwrap();
        let gone = carried_out(workshop(folder.path()), seen);
        assert!(matches!(gone, Outcome::Moved));
    }

    #[test]
    fn each_waits_with_its_like() {
        let folder = tempfile::tempdir().unwrap();
        let workshop = workshop(folder.path());
        std::fs::write(folder.path().join("a.wasm"), "small").unwrap();
        let small = job(&workshop);
        let with = |from| Job {
            from,
            ..small.clone()
        };
        let module = |sha256, bytes| with(From::Directory(Some(Module { sha256, bytes })));
        let compiled = {
            let compiling = crate::engine::compiling(crate::engine::Metering::Epoch).unwrap();
            let component = compiling
                .precompile_component(b"\0asm\x0d\0\x01\0")
                .unwrap();
            let (cache, engine) = (&workshop.loader.cache, &workshop.runtime.engine);
            cache.keep(engine, &[1; 32], &component).unwrap();
            module([1; 32], LARGE_BYTES)
        };
        let lanes = &workshop.lanes;
        for (job, lane) in [
            (&small, &lanes.small),
            (&module([2; 32], LARGE_BYTES - 1), &lanes.small),
            (&module([2; 32], LARGE_BYTES), &lanes.large),
            (&compiled, &lanes.compiled),
            (&with(From::Store), &lanes.compiled),
            (&with(From::Directory(None)), &lanes.compiled),
        ] {
            assert!(Arc::ptr_eq(&workshop.lane(job), lane), "{job:?}");
        }
    }
}
