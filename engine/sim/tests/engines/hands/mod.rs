//! The hands of people and of others who keep nodes, in the world, with the real controller: what halts it, what lets it go
//! on, what calls it off, and whose turn it is.

mod asked;
mod autoscaler;
mod halts;
mod lineage;
mod objects;
mod owners;
mod rights;
pub(crate) mod stage;
mod storms;
mod turns;
mod windows;
mod words;
