//! What the control-plane engine asks of a cloud, and what it may conclude from the answers.
//!
//! [`Cloud`] is the contract; [`openstack::OpenStack`] fulfils it. The rest of the engine sees neither HTTP nor
//! JSON: it gets values whose fields say what the cloud said, and a [`CloudError`] that says whether asking
//! again can help.
//!
//! **Guaranteed.** Every call ends within a bounded time. A list is complete or an error. A status, a task or
//! a field that this code has never heard of is kept or passed over, and never spoils the record it stands in.
//! No call repeats a write by itself, except after an answer that proves that the cloud refused to begin.
//!
//! **Left to others.** Whether, when and how often to call: intents are persisted before a call and its effect
//! is looked for afterwards (`rectifier-controller`). An `Ok` here means that the cloud took the request, not
//! that anything has happened.
//!
//! # What an answer proves
//!
//! | seen | proves | does not prove |
//! |---|---|---|
//! | `describe` gives `None` | the cloud's database has no such server in this project | that the machine is off: a server deleted while its host was down goes on running |
//! | status `ACTIVE` | somebody once started it | that it runs: a dead host's servers stay `ACTIVE` |
//! | status `SHUTOFF` | the host last reported it off, or it was told to stop | that we did it; see [`Cloud::actions`] |
//! | an action whose event [succeeded](InstanceAction::succeeded) | the compute host itself did it | anything about later actions |
//! | an error | nothing at all about the server | |

mod error;
mod model;
pub mod openstack;

pub use error::{Call, Cause, CloudError, Retry};
pub use model::{
    ActionEvent, Address, AddressKind, AddressPair, Fault, InstanceAction, Port, PortSpec,
    PortTemplate, PowerState, Reboot, Server, ServerSpec, ServerStatus, ServerTemplate, Shape,
};

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use rectifier_core::name::{PortId, ServerId};
use rectifier_core::repair::Lack;

