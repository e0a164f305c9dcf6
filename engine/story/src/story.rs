//! The stories' names, and the worlds in which they are played.

use std::fmt;

/// One of the stories.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Story {
    /// A broken service is restarted, and is well
    Healed,
    /// Only a reboot helps: by a grant, after a drain
    Rebooted,
    /// Nothing on the node helps: it is replaced
    Replaced,
    /// The node engine is stopped: NPD's condition alone leads to the replacement
    Silent,
    /// The policy's file is replaced in mid-episode
    ChangedMind,
    /// The controller is killed after each step in turn
    Killed,
    /// The problem goes away before the replacement is Ready
    Cleared,
}

impl Story {
    /// In the order in which they are told.
    pub const ALL: [Story; 7] = [
        Story::Healed,
        Story::Rebooted,
        Story::Replaced,
        Story::Silent,
        Story::ChangedMind,
        Story::Killed,
        Story::Cleared,
    ];

    /// One line for people.
    pub fn title(self) -> &'static str {
        match self {
            Story::Healed => "a broken service is restarted on the node",
            Story::Rebooted => "only a reboot helps: it is granted, drained for, verified",
            Story::Replaced => "nothing on the node helps: a similar server takes its place",
            Story::Silent => {
                "the node engine is silent: the condition alone leads to the replacement"
            }
            Story::ChangedMind => "the policy changes its mind in mid-episode",
            Story::Killed => "the controller is killed after each step, and one server is adopted",
            Story::Cleared => "the problem goes away in time: everything is taken back",
        }
    }

    /// What its records have proven when it has passed.
    pub fn proves(self) -> &'static str {
        match self {
            Story::Healed => {
                "systemd started it once, asked by the node engine; NPD saw it broken before, and well after; \
                 nothing else was touched"
            }
            Story::Rebooted => {
                "drained to the last pod, then granted, then logind's word, then another boot; uncordoned when NPD saw \
                 it well; no server was made"
            }
            Story::Replaced => {
                "a similar server, Ready before the first eviction; the budget held; the old server, its ports and its \
                 Node are gone"
            }
            Story::Silent => "the same, asked for by nobody but NPD's condition",
            Story::ChangedMind => {
                "the next remedy was the new file's, on the node and in the control plane; no process was started anew"
            }
            Story::Killed => {
                "killed after each of nine steps, its effect there and the next not yet written: one server was made, \
                 and adopted; nothing is left behind"
            }
            Story::Cleared => {
                "our server, its port and its token are gone, the node is uncordoned, no pod was evicted"
            }
        }
    }
}

/// Where a story was played. Every line that is told of it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// In one process, in virtual time.
    Embedded,
    /// On the parts themselves.
    Real,
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            World::Embedded => "embedded",
            World::Real => "real",
        })
    }
}
