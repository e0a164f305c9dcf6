//! Says when the directory is worth a look.
//!
//! A change is told when it has been quiet for a moment: an editor or a ConfigMap's swap is several events, and at the
//! first of them the old bytes may still be there. What is being written is waited for, within bounds. Where nothing can
//! be watched (inotify's limits are exhausted in practice) the files' stamps are polled, and the log says so.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::directory;

/// So long nothing may change before the directory is read. 10 ms: sixty times what a ConfigMap's swap takes, and
/// little beside what a compilation takes.
pub const DEBOUNCE: Duration = Duration::from_millis(10);
/// A directory that is never quiet, or a file that is never closed, is read all the same.
const LONGEST_UNREST: Duration = Duration::from_secs(2);
/// Between two looks at the stamps where nothing can be watched. 2 s: nobody waits long for a policy, and a look costs
/// a few system calls a file.
const POLL: Duration = Duration::from_secs(2);
/// A directory that was replaced without an event (its parent cannot always be watched) is noticed after this time.
const MAKE_SURE: Duration = Duration::from_secs(30);

/// What makes a watcher: inotify's, but for tests.
type Make = fn(Arc<Events>) -> notify::Result<RecommendedWatcher>;

pub(super) struct Watch {
    directory: PathBuf,
    events: Arc<Events>,
    make: Make,
    poll: Duration,
    attached: Option<Attached>,
    polling: Option<Polled>,
}

/// A watch, and the directory that it is on (`None`: on its parent, for it to come back). A directory that was made anew
/// needs a new watch.
struct Attached {
    _watcher: RecommendedWatcher,
    inode: Option<(u64, u64)>,
}

/// So many polls until a watch is tried again: half a minute. Each try is a thread.
const TRY_TO_WATCH: u32 = 15;

/// What the last two polls saw, and what was told.
#[derive(Default)]
struct Polled {
    polls: u32,
    last: Option<Glance>,
    told: Option<Glance>,
}

type Glance = Option<Vec<(String, Option<directory::Stamp>)>>;

impl Watch {
    /// Watches from now on; nothing that changes later is missed.
    pub(super) fn new(directory: &Path) -> Self {
        Self::with(directory, |events| {
            notify::recommended_watcher(move |event| events.heard(event))
        })
    }

    fn with(directory: &Path, make: Make) -> Self {
        // What the events name.
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let mut watch = Self {
            events: Arc::new(Events::new(&directory)),
            directory,
            make,
            poll: POLL,
            attached: None,
            polling: None,
        };
        watch.attach();
        watch
    }

    /// Tells `due` of every change. Never ends.
    pub(super) async fn run(mut self, due: Arc<Notify>) {
        loop {
            if self.next().await {
                due.notify_one();
            }
        }
    }

    /// Waits a while; whether the directory may have changed meanwhile.
    async fn next(&mut self) -> bool {
        if self.attached.is_some() {
            let heard = timeout(MAKE_SURE, self.events.something.notified()).await;
            if heard.is_ok() {
                self.events.settle().await;
            }
            // Before anybody looks, so that nothing changes unseen in between.
            return self.attach() || heard.is_ok();
        }
        sleep(self.poll).await;
        let polled = self.polling.get_or_insert_default();
        polled.polls = (polled.polls + 1) % TRY_TO_WATCH;
        if polled.polls == 0 && self.attach() {
            return true;
        }
        let directory = self.directory.clone();
        let seen = tokio::task::spawn_blocking(move || directory::glance(&directory)).await;
        let polled = self.polling.get_or_insert_default();
        seen.is_ok_and(|seen| polled.changed(seen))
    }

    /// Watches the directory that is there now; whether it is another one than before.
    fn attach(&mut self) -> bool {
        let inode = std::fs::metadata(&self.directory)
            .map(|found| (found.dev(), found.ino()))
            .ok();
        if let Some(attached) = &self.attached
            && attached.inode == inode
        {
            return false;
        }
        self.attached = None;
        let directory = self.directory.display();
        match self.watcher(inode.is_some()) {
            Ok(watcher) => {
                self.attached = Some(Attached {
                    _watcher: watcher,
                    inode,
                });
                if self.polling.take().is_some() {
                    tracing::info!(%directory, "policies are watched again");
                }
                true
            }
            Err(error) => {
                if self.polling.is_none() {
                    self.polling = Some(Polled::default());
                    let seconds = POLL.as_secs();
                    tracing::warn!(%directory, %error, seconds, "policies cannot be watched: polling their directory");
                }
                false
            }
        }
    }

