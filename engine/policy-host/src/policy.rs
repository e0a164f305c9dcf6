//! One loaded policy: compiled, linked, its settings accepted.

use std::time::Duration;

use rectifier_core::name::PolicyName;
use rectifier_core::policy::{Decision, FailureClass, Observation, OnFailure, PolicyRef};
use serde::Serialize;
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::contract::Door;
use crate::guest::{Guest, GuestParts};
use crate::log::{Lines, LogLevel};
use crate::metadata::{Handles, Metadata};
use crate::runtime::{Runtime, in_time};
use crate::section::Form;
use crate::{Failure, Limits, Mode, Needs, Telemetry};

/// A policy that can be asked.
pub struct Policy {
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

/// What came of asking a policy once, and what it cost.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What it decided, or how it failed.
    pub answer: Result<Decision, Failure>,
    /// What it used.
    pub usage: Usage,
    /// The lines of its log, as far as its limits let them through.
    pub log: Vec<(LogLevel, String)>,
}

/// What one call used, each figure against the limit of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Wall time, instantiation included.
    pub time: Duration,
    /// Linear memory at the end; it never shrinks.
    pub memory_bytes: usize,
    /// Of the observation and settings that it was shown.
    pub input_bytes: usize,
    /// Of its answer.
    pub output_bytes: usize,
    /// wasmtime's fuel, about one for an instruction: the same at every run. Only where work is metered.
    pub work: Option<u64>,
}

impl Policy {
    /// Its name.
    pub fn name(&self) -> &PolicyName {
        &self.reference.name
    }

    /// `sha256:` and the digest of its file.
    pub fn digest(&self) -> &str {
        &self.reference.digest
    }

    /// What it says about itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// In which form it speaks the contract.
    pub fn form(&self) -> Form {
        self.door.form()
    }

    /// What it answers for: as its sidecar has it, or its metadata.
    pub fn handles(&self) -> &[Handles] {
        &self.handles
    }

    /// What its observations must contain, likewise.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Whether its answers are followed.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What is done when it cannot answer.
    pub fn on_failure(&self) -> OnFailure {
        self.on_failure
    }

    /// What it may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The operator's settings, as the JSON document that it is given.
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// Asks it, unless it has failed too often of late.
    ///
    /// # Errors
    /// Any class but those of loading.
    pub(crate) async fn ask(
        &self,
        runtime: &Runtime,
        telemetry: &Telemetry,
        seen: &Observation,
    ) -> Result<Decision, Failure> {
        let began = Instant::now();
        let answer = self.ask_unless_open(runtime, seen).await;
        telemetry.asked(self, seen.site.kind(), &answer, began.elapsed());
        answer
    }

    async fn ask_unless_open(
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
        let Asked { answer, .. } = self.ask_once(runtime, seen, Lines::Told).await;
        match &answer {
            Ok(_) => self.breaker.succeeded(),
            Err(_) => self.breaker.failed(Instant::now()),
        }
        answer
    }

    /// Asks it, whatever it did before.
    pub(crate) async fn ask_once(
        &self,
        runtime: &Runtime,
        seen: &Observation,
        lines: Lines,
    ) -> Asked {
        let began = Instant::now();
        let begun = self
            .door
            .decide_input(seen, &self.needs, &self.settings)
            .and_then(|command| {
                runtime.begin(Guest::new(GuestParts {
                    policy: &self.reference.name,
                    limits: self.limits,
                    moment: Duration::from_secs(seen.now.unix_seconds),
                    seed: &seen.id,
                    lines,
                    command,
                }))
            });
        let mut call = match begun {
            Ok(call) => call,
            Err(failure) => {
                return Asked {
                    answer: Err(self.told(failure)),
                    usage: Usage {
                        time: began.elapsed(),
                        memory_bytes: 0,
                        input_bytes: 0,
                        output_bytes: 0,
                        work: None,
                    },
                    log: Vec::new(),
                };
            }
        };
        let answer = self
            .door
            .decide(&mut call.store, seen, &self.needs, &self.settings);
        let answer = in_time(&self.limits, answer).await;
        let work = call.work();
        let guest = call.store.data_mut();
        // Of a command that was stopped: what it wrote until then.
        guest.command_said();
        Asked {
            answer: answer.map_err(|failure| self.told(failure)),
            usage: Usage {
                time: began.elapsed(),
                memory_bytes: guest.memory.bytes,
                input_bytes: guest.question_bytes,
                output_bytes: guest.answer_bytes,
                work,
            },
            log: guest.log.take(),
        }
    }

    fn told(&self, failure: Failure) -> Failure {
        failure.told(&self.file, Some(&self.reference.digest))
    }
}
