//! A fix: a command that the operator's configuration declares, run by systemd as a transient unit with limits.

use rectifier_core::name::{FixName, UnitName};
use zbus::{OwnedVariant, Variant};

use super::{Systemd, SystemdError};
use crate::config::FixCommand;

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
            match self.run(&unit, &fix.precondition, fix).await {
                Err(why @ (SystemdError::Job { .. } | SystemdError::Overdue { .. })) => {
                    return Err(SystemdError::Precondition(Box::new(why)));
                }
                other => other?,
            };
        }
        let unit = format!("rectifier-fix-{name}.service");
        self.run(&unit, &fix.command, fix).await
    }

    async fn run(
        &self,
        unit: &str,
        command: &[String],
        limits: &FixCommand,
    ) -> Result<String, SystemdError> {
        let invalid = || SystemdError::Bus(zbus::Error::InvalidField);
        let unit = UnitName::parse(unit).map_err(|_| invalid())?;
        let program = command.first().ok_or_else(invalid)?;
        // A list of (path, arguments, "ignore a failure").
        let start = vec![(program.clone(), command.to_vec(), false)];
        let property =
            |name: &str, value: Variant<'_>| -> Result<(String, OwnedVariant), SystemdError> {
                Ok((name.to_owned(), value.try_to_owned()?))
            };
        let properties = vec![
            property("Description", Variant::from("a fix of the node engine"))?,
            // A oneshot's job ends when its process does, with its result.
            property("Type", Variant::from("oneshot"))?,
            property("ExecStart", Variant::from(start))?,
            property(
                "TimeoutStartUSec",
                Variant::from(u64::from(limits.timeout) * 1_000_000),
            )?,
            property("MemoryMax", Variant::from(u64::from(limits.memory) << 20))?,
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
        self.job(&manager, &unit, begin).await
    }
}