/// A cloud that servers are repaired on.
///
/// Every method may be called again with the same arguments at any time; each says what that does.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// The region that is asked, if it was said.
    fn region(&self) -> Option<&str> {
        None
    }

    /// The server as the cloud describes it now.
    ///
    /// `None` is a 404 that the compute service itself answered, in its own words; a 404 of a proxy or of a
    /// wrong address is an error. It is **never proof of death**, and proves that the server is absent only
    /// if another server of the same project is found with the same credentials.
    async fn describe(&self, server: &ServerId) -> Result<Option<Server>, CloudError>;

    /// All servers that bear this tag, in any status, oldest first.
    ///
    /// The list is complete, with one exception that the API cannot express: Nova leaves out servers of a
    /// cell that is down. So an empty list is absence only if it is seen twice, some time apart.
    async fn find_by_tag(&self, tag: &str) -> Result<Vec<Server>, CloudError>;

    /// All servers of exactly this name, oldest first; complete as [`find_by_tag`](Self::find_by_tag) is.
    ///
    /// Names are not unique: a name never says that a server is ours.
    async fn find_by_name(&self, name: &str) -> Result<Vec<Server>, CloudError>;

    /// All servers of the project, oldest first; complete, or an error, or told to be not: of a server whose cell is down
    /// nothing is known but its id, and its status is [`ServerStatus::Unknown`].
    async fn servers(&self) -> Result<Vec<Server>, CloudError>;

    /// Servers of the project that were deleted since then, as far as the cloud's database still has them.
    async fn deleted_since(&self, since: Timestamp) -> Result<Vec<Server>, CloudError>;

    /// What a server similar to this one needs.
    ///
    /// # Errors
    /// [`CloudError::NotFound`] if the server is gone.
    async fn template(&self, server: &ServerId) -> Result<ServerTemplate, CloudError>;

    /// What of a shape there is not, or not for this user: each in words, or as what a server can be made without.
    async fn missing(&self, shape: &Shape) -> Result<Vec<Lack>, CloudError>;

    /// Makes a port.
    ///
    /// **Not idempotent**: called again it makes a second one. A port can be tagged only once it is made, and a lost answer
    /// loses its id: so give each a name that no other has (the repair's uid, the attempt and a number), write the name
    /// down before, and look [by name](Self::ports_by_names) for what is there already.
    async fn create_port(&self, spec: &PortSpec) -> Result<Port, CloudError>;

    /// The port as the cloud describes it now. `None` is a 404 in the network service's own words, as for
    /// [`describe`](Self::describe).
    async fn port(&self, port: &PortId) -> Result<Option<Port>, CloudError>;

    /// All ports that have exactly one of these names; complete or an error.
    async fn ports_by_names(&self, names: &[String]) -> Result<Vec<Port>, CloudError>;

    /// All ports of exactly this description; complete or an error.
    async fn ports_by_description(&self, description: &str) -> Result<Vec<Port>, CloudError>;

    /// All ports that name this server as their device, in the order in which they were made; complete or an
    /// error. A port whose server lost it names no device any more, although the server may still show its
    /// address: what the *port* says is the truth.
    async fn ports_by_device(&self, server: &ServerId) -> Result<Vec<Port>, CloudError>;

    /// Adds a tag to a port. `Ok` also if it is there.
    async fn tag_port(&self, port: &PortId, tag: &str) -> Result<(), CloudError>;

    /// Deletes a port. `Ok` if it was there or not: it is not there now.
    ///
    /// A port that a running server uses is taken from it: look at [`Port::device`] first.
    async fn delete_port(&self, port: &PortId) -> Result<(), CloudError>;

    /// Asks for a server with the given ports. `Ok` is the id of a server that is being built, or that will
    /// end in `ERROR` ([`Server::fault`] says why): describe it until it is one or the other.
    ///
    /// **Not idempotent.** Called again, the same ports make the second server fail: with
    /// [`CloudError::PortInUse`], once the first server's host has bound them. Until then, a second or more
    /// after the first answer, both calls are taken; one server ends in `ERROR`, *and its clean-up unbinds the
    /// other's ports*. So: if [`CloudError::may_have_happened`], wait, [find by tag](Self::find_by_tag) twice,
    /// and only then ask again; and a server counts as ours only when it alone bears our tag and its ports
    /// name it.
    async fn create_server(&self, spec: &ServerSpec) -> Result<ServerId, CloudError>;

    /// Asks for the server's end. `Ok` if it was there or not; it ends later, also during a build.
    ///
    /// Ports that were made by [`create_port`](Self::create_port) outlive it. With its compute host down the
    /// server disappears and **the machine runs on**: only the event `compute_terminate_instance` of the
    /// action `delete` says otherwise.
    async fn delete_server(&self, server: &ServerId) -> Result<(), CloudError>;

    /// Asks for a reboot. Again: a second reboot, or [`CloudError::Busy`] while the first goes on.
    /// Done when the guest says so (its boot id), not when the status is `ACTIVE` again.
    async fn reboot(&self, server: &ServerId, how: Reboot) -> Result<(), CloudError>;

    /// Asks for a start. [`CloudError::Busy`] also if it is not stopped: describe it first.
    async fn start(&self, server: &ServerId) -> Result<(), CloudError>;

    /// Asks for a stop. [`CloudError::Busy`] also if it is not running: describe it first.
    async fn stop(&self, server: &ServerId) -> Result<(), CloudError>;

    /// What was done to the server, newest first, with what its compute host reported: the newest 16. They
    /// are still told after the server's deletion. A server that the cloud never knew is
    /// [`CloudError::NotFound`].
    async fn actions(&self, server: &ServerId) -> Result<Vec<InstanceAction>, CloudError>;

    /// The last `lines` lines of the console. Evidence for people: no decision reads it.
    async fn console_log(&self, server: &ServerId, lines: u32) -> Result<String, CloudError>;

    /// Sets these metadata; other keys keep their values. Keys match `[a-zA-Z0-9-_:. ]{1,255}`.
    async fn set_metadata(
        &self,
        server: &ServerId,
        metadata: &BTreeMap<String, String>,
    ) -> Result<(), CloudError>;
}
