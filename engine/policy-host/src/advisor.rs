//! Whoever is asked what to do: a directory of policies, or some that never change.

use std::sync::Arc;

use async_trait::async_trait;
use rectifier_core::policy::{Advice, Observation};
use tokio::sync::watch;

use crate::policies::ask_first;
use crate::policy::Policy;
use crate::runtime::Runtime;
use crate::{Host, Policies, Set, Telemetry};

/// What an engine asks of its policies.
#[async_trait]
pub trait Advisor: Send + Sync {
    /// See [`Policies::advise`].
    async fn advise(&self, seen: &Observation) -> Advice;

    /// Who answers for what at present.
    fn set(&self) -> Arc<Set>;

    /// Counts the changes of the set.
    fn changed(&self) -> watch::Receiver<u64>;
}

#[async_trait]
impl Advisor for Policies {
    async fn advise(&self, seen: &Observation) -> Advice {
        self.advise(seen).await
    }

    fn set(&self) -> Arc<Set> {
        self.set()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed()
    }
}

/// Policies that were loaded once and never change. They are asked on the caller's own thread, and nothing here waits for a
/// file, a thread or a child process: with work metered by fuel the same questions get the same answers at every run, which
/// a simulation in virtual time needs. None of them monitors.
pub struct Fixed {
    runtime: Arc<Runtime>,
    set: Arc<Set>,
    telemetry: Telemetry,
    changed: watch::Sender<u64>,
}

impl Fixed {
    pub(crate) fn new(runtime: Arc<Runtime>, policies: Vec<Policy>) -> Self {
        let policies = policies.into_iter().map(Arc::new);
        Self {
            runtime,
            set: Arc::new(Set::of(policies)),
            telemetry: Telemetry::default(),
            changed: watch::Sender::new(0),
        }
    }
}

#[async_trait]
impl Advisor for Fixed {
    async fn advise(&self, seen: &Observation) -> Advice {
        ask_first(&self.runtime, &self.telemetry, &self.set, seen).await
    }

    fn set(&self) -> Arc<Set> {
        self.set.clone()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

impl Host {
    /// What these policies make together, each under the name of its file.
    pub fn fixed(&self, policies: Vec<Policy>) -> Fixed {
        Fixed::new(self.runtime(), policies)
    }
}
