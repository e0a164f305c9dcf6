//! What a pass decided, as values: one `match` each carries them out, logs them and tells them.

use jiff::Timestamp;

use super::memory::Memory;
use crate::name::ConditionKind;
use crate::policy::{FixCall, Outcome, UnitCall};
use crate::reason::Reason;
use crate::repair::{Asks, Problem};

/// The one intrusive thing that a pass may begin. Its attempt stands in the plan's memory already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// A verb on a unit.
    Unit {
        /// Of which episode.
        problem: ConditionKind,
        /// Which unit, which verb.
        call: UnitCall,
    },
    /// A declared fix.
    Fix {
        /// Of which episode.
        problem: ConditionKind,
        /// Which, with which arguments.
        call: FixCall,
    },
    /// A reboot. Only after [`RepairWrite::Accept`] of the same grant was written.
    Reboot {
        /// Of which episode.
        problem: ConditionKind,
        /// By which grant.
        grant: String,
    },
}

/// The one write to the node's `NodeRepair`, a compare-and-swap on what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepairWrite {
    /// Open it.
    Open {
        /// What for.
        problem: Problem,
        /// How much is asked.
        asks: Asks,
        /// Until when the control plane is to wait.
        deadline: Timestamp,
    },
    /// Ask for more.
    Raise(Asks),
    /// Make it a graver problem's, for which more is asked: nothing but healing in the node has come of it yet.
    TakeOver {
        /// What for.
        problem: Problem,
        /// How much is asked.
        asks: Asks,
    },
    /// Ask to be left alone for longer.
    Extend {
        /// Until then.
        deadline: Timestamp,
    },
    /// The problem is gone.
    Withdraw,
    /// Take the offered grant.
    Accept {
        /// Its id.
        grant: String,
    },
}

/// What is worth telling an operator, when it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A problem was seen for the first time.
    Opened,
    /// A remedy begins.
    Begun(String),
    /// It is known what became of a remedy.
    Outcome {
        /// The remedy in words.
        remedy: String,
        /// What became of it.
        outcome: Outcome,
        /// More.
        detail: String,
    },
    /// The control plane is asked for something.
    Asked {
        /// For what.
        asks: Asks,
        /// Why.
        reason: Reason,
    },
    /// Nothing is done.
    Held {
        /// Why.
        reason: Reason,
        /// More.
        detail: String,
    },
    /// The control plane has finished; if the problem is still there, a new episode begins.
    HandedBack,
    /// The problem was gone for the quiet time.
    Closed,
}

/// News and their problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Of which episode.
    pub problem: ConditionKind,
    /// What.
    pub news: News,
}

/// What one pass decided. The memory is written first; then the repair; then the remedy begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is to be remembered from now on, the intents included.
    pub memory: Memory,
    /// To be written to the node's repair.
    pub repair: Option<RepairWrite>,
    /// To be begun.
    pub begin: Option<Begin>,
    /// To be told.
    pub news: Vec<Word>,
}
