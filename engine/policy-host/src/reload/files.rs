//! What is known of every policy of the directory, and the set that follows from it. It changes here, synchronously, by
//! what a look saw, what a loading gave and what the clock says; waiting is elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rectifier_core::clock::{Clock, Timestamp};
use rectifier_core::policy::FailureClass;
use tokio::time::Instant;

use super::job::{From, Job, Outcome, Version};
use crate::directory::{Look, Module, Seen};
use crate::fingerprint::Fingerprint;
use crate::rollout::{Ledger, Plan, Standing};
use crate::set::{Coming, Loaded, Set};
use crate::{Failure, Stage};

/// A compiler that found no memory or no time may find it later: a node under stress is what policies are for. The
/// first pause is a minute, each further one four times as long, up to six hours: a module that is simply too much
/// costs three thousandths of a processor.
const AGAIN: Duration = Duration::from_secs(60);
const AGAIN_TIMES: u32 = 4;
const AGAIN_AT_MOST: Duration = Duration::from_secs(6 * 3600);

/// How changed versions come to enforce, if not at once.
pub(crate) struct Gradual {
    pub(crate) plan: Plan,
    pub(crate) ledger: Ledger,
    pub(crate) clock: Arc<dyn Clock>,
}

pub(crate) struct Files {
    known: BTreeMap<String, Known>,
    gradual: Option<Gradual>,
    /// Policies whose new version would answer for what another one answers for, as the last set found.
    clashing: BTreeSet<String>,
}

struct Known {
    file: String,
    /// What the directory has; `None` if that must be looked at again.
    offered: Option<Fingerprint>,
    module: Option<Module>,
    /// Why that is not usable.
    problem: Option<Failure>,
    /// When it is tried again, if the reason may be gone by then.
    again: Option<Again>,
    /// Likewise for the version that enforced last.
    last_again: Option<Again>,
    /// The newest version that is usable.
    newest: Option<Version>,
    /// What enforces while the newest one is on its way to that.
    before: Option<Version>,
    /// It was there when nothing was remembered yet.
    baseline: bool,
}

/// Another try of the same loading.
struct Again {
    job: Job,
    pause: Duration,
    /// `None` while it is tried.
    at: Option<Instant>,
}

/// What a look leads to.
#[derive(Default)]
pub(crate) struct Changes {
    /// The set is another one.
    pub(crate) set: bool,
    /// Policies that the directory has no more.
    pub(crate) gone: Vec<String>,
    /// Policies of which the directory has another version: loading the one before is of no use any more.
    pub(crate) changed: Vec<String>,
    /// Loadings that are to begin.
    pub(crate) load: Vec<Job>,
}

/// What time has changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Advanced {
    /// Who answers.
    pub(crate) set: bool,
    /// Only what is told of a file: everybody answers as before.
    pub(crate) status: bool,
}

impl Files {
    pub(crate) fn new(gradual: Option<Gradual>) -> Self {
        Self {
            known: BTreeMap::new(),
            gradual,
            clashing: BTreeSet::new(),
        }
    }

