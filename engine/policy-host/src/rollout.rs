//! Lets a changed policy enforce gradually, so that one bad file does not restart 5 000 runtimes.
//!
//! The first version that a node ever sees enforces at once: the baseline. A later one only monitors at first, while the
//! one before it enforces still; then it enforces on one node in a hundred, on one in ten, on all. Each node knows by
//! itself where it stands, by a hash of its name and the version, so that nobody has to be asked.
//!
//! ```text
//!   first sight ──► Nobody ──► OneInHundred ──► OneInTen ──► Everybody: it is the one that enforces
//!                    ⅓ of the time each; meanwhile the version before it enforces on the other nodes
//! ```
//!
//! Not gradual: what monitors by its own sidecar, what is removed, and what has enforced on every node before. (Going
//! back to yesterday's version is how one ends an accident.)
//!
//! The wall clock measures the stages, since they outlive the process; but a stage is passed only by being seen to have
//! lasted. A clock that jumps ahead, or a node that slept, passes one stage at a time; one that was set back begins the
//! present stage anew. So neither skips the rollout, and neither blocks it for ever.
//!
//! This file decides, purely; [`store`] remembers.

mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rectifier_core::clock::{Clock, SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Mode;
use crate::fingerprint::Fingerprint;

pub(crate) use store::{Held, Store};

/// How a changed policy comes to enforce.
#[derive(Clone)]
pub struct Rollout {
    /// This node's name, or another that stays the same and differs from node to node.
    pub node: String,
    /// From the first sight of a new version until it enforces on every node. 0: at once.
    pub over: Duration,
    /// The folder in which it is remembered, with the versions that enforce; made if need be. It must outlive the
    /// process, and be this user's alone.
    pub state: PathBuf,
    /// Tells how long a version has been known.
    pub clock: Arc<dyn Clock>,
}

/// How far a new version has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// It monitors on every node; ends after a third of the time.
    Nobody,
    /// It enforces on one node in a hundred; ends after two thirds of the time.
    OneInHundred,
    /// It enforces on one node in ten; ends when the time is over.
    OneInTen,
    /// It enforces.
    Everybody,
}

impl Stage {
    /// The share of the nodes on which it enforces.
    pub fn percent(self) -> u8 {
        match self {
            Stage::Nobody => 0,
            Stage::OneInHundred => 1,
            Stage::OneInTen => 10,
            Stage::Everybody => 100,
        }
    }

    fn next(self) -> Stage {
        match self {
            Stage::Nobody => Stage::OneInHundred,
            Stage::OneInHundred => Stage::OneInTen,
            Stage::OneInTen | Stage::Everybody => Stage::Everybody,
        }
    }
}

/// Where a version stands on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// As its own sidecar says.
    Settled,
    /// It is on its way; `here`: it enforces on this node already.
    /// `held`: its last answer was a failure, and it goes no further.
    Coming {
        stage: Stage,
        here: bool,
        held: bool,
    },
}

/// What does not change while the engine runs.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    node: String,
    /// How long a stage lasts; `None`: there are none.
    stage: Option<SignedDuration>,
}

impl Plan {
    pub(crate) fn of(node: String, over: Duration) -> Self {
        let stage = SignedDuration::try_from(over / 3)
            .ok()
            .filter(|stage| stage.is_positive());
        Self { node, stage }
    }

    /// Does a version enforce on this node in this stage? Whoever is in a stage is in all later ones.
    fn enforces(&self, version: &Fingerprint, stage: Stage) -> bool {
        let hash = Sha256::new()
            .chain_update(self.node.as_bytes())
            .chain_update([0])
            .chain_update(version.bytes())
            .finalize();
        let place = hash
            .iter()
            .take(8)
            .fold(0, |place: u64, byte| place << 8 | u64::from(*byte));
        // The hash is a number in [0, 1), times 2⁶⁴.
        u128::from(place) * 100 < (u128::from(stage.percent()) << 64)
    }
}

/// All that is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Ledger {
    policies: BTreeMap<String, Record>,
    /// Versions that have enforced on every node, the latest last.
    proven: Vec<Fingerprint>,
}

/// What is remembered of one policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    /// On all nodes, but those on which the coming one does.
    enforcing: Option<Fingerprint>,
    coming: Option<Coming>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Coming {
    version: Fingerprint,
    stage: Stage,
    since: Timestamp,
    /// Its last answer was a failure. It is remembered, since a restart is no answer.
    #[serde(default)]
    held: bool,
}

/// Proven versions that are remembered. Arbitrary: more than any directory has, and 34 KB.
const PROVEN: usize = 512;

impl Ledger {
    /// Has no policy ever been seen here? Then whatever is seen first is the baseline.
    pub(crate) fn is_blank(&self) -> bool {
        self.policies.is_empty() && self.proven.is_empty()
    }

