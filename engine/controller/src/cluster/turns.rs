//! Whose turn it is in each pool, kept at one place and at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use rectifier_core::budget::{Candidate, Pace, Work};
use rectifier_core::clock::seconds_between;
use rectifier_core::name::NodeName;
use rectifier_core::policy::Seconds;
use rectifier_core::reason::Reason;
use rectifier_core::repair::{Phase, Rung, Short, Side};

use super::{Cluster, Open, State};

/// Who has not asked again for so long does not wait any more. A minute: several looks, and no pool stands still for a node
/// that cannot be looked at.
const ASKS_AGAIN: Seconds = 60;

/// Of those that wait so many look again in a second: each look asks the API server a few times.
const LOOK_IN_A_SECOND: u64 = 15;

/// Who asks for the turn of which pool, and what there is room for.
struct Ask<'a> {
    pool: &'a str,
    node: &'a NodeName,
    /// Since when it has its problem.
    since: Timestamp,
    one: Candidate,
    allowed: u32,
    pace: Pace,
}

struct Taken {
    pool: String,
    at: Timestamp,
    one: Candidate,
}

/// The turns of all pools.
#[derive(Default)]
pub(super) struct Turns {
    /// The nodes whose repairs were let begin by this process, until they are over.
    taken: BTreeMap<NodeName, Taken>,
    /// By pool: the problems that wait, oldest first, and when their nodes asked last.
    waiting: BTreeMap<String, BTreeMap<(Timestamp, NodeName), Timestamp>>,
    /// The nodes whose servers were let go before their replacements are made: their pools, and whether that was begun.
    go_first: BTreeMap<NodeName, (String, bool)>,
}

impl Turns {
    /// Takes the turn of the pool for this node; or says who has it, who is before it, or what else it waits for. `work` is what
    /// the records show; `is_shown` is a node of which they show that it is being replaced.
    fn take(
        &mut self,
        ask: Ask<'_>,
        mut work: Work,
        is_shown: impl Fn(&NodeName) -> bool,
        now: Timestamp,
    ) -> Result<(), (Reason, String)> {
        let node = ask.node;
        let own = self.taken.get(node).filter(|own| own.pool == ask.pool);
        if own.is_some_and(|own| own.one.rung == ask.one.rung) {
            return Ok(());
        }
        // what was begun and is not written yet, or not told
        for (other, taken) in self.taken.iter().filter(|(other, _)| *other != node) {
            if taken.one.rung == Rung::Replace && !is_shown(other) {
                work.replaced.push(taken.at);
            }
            if taken.pool != ask.pool {
                continue;
            }
            work.began = work.began.max(Some(taken.at));
            if work.in_flight.iter().all(|(known, _)| known != other) {
                work.in_flight.push((other.clone(), taken.one.zone.clone()));
            }
        }
        let me = (ask.since, node.clone());
        let waiting = self.waiting.entry(ask.pool.to_owned()).or_default();
        // each of many asks less often
        let many = u64::try_from(waiting.len()).unwrap_or(u64::MAX) / LOOK_IN_A_SECOND;
        let again = ASKS_AGAIN.max(Seconds::try_from(2 * many).unwrap_or(Seconds::MAX));
        waiting.retain(|_, asked| seconds_between(*asked, now) < again);
        match work.admits(&ask.one, ask.allowed, &ask.pace, now) {
            Ok(()) => {}
            // what it waits for may be its own matter: it keeps nobody waiting who has another
            Err((reason @ (Reason::AnotherRepairRuns | Reason::Paced), words)) => {
                waiting.insert(me, now);
                return Err((reason, words));
            }
            Err(other) => {
                waiting.remove(&me);
                return Err(other);
            }
        }
        let first = waiting.keys().next().filter(|first| **first < me);
        if let Some((_, first)) = first.filter(|_| !ask.one.goes_on) {
            let first = first.to_string();
            waiting.insert(me, now);
            return Err((Reason::AnotherRepairRuns, first));
        }
        waiting.remove(&me);
        let taken = Taken {
            pool: ask.pool.to_owned(),
            at: now,
            one: ask.one,
        };
        self.taken.insert(node.clone(), taken);
        Ok(())
    }

    /// The first of those that wait for the turn of each pool.
    fn next(&self) -> impl Iterator<Item = &NodeName> {
        let waiting = self.waiting.values();
        let firsts = waiting.filter_map(|waiting| waiting.keys().next());
        firsts.map(|(_, first)| first)
    }

    /// This node's repair is over, or wants to begin no more.
    fn leave(&mut self, node: &NodeName) {
        self.taken.remove(node);
        self.go_first.remove(node);
        for waiting in self.waiting.values_mut() {
            waiting.retain(|(_, other), _| other != node);
        }
    }
}