    /// What is to be remembered of the rollout.
    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        self.gradual.as_ref().map(|gradual| &gradual.ledger)
    }

    /// Takes in what the directory has now.
    pub(crate) fn looked(&mut self, look: Look) -> Changes {
        let mut changes = Changes::default();
        self.known.retain(|name, _| {
            let stays = look.contains_key(name);
            if !stays {
                changes.set = true;
                changes.gone.push(name.clone());
            }
            stays
        });
        // What is there before anything is remembered is the baseline, however long its loading takes.
        let blank = self.ledger().is_some_and(Ledger::is_blank);
        if let Some(gradual) = &mut self.gradual {
            gradual
                .ledger
                .forget_all_but(|name| look.contains_key(name));
        }
        for (name, seen) in look {
            self.look_at(name, seen, blank, &mut changes);
        }
        changes
    }

    fn look_at(&mut self, name: String, seen: Seen, blank: bool, changes: &mut Changes) {
        let Seen {
            file,
            fingerprint,
            module,
        } = seen;
        let known = self.known.entry(name.clone()).or_insert_with(|| Known {
            file: file.clone(),
            offered: None,
            module: None,
            problem: None,
            again: None,
            last_again: None,
            newest: None,
            before: None,
            baseline: blank,
        });
        if known.offered == Some(fingerprint) && known.file == file {
            return;
        }
        (known.offered, known.module, known.again) = (Some(fingerprint), module, None);
        known.file.clone_from(&file);
        changes.changed.push(name.clone());
        if let Some(version) = known.take_version(fingerprint, &file) {
            // It was loaded already, and another one was tried since: it keeps its compiled form.
            changes.set = true;
            changes.load.extend(self.good(&name, version));
            return;
        }
        changes.load.push(Job {
            name: name.clone(),
            file,
            fingerprint,
            from: From::Directory(module),
        });
        if known.newest.is_none() && known.before.is_none() {
            changes.load.extend(self.last_good(&name));
        }
    }

    /// Takes in what came of a loading; whether the set is another one, and what is to be loaded now.
    pub(crate) fn loaded(&mut self, job: &Job, outcome: Outcome, now: Instant) -> Changes {
        let mut changes = Changes::default();
        let enforcing = self.ledger().and_then(|ledger| ledger.enforcing(&job.name));
        let Some(known) = self.known.get_mut(&job.name) else {
            return changes;
        };
        match (job.from, outcome) {
            // Whatever the next look sees is news.
            (From::Directory(_), Outcome::Moved) => known.offered = None,
            (From::Directory(_), Outcome::Bad(failure)) => {
                known.again = Again::after(job, &failure, known.again.take(), now);
                changes.set = known.problem.as_ref() != Some(&failure);
                known.problem = Some(failure);
            }
            (From::Directory(_), Outcome::Good(version)) => {
                changes.load.extend(self.good(&job.name, version));
                changes.set = true;
            }
            (From::Store, Outcome::Good(version)) => {
                // Meanwhile another one may have come to enforce.
                known.last_again = None;
                if enforcing == Some(version.fingerprint) {
                    known.before = Some(version);
                    changes.set = true;
                }
            }
            (From::Store, Outcome::Bad(failure)) => {
                let file = &known.file;
                tracing::warn!(file, %failure, "the version that enforced last cannot be loaded");
                if enforcing == Some(job.fingerprint) {
                    let before = known.last_again.take();
                    known.last_again = Again::after(job, &failure, before, now);
                }
            }
            (From::Store, Outcome::Moved) => {}
        }
        changes
    }

    /// Takes in a usable version that the directory offers; perhaps the one before it is to be loaded.
    fn good(&mut self, name: &str, version: Version) -> Option<Job> {
        let known = self.known.get_mut(name)?;
        (known.problem, known.again) = (None, None);
        let fingerprint = version.fingerprint;
        let mode = version.policy.mode;
        let last = known.newest.replace(version);
        let Some(Gradual {
            plan,
            ledger,
            clock,
        }) = &mut self.gradual
        else {
            return None;
        };
        ledger.offered(plan, name, fingerprint, mode, known.baseline, clock.now());
        known.baseline = false;
        let standing = ledger.standing(plan, name, &fingerprint);
        let needed = ledger
            .enforcing(name)
            .filter(|_| matches!(standing, Standing::Coming { .. }));
        known.before = [last, known.before.take()]
            .into_iter()
            .flatten()
            .find(|version| Some(version.fingerprint) == needed);
        if known.before.is_some() {
            return None;
        }
        self.last_good(name)
    }

    /// The version that enforced last, if it is neither what the directory has nor loaded.
    fn last_good(&self, name: &str) -> Option<Job> {
        let known = self.known.get(name)?;
        let fingerprint = self.ledger()?.enforcing(name)?;
        let is_here = known.offered == Some(fingerprint)
            || known.newest.as_ref().map(|version| version.fingerprint) == Some(fingerprint);
        (!is_here).then(|| Job {
            name: name.to_owned(),
            file: known.file.clone(),
            fingerprint,
            from: From::Store,
        })
    }

    /// Lets versions pass the stages whose time is over, but for those that fail, or could not be asked in the end
    /// beside another policy.
    pub(crate) fn advance(&mut self) -> Advanced {
        let Some(gradual) = &mut self.gradual else {
            return Advanced::default();
        };
        let now = gradual.clock.now();
        let mut advanced = Advanced::default();
        for (name, known) in self.known.iter_mut().filter(|(_, known)| known.is_coming()) {
            let newest = known.newest.as_ref();
            if let Some(fails) = newest.and_then(|version| version.policy.breaker.is_failing()) {
                advanced.status |= gradual.ledger.hold(name, fails, now);
            }
            if self.clashing.contains(name) {
                continue;
            }
            let stage = gradual.ledger.advance(&gradual.plan, name, now);
            if stage == Some(Stage::Everybody) {
                known.before = None;
            }
            advanced.set |= stage.is_some();
        }
        advanced
    }

    /// How long until a stage ends.
    pub(crate) fn next_stage_in(&self) -> Option<Duration> {
        let gradual = self.gradual.as_ref()?;
        let now: Timestamp = gradual.clock.now();
        let coming = self
            .known
            .iter()
            .filter(|(name, known)| known.is_coming() && !self.clashing.contains(*name));
        coming
            .filter_map(|(name, _)| gradual.ledger.stage_lasts(&gradual.plan, name, now))
            .min()
    }

    /// What is to be tried again by now.
    pub(crate) fn try_again(&mut self, now: Instant) -> Vec<Job> {
        let mut jobs = Vec::new();
        for known in self.known.values_mut() {
            let tries = [&mut known.again, &mut known.last_again];
            for again in tries.into_iter().flatten() {
                if again.at.is_some_and(|at| at <= now) {
                    again.at = None;
                    jobs.push(again.job.clone());
                }
            }
        }
        jobs
    }

    /// When the next is to be tried again.
    pub(crate) fn next_try(&self) -> Option<Instant> {
        let known = self.known.values();
        let tries = known.flat_map(|known| [&known.again, &known.last_again]);
        tries.flatten().filter_map(|again| again.at).min()
    }

    /// The set as it is now.
    pub(crate) fn set(&mut self) -> Set {
        let entry = |(name, known): (&String, &Known)| self.entry(name, known);
        let set = Set::new(self.known.iter().map(entry).collect());
        let clashing = |file: &str| set.clashing().any(|other| other == file);
        let known = self.known.iter();
        let clashing: BTreeSet<String> = known
            .filter(|(_, known)| clashing(&known.file))
            .map(|(name, _)| name.clone())
            .collect();
        if let Some(gradual) = &mut self.gradual {
            let now = gradual.clock.now();
            for name in clashing.symmetric_difference(&self.clashing) {
                gradual.ledger.restart_stage(name, now);
            }
        }
        self.clashing = clashing;
        set
    }

    fn entry(&self, name: &str, known: &Known) -> Loaded {
        let standing = known.newest.as_ref().zip(self.gradual.as_ref());
        let standing = standing.map(|(newest, gradual)| {
            let plan = &gradual.plan;
            gradual.ledger.standing(plan, name, &newest.fingerprint)
        });
        let policy = |version: &Version| version.policy.clone();
        let (newest, before) = (known.newest.as_ref(), known.before.as_ref());
        let coming = match (standing, newest) {
            (Some(Standing::Coming { stage, here, held }), Some(newest)) => Some(Coming {
                stage,
                here,
                held,
                policy: newest.policy.clone(),
            }),
            (Some(Standing::Coming { .. } | Standing::Settled) | None, _) => None,
        };
        let asked = match &coming {
            Some(Coming { here: false, .. }) => before,
            Some(Coming { here: true, .. }) | None => newest.or(before),
        };
        Loaded {
            file: known.file.clone(),
            policy: asked.map(policy),
            coming,
            problem: known.problem.clone(),
        }
    }
}

