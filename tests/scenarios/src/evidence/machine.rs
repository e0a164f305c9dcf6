//! systemd's own records on a machine: when it started what, and how its boots ended.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;

use super::Mark;
use crate::wait::text;
use crate::world::World;
use crate::{claim, unmet};

/// systemd's message "a unit was started" (`SD_MESSAGE_UNIT_STARTED`).
const STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
/// logind's message "the machine goes down" (`SD_MESSAGE_SHUTDOWN`).
const SHUTDOWN: &str = "98268866d1d54a499c4e98921d93bc40";

/// A unit's start, as systemd wrote it into the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// When.
    pub at: Timestamp,
    /// The id that systemd drew for this run of the unit.
    pub invocation: String,
}

impl World {
    /// The unit's starts since the mark, oldest first.
    ///
    /// # Errors
    /// If the machine cannot be asked.
    pub async fn starts(&self, since: &Mark, node: &str, unit: &str) -> Result<Vec<Start>> {
        let matches = [format!("MESSAGE_ID={STARTED}"), format!("UNIT={unit}")];
        let entries = self.journal(since, node, &matches).await?;
        Ok(entries
            .iter()
            .map(|(at, entry)| Start {
                at: *at,
                invocation: text(entry, "/INVOCATION_ID").to_owned(),
            })
            .collect())
    }

    /// When logind said that it takes the machine down, to boot it again.
    ///
    /// # Errors
    /// If it did not, or the machine cannot be asked.
    pub async fn logind_rebooted(&self, since: &Mark, node: &str) -> Result<Timestamp> {
        let matches = [
            format!("MESSAGE_ID={SHUTDOWN}"),
            "SYSLOG_IDENTIFIER=systemd-logind".to_owned(),
        ];
        let entries = self.journal(since, node, &matches).await?;
        let said = entries.iter().find(|(_, entry)| {
            text(entry, "/SHUTDOWN") == "reboot" || text(entry, "/MESSAGE").contains("rebooting")
        });
        said.map(|(at, _)| *at)
            .ok_or_else(|| unmet!("logind of {node} did not say that it is rebooting"))
    }

    /// When systemd came up in the machine's present boot.
    ///
    /// # Errors
    /// If that was before the mark, or the machine cannot be asked.
    pub async fn boot_began(&self, since: &Mark, node: &str) -> Result<Timestamp> {
        let manager = "org.freedesktop.systemd1";
        let (path, interface) = (
            "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager",
        );
        let property = "UserspaceTimestamp";
        let asked = ["busctl", "get-property", manager, path, interface, property];
        let said = self.machine(node)?.exec(asked).await?;
        // its type, an unsigned number of 64 bits, and microseconds
        let micros = said.trim().strip_prefix("t ").context("no number")?;
        let at = Timestamp::from_microsecond(micros.parse()?)?;
        claim!(
            at >= since.at(),
            "{node} has not booted since the beginning"
        );
        Ok(at)
    }

    /// The journal's entries since the mark that match, in all boots, with their times.
    async fn journal(
        &self,
        since: &Mark,
        node: &str,
        matches: &[String],
    ) -> Result<Vec<(Timestamp, Value)>> {
        let machine = self.machine(node)?;
        // what was said a moment ago may not be in the file yet
        machine.exec(["journalctl", "--sync"]).await?;
        let since_second = format!("--since=@{}", since.at().as_second());
        let asked = ["journalctl", "--no-pager", "--output=json", &since_second];
        let said = machine
            .exec(asked.into_iter().chain(matches.iter().map(String::as_str)))
            .await?;
        let entries = said
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|entry| Some((moment(&entry)?, entry)));
        Ok(entries.filter(|(at, _)| *at >= since.at()).collect())
    }

    /// The running services of a machine, each with the id of this run of it.
    ///
    /// # Errors
    /// If the machine cannot be asked.
    pub async fn services(&self, node: &str) -> Result<BTreeMap<String, String>> {
        let said = self
            .machine(node)?
            .exec([
                "systemctl",
                "show",
                "--property=Id,SubState,InvocationID",
                "*.service",
            ])
            .await?;
        Ok(running(&said))
    }
}

/// An entry's time: journald's, in microseconds since 1970.
pub(crate) fn moment(entry: &Value) -> Option<Timestamp> {
    let micros = text(entry, "/__REALTIME_TIMESTAMP").parse().ok()?;
    Timestamp::from_microsecond(micros).ok()
}

/// `systemctl show` of several units: blocks of `NAME=VALUE`, parted by empty lines.
fn running(said: &str) -> BTreeMap<String, String> {
    let mut services = BTreeMap::new();
    for block in said.split("\n\n") {
        let value = |name: &str| {
            let mut lines = block.lines();
            lines
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .unwrap_or_default()
        };
        if value("SubState") == "running" {
            services.insert(value("Id").to_owned(), value("InvocationID").to_owned());
        }
    }
    services
}

#[cfg(test)]
mod tests {
    use super::running;

    #[test]
    fn only_running_services_are_compared() {
        let said = "InvocationID=aa\nId=dbus.service\nSubState=running\n\n\
                    InvocationID=bb\nId=images.service\nSubState=exited\n";
        let services = running(said);
        assert_eq!(services.len(), 1);
        assert_eq!(services["dbus.service"], "aa");
    }
}
