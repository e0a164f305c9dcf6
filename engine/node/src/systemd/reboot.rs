//! The reboot, by logind: units are stopped in their order. Who inhibits it is asked before; whoever still does then had their time.

use zbus::fdo;
use zbus::proxy::CacheProperties;
use zbus_systemd::login1;

use super::{Systemd, SystemdError};

/// `SD_LOGIND_SKIP_INHIBITORS` of `sd-login`: since systemd 257 a block holds root, too. Neither kexec nor a soft reboot, which have
/// flags of their own: what is wrong with the kernel, or with the hardware's state, would outlive them.
const SKIP_INHIBITORS: u64 = 1 << 4;

impl Systemd {
    /// Asks logind for a reboot, whoever inhibits it. It returns before the machine goes down.
    ///
    /// # Errors
    /// logind refused, or cannot be asked.
    pub async fn reboot(&self) -> Result<(), SystemdError> {
        let logind = self.logind().await?;
        let asked = logind.reboot_with_flags(SKIP_INHIBITORS).await;
        if !asked.as_ref().is_err_and(is_too_old) {
            return self.heard(asked).await;
        }
        // Not interactive: nobody is there to be asked for a password.
        self.heard(logind.reboot(false).await).await
    }

    /// Who inhibits a shutdown, and why; `None`: nobody does. A delay is none: logind waits for it itself.
    ///
    /// # Errors
    /// logind cannot be asked.
    pub async fn inhibitor(&self) -> Result<Option<String>, SystemdError> {
        let logind = self.logind().await?;
        let all = self.heard(logind.list_inhibitors().await).await?;
        let mut blocks = all.iter().filter(|(what, _, _, mode, _, _)| {
            what.split(':').any(|what| what == "shutdown") && mode.starts_with("block")
        });
        let first = blocks.next();
        Ok(first.map(|(_, who, why, _, _, _)| format!("{who}: {why}")))
    }

    async fn logind(&self) -> Result<login1::ManagerProxy<'static>, SystemdError> {
        let connection = self.connection().await?;
        let logind = login1::ManagerProxy::builder(&connection)
            .cache_properties(CacheProperties::No)
            .build()
            .await;
        self.heard(logind).await
    }
}

/// Does this logind not know the call (before 246), or not the flag (before 257)?
fn is_too_old(error: &zbus::Error) -> bool {
    let zbus::Error::FDO(error) = error else {
        return false;
    };
    matches!(
        **error,
        fdo::Error::InvalidArgs(_) | fdo::Error::UnknownMethod(_)
    )
}
