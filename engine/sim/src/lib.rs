//! The embedded world: what the engines stand on, in one process and in virtual time, as one seed decides.
//!
//! So far: the Kubernetes API server ([`kubernetes::ApiServer`]), below an unchanged `kube::Client` and without a socket,
//! and the [clock]. It does what the engines use, and that as the real one does it: one conformance suite
//! (`tests/conformance`) asks both the same, and a difference is a defect here.
//!
//! Nothing here waits for a thread, a file or a socket, so that a paused tokio clock moves only when everybody waits.

pub mod clock;
pub mod kubernetes;
