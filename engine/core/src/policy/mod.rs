//! The contract with the policies: what one sees ([`Observation`]) and what it may answer ([`Decision`]).
//!
//! These are the newest version's types; `policy-host` converts released versions to them at its door. A policy's
//! answer is advice: the guard rails stand in [`crate::episode`] and [`crate::repair`], and none of them asks a policy.
//! The field reference for authors is `sdk/wit/policy.wit`. What serde makes of these types is the contract's JSON
//! form: a test in `policy-host` holds both against each other.

mod decision;
mod failure;
mod observation;
pub mod pairs;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use decision::{Decision, FixCall, Remedy, UnitCall, UnitVerb};
pub use failure::{FailureClass, OnFailure};
pub use observation::{
    Attempt, ClusterView, Condition, EpisodeView, EventCount, Fix, Freshness, Gate, Group, Moment,
    NodeFacts, NodeView, Observation, Outcome, ServerView, Site, Status, Unit,
};

use crate::name::PolicyName;

/// A duration or an age, in whole seconds.
pub type Seconds = u32;

/// Which engine asks.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum SiteKind {
    /// The node's.
    Node,
    /// The control plane's.
    ControlPlane,
}

impl SiteKind {
    /// The name in metadata, metric labels and messages.
    pub fn label(self) -> &'static str {
        match self {
            SiteKind::Node => "node",
            SiteKind::ControlPlane => "control-plane",
        }
    }
}

/// Which policy, to the byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRef {
    /// The name in its metadata.
    pub name: PolicyName,
    /// `sha256:` and the hex digest of the module's file.
    pub digest: String,
}

/// What the policies of one site said of one observation. A failure is advice too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Advice {
    /// A policy answered.
    Decided {
        /// Who.
        policy: PolicyRef,
        /// What.
        decision: Decision,
    },
    /// The policy that should have answered could not.
    Unavailable {
        /// Who.
        policy: PolicyRef,
        /// How it failed.
        class: FailureClass,
        /// Names file, digest, limit and what to do.
        message: String,
        /// What the operator wants then.
        on_failure: OnFailure,
    },
    /// No policy handles this condition at this site, or all declined.
    None,
}

#[cfg(test)]
mod tests;
