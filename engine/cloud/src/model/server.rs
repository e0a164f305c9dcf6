//! A server as the cloud describes it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use rectifier_core::name::ServerId;

use crate::error::Retry;

/// A server as the cloud described it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Its name; not unique.
    pub name: String,
    /// Its status, which says little: see the crate's table of what an answer proves.
    pub status: ServerStatus,
    /// What the cloud is doing to it at the moment, e.g. `powering-off`. While there is one, hold.
    pub task: Option<String>,
    /// Its power as its host last reported it; absent while the host has not.
    pub power: Option<PowerState>,
    /// Why it is in `ERROR`, or what failed last.
    pub fault: Option<Fault>,
    /// When it was asked for.
    pub created: Option<Timestamp>,
    /// Its owner or an administrator locked it: hold.
    pub locked: bool,
    /// The project it belongs to.
    pub project: Option<String>,
    /// Its availability zone; absent until it is scheduled.
    pub zone: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
    /// Its addresses as the compute service remembers them, in the order of its interfaces; the ports are the truth.
    pub addresses: Vec<Address>,
}

impl Server {
    /// Stopped, and its host said so: `SHUTOFF`, power state "shutdown" and no task.
    ///
    /// Part of a proof of death only together with our own stop and its host's event (invariant 7).
    pub fn is_off(&self) -> bool {
        self.status == ServerStatus::Shutoff
            && self.power == Some(PowerState::Shutdown)
            && self.task.is_none()
    }

    /// Its fixed addresses: one of them is the node's `InternalIP`.
    pub fn fixed_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.addresses
            .iter()
            .filter(|a| a.kind == AddressKind::Fixed)
            .map(|a| a.ip)
    }
}

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A server's status. One that this code does not know is kept as it came.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum ServerStatus {
            $($(#[$doc])* $name,)*
            /// A status that this code does not know. Nothing may be concluded from it.
            Other(String),
        }

        impl ServerStatus {
            /// The status of this text; every text is one.
            pub fn parse(text: &str) -> Self {
                match text {
                    $($text => Self::$name,)*
                    other => Self::Other(other.to_owned()),
                }
            }

            /// The status as the cloud writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(text) => text,
                }
            }
        }
    };
}

statuses! {
    /// Started, at least once.
    Active = "ACTIVE",
    /// Being built.
    Build = "BUILD",
    /// Deleted, and still told of.
    Deleted = "DELETED",
    /// Something failed: see the fault. It holds its quota and its ports until it is deleted.
    Error = "ERROR",
    /// Being reset. It stays so while its host is down.
    HardReboot = "HARD_REBOOT",
    /// Moving to another host.
    Migrating = "MIGRATING",
    /// Its password is being changed.
    Password = "PASSWORD",
    /// Halted in memory.
    Paused = "PAUSED",
    /// Being installed anew.
    Rebuild = "REBUILD",
    /// Being rebooted by its guest.
    Reboot = "REBOOT",
    /// Booted from a rescue image.
    Rescue = "RESCUE",
    /// Changing its flavor.
    Resize = "RESIZE",
    /// Going back to its former flavor.
    RevertResize = "REVERT_RESIZE",
    /// Stored away.
    Shelved = "SHELVED",
    /// Stored away, off its host.
    ShelvedOffloaded = "SHELVED_OFFLOADED",
    /// Stopped.
    Shutoff = "SHUTOFF",
    /// Deleted, and can be restored.
    SoftDeleted = "SOFT_DELETED",
    /// Stored in its host's memory or disk.
    Suspended = "SUSPENDED",
    /// The cloud itself does not know: the cell that holds the server is down.
    Unknown = "UNKNOWN",
    /// Its new flavor waits for somebody's word.
    VerifyResize = "VERIFY_RESIZE",
}

impl fmt::Display for ServerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A server's power as its host last reported it (Nova's numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerState {
    /// 0: nothing was reported.
    NoState,
    /// 1.
    Running,
    /// 3.
    Paused,
    /// 4: off.
    Shutdown,
    /// 6.
    Crashed,
    /// 7.
    Suspended,
    /// A number that this code does not know.
    Other(i64),
}

impl PowerState {
    /// The state of this number; every number is one.
    pub fn from_number(number: i64) -> Self {
        match number {
            0 => Self::NoState,
            1 => Self::Running,
            3 => Self::Paused,
            4 => Self::Shutdown,
            6 => Self::Crashed,
            7 => Self::Suspended,
            other => Self::Other(other),
        }
    }
}

/// What failed on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// An HTTP-like number; Nova says 500 for nearly everything.
    pub code: u16,
    /// Nova's own words.
    pub message: String,
    /// When it happened.
    pub created: Option<Timestamp>,
}

impl Fault {
    /// No compute host could take the server.
    ///
    /// Nova has only words for it: the code is 500, as for everything else. A cloud that words it otherwise
    /// makes this false, and the failure is then handled as any other.
    pub fn is_no_valid_host(&self) -> bool {
        self.message.starts_with("No valid host was found")
    }

    /// Whether another create can help, once the failed server is deleted.
    pub fn retry(&self) -> Retry {
        if self.is_no_valid_host() {
            Retry::OtherZone
        } else {
            Retry::Again
        }
    }
}

/// One address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The name of the network.
    pub network: String,
    /// The address.
    pub ip: IpAddr,
    /// Of the port, or a floating one.
    pub kind: AddressKind,
}

/// Where an address belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// The port's own.
    Fixed,
    /// A floating address that leads to it.
    Floating,
}
