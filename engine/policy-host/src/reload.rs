//! Keeps the set in step with the directory.
//!
//! A change is looked at when it has been quiet for a moment: an editor or a ConfigMap's swap is several events, and
//! at the first of them the old bytes may still be there. Then the whole directory is read once, what changed is
//! loaded, and the set is swapped. What cannot be watched is looked at now and then anyway.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use crate::directory::{self, Candidate};
use crate::load::Loader;
use crate::policies::Current;
use crate::runtime::Runtime;
use crate::set::{Loaded, Set, Status};

/// So long nothing may change before the directory is read.
const QUIET: Duration = Duration::from_millis(200);
/// A directory that is never quiet is read all the same.
const LONGEST_UNREST: Duration = Duration::from_secs(2);
/// What the watch missed is seen after this time.
const RESCAN: Duration = Duration::from_secs(30);

pub(crate) struct Reload {
    directory: PathBuf,
    loader: Loader,
    runtime: Arc<Runtime>,
    known: BTreeMap<String, Known>,
    changed: Arc<Notify>,
    watch: Option<Watch>,
    /// Whether the last round could read the directory and watch it: what is said once need not be said every round.
    said: Said,
}

struct Known {
    fingerprint: [u8; 32],
    loaded: Loaded,
}

/// A watch, and the directory that it is on: a directory that was made anew needs a new watch.
struct Watch {
    _watcher: RecommendedWatcher,
    inode: (u64, u64),
}

#[derive(Default)]
struct Said {
    unreadable: bool,
    unwatched: bool,
}

impl Reload {
    pub(crate) fn new(directory: PathBuf, loader: Loader, runtime: Arc<Runtime>) -> Self {
        let (known, changed) = (BTreeMap::new(), Arc::new(Notify::new()));
        Self {
            directory,
            loader,
            runtime,
            known,
            changed,
            watch: None,
            said: Said::default(),
        }
    }

    /// Never ends.
    pub(crate) async fn run(mut self, current: Arc<Current>) {
        loop {
            if timeout(RESCAN, self.changed.notified()).await.is_ok() {
                let latest = Instant::now() + LONGEST_UNREST;
                while timeout_at(latest.min(Instant::now() + QUIET), self.changed.notified())
                    .await
                    .is_ok()
                {}
            }
            match self.scan().await {
                Ok(Some(set)) => current.swap(set),
                Ok(None) => {}
                Err(error) if !std::mem::replace(&mut self.said.unreadable, true) => {
                    let directory = self.directory.display();
                    tracing::error!(%directory, %error, "policies cannot be read: the loaded ones are kept");
                }
                Err(_) => {}
            }
        }
    }

    /// Reads the directory, and loads what changed. `None` if nothing did.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) async fn scan(&mut self) -> std::io::Result<Option<Set>> {
        // Before the directory is read, so that nothing changes unseen in between.
        self.watch_directory();
        let (directory, limits) = (self.directory.clone(), self.loader.limits);
        let found = tokio::task::spawn_blocking(move || directory::snapshot(&directory, &limits))
            .await
            .map_err(std::io::Error::other)??;
        self.said.unreadable = false;
        let before = self.known.len();
        self.known.retain(|file, _| {
            let stays = found.contains_key(file);
            if !stays {
                tracing::info!(file, "policy unloaded: its file is gone");
            }
            stays
        });
        let mut changed = self.known.len() != before;
        for (file, candidate) in found {
            changed |= self.look_at(file, candidate).await;
        }
        Ok(changed.then(|| {
            Set::new(
                self.known
                    .values()
                    .map(|known| known.loaded.clone())
                    .collect(),
            )
        }))
    }

    /// Loads one file unless it is known as it is; says whether it was not.
    async fn look_at(&mut self, file: String, candidate: Candidate) -> bool {
        let fingerprint = candidate.fingerprint();
        let known = self.known.get(&file);
        if known.is_some_and(|known| known.fingerprint == fingerprint) {
            return false;
        }
        let last_good = known.and_then(|known| known.loaded.policy()).cloned();
        let loaded = match self.loader.load(&self.runtime, &file, candidate).await {
            Ok(policy) => Loaded::new(&file, Some(Arc::new(policy)), None),
            Err(failure) => Loaded::new(&file, last_good, Some(failure)),
        };
        say(&loaded);
        self.known.insert(
            file,
            Known {
                fingerprint,
                loaded,
            },
        );
        true
    }

    fn watch_directory(&mut self) {
        let inode = std::fs::metadata(&self.directory)
            .map(|found| (found.dev(), found.ino()))
            .ok();
        if self.watch.as_ref().map(|watch| watch.inode) == inode && inode.is_some() {
            return;
        }
        self.watch = None;
        let Some(inode) = inode else { return };
        let watching = watcher(self.changed.clone()).and_then(|mut watcher| {
            // Not recursively: reading a file in a recursive watch is itself an event, for ever.
            watcher.watch(&self.directory, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match watching {
            Ok(watcher) => {
                self.watch = Some(Watch {
                    _watcher: watcher,
                    inode,
                });
                self.said.unwatched = false;
            }
            Err(error) if !std::mem::replace(&mut self.said.unwatched, true) => {
                let (directory, seconds) = (self.directory.display(), RESCAN.as_secs());
                tracing::warn!(%directory, %error, seconds, "policies cannot be watched: looking at them now and then");
            }
            Err(_) => {}
        }
    }
}

fn watcher(changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<Event>| {
        // An error is an overflow or a lost watch: a reason to look.
        if event.as_ref().map_or(true, matters) {
            changed.notify_one();
        }
    })
}

/// Our own reading opens and closes files.
fn matters(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

fn say(loaded: &Loaded) {
    let file = loaded.file();
    match loaded.status() {
        Status::Loaded => {
            let name = loaded.name().map(ToString::to_string);
            tracing::info!(
                file,
                name,
                version = loaded.version(),
                digest = loaded.digest(),
                "policy loaded"
            );
        }
        Status::KeptLastGood(failure) => {
            let digest = loaded.digest();
            tracing::warn!(file, digest, %failure, "policy unusable: its last good version is kept");
        }
        Status::Refused(failure) => {
            tracing::warn!(file, %failure, "policy unusable: it is not asked")
        }
    }
}
