//! Everything that a pass may touch, handed in from `main`, so that a simulator can own it.

use std::sync::Arc;
use std::time::Duration;

use rectifier_cloud::Cloud;
use rectifier_core::clock::{Clock, Timestamp};
use rectifier_core::switches::Switches;
use rectifier_policy_host::Advisor;

use crate::telemetry::Telemetry;

/// Fills a buffer with random bytes; for secrets.
pub type Entropy = dyn Fn(&mut [u8]) + Send + Sync;

/// What the operator sets on the command line.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The namespace that it runs in: its Lease is there.
    pub namespace: String,
    /// Its own name: the holder of the Lease. The pod's name, so that a restarted container takes up at once.
    pub identity: String,
    /// What this cluster's servers are marked with.
    pub cluster: String,
    /// So many of the cluster's nodes, in percent rounded up, are replaced within an hour; one always may be.
    pub hourly: u32,
    /// How often a thing outside of the API server is looked at again while it is awaited.
    pub poll: Duration,
}

/// The world of one controller.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: kube::Client,
    /// The cloud.
    pub cloud: Arc<dyn Cloud>,
    /// The operator's policies.
    pub policies: Arc<dyn Advisor>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for secrets.
    pub entropy: Arc<Entropy>,
    /// Steps that a test build switched off.
    pub switches: Switches,
    /// What it says of itself.
    pub telemetry: Telemetry,
    /// The operator's settings.
    pub settings: Settings,
}

impl Context {
    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
