//! What whoever is paged types: what is ill and why, what is done about it, and their hand on it.
//!
//! All of it can be done with kubectl alone (annotations on `NodeRepair`, `RepairPool` and Node): these commands look first whether the
//! word can have an effect, sign it, and tell what comes of it.

pub(crate) mod acknowledge;
mod blast;
pub(crate) mod explain;
mod follow;
pub(crate) mod hands;
pub(crate) mod history;
mod ill;
mod look;
pub(crate) mod pause;
pub(crate) mod repair;
mod said;
mod sign;
pub(crate) mod status;
