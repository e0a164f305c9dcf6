//! What a cloud tells, and what it is told, as values with public fields.

mod action;
mod port;
mod server;
mod spec;

pub use action::{ActionEvent, InstanceAction};
pub use port::{AddressPair, Port, PortSpec, PortTemplate};
pub use server::{Address, AddressKind, Fault, PowerState, Server, ServerStatus};
pub use spec::{Reboot, ServerSpec, ServerTemplate, Shape};
