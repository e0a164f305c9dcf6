//! Decides what is done to a node, and why. Pure: it reads no clock, no environment and no network, so that
//! the same input gives the same decision on a node at night and in a replay a year later.
//!
//! [`policy`] holds the contract with the policies (what they see, what they may answer); [`episode`] is the
//! node engine's side of a problem; [`repair`] the control plane's. [`reason`] names every cause for acting or
//! for not acting. IO lies in the crates that stand on this one.

pub mod acknowledged;
pub mod budget;
pub mod clock;
pub mod episode;
pub mod leftovers;
pub mod name;
pub mod policy;
pub mod reason;
pub mod repair;
pub mod standing;
pub mod switches;
pub mod windows;
