//! How much of a story's time our engines added: the gaps in which no awaited event was outstanding.
//!
//! Before each request of an engine stands what it waited for: an event that left a record, the answer to its own last
//! request, or a time that its configuration sets. From the last of these to the request the time is the engine's own.
//! What it awaited without a record of it (an answer of Neutron's, a cache that was filled) counts against it, so the sum
//! is what it added at most.

use jiff::{SignedDuration, Timestamp};

use rectifier_story::World;

use super::{Actor, Event};

/// Something that happened, or that an engine was to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Worth a line.
    Told(Actor, String),
    /// An engine's request was answered.
    Answered(Actor),
    /// Somebody else did what may have been waited for, but is not worth a line.
    Happened,
    /// Until now that engine was told to wait.
    Waited(Actor),
}

impl Entry {
    pub(super) fn told(&self) -> Option<Event> {
        match &self.what {
            What::Told(actor, text) => Some(Event {
                at: self.at,
                world: World::Real,
                actor: *actor,
                text: text.clone(),
            }),
            What::Answered(_) | What::Happened | What::Waited(_) => None,
        }
    }

    /// May this engine have waited for it?
    fn is_awaited_by(&self, engine: Actor) -> bool {
        match self.what {
            What::Told(..) | What::Happened => true,
            What::Answered(of) | What::Waited(of) => of == engine,
        }
    }
}

/// A time in which nothing that an engine awaited was outstanding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap<'a> {
    /// What it awaited was there.
    pub from: Timestamp,
    /// It did this.
    pub to: Timestamp,
    /// What it did.
    pub does: &'a str,
}

/// Our engines' gaps, of entries in the order of their times.
pub fn gaps(entries: &[Entry]) -> impl Iterator<Item = Gap<'_>> {
    entries.iter().enumerate().filter_map(|(number, entry)| {
        let What::Told(engine, does) = &entry.what else {
            return None;
        };
        let mut before = entries[..number].iter().rev();
        let awaited = before.find(|one| one.is_awaited_by(*engine))?;
        engine.is_ours().then_some(Gap {
            from: awaited.at,
            to: entry.at,
            does,
        })
    })
}

/// The sum of the gaps.
pub(super) fn added(entries: &[Entry]) -> SignedDuration {
    let gaps = gaps(entries).map(|gap| gap.to.duration_since(gap.from));
    gaps.fold(SignedDuration::ZERO, |sum, gap| sum + gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64, what: What) -> Entry {
        Entry {
            at: Timestamp::from_second(second).unwrap(),
            what,
        }
    }

    fn does(actor: Actor) -> What {
        What::Told(actor, "does".to_owned())
    }

    #[test]
    fn only_gaps_that_end_in_our_own_act_are_ours() {
        let entries = [
            at(0, does(Actor::Scenario)),
            at(5, does(Actor::Detector)),
            at(6, does(Actor::NodeEngine)),
            at(20, does(Actor::Machine)),
        ];
        assert_eq!(added(&entries), SignedDuration::from_secs(1));
    }

    #[test]
    fn what_was_awaited_is_not_ours_though_it_is_not_told() {
        let waited = [What::Happened, What::Waited(Actor::Controller)];
        for what in waited {
            let entries = [
                at(0, does(Actor::Machine)),
                at(9, what),
                at(10, does(Actor::Controller)),
            ];
            assert_eq!(added(&entries), SignedDuration::from_secs(1));
        }
    }

    #[test]
    fn a_time_that_another_engine_was_told_to_wait_is_no_excuse() {
        let entries = [
            at(0, does(Actor::Machine)),
            at(9, What::Waited(Actor::NodeEngine)),
            at(10, does(Actor::Controller)),
        ];
        assert_eq!(added(&entries), SignedDuration::from_secs(10));
    }

    #[test]
    fn the_answer_to_its_own_request_is_awaited() {
        let entries = [
            at(0, does(Actor::Controller)),
            at(3, What::Answered(Actor::Controller)),
            at(4, does(Actor::Controller)),
        ];
        assert_eq!(added(&entries), SignedDuration::from_secs(1));
    }
}
