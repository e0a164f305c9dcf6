//! Write Rectifier policies in Rust.
//!
//! ```
//! use rectifier_policy::prelude::*;
//!
//! struct RestartOnce;
//!
//! impl Policy for RestartOnce {
//!     type Settings = NoSettings;
//!
//!     fn decide(seen: &Observation, _: &NoSettings) -> Answer {
//!         let restart = Remedy::restart("containerd.service");
//!         if seen.episode.tried(&restart) == 0 {
//!             return Ok(restart.because("containerd has not been restarted yet"));
//!         }
//!         Ok(Remedy::Escalate.because("a restart did not help"))
//!     }
//! }
//!
//! policy! {
//!     RestartOnce,
//!     name: "restart-once",
//!     handles: [{ conditions: ["ContainerRuntimeUnhealthy"], sites: ["node"] }],
//!     needs: { units: ["containerd.service"] },
//! }
//! # fn main() {}
//! ```
//!
//! The types are those of the contract, `sdk/wit/policy.wit`, with its words on each field. What is added here are
//! questions that every policy asks ([`Episode::tried`](types::Episode::tried), [`Gate::is_open`](types::Gate)), and
//! short ways to answer ([`Remedy::because`](types::Remedy)), and the [`Ladder`] that most policies climb.
//!
//! On the machine itself a policy is an ordinary crate: `cargo test` runs its logic, on [`samples`] of what it may see.

mod answers;
mod json;
mod ladder;
mod log;
mod metadata;
mod policy;
mod questions;
pub mod samples;

pub use ladder::{Ladder, Rung};
pub use policy::{Answer, NoSettings, Policy};

/// The bindings as they are generated.
#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "policy",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "rectifier_policy::bindings",
    });
}

pub use bindings::rectifier::policy::types;

/// Lines for the operator's log.
pub use log::{debug, error, info, warn};

/// Everything that a policy names.
pub mod prelude {
    pub use crate::policy;
    pub use crate::types::{
        Attempt, ClusterView, Condition, Decision, Episode, Fix, Freshness, Gate, Node, NodeView,
        Observation, Outcome, Remedy, Server, Site, Status, Unit, UnitVerb,
    };
    pub use crate::{Answer, Ladder, NoSettings, Policy, Rung};
}

#[doc(hidden)]
pub mod macros {
    pub use crate::metadata::section;
    pub use crate::policy::{decide, is_policy, tell_panics, validate};
}
