//! What the test bed stands on, made on any Debian machine by its ordinary package clients.
//!
//! Real parts (an API server, a kubelet, OpenStack, a Debian tree) are not things to keep in a
//! repository, nor to ask a person to install one by one. This crate makes each of them from what
//! the checkout pins, and keeps them in the [`Cache`] folder.
//!
//! Each part
//! - is asked for by one call, which makes it if it is not there and is quick if it is;
//! - lies in a folder whose name holds the hash of its inputs: a changed pin is another folder;
//! - is made under a temporary name, under a lock, and renamed: there is no half-made part, and two
//!   processes make it once;
//! - says through a [`Report`] what it does while it takes time, and shows the end of its log when
//!   it fails.
//!
//! Starting any of the parts is left to `rectifier-bed`. The crate is light on purpose: the task
//! runner uses it before anything heavy has been compiled.

mod builds;
mod cache;
mod cargo;
mod command;
mod debian;
mod digest;
mod disk;
mod go;
mod image;
mod key;
mod node_root;
mod part;
mod policy;
mod python;
mod report;
mod tools;

pub use cache::Cache;
pub use cargo::{Features, build_programs, cargo, programs, subcommand};
pub use image::Image;
pub use part::{no_mounts, remove};
pub use report::{Report, Silent, Stderr};
pub use tools::Tool;
