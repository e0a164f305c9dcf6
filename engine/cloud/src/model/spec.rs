//! What a similar server needs, and a server to be made.

use std::collections::BTreeMap;

use rectifier_core::name::PortId;
use rectifier_core::repair::Lack;
use serde::{Deserialize, Serialize};

use super::port::PortTemplate;

/// What a server similar to an existing one needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerTemplate {
    /// The hardware and the image.
    pub shape: Shape,
    /// Its ports, in the order in which they were made: the first is usually the node's address.
    pub ports: Vec<PortTemplate>,
    /// Its description.
    pub description: Option<String>,
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
    /// Its tags. Ours are among them, if a repair made the server: they are not to be copied.
    pub tags: Vec<String>,
    /// What it has and a server made of all this would not have. A volume may be a PersistentVolume's: it is never copied,
    /// never deleted. Not kept: it is decided upon before anything is made.
    #[serde(skip)]
    pub lacks: Vec<Lack>,
}

/// The part of a server that is copied as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shape {
    /// The flavor's id.
    pub flavor: String,
    /// The image's id. Absent: the server boots from a volume, and none is made like it.
    pub image: Option<String>,
    /// The name of its key pair.
    pub key_name: Option<String>,
    /// Its availability zone.
    pub zone: Option<String>,
    /// The id of its server group.
    pub server_group: Option<String>,
    /// Whether its user data come on a drive rather than from the metadata service.
    pub config_drive: bool,
}

/// A server to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSpec {
    /// Its name, which is its node's.
    pub name: String,
    /// Flavor, image, zone and so on.
    pub shape: Shape,
    /// What people read of it.
    pub description: Option<String>,
    /// Ports made before, their ids recorded; the first is the first interface.
    pub ports: Vec<PortId>,
    /// What its first boot reads, as it is (it is encoded on the way); at most 49 149 bytes.
    pub user_data: String,
    /// Keys match `[a-zA-Z0-9-_:. ]{1,255}`.
    pub metadata: BTreeMap<String, String>,
    /// At most 50, of at most 60 characters each, without `/` and comma. They are set in the same moment as
    /// the server is made: so a lost answer is no lost server.
    pub tags: Vec<String>,
}

/// How to reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reboot {
    /// Ask the guest.
    Soft,
    /// Power off and on.
    Hard,
}
