//! The control-plane engine: what a node cannot heal it reboots by a grant, or replaces by a similar server.
//!
//! One pass over one node reads top to bottom in [`pass`]: observe → advise → decide → persist → act, a file a step.
//! What is decided lies in `rectifier_core::repair`; here is the IO around it. [`engine`] says which node is looked
//! at when. Clock, randomness, cloud and policies come in through [`Context`].

mod abreast;
mod act;
mod advise;
pub mod audit;
mod cluster;
mod context;
mod engine;
mod error;
mod event;
mod evidence;
mod fence;
mod finalizer;
mod lease;
mod leftovers;
mod maintenance;
mod manager;
mod observe;
mod opening;
mod pass;
mod persist;
mod pools;
mod rate;
mod retention;
pub mod similar;
mod slim;
mod stop;
mod telemetry;
mod turn;

pub use cluster::Sick;
pub use context::{Context, Entropy, Settings};
pub use engine::run;
pub use error::Error;
pub use telemetry::Telemetry;
