//! Whose turn it is in each pool, kept at one place and at once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rectifier_core::clock::seconds_between;
use rectifier_core::name::NodeName;
use rectifier_core::policy::Seconds;
use rectifier_core::repair::Flight;

/// Who has not asked again for so long does not wait any more. A minute: several looks, and no pool stands still for a node
/// that cannot be looked at.
const ASKS_AGAIN: Seconds = 60;

/// The turns of all pools.
#[derive(Default)]
pub(super) struct Turns {
    /// By pool: the node whose repair was let begin by this process, until it is over.
    taken: BTreeMap<String, NodeName>,
    /// By pool: the problems that wait, oldest first, and when their nodes asked last.
    waiting: BTreeMap<String, BTreeMap<(Timestamp, NodeName), Timestamp>>,
}

impl Turns {
    /// Takes the turn of the pool for this node, whose problem is that old; or says who has it, or who is before it.
    pub(super) fn take<'a>(
        &mut self,
        pool: &str,
        (since, node): (Timestamp, &NodeName),
        flights: impl IntoIterator<Item = (&'a NodeName, &'a Flight)>,
        now: Timestamp,
    ) -> Result<(), String> {
        let mut flights = flights.into_iter().filter(|(other, flight)| {
            // one whose pool is not written down counts for all of them
            *other != node
                && flight.counts(now)
                && flight.pool.as_deref().is_none_or(|of| of == pool)
        });
        let me = (since, node.clone());
        let waiting = self.waiting.entry(pool.to_owned()).or_default();
        waiting.retain(|_, asked| seconds_between(*asked, now) < ASKS_AGAIN);
        let first = waiting.keys().next().filter(|first| **first < me).cloned();
        // by name alone: who waits is not to be told each step of another's repair
        let other = flights.next().map(|(other, _)| other);
        let taken = self.taken.get(pool).filter(|other| *other != node);
        let before = other.or(taken).cloned().or(first.map(|(_, other)| other));
        match before {
            Some(before) => {
                waiting.insert(me, now);
                Err(before.to_string())
            }
            None => {
                waiting.remove(&me);
                self.taken.insert(pool.to_owned(), node.clone());
                Ok(())
            }
        }
    }

    /// This node's repair is over, or wants to begin no more.
    pub(super) fn leave(&mut self, node: &NodeName) {
        self.taken.retain(|_, other| other != node);
        for waiting in self.waiting.values_mut() {
            waiting.retain(|(_, other), _| other != node);
        }
    }
}

#[cfg(test)]
mod tests {
    use rectifier_core::repair::Phase;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn node(number: u32) -> NodeName {
        NodeName::parse(format!("worker-{number}")).unwrap()
    }

    fn flight(pool: Option<&str>, phase: Phase) -> Flight {
        Flight {
            phase,
            since: Some(at(0)),
            has_begun: true,
            pool: pool.map(str::to_owned),
        }
    }

    #[test]
    fn of_those_that_wait_the_oldest_problem_is_next_and_ties_go_by_name() {
        let mut turns = Turns::default();
        let (one, two, three, four) = (node(1), node(2), node(3), node(4));
        let mut ask = |since, node: &NodeName| turns.take("web", (at(since), node), [], at(100));
        assert!(ask(50, &one).is_ok());
        assert!(ask(50, &one).is_ok(), "it has it");
        assert_eq!(ask(40, &three).unwrap_err(), "worker-1");
        assert!(ask(30, &four).is_err());
        assert!(ask(30, &two).is_err());
        turns.leave(&one);
        let mut ask = |since, node: &NodeName| turns.take("web", (at(since), node), [], at(101));
        assert!(ask(40, &three).unwrap_err() == "worker-2");
        assert!(ask(30, &four).unwrap_err() == "worker-2");
        assert!(ask(30, &two).is_ok());
        turns.leave(&two);
        assert!(turns.take("web", (at(30), &four), [], at(102)).is_ok());
    }

    #[test]
    fn pools_do_not_wait_for_each_other() {
        let mut turns = Turns::default();
        assert!(turns.take("web", (at(0), &node(1)), [], at(1)).is_ok());
        assert!(turns.take("db", (at(0), &node(2)), [], at(1)).is_ok());
    }

    #[test]
    fn what_the_records_show_counts_after_a_restart() {
        let mut turns = Turns::default();
        let other = node(1);
        for (flight, waits) in [
            (flight(Some("web"), Phase::Joining), true),
            (flight(None, Phase::Joining), true),
            (flight(Some("db"), Phase::Joining), false),
            (flight(Some("web"), Phase::Replaced), false),
        ] {
            let result = turns.take("web", (at(0), &node(2)), [(&other, &flight)], at(1));
            assert_eq!(result.is_err(), waits, "{flight:?}");
            if let Err(before) = result {
                assert_eq!(before, "worker-1");
            }
            turns.leave(&node(2));
        }
        // its own record is no other's
        let own = flight(Some("web"), Phase::Judging);
        assert!(
            turns
                .take("web", (at(0), &other), [(&other, &own)], at(1))
                .is_ok()
        );
    }

    #[test]
    fn a_node_that_asks_no_more_keeps_nobody_waiting() {
        let mut turns = Turns::default();
        assert!(turns.take("web", (at(0), &node(1)), [], at(1)).is_ok());
        assert!(turns.take("web", (at(0), &node(2)), [], at(1)).is_err());
        turns.leave(&node(1));
        assert!(turns.take("web", (at(5), &node(3)), [], at(2)).is_err());
        assert!(turns.take("web", (at(5), &node(3)), [], at(61)).is_ok());
    }
}
