//! What everything that we make in the cloud bears, so that it is known to be ours, and whose: the cluster's id, the
//! repair's UID, and a state. A server has them in its metadata, which are set as it is made. A port has the cluster in
//! its description and the repair in its name, likewise.

/// A server's metadata: the cluster.
pub(crate) const CLUSTER: &str = "rectifier.cluster";
/// A server's metadata: the repair's UID.
pub(crate) const REPAIR: &str = "rectifier.repair";
/// A server's metadata: `provisional` until the commit, then `adopted`. Only provisional things are ever collected.
pub(crate) const STATE: &str = "rectifier.state";
/// A port's tag, from the commit on.
pub(crate) const ADOPTED_PORT: &str = "rectifier-adopted";

/// A port's description.
pub(crate) fn description(cluster: &str) -> String {
    format!("rectifier cluster {cluster}")
}
