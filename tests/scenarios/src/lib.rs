//! The loop, end to end, on real parts: an API server, a scheduler, a controller manager, Nova and its neighbours, a
//! machine with systemd, containerd and kubelet, Node Problem Detector on it; and our two engines, deployed by the
//! manifests that ship.
//!
//! A [`scenario`] breaks something in a [`world`] and then looks at the world's own records (audit log, Nova's instance
//! actions, Neutron's ports, systemd's journal) for what must have happened, and for what must not. What our engines say
//! of themselves is told in the [`timeline`], and proves nothing.
#![expect(
    clippy::disallowed_methods,
    reason = "test support: it lives in the real world, and reads the real clock"
)]

pub mod controller;
pub mod evidence;
pub mod scenario;
pub mod timeline;
pub mod wait;
pub mod world;

pub use scenario::Scenario;
pub use world::World;
