//! What one process's policies did and how each file stands, for whoever watches the engine: metrics, and a status.
//!
//! No series per node or per observation: their number is that of the policies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use rectifier_core::policy::{Decision, SiteKind};
use serde::Serialize;

use crate::policy::Policy;
use crate::set::{Set, Status};
use crate::{Failure, Mode};

/// Upper bounds in seconds, from a small component's decision to the usual limit.
const SECONDS: [f64; 10] = [
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.02, 0.1, 0.5, 1.0,
];

/// Filled by [`Policies`](crate::Policies), read by whoever serves it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

struct Inner {
    answers: Family<AnswerLabels, Counter>,
    seconds: Family<PolicyLabels, Histogram, fn() -> Histogram>,
    files: Family<FileLabels, Gauge>,
    swaps: Counter,
    status: Mutex<Vec<FileStatus>>,
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            answers: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            files: Family::default(),
            swaps: Counter::default(),
            status: Mutex::default(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    policy: String,
    site: &'static str,
    mode: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    policy: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FileLabels {
    file: String,
    state: &'static str,
    reason: &'static str,
}

/// How one file of the directory stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileStatus {
    /// Its name in the directory.
    pub file: String,
    /// `loaded`, `loading`, `rolling-out`, `kept-last-good` or `refused`.
    pub state: &'static str,
    /// The version that comes to enforce gradually, if one does.
    pub coming: Option<ComingStatus>,
    /// The policy that is asked, if one is.
    pub policy: Option<String>,
    /// Its own version.
    pub version: Option<String>,
    /// `sha256:` and the digest of the file that is asked.
    pub digest: Option<String>,
    /// Whether its answers are followed.
    pub mode: Option<Mode>,
    /// What is wrong with the file as it lies there now.
    pub problem: Option<String>,
}

/// How far a version has come that enforces gradually.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComingStatus {
    /// `sha256:` and its digest.
    pub digest: String,
    /// The share of the nodes on which it enforces.
    pub percent: u8,
    /// Whether this node is one of them.
    pub here: bool,
    /// Whether it goes no further for the time being, since its last answer was a failure.
    pub held: bool,
}

impl Telemetry {
    /// Names the metrics: `rectifier_policy_…`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("rectifier_policy");
        let Inner {
            answers,
            seconds,
            files,
            swaps,
            status: _,
        } = &*self.inner;
        registry.register(
            "answers",
            "What policies were asked and how they answered: a remedy's name, or a class of failure",
            answers.clone(),
        );
        registry.register(
            "decision_seconds",
            "How long a policy took to answer, instantiation included",
            seconds.clone(),
        );
        registry.register(
            "files",
            "The files of the policy directory by state: 1 for the state that holds",
            files.clone(),
        );
        registry.register(
            "set_swaps",
            "How often the set of policies changed",
            swaps.clone(),
        );
    }

    /// How each file of the directory stands now.
    pub fn status(&self) -> Vec<FileStatus> {
        self.lock().clone()
    }

    pub(crate) fn asked(
        &self,
        policy: &Policy,
        site: SiteKind,
        answer: &Result<Decision, Failure>,
        time: Duration,
    ) {
        let name = policy.name().to_string();
        let result = match answer {
            Ok(decision) => decision.remedy.label(),
            Err(failure) => failure.class.label(),
        };
        let labels = AnswerLabels {
            policy: name.clone(),
            site: site.label(),
            mode: policy.mode().label(),
            result,
        };
        self.inner.answers.get_or_create(&labels).inc();
        let labels = PolicyLabels { policy: name };
        self.inner
            .seconds
            .get_or_create(&labels)
            .observe(time.as_secs_f64());
    }

    pub(crate) fn swapped(&self, set: &Set) {
        self.inner.swaps.inc();
        let status: Vec<FileStatus> = set.policies().iter().map(FileStatus::of).collect();
        // States that hold no more must not stand beside those that do.
        self.inner.files.clear();
        for loaded in set.policies() {
            let (state, reason) = state_of(loaded.status());
            let labels = FileLabels {
                file: loaded.file().to_owned(),
                state,
                reason,
            };
            self.inner.files.get_or_create(&labels).set(1);
        }
        *self.lock() = status;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<FileStatus>> {
        self.inner
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn state_of(status: Status<'_>) -> (&'static str, &'static str) {
    match status {
        Status::Loaded => ("loaded", ""),
        Status::Loading => ("loading", ""),
        Status::RollingOut { .. } => ("rolling-out", ""),
        Status::KeptLastGood(failure) => ("kept-last-good", failure.class.label()),
        Status::Refused(failure) => ("refused", failure.class.label()),
    }
}

impl FileStatus {
    fn of(loaded: &crate::Loaded) -> Self {
        let status = loaded.status();
        let problem = match status {
            Status::Loaded | Status::Loading | Status::RollingOut { .. } => None,
            Status::KeptLastGood(failure) | Status::Refused(failure) => Some(failure.to_string()),
        };
        let coming = match status {
            Status::RollingOut {
                digest,
                stage,
                here,
                held,
            } => Some(ComingStatus {
                digest: digest.to_owned(),
                percent: stage.percent(),
                here,
                held,
            }),
            Status::Loaded | Status::Loading | Status::KeptLastGood(_) | Status::Refused(_) => None,
        };
        Self {
            file: loaded.file().to_owned(),
            state: state_of(status).0,
            coming,
            policy: loaded.name().map(ToString::to_string),
            version: loaded.version().map(ToOwned::to_owned),
            digest: loaded.digest().map(ToOwned::to_owned),
            mode: loaded.mode(),
            problem,
        }
    }
}
