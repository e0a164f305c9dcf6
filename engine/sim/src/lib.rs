//! The embedded world: what the engines stand on, in one process and in virtual time, as one seed decides.
//!
//! So far: a Kubernetes API server ([`kubernetes::ApiServer`]) below an unchanged `kube::Client`, Nova and Neutron
//! ([`openstack::World`]) below the engine's own OpenStack code, neither with a socket, and the [clock]. They do what the
//! engines use, and that as the real ones do it: each has a conformance suite (`tests/`) that asks both the same, and a
//! difference is a defect here. What a [cluster] does by itself goes on around them: machines boot and join, pods start and
//! end, so that the real engines repair here what breaks. The [stories](story) that the test bed plays on real parts are
//! played here, too, from the same definitions (`tests/engines/stories.rs`); so are [hours] of faults, and what would be done in
//! somebody's own cluster, of which there is a [dump].
//!
//! Nothing here waits for a thread, a file or a socket, so that a paused tokio clock moves only when everybody waits.

mod agents;
mod ailing;
pub mod clock;
pub mod cluster;
pub mod dump;
pub mod hours;
pub mod kubernetes;
mod landing;
pub mod machine;
pub mod openstack;
pub mod policies;
pub mod record;
pub mod scene;
pub mod story;
pub mod told;
pub mod trace;
