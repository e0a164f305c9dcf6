//! Both real engines in the embedded world, in virtual time. One program: each of its own would compile and link both engines
//! once more.

mod ahead;
mod crashes;
mod database;
mod dead;
mod disk;
mod drained;
mod drains;
mod hands;
mod lease;
mod leftovers;
mod likeness;
mod minds;
mod own;
#[path = "../policy/mod.rs"]
mod policy;
mod rbac;
mod reasons;
mod replaced;
mod room;
mod seeds;
mod shipped;
mod stage;
mod stories;
mod told;
mod uncommitted;
mod weather;