    /// The parent is watched too: it tells when the directory is renamed, replaced (it may be a link) or comes back.
    fn watcher(&self, is_there: bool) -> notify::Result<RecommendedWatcher> {
        let mut watcher = (self.make)(self.events.clone())?;
        let parent = self.directory.parent().unwrap_or(&self.directory);
        // Not recursively: reading a file in a recursive watch is itself an event, for ever.
        let beside = watcher.watch(parent, RecursiveMode::NonRecursive);
        if is_there {
            watcher.watch(&self.directory, RecursiveMode::NonRecursive)?;
        } else {
            beside?;
        }
        Ok(watcher)
    }
}

impl Polled {
    /// Two polls must agree before a change is told: it is not under way any more.
    fn changed(&mut self, seen: Glance) -> bool {
        let steady = self.last.as_ref() == Some(&seen);
        let news = steady && self.told.as_ref() != Some(&seen);
        if news {
            self.told = Some(seen.clone());
        }
        self.last = Some(seen);
        news
    }
}

/// What the watcher's thread has heard.
struct Events {
    directory: PathBuf,
    something: Notify,
    /// Files that were written to and are not closed yet.
    writing: Mutex<BTreeSet<PathBuf>>,
}

impl Events {
    fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            something: Notify::new(),
            writing: Mutex::default(),
        }
    }

    fn heard(&self, event: notify::Result<Event>) {
        match event {
            Ok(event) if !event.need_rescan() => {
                let paths = event.paths.iter().filter(|path| self.concerns(path));
                let mut news = false;
                for path in paths {
                    news |= self.took(event.kind, path);
                }
                if news {
                    self.something.notify_one();
                }
            }
            // An overflow or a lost watch: a reason to look, and nothing is known of who writes.
            Ok(_) | Err(_) => {
                self.writing().clear();
                self.something.notify_one();
            }
        }
    }

    /// The directory itself, or a file of a policy in it.
    fn concerns(&self, path: &Path) -> bool {
        let of_a_policy = || {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(directory::concerns)
        };
        path == self.directory || (path.parent() == Some(&self.directory) && of_a_policy())
    }

    /// Takes note of who writes; whether it is news. (Our own reading opens and closes files.)
    fn took(&self, kind: EventKind, path: &Path) -> bool {
        match kind {
            EventKind::Modify(ModifyKind::Data(_)) => {
                self.writing().insert(path.to_owned());
                true
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_) => {
                self.writing().remove(path);
                true
            }
            EventKind::Access(_) => false,
            EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Other => true,
        }
    }

    fn writing(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is quiet and nobody writes, within bounds.
    async fn settle(&self) {
        let mut unrest = Unrest::since(Instant::now());
        loop {
            let is_written = !self.writing().is_empty();
            let Some(until) = unrest.lasts_until(Instant::now(), is_written) else {
                break;
            };
            if timeout_at(until, self.something.notified()).await.is_ok() {
                unrest.goes_on(Instant::now());
            }
        }
        // Whoever writes still is waited for again when he writes again.
        self.writing().clear();
    }
}

/// A time in which something changes again and again.
struct Unrest {
    first: Instant,
    last: Instant,
}

impl Unrest {
    fn since(now: Instant) -> Self {
        Self {
            first: now,
            last: now,
        }
    }

    fn goes_on(&mut self, now: Instant) {
        self.last = now;
    }

    /// Until when it lasts, if nothing else happens; `None`: it is over.
    fn lasts_until(&self, now: Instant, is_written: bool) -> Option<Instant> {
        let longest = self.first + LONGEST_UNREST;
        let quiet = self.last + DEBOUNCE;
        let until = if is_written {
            longest
        } else {
            quiet.min(longest)
        };
        (now < until).then_some(until)
    }
}

#[cfg(test)]
mod tests;