    /// Takes note of a usable version that the directory offers now.
    pub(crate) fn offered(
        &mut self,
        plan: &Plan,
        name: &str,
        version: Fingerprint,
        mode: Mode,
        baseline: bool,
        now: Timestamp,
    ) {
        let proven = self.proven.contains(&version);
        let record = self.policies.entry(name.to_owned()).or_default();
        match mode {
            // It takes nothing into its hands; that is never too soon.
            Mode::Monitor => *record = Record::default(),
            Mode::Enforce if record.enforcing == Some(version) => record.coming = None,
            Mode::Enforce if plan.stage.is_none() || baseline || proven => {
                self.settle(name, version);
            }
            Mode::Enforce => {
                if record.coming.as_ref().map(|coming| coming.version) != Some(version) {
                    record.coming = Some(Coming {
                        version,
                        stage: Stage::Nobody,
                        since: now,
                        held: false,
                    });
                }
            }
        }
    }

    /// Lets a coming version pass a stage whose time is over. Call it for a version that the directory still offers;
    /// the stage that it is in now, if that is another than before.
    pub(crate) fn advance(&mut self, plan: &Plan, name: &str, now: Timestamp) -> Option<Stage> {
        let coming = self.policies.get_mut(name)?.coming.as_mut()?;
        if coming.held {
            return None;
        }
        let lasts = plan.stage.unwrap_or(SignedDuration::ZERO);
        let lasted = now.duration_since(coming.since);
        if lasted.is_negative() {
            // The clock was set back: how long it really lasted is not known.
            coming.since = now;
            return None;
        }
        if lasted < lasts {
            return None;
        }
        coming.stage = coming.stage.next();
        // On time, stages follow each other without drift; after a long absence none is passed unseen.
        let on_time = lasted - lasts < lasts;
        let ended = coming.since.checked_add(lasts).unwrap_or(now);
        coming.since = if on_time { ended } else { now };
        let (stage, version) = (coming.stage, coming.version);
        if stage == Stage::Everybody {
            self.settle(name, version);
        }
        Some(stage)
    }

    /// Holds a coming version up, or lets it go on, in either case at the beginning of its stage; whether that is another
    /// state than before.
    pub(crate) fn hold(&mut self, name: &str, held: bool, now: Timestamp) -> bool {
        let record = self.policies.get_mut(name);
        let Some(coming) = record.and_then(|record| record.coming.as_mut()) else {
            return false;
        };
        if coming.held == held {
            return false;
        }
        (coming.held, coming.since) = (held, now);
        true
    }

    /// The present stage begins anew: what came before was no time in which the version was tried.
    pub(crate) fn restart_stage(&mut self, name: &str, now: Timestamp) {
        let record = self.policies.get_mut(name);
        if let Some(coming) = record.and_then(|record| record.coming.as_mut()) {
            coming.since = now;
        }
    }

    /// How long the present stage of a coming version lasts yet.
    pub(crate) fn stage_lasts(&self, plan: &Plan, name: &str, now: Timestamp) -> Option<Duration> {
        let coming = self.policies.get(name)?.coming.as_ref()?;
        if coming.held {
            return None;
        }
        let lasts = plan.stage.unwrap_or(SignedDuration::ZERO);
        let left = lasts.saturating_sub(now.duration_since(coming.since));
        Some(Duration::try_from(left).unwrap_or(Duration::ZERO))
    }

    /// Where a version stands that the directory offers, or offered last.
    pub(crate) fn standing(&self, plan: &Plan, name: &str, version: &Fingerprint) -> Standing {
        let coming = self
            .policies
            .get(name)
            .and_then(|record| record.coming.as_ref());
        match coming.filter(|coming| coming.version == *version) {
            Some(Coming { stage, held, .. }) => Standing::Coming {
                stage: *stage,
                here: plan.enforces(version, *stage),
                held: *held,
            },
            None => Standing::Settled,
        }
    }

    /// The version of a policy that enforces where the coming one does not.
    pub(crate) fn enforcing(&self, name: &str) -> Option<Fingerprint> {
        self.policies.get(name)?.enforcing
    }

    /// Forgets what the directory has no more.
    pub(crate) fn forget_all_but(&mut self, here: impl Fn(&str) -> bool) {
        self.policies.retain(|name, _| here(name));
    }

    /// The versions whose bytes must outlive the process.
    fn needed(&self) -> BTreeSet<Fingerprint> {
        let records = self.policies.values();
        records
            .flat_map(|record| {
                let coming = record.coming.as_ref().map(|coming| coming.version);
                record.enforcing.into_iter().chain(coming)
            })
            .collect()
    }

    /// It enforces on every node.
    fn settle(&mut self, name: &str, version: Fingerprint) {
        let record = self.policies.entry(name.to_owned()).or_default();
        *record = Record {
            enforcing: Some(version),
            coming: None,
        };
        self.proven.retain(|proven| *proven != version);
        self.proven.push(version);
        let too_many = self.proven.len().saturating_sub(PROVEN);
        self.proven.drain(..too_many);
    }
}

#[cfg(test)]
mod tests;
