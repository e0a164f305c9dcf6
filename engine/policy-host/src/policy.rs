//! One loaded policy: compiled, linked, its settings accepted.

use std::time::Duration;

use rectifier_core::policy::{Decision, FailureClass, Observation, OnFailure, PolicyRef};
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::contract::Door;
use crate::guest::Guest;
use crate::metadata::{Handles, Metadata};
use crate::runtime::{Runtime, in_time};
use crate::{Failure, Limits, Mode, Needs};

pub(crate) struct Policy {
    pub(crate) metadata: Metadata,
    /// As the sidecar has it, or the metadata.
    pub(crate) handles: Vec<Handles>,
    /// Likewise.
    pub(crate) needs: Needs,
    pub(crate) reference: PolicyRef,
    pub(crate) file: String,
    pub(crate) mode: Mode,
    pub(crate) on_failure: OnFailure,
    pub(crate) limits: Limits,
    /// JSON.
    pub(crate) settings: String,
    pub(crate) door: Door,
    pub(crate) breaker: Breaker,
}

impl Policy {
    /// Asks it once.
    ///
    /// # Errors
    /// Any class but those of loading.
    pub(crate) async fn ask(
        &self,
        runtime: &Runtime,
        seen: &Observation,
    ) -> Result<Decision, Failure> {
        if let Some(left) = self.breaker.open_for(Instant::now()) {
            let why = format!(
                "it failed too often and is not asked for another {} s",
                left.as_secs().max(1)
            );
            return Err(self.told(Failure::new(FailureClass::BreakerOpen, why)));
        }
        let moment = Duration::from_secs(seen.now.unix_seconds);
        let guest = Guest::new(&self.reference.name, self.limits, moment, &seen.id);
        let mut call = runtime.begin(guest);
        let answer = self
            .door
            .decide(&mut call.store, seen, &self.needs, &self.settings);
        match in_time(&self.limits, answer).await {
            Ok(decision) => {
                self.breaker.succeeded();
                Ok(decision)
            }
            Err(failure) => {
                self.breaker.failed(Instant::now());
                Err(self.told(failure))
            }
        }
    }

    /// The failure with the policy's file and digest, for whoever reads it far from here.
    fn told(&self, failure: Failure) -> Failure {
        let (file, digest) = (&self.file, short(&self.reference.digest));
        Failure {
            message: format!("{file} ({digest}): {}", failure.message),
            ..failure
        }
    }
}

/// The first digits of a digest: enough to find it.
fn short(digest: &str) -> &str {
    digest.get(.."sha256:".len() + 12).unwrap_or(digest)
}
