//! A fix: a command that the operator's configuration declares, run by systemd as a transient unit with limits.

use std::time::Duration;

use rectifier_core::name::{FixName, UnitName};
use zbus::{OwnedVariant, Variant};

use super::{Systemd, SystemdError};
use crate::config::FixCommand;

/// Seconds until a precondition is killed. 30 s: it only looks.
const CHECKED_WITHIN: u32 = 30;

/// What systemd takes beyond a unit's own time to kill it: 90 s until SIGKILL, and some rest.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

impl Systemd {
    /// Runs a fix to its end. It is a unit of its own, `rectifier-fix-NAME.service`, with its output in the node's journal; a
    /// second one of that name is refused by systemd while the first runs. Its precondition is one before it,
    /// `rectifier-check-NAME.service`.
    ///
    /// # Errors
    /// It could not be started, its precondition does not hold, it ended with another code than 0, or ran out of its limits.
    pub async fn run_fix(&self, name: &FixName, fix: &FixCommand) -> Result<String, SystemdError> {
        if !fix.precondition.is_empty() {
            let unit = format!("rectifier-check-{name}.service");
            let limits = (fix.timeout.min(CHECKED_WITHIN), fix.memory);
            match self.run(&unit, &fix.precondition, limits).await {
                Err(why @ (SystemdError::Job { .. } | SystemdError::Overdue { .. })) => {
                    return Err(SystemdError::Precondition(Box::new(why)));
                }
                other => other?,
            };
        }
        let unit = format!("rectifier-fix-{name}.service");
        self.run(&unit, &fix.command, (fix.timeout, fix.memory))
            .await
    }

    async fn run(
        &self,
        unit: &str,
        command: &[String],
        (timeout, memory): (u32, u32),
    ) -> Result<String, SystemdError> {
        let invalid = || SystemdError::Bus(zbus::Error::InvalidField);
        let unit = UnitName::parse(unit).map_err(|_| invalid())?;
        let program = command.first().ok_or_else(invalid)?;
        // A list of (path, arguments, flags): each word is passed on as it is, `$` and all.
        let flags = vec!["no-env-expand".to_owned()];
        let start = vec![(program.clone(), command.to_vec(), flags)];
        let property =
            |name: &str, value: Variant<'_>| -> Result<(String, OwnedVariant), SystemdError> {
                Ok((name.to_owned(), value.try_to_owned()?))
            };
        let properties = vec![
            property(
                "Description",
                Variant::from(format!("the node engine's {unit}")),
            )?,
            // A oneshot's job ends when its process does, with its result.
            property("Type", Variant::from("oneshot"))?,
            property("ExecStartEx", Variant::from(start))?,
            property(
                "TimeoutStartUSec",
                Variant::from(u64::from(timeout) * 1_000_000),
            )?,
            property("MemoryMax", Variant::from(u64::from(memory) << 20))?,
            // Forgotten when it has ended, so that it can be run again.
            property("CollectMode", Variant::from("inactive-or-failed"))?,
        ];
        let manager = self.manager().await?;
        let begin = manager.start_transient_unit(
            unit.to_string(),
            "fail".to_owned(),
            properties,
            Vec::new(),
        );
        // systemd ends it in time; only if it does not it is given up
        let within = Duration::from_secs(timeout.into()) + ENDS_WITHIN;
        self.job(&manager, &unit, begin, within).await
    }
}
