//! Keeps the set in step with the directory.
//!
//! ```text
//! watch ──────────► look ─────────────► load ───────────────────────► swap
//! a change that     fingerprints of     what changed, each by itself: the set whole,
//! came to rest      all files           read, compile, link, settings with what is ready
//! ```
//!
//! Waiting is here, in one place; what follows from an event is decided in [`files`]. A file that cannot be used, or
//! takes long to compile, keeps the version that it had, and no other file waits for it. A newer version of a file ends
//! the loading of the one before. What the watch missed is seen by a slow rescan.

mod files;
mod job;
mod told;
mod watch;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until};

use crate::directory::{self, Care, Look, Stamps};
use crate::policies::Current;
use crate::rollout::Ledger;
use crate::set::Set;
use files::{Advanced, Changes, Files};
use job::{From, Job, Outcome};
use told::Told;
use watch::Watch;

pub(crate) use files::Gradual;
pub(crate) use job::Workshop;
pub use watch::DEBOUNCE;

/// What the watch missed is seen after this time.
const RESCAN: Duration = Duration::from_secs(30);
/// Every so many rescans everything is read anew: every ten minutes, since a stamp that does not tell of a change is rare.
const WHOLE: u64 = 20;
/// So long what is ready waits for the rest of its look, so that what changed together takes effect together if it can.
/// 50 ms: a small policy is compiled in little more, and two at a time. Nothing waits for one that takes seconds.
const TOGETHER: Duration = Duration::from_millis(50);
/// A file that was another one when it was to be loaded is looked at again after this time, if no event tells sooner.
const MOVED: Duration = Duration::from_secs(1);

pub(crate) struct Reload {
    workshop: Arc<Workshop>,
    files: Files,
    work: JoinSet<Done>,
    loading: Vec<Loading>,
    /// Counts the loadings, the looks that led to any, and the rescans.
    number: u64,
    round: u64,
    rescans: u64,
    /// Away while a look has it.
    stamps: Option<Stamps>,
    /// Asked for while another look was under way.
    look_again: Option<Care>,
    look_at: Option<Instant>,
    due: Arc<Notify>,
    /// Since when the set is another one than the present.
    stale: Option<Instant>,
    /// How a file stands is another than what was told; who answers is the same.
    retell: bool,
    saving: bool,
    /// What was saved last; `None`: it must be saved again.
    saved: Option<Ledger>,
    told: Told,
}

struct Loading {
    job: Job,
    number: u64,
    round: u64,
    takes_long: bool,
    handle: AbortHandle,
}

/// What wakes the loop.
enum Event {
    Look(Care),
    Done(Done),
    /// Time has passed.
    Time,
}

/// What a task gave.
enum Done {
    Looked(Stamps, std::io::Result<Look>),
    Loaded(u64, Outcome),
    Saved(std::io::Result<()>),
}

impl Reload {
    pub(crate) fn new(workshop: Workshop, gradual: Option<Gradual>) -> Self {
        Self {
            workshop: Arc::new(workshop),
            files: Files::new(gradual),
            work: JoinSet::new(),
            loading: Vec::new(),
            number: 0,
            round: 0,
            rescans: 0,
            stamps: Some(Stamps::default()),
            look_again: None,
            look_at: None,
            due: Arc::new(Notify::new()),
            stale: None,
            retell: false,
            saving: false,
            saved: None,
            told: Told::default(),
        }
    }

    /// Whoever knows that a look is due tells this.
    pub(crate) fn due(&self) -> Arc<Notify> {
        self.due.clone()
    }

    /// Watches the directory from now on. The future never ends; it must be polled for anything to be noticed.
    pub(crate) fn watch(&self) -> impl Future<Output = ()> + Send + use<> {
        Watch::new(&self.workshop.directory).run(self.due.clone())
    }

