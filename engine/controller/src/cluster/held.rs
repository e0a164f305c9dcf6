//! One condition of one node as it is kept: what was said, since when by our clock, and what its reporter's own times are for.

use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use rectifier_core::clock::seconds_between;
use rectifier_core::policy::{Seconds, Status};
use rectifier_core::repair::told::{Spell, is_renewed};
use rectifier_core::standing::is_problem;

use super::Sight;
use super::words::Words;
use crate::slim::Condition;

/// One condition.
pub(super) struct Held {
    pub(super) kind: Arc<str>,
    pub(super) status: Status,
    /// It is reported True, and a person has acknowledged that.
    pub(super) seen_to: bool,
    reason: Arc<str>,
    message: Arc<str>,
    pub(super) since: Timestamp,
    pub(super) spell: Spell,
    /// When its reporter said it last, and since when it says the same: its own clock.
    heartbeat: Option<Second>,
    transition: Option<Second>,
    /// When the last heartbeat came: our clock.
    heard: u32,
}

/// Seconds since 1970: there are a dozen conditions on each of thousands of nodes.
type Second = NonZeroU32;

impl Held {
    /// `old` is what was kept of it in the same boot of the node.
    pub(super) fn new(
        (kind, reported, seen_to, said): (&str, Status, bool, &Condition),
        old: Option<&Held>,
        words: &mut Words,
        now: Timestamp,
    ) -> Self {
        let heartbeat = second(said.last_heartbeat_time);
        let status = if seen_to { Status::No } else { reported };
        let since = match old {
            Some(old) if old.status == status => old.since,
            Some(_) | None => now,
        };
        let spell = match old {
            // a person's word is no turn
            Some(old) if old.reported() == reported => old.spell,
            Some(old) if is_problem(kind, Status::Yes) => {
                let held = seconds_between(old.since, now);
                old.spell.turns(old.reported(), held, reported)
            }
            Some(_) | None => Spell::default(),
        };
        let seen_at = whole(now);
        Self {
            kind: words.keep(kind),
            status,
            seen_to,
            reason: words.keep(&said.reason),
            message: words.keep(&said.message),
            since,
            spell,
            heartbeat,
            transition: second(said.last_transition_time),
            heard: match old {
                Some(old) if old.heartbeat == heartbeat && old.reported() == reported => old.heard,
                Some(_) => seen_at,
                // whether it still speaks is not known yet: then by its own word
                None => heartbeat.map_or(seen_at, |at| at.get().min(seen_at)),
            },
        }
    }

    /// As its reporter has it.
    fn reported(&self) -> Status {
        if self.seen_to {
            Status::Yes
        } else {
            self.status
        }
    }

    /// Does its reporter say the same, and since the same time?
    pub(super) fn reports_as(&self, other: &Held) -> bool {
        (self.reported(), self.transition) == (other.reported(), other.transition)
    }

    /// For how long its reporter has not said it again, if it would.
    pub(super) fn unheard(&self, now: Timestamp) -> Option<Seconds> {
        self.heartbeat.filter(|_| is_renewed(&self.kind))?;
        Some(whole(now).saturating_sub(self.heard))
    }

    /// Its transition, if it and the other are one reporter's: Node Problem Detector writes all of its conditions at once.
    pub(super) fn transition_beside(&self, other: &Held) -> Option<Timestamp> {
        let together = self.heartbeat.is_some() && self.heartbeat == other.heartbeat;
        self.transition().filter(|_| together)
    }

    pub(super) fn transition(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.transition?.get().into()).ok()
    }

    pub(super) fn sight(&self) -> Sight {
        Sight {
            status: self.status,
            reason: self.reason.to_string(),
            message: self.message.to_string(),
            since: self.since,
            spell: self.spell,
        }
    }

    /// Does it say the same, whenever that was?
    pub(super) fn says_as(&self, other: &Held) -> bool {
        (&self.kind, self.status, self.since) == (&other.kind, other.status, other.since)
            && (&self.reason, &self.message) == (&other.reason, &other.message)
    }
}

fn second(at: Option<Timestamp>) -> Option<Second> {
    NonZeroU32::new(whole(at?))
}

fn whole(at: Timestamp) -> u32 {
    u32::try_from(at.as_second().max(0)).unwrap_or(u32::MAX)
}