impl State {
    /// Another node of the pool whose server goes first, and whose replacement is not there yet; one that has gone before others.
    pub(super) fn short(&self, pool: &str, but: &NodeName) -> Option<Short> {
        let is_of = |node: &NodeName, open: &Open| {
            let place = self.nodes.get(node).map(|kept| kept.place.pool.as_deref());
            open.flight.pool.as_deref() == Some(pool) || place == Some(Ok(pool))
        };
        let shown = |node: &NodeName, open: &Open| match open.flight.side {
            Side::RoomMade => is_of(node, open).then_some(true),
            Side::MakingRoom => is_of(node, open).then_some(false),
            Side::Before | Side::Committed => None,
        };
        let let_go = |node: &NodeName| {
            let (its, is_away) = self.turns.go_first.get(node)?;
            (its == pool).then_some(*is_away)
        };
        let others = self.repairs.whole.iter().filter(|(node, _)| *node != but);
        let short = others.filter_map(|(node, open)| {
            Some(Short {
                node: node.clone(),
                is_away: shown(node, open).max(let_go(node))?,
                is_a_persons: open.flight.phase == Phase::NeedsHuman,
            })
        });
        short.max_by_key(|other| other.is_away)
    }
}

impl Cluster {
    /// Takes the turn of a pool for this node and this rung, or says what it waits for. `allowed` may be in flight; it
    /// `goes_on` if it is one of those.
    pub(crate) fn take_turn(
        &self,
        pool: &str,
        (node, since): (&NodeName, Timestamp),
        (rung, goes_on): (Rung, bool),
        (allowed, pace): (u32, Pace),
        now: Timestamp,
    ) -> Result<(), (Reason, String)> {
        let state = &mut *self.state();
        let work = state.work(pool, Some((node, now)));
        let kept = state.nodes.get(node);
        let ask = Ask {
            pool,
            node,
            since,
            one: Candidate {
                zone: kept.map_or(String::new(), |kept| kept.place.zone.to_string()),
                rung,
                goes_on,
            },
            allowed,
            pace,
        };
        let repairs = &state.repairs.whole;
        let is_shown = |node: &NodeName| {
            let open = repairs.get(node);
            open.is_some_and(|open| open.flight.rung == Some(Rung::Replace))
        };
        state.turns.take(ask, work, is_shown, now)
    }

    /// Lets the node's server go before its replacement is made, or begins that; or says which other one of its pool goes so: one at
    /// a time.
    pub(crate) fn go_first(&self, pool: &str, node: &NodeName, is_away: bool) -> Result<(), Short> {
        let state = &mut *self.state();
        match state
            .short(pool, node)
            .filter(|other| other.is_away || !is_away)
        {
            Some(other) => Err(other),
            None => {
                let let_go = (pool.to_owned(), is_away);
                state.turns.go_first.insert(node.clone(), let_go);
                Ok(())
            }
        }
    }

    /// The node's server is not let go, or its replacement has been adopted.
    pub(crate) fn stays(&self, node: &NodeName) {
        self.state().turns.go_first.remove(node);
    }

    /// This node's repair is over, or wants to begin no more.
    pub(crate) fn leave_turn(&self, node: &NodeName) {
        self.state().turns.leave(node);
    }

    /// How long whoever waits for nothing of its own doing waits until it looks again: of all open repairs so many look in a
    /// second.
    pub(crate) fn crowd(&self) -> Duration {
        let crowd = u64::try_from(self.state().repairs.whole.len()).unwrap_or(u64::MAX);
        Duration::from_secs(crowd / LOOK_IN_A_SECOND)
    }

    /// Is it the first of those that wait for a turn?
    pub(crate) fn is_next(&self, node: &NodeName) -> bool {
        self.state().turns.next().any(|first| first == node)
    }

