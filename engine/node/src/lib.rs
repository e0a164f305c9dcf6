//! The node engine: one on each node. It hears of a problem on its own node, asks a policy for the remedy, carries it
//! out, and looks whether the problem is really gone. What it cannot heal it hands to the control plane.
//!
//! A [pass](pass) reads top to bottom: **observe → advise → decide → persist → act**. What is decided, and by which guard
//! rails, is `rectifier_core::episode`; this crate sees ([`observe`]), remembers ([`journal`], [`persist`]), acts
//! ([`act`]) and tells ([`tell`]). It needs neither the API server to heal nor anybody's word to know how a remedy ended.
//!
//! It runs as uid 0 without capabilities: systemd takes uid 0's word over D-Bus. That socket is root on the node, so what
//! may be done over it is limited here, by configuration, and not by what a policy asks for.

mod act;
mod config;
mod context;
mod engine;
mod history;
mod journal;
mod machine;
mod npd;
mod observe;
mod pass;
mod persist;
mod systemd;
mod tell;
mod trouble;

use std::future::Future;
use std::sync::Arc;

use kube::Client;
use rectifier_core::clock::Clock;
use rectifier_core::episode::Memory;
use rectifier_core::name::NodeName;
use rectifier_core::switches::Switches;
use rectifier_policy_host::{Advisor, Telemetry};

pub use config::{
    Config, ConfigError, FixCommand, FixConfig, LimitsConfig, NpdConfig, PoliciesConfig,
    SystemdConfig, shipped,
};
pub use engine::Error;
pub use history::{History, Told};
pub use journal::{Journal, JournalError};
pub use machine::{Machine, NpdError};
pub use redb::StorageBackend;
pub use systemd::{Running, Systemd, SystemdError};

/// What the engine is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The operator's configuration.
    pub config: Config,
    /// The node on which it runs.
    pub node: NodeName,
    /// What its policies do is told here.
    pub telemetry: Telemetry,
    /// What it sees and does is told here.
    pub history: History,
}

/// All that an engine is made of. A simulator owns each of them.
pub struct Parts {
    /// The operator's configuration. What it says of places (addresses, folders, files) is of no account here.
    pub config: Config,
    /// The node on which it runs.
    pub node: NodeName,
    /// The one clock.
    pub clock: Arc<dyn Clock>,
    /// Steps that are switched off, in test builds.
    pub switches: Switches,
    /// Whoever is asked for advice.
    pub policies: Arc<dyn Advisor>,
    /// The API server.
    pub client: Client,
    /// The machine under it.
    pub machine: Arc<dyn Machine>,
    /// What it sees and does is told here.
    pub history: History,
    /// The journal, and what it remembers.
    pub journal: (Journal, Memory),
}

/// Opens what a real node has: the configured journal and policies, the API server of the environment, the machine.
///
/// # Errors
/// The journal or the policies cannot be opened, or there is no API server to be found in the environment.
pub async fn open(
    options: Options,
    clock: Arc<dyn Clock>,
    switches: Switches,
) -> Result<Parts, Error> {
    engine::open(options, clock, switches).await
}

/// Runs until `stop` is ready. Every task is ended before it returns.
///
/// # Errors
/// A write to the journal failed, or one of the engine's tasks ended: it does not limp on without one of its senses.
pub async fn run(parts: Parts, stop: impl Future<Output = ()>) -> Result<(), Error> {
    engine::Engine::start(parts).run(stop).await
}
