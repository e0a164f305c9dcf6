//! The stories that prove the loop, each defined once, and played wherever there is a [`Stage`]: in the embedded world
//! (`rectifier-sim`), on the test bed's real parts (`tests/scenarios`), in a demonstration.
//!
//! ```text
//! Story ── script ──► deeds and waits,          play ──► Stage: does the deeds,
//!                     how the repair ends,               looks the facts up in the
//!                     orders of facts, claims            records of its own world
//! ```
//!
//! A definition is data: what is done, what must have happened, in which order, what must not have, and what must hold at
//! the end. It says nothing of how a fact is found. A stage finds it in its world's records, never in what our engines say
//! of their work; a stage that can see more than these facts claims that besides.

mod act;
mod fact;
mod script;
mod stage;
mod story;

pub use act::{Awaited, Cure, Deed};
pub use fact::{Claim, Fact};
pub use script::{KILLED_AFTER, Rule, Script, Step};
pub use stage::{Stage, Unmet, act, play, prove};
pub use story::{Story, World};