    /// Those whose passes wait for nobody else's: what is in flight, and what is next.
    pub(crate) fn urgent(&self, now: Timestamp) -> BTreeSet<NodeName> {
        let state = self.state();
        let open = state.repairs.whole.iter();
        let in_flight = open.filter(|(_, open)| open.flight.counts(now));
        let in_flight = in_flight.map(|(node, _)| node);
        in_flight.chain(state.turns.next()).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn node(number: u32) -> NodeName {
        NodeName::parse(format!("worker-{number}")).unwrap()
    }

    fn ask<'a>(pool: &'a str, since: i64, node: &'a NodeName) -> Ask<'a> {
        Ask {
            pool,
            node,
            since: at(since),
            one: Candidate {
                zone: String::new(),
                rung: Rung::Reboot,
                goes_on: false,
            },
            allowed: 1,
            pace: Pace {
                in_flight: 0,
                at_most: 1,
                every: 0,
                hourly: 100,
            },
        }
    }

    fn idle() -> Work {
        Work {
            nodes: 10,
            ..Work::default()
        }
    }

    fn after(node: &str) -> Result<(), (Reason, String)> {
        Err((Reason::AnotherRepairRuns, node.to_owned()))
    }

    #[test]
    fn of_those_that_wait_the_oldest_problem_is_next_and_ties_go_by_name() {
        let mut turns = Turns::default();
        let (one, two, three, four) = (node(1), node(2), node(3), node(4));
        let mut take =
            |since, node| turns.take(ask("web", since, node), idle(), |_| false, at(100));
        assert_eq!(take(50, &one), Ok(()));
        assert_eq!(take(50, &one), Ok(()), "it has it");
        assert_eq!(take(40, &three), after("worker-1"));
        assert!(take(30, &four).is_err());
        assert!(take(30, &two).is_err());
        turns.leave(&one);
        let mut take =
            |since, node| turns.take(ask("web", since, node), idle(), |_| false, at(101));
        assert_eq!(take(40, &three), after("worker-2"));
        assert_eq!(take(30, &four), after("worker-2"));
        assert_eq!(take(30, &two), Ok(()));
        turns.leave(&two);
        assert_eq!(
            turns.take(ask("web", 30, &four), idle(), |_| false, at(102)),
            Ok(())
        );
    }

    #[test]
    fn pools_do_not_wait_for_each_other() {
        let mut turns = Turns::default();
        let (one, two) = (node(1), node(2));
        assert_eq!(
            turns.take(ask("web", 0, &one), idle(), |_| false, at(1)),
            Ok(())
        );
        assert_eq!(
            turns.take(ask("db", 0, &two), idle(), |_| false, at(1)),
            Ok(())
        );
    }

    #[test]
    fn what_was_let_begin_counts_before_its_record_shows_it() {
        let mut turns = Turns::default();
        let (one, two, three) = (node(1), node(2), node(3));
        let wide = |node| Ask {
            allowed: 2,
            ..ask("web", 0, node)
        };
        assert_eq!(turns.take(wide(&one), idle(), |_| false, at(1)), Ok(()));
        assert_eq!(turns.take(wide(&two), idle(), |_| false, at(1)), Ok(()));
        assert_eq!(
            turns.take(wide(&three), idle(), |_| false, at(1)),
            after("worker-1")
        );
        turns.leave(&one);
        let mut paced = wide(&three);
        paced.pace.every = 300;
        let held = turns.take(paced, idle(), |_| false, at(2)).unwrap_err();
        assert_eq!(held.0, Reason::Paced);
        assert!(turns.next().any(|first| *first == three));
        assert!(turns.next().all(|first| *first != two));
    }

    #[test]
    fn who_waits_for_something_of_its_own_keeps_nobody_waiting() {
        let mut turns = Turns::default();
        let (one, two) = (node(1), node(2));
        let mut replaces = ask("web", 0, &one);
        replaces.one.rung = Rung::Replace;
        replaces.pace.hourly = 1;
        let busy = Work {
            replaced: vec![at(0)],
            ..idle()
        };
        let held = turns.take(replaces, busy, |_| false, at(1)).unwrap_err();
        assert_eq!(held.0, Reason::HourlyUsedUp);
        assert_eq!(
            turns.take(ask("web", 5, &two), idle(), |_| false, at(2)),
            Ok(())
        );
    }

    #[test]
    fn the_next_rung_of_a_repair_is_asked_for_again_and_keeps_its_place() {
        let mut turns = Turns::default();
        let (one, two) = (node(1), node(2));
        assert_eq!(
            turns.take(ask("web", 5, &one), idle(), |_| false, at(1)),
            Ok(())
        );
        assert!(
            turns
                .take(ask("web", 0, &two), idle(), |_| false, at(2))
                .is_err()
        );
        let next = |rung| {
            let mut next = ask("web", 5, &one);
            (next.one.rung, next.one.goes_on, next.pace.hourly) = (rung, true, 1);
            next
        };
        let used_up = Work {
            replaced: vec![at(0)],
            ..idle()
        };
        let held = turns
            .take(next(Rung::Replace), used_up, |_| false, at(3))
            .unwrap_err();
        assert_eq!(held.0, Reason::HourlyUsedUp);
        assert_eq!(
            turns.take(next(Rung::Replace), idle(), |_| false, at(4)),
            Ok(())
        );
        assert!(
            turns
                .take(ask("web", 0, &two), idle(), |_| false, at(5))
                .is_err()
        );
    }

    #[test]
    fn a_node_that_asks_no_more_keeps_nobody_waiting() {
        let mut turns = Turns::default();
        let (one, two, three) = (node(1), node(2), node(3));
        assert!(
            turns
                .take(ask("web", 0, &one), idle(), |_| false, at(1))
                .is_ok()
        );
        assert!(
            turns
                .take(ask("web", 0, &two), idle(), |_| false, at(1))
                .is_err()
        );
        turns.leave(&one);
        assert!(
            turns
                .take(ask("web", 5, &three), idle(), |_| false, at(2))
                .is_err()
        );
        assert!(
            turns
                .take(ask("web", 5, &three), idle(), |_| false, at(61))
                .is_ok()
        );
    }
}
