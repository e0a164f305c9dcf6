//! How a policy fails to answer, and what is done then.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a policy gave no usable answer. Each is a metric label and a status reason.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// The file could not be read, or is no policy.
    Load,
    /// It does not compile.
    Compile,
    /// It imports what a policy may not have, or exports too little.
    Link,
    /// Its settings were refused by it.
    Settings,
    /// It trapped.
    Trap,
    /// It ran longer than its deadline.
    Timeout,
    /// It asked for more memory than its limit.
    Oom,
    /// It recursed too deep.
    Stack,
    /// It called exit.
    Exit,
    /// Its answer breaks the contract.
    InvalidOutput,
    /// It answered an error of its own.
    GuestError,
    /// It failed too often and is not asked for a while.
    BreakerOpen,
}

impl FailureClass {
    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            FailureClass::Load => "load",
            FailureClass::Compile => "compile",
            FailureClass::Link => "link",
            FailureClass::Settings => "settings",
            FailureClass::Trap => "trap",
            FailureClass::Timeout => "timeout",
            FailureClass::Oom => "oom",
            FailureClass::Stack => "stack",
            FailureClass::Exit => "exit",
            FailureClass::InvalidOutput => "invalid-output",
            FailureClass::GuestError => "guest-error",
            FailureClass::BreakerOpen => "breaker-open",
        }
    }

    /// What the operator can do about it, for messages.
    pub fn hint(self) -> &'static str {
        match self {
            FailureClass::Load | FailureClass::Link => {
                "`rectifier policy check` says what is wrong with the file"
            }
            FailureClass::Compile => "make the policy smaller, or give the compiler more",
            FailureClass::Settings => "correct the sidecar",
            FailureClass::Trap | FailureClass::Exit => {
                "it is a bug of the policy: `rectifier policy run` shows it"
            }
            FailureClass::Timeout => "make it faster, or raise limits.milliseconds in its sidecar",
            FailureClass::Oom => "make it smaller, or raise that limit in its sidecar",
            FailureClass::Stack => "let it recurse less",
            FailureClass::InvalidOutput => "sdk/README.md says what an answer may be",
            FailureClass::GuestError => "the policy itself says that it cannot decide",
            FailureClass::BreakerOpen => "its failures before this one say why",
        }
    }
}

/// What to do when a policy fails. Never an intrusive remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// Look again later.
    #[default]
    Wait,
    /// Ask the next level for its judgement.
    Escalate,
}