    /// Loads everything that is there; the first set is complete.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) async fn first(&mut self) -> std::io::Result<Set> {
        self.look(Care::Whole);
        loop {
            while let Some(done) = self.work.join_next().await {
                // Whoever was aborted has nothing to say.
                if let Ok(done) = done {
                    self.take(done)?;
                }
            }
            if !self.save() {
                break;
            }
        }
        Ok(self.set())
    }

    /// Never ends.
    pub(crate) async fn run(mut self, current: Arc<Current>) {
        let mut rescan = interval_at(Instant::now() + RESCAN, RESCAN);
        rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = self.next(&mut rescan).await;
            self.apply(event);
            if let Some(set) = self.ready() {
                current.swap(set);
            } else if self.retell && self.stale.is_none() {
                current.retell(self.set());
            }
            self.save();
            current.rest(self.is_at_rest());
        }
    }

    async fn next(&mut self, rescan: &mut Interval) -> Event {
        let swap = self.stale.map(|since| since + TOGETHER);
        let stage = self.files.next_stage_in();
        tokio::select! {
            Some(done) = self.work.join_next() => done.map_or(Event::Time, Event::Done),
            () = self.due.notified() => Event::Look(Care::Quick),
            () = at(self.look_at) => Event::Look(Care::Quick),
            _ = rescan.tick() => {
                self.rescans += 1;
                let is_whole = self.rescans.is_multiple_of(WHOLE);
                Event::Look(if is_whole { Care::Whole } else { Care::Quick })
            }
            () = at(swap) => Event::Time,
            () = at(self.files.next_try()) => Event::Time,
            // No longer than the rescan: a wall clock may jump.
            () = after(stage.map(|left| left.min(RESCAN))) => Event::Time,
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Look(care) => {
                self.look_at = None;
                self.look(care);
            }
            Event::Done(done) => {
                if let Err(error) = self.take(done) {
                    self.told.unreadable(&self.workshop.directory, &error);
                }
            }
            Event::Time => {}
        }
        for job in self.files.try_again(Instant::now()) {
            self.load(job);
        }
        let Advanced { set, status } = self.files.advance();
        self.retell |= status;
        if set {
            self.is_stale();
        }
    }

    /// Takes in what a task gave.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn take(&mut self, done: Done) -> std::io::Result<()> {
        match done {
            Done::Looked(stamps, look) => {
                self.stamps = Some(stamps);
                if let Some(care) = self.look_again.take() {
                    self.look(care);
                }
                let look = look?;
                self.told.readable(&self.workshop.directory);
                let changes = self.files.looked(look);
                self.round += u64::from(!changes.load.is_empty());
                self.follow(changes);
            }
            Done::Loaded(number, outcome) => {
                // Whether it is good or not, the state folder is to be tidied.
                self.saved = None;
                let known = self
                    .loading
                    .iter()
                    .position(|loading| loading.number == number);
                if let Some(loading) = known.map(|at| self.loading.swap_remove(at)) {
                    if matches!(outcome, Outcome::Moved) {
                        self.look_at = Some(Instant::now() + MOVED);
                    }
                    let changes = self.files.loaded(&loading.job, outcome, Instant::now());
                    self.follow(changes);
                }
            }
            Done::Saved(result) => {
                self.saving = false;
                self.told.saved(&result);
            }
        }
        Ok(())
    }

    fn follow(&mut self, changes: Changes) {
        let Changes {
            set,
            gone,
            changed,
            load,
        } = changes;
        self.loading.retain(|loading| {
            let name = &loading.job.name;
            let superseded = changed.contains(name) && loading.job.from != From::Store;
            let stays = !superseded && !gone.contains(name);
            if !stays {
                loading.handle.abort();
            }
            stays
        });
        for job in load {
            self.load(job);
        }
        if set {
            self.is_stale();
        }
    }

    fn look(&mut self, care: Care) {
        let Some(mut stamps) = self.stamps.take() else {
            // What the one under way may have missed is seen by the next.
            let again = self.look_again.filter(|again| *again == Care::Whole);
            self.look_again = again.or(Some(care));
            return;
        };
        let workshop = self.workshop.clone();
        self.work.spawn(async move {
            let looked = spawn_blocking(move || {
                let limits = &workshop.loader.limits;
                let look = directory::look(&workshop.directory, limits, &mut stamps, care);
                (stamps, look)
            });
            match looked.await {
                Ok((stamps, look)) => Done::Looked(stamps, look),
                Err(died) => Done::Looked(Stamps::default(), Err(std::io::Error::other(died))),
            }
        });
    }

    fn load(&mut self, job: Job) {
        if self.loading.iter().any(|loading| loading.job == job) {
            return;
        }
        self.number += 1;
        let (number, round) = (self.number, self.round);
        let takes_long = self.workshop.takes_long(&job);
        let carried_out = self.workshop.clone().carry_out(job.clone());
        let handle = self
            .work
            .spawn(async move { Done::Loaded(number, carried_out.await) });
        self.loading.push(Loading {
            job,
            number,
            round,
            takes_long,
            handle,
        });
    }

    /// Saves what is to be remembered, if it is other than what was saved; whether it was.
    fn save(&mut self) -> bool {
        let (Some(store), Some(ledger)) = (&self.workshop.store, self.files.ledger()) else {
            return false;
        };
        if self.saving || self.saved.as_ref() == Some(ledger) {
            return false;
        }
        let (store, ledger) = (store.clone(), ledger.clone());
        self.saving = true;
        // If it fails, the next change tries again.
        self.saved = Some(ledger.clone());
        self.work.spawn(async move {
            let saved = spawn_blocking(move || store.save(&ledger)).await;
            Done::Saved(saved.unwrap_or_else(|died| Err(std::io::Error::other(died))))
        });
        true
    }

    fn is_at_rest(&self) -> bool {
        self.loading.is_empty() && self.stale.is_none() && self.stamps.is_some()
    }

    fn is_stale(&mut self) {
        self.stale.get_or_insert_with(Instant::now);
    }

    /// The new set, if there is one and it need not wait for the rest of its look.
    fn ready(&mut self) -> Option<Set> {
        let since = self.stale?;
        let more_is_coming = self
            .loading
            .iter()
            .any(|loading| loading.round == self.round && !loading.takes_long);
        if more_is_coming && since.elapsed() < TOGETHER {
            return None;
        }
        Some(self.set())
    }

    fn set(&mut self) -> Set {
        self.stale = None;
        self.retell = false;
        let set = self.files.set();
        self.told.set(&set);
        set
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

async fn after(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => pending().await,
    }
}
