//! The test bed: real parts, started and stopped by a test.
//!
//! Nothing here imitates. A bed is a folder with real programs at work in it: an API server with
//! its controller manager and scheduler, Nova and its neighbours, machines with a systemd, a
//! containerd and a kubelet of their own. They listen on loopback and on a bridge that leads
//! nowhere, on free ports, and they end with the test, however the test ends.
//!
//! ```no_run
//! # async fn test() -> anyhow::Result<()> {
//! let bed = rectifier_bed::Bed::new("example")?;
//! let kubernetes = rectifier_bed::kubernetes::Kubernetes::start(&bed, Default::default()).await?;
//! kubernetes.add_kwok_node("node-1", &[]).await?;
//! # Ok(()) }
//! ```
//!
//! | module | what it starts |
//! |---|---|
//! | [`kubernetes`] | etcd, kube-apiserver, controller manager, scheduler, KWOK |
//! | [`machine`] | a node: systemd, containerd, kubelet |
//! | [`openstack`] | Keystone, Placement, Glance, Neutron, Nova; [`hypervisor`] is what its servers run on |
//! | [`process`] | any other program |
#![expect(
    clippy::disallowed_methods,
    reason = "test support: it lives in the real world, and reads the real clock"
)]

pub mod bed;
pub mod hypervisor;
pub mod kubernetes;
pub mod machine;
pub mod network;
pub mod openstack;
pub mod pki;
pub mod ports;
pub mod process;
pub mod timeline;

pub use bed::Bed;
pub use timeline::Timeline;
