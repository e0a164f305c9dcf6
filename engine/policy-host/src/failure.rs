//! How a policy failed, and the one place where wasmtime's errors are told apart.

use rectifier_core::policy::FailureClass;
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;

use crate::Limits;
use crate::engine::STACK_BYTES;
use crate::guest::{Guest, RESOURCES};
use crate::log::one_line;

/// A policy that gave no usable answer, or a file that is no usable policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", class.label())]
pub struct Failure {
    /// Which kind, for metrics and statuses.
    pub class: FailureClass,
    /// One line for people.
    pub message: String,
}

impl Failure {
    /// Of this class, for this reason; in one line, whatever it quotes.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: one_line(&message.into()),
        }
    }

    /// With the policy's file and digest and what to do about it, for whoever reads it far from here. In one line,
    /// whatever stood in the file.
    pub(crate) fn told(self, file: &str, digest: Option<&str>) -> Self {
        // The first digits of a digest are enough to find it.
        let short = digest.map(|digest| digest.get(.."sha256:".len() + 12).unwrap_or(digest));
        let digest = short.map_or(String::new(), |short| format!(" ({short})"));
        Self {
            message: format!(
                "{file}{digest}: {}; {}",
                one_line(&self.message),
                self.class.hint()
            ),
            ..self
        }
    }
}

/// In which part of a call something went wrong: decides what an error means that has no type of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum During {
    /// Making the instance.
    Instantiation,
    /// Running the guest, and reading what it returned.
    Call {
        /// The limit of what one host call may move.
        host_call_bytes: usize,
    },
}

impl During {
    /// Running this guest.
    pub(crate) fn call_of(guest: &Guest) -> Self {
        Self::Call {
            host_call_bytes: guest.limits.host_call_bytes,
        }
    }
}

/// What wasmtime says of a string or list that is larger than one host call may move: its error has no public type.
const FLOOD: &str = "fuel allocated for hostcalls has been exhausted";

/// The time of a call is used up.
#[derive(Debug, thiserror::Error)]
#[error("it ran longer than {milliseconds} ms")]
pub(crate) struct OutOfTime {
    milliseconds: u128,
}

impl OutOfTime {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            milliseconds: limits.decision.as_millis(),
        }
    }
}

/// A call asked for more than a limit on memory.
#[derive(Debug, thiserror::Error)]
#[error("it asked for more than {limit} {what}")]
pub(crate) struct OutOfMemory {
    pub(crate) limit: usize,
    pub(crate) what: &'static str,
}

/// Names the class of an error that wasmtime returned.
pub(crate) fn classify(error: &wasmtime::Error, during: During) -> Failure {
    if let Some(out_of_time) = error.downcast_ref::<OutOfTime>() {
        return Failure::new(FailureClass::Timeout, out_of_time.to_string());
    }
    if let Some(out_of_memory) = error.downcast_ref::<OutOfMemory>() {
        return Failure::new(FailureClass::Oom, out_of_memory.to_string());
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        let why = format!("it had the host keep more than {RESOURCES} things for it");
        return Failure::new(FailureClass::Oom, why);
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Failure::new(FailureClass::Exit, format!("it called exit({})", exit.0));
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        let class = match trap {
            Trap::StackOverflow => FailureClass::Stack,
            Trap::Interrupt | Trap::OutOfFuel => FailureClass::Timeout,
            Trap::AllocationTooLarge => FailureClass::Oom,
            // What it handed over is not what its type says.
            Trap::InvalidChar
            | Trap::InvalidDiscriminant
            | Trap::ListOutOfBounds
            | Trap::StringOutOfBounds
            | Trap::UnalignedPointer => FailureClass::InvalidOutput,
            _ => FailureClass::Trap,
        };
        let why = match trap {
            Trap::StackOverflow => format!("{trap}: it used more than {} KiB", STACK_BYTES >> 10),
            _ => trap.to_string(),
        };
        return Failure::new(class, why);
    }
    let said = format!("{error:#}");
    match during {
        During::Instantiation => Failure::new(FailureClass::Link, said),
        During::Call { host_call_bytes } if said.contains(FLOOD) => {
            let why = format!("it moved more than {host_call_bytes} bytes in one host call");
            Failure::new(FailureClass::InvalidOutput, why)
        }
        // Not a trap, and nothing that the host refused: what it returned could not be read.
        During::Call { .. } => Failure::new(FailureClass::InvalidOutput, said),
    }
}
