//! Asks WebAssembly policies what to do about a sick node. The only crate that knows wasmtime.
//!
//! ```text
//!  directory ──► load ──► compile (a short-lived child, then a private cache) ──► Set ──► advise
//!     ▲ watched      metadata, sidecar                            swapped whole, enforced gradually
//! ```
//!
//! What it guarantees: **a policy cannot hurt its host**, not by looping, sleeping, allocating, recursing, trapping,
//! answering rubbish or being a hostile file; and one bad policy never affects another. Every way to fail has a
//! [`FailureClass`](rectifier_core::policy::FailureClass) and a message that names the file and the limit. A
//! decision under way keeps the policy with which it began, whatever happens to the directory meanwhile.
//!
//! What it leaves to others: whether advice is followed. Allow-lists, budgets and gates are the engines'.

pub mod compile;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod memory;

mod advisor;
mod allowed;
mod breaker;
mod contract;
mod directory;
mod engine;
mod failure;
mod fingerprint;
mod guest;
mod host;
mod limits;
mod load;
mod log;
mod metadata;
mod monitor;
mod policies;
mod policy;
mod private;
mod reload;
mod rollout;
mod runtime;
mod section;
mod set;
mod sidecar;
mod stopped;
mod stream;
mod telemetry;
mod ticker;

pub use advisor::{Advisor, Fixed};
pub use allowed::{Allowed, FACTS};
pub use contract::Version;
pub use contract::v0_1::schema::schemas;
pub use directory::unpack;
pub use engine::Metering;
pub use failure::Failure;
pub use host::{Host, HostOptions};
pub use limits::{LimitRefused, Limits, LimitsChoice, LimitsPatch};
pub use log::LogLevel;
pub use metadata::{Handles, Metadata, Needed, Needs, Pattern};
pub use policies::{Error, Options, Policies};
pub use policy::{Asked, Policy, Usage};
pub use reload::DEBOUNCE;
pub use rollout::{Rollout, Stage};
pub use runtime::FUEL_PER_MILLISECOND;
pub use section::{Form, annotate, read as read_metadata};
pub use set::{Loaded, Set, Status};
pub use sidecar::{Mode, Sidecar};
pub use telemetry::{ComingStatus, FileStatus, Telemetry};
