//! The loop, end to end, on real parts: an API server, a scheduler, a controller manager, Nova and its neighbours, a
//! machine with systemd, containerd and kubelet, Node Problem Detector on it; and our two engines, deployed by the
//! manifests that ship.
//!
//! A [`scenario`] plays a story, whose definition it shares with the embedded world (`rectifier-story`), in a [`world`]: it
//! breaks something, waits, and then [claims](claim) what must have happened and what must not have. Its [`evidence`] is other people's: the audit log (who asked for what, in which order, and what NPD and the
//! kubelets reported), Nova's servers and their actions, Neutron's ports, systemd's and logind's journal, and the system
//! bus, which knows who asked systemd. Of what our engines write of themselves three things are used: the phase of a
//! repair, to know when to look, and to kill the controller in each; the replacement's name, which Nova and the new node
//! must then confirm; and who opened a repair, and by which policy it was judged. The [`timeline`] tells all of it, each
//! thing by its author.
#![expect(
    clippy::disallowed_methods,
    reason = "test support: it lives in the real world, and reads the real clock"
)]

pub mod claim;
pub mod controller;
pub mod evidence;
pub mod fewest;
pub mod gate;
pub mod scenario;
pub mod site;
pub mod timeline;
pub mod wait;
pub mod world;

pub use world::World;
