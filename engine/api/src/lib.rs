//! The API group `rectifier.dev`: [`NodeRepair`] and [`RepairPool`], from which the CRDs in `deploy/crds` are generated.
//!
//! What a repair's spec and status mean is decided in `core`; here they become Kubernetes objects, with the rules that
//! the API server itself enforces.

mod client;
mod crds;
mod pool;
mod repair;
mod wants;

pub use client::{ClientError, client};
pub use crds::crds;
pub use pool::{
    Breaker, BreakerStatus, Drain, Interface, Maintenance, Mode, OnPlateau, Pacing, Provisioning,
    RepairPool, RepairPoolSpec, RepairPoolStatus, Retention, Timing,
};
pub use repair::{NodeRepair, NodeRepairSpec, repair_name};
pub use wants::wants;

/// Set by our cordon, so that it can be told from anybody else's: the UID of the repair that set it.
pub const CORDONED_BY: &str = "rectifier.dev/cordoned-by";
/// Set by a person on a `NodeRepair` that needs one: try again. Each new value is another try. On a Node: its engine may try
/// remedies again, though it had its share for a day.
pub const RETRY: &str = "rectifier.dev/retry";
/// Set by a person on a `NodeRepair` whose host does not answer: the id of the server that is off for good. It stands in the
/// place of the host's own word, so whoever sets it must have seen the machine without power.
pub const CONFIRMED_DEAD: &str = "rectifier.dev/confirmed-dead";
/// Put behind the name of a hand's annotation, the name of that for its signature: who it was, as the API server knows them.
pub const SIGNED: &str = "-by";
/// The problem of a repair that a person opened for no condition of the node's.
pub const REQUESTED: &str = "Requested";
/// The replacement bears it until it is committed, so that nothing is scheduled onto what may be rolled back.
pub const PROVISIONAL_TAINT: &str = "rectifier.dev/provisional";
/// The field manager of the control plane's writes.
pub const CONTROLLER: &str = "rectifier-controller";
/// The field manager of the node engine's writes.
pub const AGENT: &str = "rectifier-node";
