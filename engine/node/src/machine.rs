//! The machine that the engine stands on, apart from the API server: Node Problem Detector, systemd, the boot.

mod npd;

use std::collections::BTreeSet;
use std::path::PathBuf;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use rectifier_core::episode::UnitSeen;
use rectifier_core::name::{BootId, FixName, UnitName};
use rectifier_core::policy::UnitCall;

use crate::config::{Config, FixCommand};
use crate::systemd::{Running, Systemd, SystemdError};
use npd::Npd;

pub use npd::NpdError;

/// What the engine sees and does of its machine. There is a real one ([`Host`]), and the simulator's.
#[async_trait]
pub trait Machine: Send + Sync {
    /// What Node Problem Detector answers to `GET /conditions`: a JSON list, or `null`.
    ///
    /// # Errors
    /// It cannot be asked.
    async fn npd(&self) -> Result<Vec<u8>, NpdError>;

    /// What Node Problem Detector has counted: its answer to `GET /metrics`, in Prometheus' text format.
    ///
    /// # Errors
    /// It cannot be asked.
    async fn npd_counters(&self) -> Result<Vec<u8>, NpdError>;

    /// Which boot of the machine this is. `None`: it is not known, so that no reboot can be granted.
    fn boot_id(&self) -> Option<BootId>;

    /// How long it has run, and whether it goes on doing so.
    ///
    /// # Errors
    /// systemd cannot be asked.
    async fn running(&self) -> Result<Running, SystemdError>;

    /// How the unit is; `None` if there is no unit file of that name.
    ///
    /// # Errors
    /// systemd cannot be asked.
    async fn unit(&self, name: &UnitName) -> Result<Option<UnitSeen>, SystemdError>;

    /// Does the verb to the unit, and waits for the end of its jobs. Returns how the last one ended, in words.
    ///
    /// # Errors
    /// It could not be asked, or a job ended as anything but `done`.
    async fn perform(&self, call: &UnitCall) -> Result<String, SystemdError>;

    /// Runs a fix to its end, as transient units with limits: its precondition first.
    ///
    /// # Errors
    /// It could not be started, its precondition does not hold, it ended with another code than 0, or ran out of its limits.
    async fn run_fix(&self, name: &FixName, fix: &FixCommand) -> Result<String, SystemdError>;

    /// Who inhibits a shutdown, and why, if anybody does.
    ///
    /// # Errors
    /// logind cannot be asked.
    async fn inhibitor(&self) -> Result<Option<String>, SystemdError>;

    /// Asks for a reboot. It returns before the machine goes down.
    ///
    /// # Errors
    /// It was refused, or cannot be asked for.
    async fn reboot(&self) -> Result<(), SystemdError>;

    /// The names of the units whose jobs end, and of those watched whenever they change, until the connection breaks.
    ///
    /// # Errors
    /// systemd cannot be asked.
    async fn moved_units(
        &self,
        watched: &BTreeSet<UnitName>,
    ) -> Result<BoxStream<'static, String>, SystemdError>;
}

/// The machine on which this process runs.
pub(crate) struct Host {
    npd: Npd,
    systemd: Systemd,
    boot_id_file: PathBuf,
}

impl Host {
    /// As it is configured. Nothing is connected yet.
    pub(crate) fn new(config: &Config) -> Self {
        let job_within = std::time::Duration::from_secs(config.systemd.job_within.into());
        Self {
            npd: Npd::at(&config.npd),
            systemd: Systemd::new(config.systemd.address.as_str(), job_within),
            boot_id_file: config.boot_id_file.clone(),
        }
    }
}

#[async_trait]
impl Machine for Host {
    async fn npd(&self) -> Result<Vec<u8>, NpdError> {
        self.npd.conditions().await
    }

    async fn npd_counters(&self) -> Result<Vec<u8>, NpdError> {
        self.npd.counters().await
    }

    fn boot_id(&self) -> Option<BootId> {
        match std::fs::read_to_string(&self.boot_id_file) {
            Ok(text) => BootId::parse(text.trim()).ok(),
            Err(error) => {
                tracing::warn!(path = %self.boot_id_file.display(), %error, "cannot read the boot id: no reboot can be granted");
                None
            }
        }
    }

    async fn running(&self) -> Result<Running, SystemdError> {
        self.systemd.running().await
    }

    async fn unit(&self, name: &UnitName) -> Result<Option<UnitSeen>, SystemdError> {
        self.systemd.unit(name).await
    }

    async fn perform(&self, call: &UnitCall) -> Result<String, SystemdError> {
        self.systemd.perform(call).await
    }

    async fn run_fix(&self, name: &FixName, fix: &FixCommand) -> Result<String, SystemdError> {
        self.systemd.run_fix(name, fix).await
    }

    async fn inhibitor(&self) -> Result<Option<String>, SystemdError> {
        self.systemd.inhibitor().await
    }

    async fn reboot(&self) -> Result<(), SystemdError> {
        self.systemd.reboot().await
    }

    async fn moved_units(
        &self,
        watched: &BTreeSet<UnitName>,
    ) -> Result<BoxStream<'static, String>, SystemdError> {
        Ok(self.systemd.moved_units(watched).await?.boxed())
    }
}
