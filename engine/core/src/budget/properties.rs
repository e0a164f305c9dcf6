//! No weather breaks a promise of the breaker and the pace.

use proptest::prelude::*;

use super::tests::{LIMITS, PACE, at, one, sight};
use super::*;
use crate::name::NodeName;
use crate::repair::Rung;

const NODES: u32 = 100;
/// Seconds between two looks.
const TICK: i64 = 20;

/// Something that happens between two looks.
#[derive(Debug, Clone)]
enum Event {
    /// So many ail from now on.
    Ailing(u32),
    /// So much later.
    Later(i64),
    Unsteady(bool),
    /// A repair ends: it helped, or it did not.
    Ends(bool),
    /// Another process leads, with the records alone.
    Restart,
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..=NODES).prop_map(Event::Ailing),
        4 => (0_i64..4000).prop_map(Event::Later),
        1 => any::<bool>().prop_map(Event::Unsteady),
        3 => any::<bool>().prop_map(Event::Ends),
        1 => Just(Event::Restart),
    ]
}

struct World {
    breaker: Breaker,
    now: i64,
    ailing: u32,
    steady: bool,
    running: Vec<i64>,
    /// When each began, and how it ended.
    tried: Vec<(i64, Option<bool>)>,
    helped: Vec<i64>,
    failed: Option<i64>,
}

impl World {
    fn sight(&self) -> Sight {
        Sight {
            helped: self.helped.iter().map(|second| at(*second)).collect(),
            failed: self.failed.map(at),
            ..sight(NODES, self.ailing)
        }
    }

    /// A look, and a node that wants to be replaced.
    fn tick(&mut self) {
        self.now += TICK;
        let (sight, now) = (self.sight(), at(self.now));
        self.breaker.look(&sight, &LIMITS, self.steady, now);
        let node = |second: &i64| {
            let name = NodeName::parse(format!("worker-{second}")).unwrap();
            (name, "a".to_owned())
        };
        let work = Work {
            in_flight: self.running.iter().map(node).collect(),
            zones: 1,
            began: self.tried.iter().map(|(second, _)| at(*second)).max(),
            attempts: self
                .tried
                .iter()
                .map(|(second, went_well)| Attempt {
                    began: at(*second),
                    went_well: *went_well,
                })
                .collect(),
            replaced: self.tried.iter().map(|(second, _)| at(*second)).collect(),
            nodes: NODES,
        };
        let allowed = self.breaker.allowed(&sight);
        if allowed == 0 || !self.steady {
            return;
        }
        if work
            .admits(&one("a", Rung::Replace), allowed, &pace(), now)
            .is_ok()
        {
            assert!(self.breaker.state != State::Open, "none begins in a storm");
            self.running.push(self.now);
            self.tried.push((self.now, None));
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Ailing(ailing) => self.ailing = *ailing,
            Event::Later(seconds) => {
                for _ in 0..seconds / TICK {
                    self.tick();
                }
            }
            Event::Unsteady(is) => self.steady = !is,
            Event::Ends(well) => {
                let Some(begun) = self.running.pop() else {
                    return;
                };
                for tried in &mut self.tried {
                    if tried.0 == begun {
                        tried.1 = Some(*well);
                    }
                }
                match well {
                    true => self.helped.push(self.now),
                    false => self.failed = Some(self.now),
                }
            }
            Event::Restart => {
                let before = self.breaker.clone();
                self.breaker = Breaker::resumed(before.state, before.since, before.tripped);
            }
        }
        self.tick();
    }
}

/// Four an hour.
fn pace() -> Pace {
    Pace { hourly: 4, ..PACE }
}

/// At most so many of these seconds lie within any so many seconds.
fn most_within(all: &[(i64, Option<bool>)], seconds: i64) -> usize {
    let within = |from: i64| {
        let in_it = all
            .iter()
            .filter(|(at, _)| (from..from + seconds).contains(at));
        in_it.count()
    };
    all.iter().map(|(at, _)| within(*at)).max().unwrap_or(0)
}

proptest! {
    #[test]
    fn no_weather_lets_more_begin_than_the_limits_and_none_latches(
        weather in prop::collection::vec(events(), 1..60),
    ) {
        let mut world = World {
            breaker: Breaker::default(),
            now: 0,
            ailing: 0,
            steady: true,
            running: Vec::new(),
            tried: Vec::new(),
            helped: Vec::new(),
            failed: None,
        };
        for event in &weather {
            world.happen(event);
            let limit = pace().cap(NODES) as usize;
            prop_assert!(world.running.len() <= limit, "in flight");
        }
        prop_assert!(most_within(&world.tried, 300) <= 1, "one in five minutes");
        prop_assert!(most_within(&world.tried, 3600) <= 4, "four an hour");
        // a storm that gets no worse is let through, and one that is over is forgotten
        world.steady = true;
        world.happen(&Event::Later(1900));
        prop_assert!(world.breaker.state != State::Open, "{:?}", world.breaker);
        world.ailing = 0;
        world.happen(&Event::Later(2200));
        prop_assert!(world.breaker.state == State::Closed, "{:?}", world.breaker);
    }
}
