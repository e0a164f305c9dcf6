//! systemd and logind over D-Bus: how units are, jobs to their end, and the reboot.
//!
//! A job's end is heard by its signal, not assumed from a call's return. The connection is made when it is needed and
//! made anew when it breaks; until then the units are unknown, and nothing is done to them.

mod fix;
mod reboot;
mod unit;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream::SelectAll;
use futures::{Stream, StreamExt};
use rectifier_core::clock::Timestamp;
use rectifier_core::name::UnitName;
use rectifier_core::policy::{UnitCall, UnitVerb};
use tokio::sync::Mutex;
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath};
use zbus_systemd::systemd1;

use crate::trouble::{Trouble, chain};

/// A reply that takes longer is none. 10 s: systemd answers in milliseconds unless it is badly ill.
const REPLY_WITHIN: Duration = Duration::from_secs(10);

/// Replaces a queued job of the unit, and fails none: what `systemctl` does.
const MODE: &str = "replace";

/// Why systemd did not do, or tell, what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SystemdError {
    /// No answer, or an error for an answer.
    #[error("no answer over D-Bus")]
    Bus(#[from] zbus::Error),
    /// The job came to another end than `done`: `failed`, `timeout`, `dependency`, `canceled`, `skipped`.
    #[error("the job of {unit} ended as {result}")]
    Job {
        /// Whose job.
        unit: String,
        /// Its end.
        result: String,
    },
    /// What must be so before a fix is not so, or the program that would say it is not there; nothing was done.
    #[error("its precondition does not hold, or its program is not there: {0}")]
    Precondition(Box<SystemdError>),
    /// The job did not end.
    #[error("the job of {unit} did not end within {within} s")]
    Overdue {
        /// Whose job.
        unit: String,
        /// How long it was waited for, in seconds.
        within: u64,
    },
    /// The bus went away while a job was awaited.
    #[error("the connection to systemd broke while the job of {unit} was awaited")]
    Lost {
        /// Whose job.
        unit: String,
    },
}

/// What systemd says of the machine as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// Since when its userspace runs.
    pub since: Option<Timestamp>,
    /// It is on its way down.
    pub goes_down: bool,
}

/// The system bus of one machine.
#[derive(Debug)]
pub struct Systemd {
    address: String,
    job_within: Duration,
    connection: Mutex<Option<Connection>>,
    trouble: Trouble,
}

impl Systemd {
    /// Nothing is connected yet. `job_within`: how long a job's end is waited for.
    pub fn new(address: impl Into<String>, job_within: Duration) -> Self {
        Self {
            address: address.into(),
            job_within,
            connection: Mutex::new(None),
            trouble: Trouble::default(),
        }
    }

    /// How long the machine has run, and whether it goes on doing so.
    ///
    /// # Errors
    /// systemd cannot be asked.
    pub async fn running(&self) -> Result<Running, SystemdError> {
        let manager = self.manager().await?;
        let micros = self.heard(manager.userspace_timestamp().await).await?;
        let state = self.heard(manager.system_state().await).await?;
        Ok(Running {
            since: unit::moment(micros),
            goes_down: state == "stopping",
        })
    }

    /// Does the verb to the unit, and waits for the end of its jobs. Returns the last job's result.
    ///
    /// # Errors
    /// It could not be asked, or a job ended as anything but `done`.
    pub async fn perform(&self, call: &UnitCall) -> Result<String, SystemdError> {
        let name = call.name.as_str().to_owned();
        let manager = self.manager().await?;
        match call.verb {
            UnitVerb::Restart => {
                self.job(
                    &manager,
                    &call.name,
                    manager.restart_unit(name, MODE.to_owned()),
                    self.job_within,
                )
                .await
            }
            UnitVerb::Start => {
                self.job(
                    &manager,
                    &call.name,
                    manager.start_unit(name, MODE.to_owned()),
                    self.job_within,
                )
                .await
            }
            UnitVerb::StopStart => {
                self.job(
                    &manager,
                    &call.name,
                    manager.stop_unit(name.clone(), MODE.to_owned()),
                    self.job_within,
                )
                .await?;
                self.job(
                    &manager,
                    &call.name,
                    manager.start_unit(name, MODE.to_owned()),
                    self.job_within,
                )
                .await
            }
            UnitVerb::ResetFailed => {
                self.heard(manager.reset_failed_unit(name.clone()).await)
                    .await?;
                self.job(
                    &manager,
                    &call.name,
                    manager.start_unit(name, MODE.to_owned()),
                    self.job_within,
                )
                .await
            }
        }
    }