impl Again {
    /// If the failure may pass. What is wrong with the file itself does not.
    fn after(job: &Job, failure: &Failure, before: Option<Again>, now: Instant) -> Option<Again> {
        let may_pass = matches!(failure.class, FailureClass::Compile | FailureClass::Timeout);
        may_pass.then(|| {
            let before = before.filter(|before| before.job == *job);
            let longer = |before: Again| (before.pause * AGAIN_TIMES).min(AGAIN_AT_MOST);
            let pause = before.map_or(AGAIN, longer);
            Again {
                job: job.clone(),
                pause,
                at: Some(now + pause),
            }
        })
    }
}

impl Known {
    /// Is its newest version what the directory offers? Only then does time pass for it: a broken file holds it up.
    fn is_coming(&self) -> bool {
        let newest = self.newest.as_ref().map(|version| version.fingerprint);
        self.problem.is_none() && newest.is_some() && newest == self.offered
    }

    /// A version that is loaded, if it is this one. (It names its file in what it says.)
    fn take_version(&mut self, fingerprint: Fingerprint, file: &str) -> Option<Version> {
        let is_it = |version: &mut Version| {
            version.fingerprint == fingerprint && version.policy.file == file
        };
        self.newest
            .take_if(is_it)
            .or_else(|| self.before.take_if(is_it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(module: u8) -> Look {
        let module = Module {
            sha256: [module; 32],
            bytes: 10,
        };
        let seen = Seen {
            file: "a.wasm".to_owned(),
            fingerprint: Fingerprint::of(Ok(module.sha256), None),
            module: Some(module),
        };
        Look::from([("a".to_owned(), seen)])
    }

    fn fails(files: &mut Files, job: &Job, class: FailureClass, now: Instant) {
        let outcome = Outcome::Bad(Failure::new(class, "why"));
        files.loaded(job, outcome, now);
    }

    #[test]
    fn what_could_not_be_compiled_is_tried_again_less_and_less_often() {
        let mut files = Files::new(None);
        let mut now = Instant::now();
        let mut jobs = files.looked(look(1)).load;
        for minutes in [1, 4, 16, 64, 256, 360, 360] {
            let [job] = jobs.as_slice() else {
                panic!("{jobs:?}");
            };
            assert_eq!(files.next_try(), None);
            fails(&mut files, job, FailureClass::Compile, now);
            let pause = Duration::from_secs(60 * minutes);
            assert_eq!(files.next_try(), Some(now + pause));
            assert!(files.try_again(now + pause / 2).is_empty());
            now += pause;
            jobs = files.try_again(now);
        }
        // Another version begins anew.
        fails(&mut files, &jobs[0], FailureClass::Compile, now);
        let changed = files.looked(look(2)).load;
        assert_eq!(files.next_try(), None);
        fails(&mut files, &changed[0], FailureClass::Timeout, now);
        assert_eq!(files.next_try(), Some(now + AGAIN));
    }

    #[test]
    fn what_is_wrong_with_a_file_itself_is_not_tried_again() {
        for class in [
            FailureClass::Load,
            FailureClass::Link,
            FailureClass::Settings,
        ] {
            let mut files = Files::new(None);
            let job = &files.looked(look(1)).load[0];
            fails(&mut files, job, class, Instant::now());
            assert_eq!(files.next_try(), None);
            let again = files.looked(look(1));
            assert!(again.load.is_empty() && !again.set);
        }
    }
}
