//! The node engine's side of a problem: what it makes of what it sees, and what it does next.
//!
//! An **episode** is one problem from its first sight until it is gone for a quiet time. It carries its attempts, so
//! that a policy sees what was tried and the guard rails can count. A pass of the engine goes through here in two steps,
//! with the policies between them:
//!
//! ```text
//!   Memory + Seen ──see──▶ Memory ──questions──▶ [policies] ──▶ Advice ──decide──▶ Plan
//! ```
//!
//! Guaranteed here, whatever the policies say: one remedy at a time on a node; none on a unit or by a fix that the
//! operator did not allow; none too soon, too often, everywhere at once, on a machine that comes up or goes down, under a pause,
//! after a handover or from a lost memory; a reboot only by a grant for
//! this boot of this node, once; and an episode ends only when the problem was seen to be gone. A plan is a value: it is
//! journaled before any part of it is carried out, and what comes of it arrives with the next [`Seen`].

mod apply;
mod attempt;
mod causes;
mod clock;
mod counts;
mod decide;
mod guard;
mod handover;
mod limits;
mod memory;
mod own;
mod plan;
mod seen;
mod sight;
mod verdict;
mod view;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use causes::Causes;
pub use decide::{decide, questions};
pub use limits::{FixRule, Limits};
pub use memory::{AttemptRecord, Course, Episode, Handover, Memory, Sight, Wait};
pub use own::{Evidence, Own, is_own};
pub use plan::{Begin, News, Plan, RepairWrite, Word};
pub use seen::{Ended, NodeSeen, RepairSeen, Seen, SeenCondition, UnitSeen, Watched};
pub use sight::see;