    /// The names of the units whose jobs end, and of those watched whenever a property of theirs changes, until the connection
    /// breaks.
    ///
    /// # Errors
    /// systemd cannot be asked.
    pub async fn moved_units(
        &self,
        watched: &BTreeSet<UnitName>,
    ) -> Result<impl Stream<Item = String> + use<>, SystemdError> {
        let manager = self.manager().await?;
        let jobs = self.heard(manager.receive_job_removed().await).await?;
        let jobs =
            jobs.filter_map(|job| async move { job.args().ok().map(|args| args.unit.clone()) });
        let mut all = SelectAll::new();
        all.push(jobs.boxed());
        for unit in watched {
            // one that cannot be watched is looked at all the same, if more seldom, and says nothing about the others
            match self.changes(&manager, unit).await {
                Ok(changes) => all.push(changes.boxed()),
                Err(error) => {
                    tracing::warn!(%unit, error = %chain(&error), "cannot listen for the unit's changes");
                }
            }
        }
        Ok(all)
    }

    async fn changes(
        &self,
        manager: &systemd1::ManagerProxy<'_>,
        unit: &UnitName,
    ) -> Result<impl Stream<Item = String> + use<>, SystemdError> {
        let properties = self.properties(manager, unit).await?;
        let changes = properties.receive_properties_changed().await;
        let changes = self.heard(changes).await?;
        let name = unit.to_string();
        Ok(changes.map(move |_| name.clone()))
    }

    /// Begins a job and waits for its end, for so long.
    async fn job(
        &self,
        manager: &systemd1::ManagerProxy<'_>,
        unit: &UnitName,
        begin: impl Future<Output = zbus::Result<OwnedObjectPath>>,
        within: Duration,
    ) -> Result<String, SystemdError> {
        let unit = unit.to_string();
        // Listened for before it is begun: a short job ends before the call returns.
        let mut jobs = self.heard(manager.receive_job_removed().await).await?;
        let ours = self.heard(begin.await).await?;
        let end = async {
            while let Some(job) = jobs.next().await {
                let args = job.args()?;
                if args.job == ours {
                    return Ok(Some(args.result.clone()));
                }
            }
            Ok(None)
        };
        match tokio::time::timeout(within, end).await {
            Ok(Ok(Some(result))) if result == "done" => {
                Ok(format!("systemd's job ended as {result}"))
            }
            Ok(Ok(Some(result))) => Err(SystemdError::Job { unit, result }),
            Ok(Ok(None)) => Err(SystemdError::Lost { unit }),
            Ok(Err(error)) => Err(SystemdError::Bus(error)),
            Err(_) => Err(SystemdError::Overdue {
                unit,
                within: within.as_secs(),
            }),
        }
    }

    async fn manager(&self) -> Result<systemd1::ManagerProxy<'static>, SystemdError> {
        let connection = self.connection().await?;
        let manager = systemd1::ManagerProxy::builder(&connection)
            .cache_properties(CacheProperties::No)
            .build()
            .await;
        self.heard(manager).await
    }

    async fn connection(&self) -> Result<Connection, SystemdError> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let connection = self.connect().await;
        match &connection {
            Ok(connection) => {
                *kept = Some(connection.clone());
                if self.trouble.ends() {
                    tracing::info!("systemd can be asked again");
                }
            }
            Err(error) if self.trouble.begins() => {
                tracing::warn!(error = %chain(error), "systemd cannot be asked");
            }
            Err(_) => {}
        }
        Ok(connection?)
    }

    async fn connect(&self) -> zbus::Result<Connection> {
        let connection = zbus::connection::Builder::address(self.address.as_str())
            .method_timeout(REPLY_WITHIN)
            .build()
            .await?;
        // Without a subscriber systemd sends no signals about jobs.
        let manager = systemd1::ManagerProxy::builder(&connection);
        manager
            .cache_properties(CacheProperties::No)
            .build()
            .await?
            .subscribe()
            .await?;
        Ok(connection)
    }

    /// After an error that is not an answer the connection is not trusted any more.
    async fn heard<T>(&self, answer: zbus::Result<T>) -> Result<T, SystemdError> {
        if let Err(
            zbus::Error::InputOutput(_) | zbus::Error::Connection(..) | zbus::Error::Handshake(_),
        ) = &answer
        {
            *self.connection.lock().await = None;
        }
        Ok(answer?)
    }
}
