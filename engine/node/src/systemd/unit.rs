//! How a unit is.

use std::collections::HashMap;

use rectifier_core::clock::Timestamp;
use rectifier_core::episode::UnitSeen;
use rectifier_core::name::UnitName;
use zbus::fdo::PropertiesProxy;
use zbus::names::InterfaceName;
use zbus::{OwnedObjectPath, OwnedVariant};
use zbus_systemd::systemd1::ManagerProxy;

use super::{Systemd, SystemdError};

const UNIT: InterfaceName<'static> =
    InterfaceName::from_static_str_unchecked("org.freedesktop.systemd1.Unit");
const SERVICE: InterfaceName<'static> =
    InterfaceName::from_static_str_unchecked("org.freedesktop.systemd1.Service");

impl Systemd {
    /// How the unit is; `None` if there is no unit file of that name.
    ///
    /// # Errors
    /// systemd cannot be asked.
    pub async fn unit(&self, name: &UnitName) -> Result<Option<UnitSeen>, SystemdError> {
        let manager = self.manager().await?;
        let properties = self.properties(&manager, name).await?;
        let mut unit = self
            .heard(properties.get_all(UNIT).await.map_err(Into::into))
            .await?;
        if text(&mut unit, "LoadState") == "not-found" {
            return Ok(None);
        }
        let restarts = if name.as_str().ends_with(".service") {
            let restarts = properties
                .get(SERVICE, "NRestarts")
                .await
                .map_err(Into::into);
            u32::try_from(self.heard(restarts).await?).unwrap_or(0)
        } else {
            0
        };
        Ok(Some(UnitSeen {
            active_state: text(&mut unit, "ActiveState"),
            sub_state: text(&mut unit, "SubState"),
            restarts,
            since: take::<u64>(&mut unit, "StateChangeTimestamp").and_then(moment),
            invocation: hex(&take::<Vec<u8>>(&mut unit, "InvocationID").unwrap_or_default()),
            busy: job(&mut unit).is_some_and(|id| id != 0),
        }))
    }
}

impl Systemd {
    /// The properties of a unit, also of one of which there is no file.
    pub(super) async fn properties(
        &self,
        manager: &ManagerProxy<'_>,
        name: &UnitName,
    ) -> Result<PropertiesProxy<'static>, SystemdError> {
        let path = manager.load_unit(name.as_str().to_owned()).await;
        let path = self.heard(path).await?;
        let properties = PropertiesProxy::builder(&self.connection().await?)
            .destination("org.freedesktop.systemd1")
            .path(path)
            .build()
            .await?;
        Ok(properties)
    }
}

/// systemd's time stamps: microseconds since 1970, 0 for "never".
pub(super) fn moment(micros: u64) -> Option<Timestamp> {
    let micros = i64::try_from(micros).ok().filter(|micros| *micros > 0)?;
    Timestamp::from_microsecond(micros).ok()
}

fn take<T: TryFrom<OwnedVariant>>(
    properties: &mut HashMap<String, OwnedVariant>,
    name: &str,
) -> Option<T> {
    T::try_from(properties.remove(name)?).ok()
}

fn text(properties: &mut HashMap<String, OwnedVariant>, name: &str) -> String {
    take(properties, name).unwrap_or_default()
}

/// `Job` is a pair of id and path; 0 means that there is none.
fn job(properties: &mut HashMap<String, OwnedVariant>) -> Option<u32> {
    let (id, _): (u32, OwnedObjectPath) = take(properties, "Job")?;
    Some(id)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
