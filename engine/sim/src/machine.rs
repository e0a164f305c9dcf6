//! The machines on which nodes are: their boots, their units, Node Problem Detector on them, and what is broken there.
//!
//! A machine belongs to a server of the cloud. What it does by itself is decided in [`guest`], and happens when it is due;
//! what its node's engine sees and does of it is [`host`].

mod disk;
mod guest;
mod host;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rectifier_core::clock::{Clock, Timestamp};
use rectifier_node::Machine;
use tokio::time::Instant;

use crate::landing::lock;
use crate::openstack;
use crate::record::Record;
use crate::told::{Teller, Told};
pub(crate) use disk::Disk;
pub(crate) use guest::Condition;
use guest::Guest;
use host::Host;

/// How long things take on a machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides what is drawn.
    pub seed: u64,
    /// From a server's start, or a reboot, until everything on it runs.
    pub boot: RangeInclusive<Duration>,
    /// A job of systemd's.
    pub job: RangeInclusive<Duration>,
    /// From the word that it is to reboot until it goes down.
    pub shutdown: RangeInclusive<Duration>,
    /// Between two checks of Node Problem Detector.
    pub check: Duration,
    /// From the death of a node's engine until its pod runs again.
    pub restart: RangeInclusive<Duration>,
    /// Takes in what happens, while it is kept.
    pub record: Record,
    /// What Node Problem Detector checks.
    pub checks: Arc<[Check]>,
    /// Units that there are besides the [`CHECKED`] ones.
    pub units: Vec<String>,
}

impl Default for Options {
    /// Boots of 5 to 40 s, jobs of 0.2 to 3 s, down within 1 to 3 s, a check every 30 s (as NPD's health checker has it),
    /// a new engine after 2 to 10 s; the units that are [`CHECKED`].
    fn default() -> Self {
        let seconds = Duration::from_secs_f64;
        Self {
            seed: 0,
            boot: seconds(5.0)..=seconds(40.0),
            job: seconds(0.2)..=seconds(3.0),
            shutdown: seconds(1.0)..=seconds(3.0),
            check: seconds(30.0),
            restart: seconds(2.0)..=seconds(10.0),
            record: Record::default(),
            checks: CHECKED
                .map(|(unit, kind)| Check {
                    kind: kind.to_owned(),
                    unit: Some(unit.to_owned()),
                })
                .into(),
            units: Vec::new(),
        }
    }
}

/// The units that Node Problem Detector checks, and the condition that it reports of each. Without kubelet or container
/// runtime no pod starts or ends; the third is some other.
pub const CHECKED: [(&str, &str); 3] = [
    ("kubelet.service", "KubeletUnhealthy"),
    ("containerd.service", "ContainerRuntimeUnhealthy"),
    ("proxy.service", "ProxyUnhealthy"),
];

/// A check of Node Problem Detector's, and the condition that it reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The condition's type.
    pub kind: String,
    /// The unit that must run. Without one the condition is True while a machine has a [`Problem`] of its kind.
    pub unit: Option<String>,
}

/// Something that is wrong with a machine, whatever is behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The condition that tells it; somebody must [check](Options::checks) it.
    pub kind: String,
    /// The condition's reason.
    pub reason: String,
    /// Its message.
    pub message: String,
    /// What makes it go away; [`Cure::Restart`]: any job of a unit, any fix.
    pub cure: Cure,
    /// Since when it has been reported, if it has.
    pub since: Option<Timestamp>,
}

/// What brings a broken unit, or machine, back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cure {
    /// A restart of the unit.
    Restart,
    /// A boot of the machine.
    Boot,
    /// Nothing: another machine.
    Never,
}

/// What breaks on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Break {
    /// A unit fails.
    Unit(String, Cure),
    /// The machine hangs, and everything on it: its power is on, and that is all.
    Machine(Cure),
    /// The node's engine is silent, and stays so.
    AgentSilent,
    /// The node's engine is killed, and comes back.
    AgentKilled,
    /// The disk on which the node's engine remembers is full, until somebody makes room.
    DiskFull,
    /// A person, or the kernel, reboots the machine.
    Rebooted,
}

/// All machines. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Machines {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    options: Options,
    state: Mutex<State>,
    /// Counts what may concern others.
    told: Teller,
}

struct State {
    /// Nothing happens by itself before this; `None`: that is not known.
    quiet_until: Option<Instant>,
    chance: fastrand::Rng,
    /// By server.
    guests: BTreeMap<String, Guest>,
}

/// A machine as the cluster's own parts see it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) server: String,
    pub(crate) name: String,
    pub(crate) zone: String,
    pub(crate) user_data: String,
    /// That of its first card.
    pub(crate) address: String,
    pub(crate) boot_id: String,
    /// It has booted since it was seen last.
    pub(crate) has_booted: bool,
    /// The kubelet runs.
    pub(crate) is_heard: bool,
    /// The container runtime runs.
    pub(crate) runs_pods: bool,
    /// What Node Problem Detector reports, if that is other than when it was seen last.
    pub(crate) news: Option<Vec<Condition>>,
}

impl Machines {
    /// None yet.
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Self {
        let chance = fastrand::Rng::with_seed(options.seed);
        Self {
            inner: Arc::new(Inner {
                clock,
                options,
                state: Mutex::new(State {
                    quiet_until: None,
                    chance,
                    guests: BTreeMap::new(),
                }),
                told: Teller::default(),
            }),
        }
    }

    /// Breaks something on the machine of this name. False: there is none, or it is down.
    pub fn break_it(&self, name: &str, what: &Break) -> bool {
        let broken = self.with(|state, moment, options| {
            let guest = state.guests.values_mut().find(|guest| guest.name == name);
            guest.is_some_and(|guest| guest.break_it(what, moment, options, &mut state.chance))
        });
        self.tell();
        broken
    }

    /// Something happens on the machine of this name that Node Problem Detector counts. False: it does not, or the machine is
    /// not up.
    pub fn happen(&self, name: &str, reason: &str) -> bool {
        self.with(|state, _, _| {
            let guest = state.guests.values_mut().find(|guest| guest.name == name);
            guest.is_some_and(|guest| guest.happen(reason))
        })
    }

    /// Something is wrong with the machine of this name. False: there is none.
    pub fn ail(&self, name: &str, problem: &Problem) -> bool {
        let found = self.with(|state, moment, _| {
            let guest = state.guests.values_mut().find(|guest| guest.name == name);
            guest.map(|guest| guest.ail(problem, moment)).is_some()
        });
        self.tell();
        found
    }

    /// Repairs what is broken on the machine of this name, as a person does who knows what it is.
    pub fn mend(&self, name: &str) {
        self.with(|state, moment, options| {
            let State { chance, guests, .. } = state;
            let guests = guests.values_mut();
            guests
                .filter(|guest| guest.name == name)
                .for_each(|guest| guest.mend(moment, options, chance));
        });
        self.tell();
    }

    /// The machine of a server, as its node's engine has it.
    pub fn machine(&self, server: &str) -> Arc<dyn Machine> {
        Arc::new(Host::new(self.clone(), server))
    }

    /// Is everything up and well on the machine of this name?
    pub fn is_well(&self, name: &str) -> bool {
        self.with(|state, _, _| {
            let mut guests = state.guests.values();
            guests.any(|guest| guest.name == name && guest.is_well())
        })
    }

    /// Told of what may concern others.
    pub(crate) fn told(&self) -> Told {
        self.inner.told.told()
    }

    /// When something happens by itself.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let state = lock(&self.inner.state);
        state.guests.values().filter_map(Guest::next_due).min()
    }

    /// What the cloud has made of its servers, and how the machines are then.
    pub(crate) fn look(&self, servers: &[openstack::Machine]) -> Vec<Seen> {
        self.with(|state, moment, options| {
            state
                .guests
                .retain(|id, _| servers.iter().any(|server| server.id == *id));
            for server in servers {
                let chance = &mut state.chance;
                let guest = state
                    .guests
                    .entry(server.id.clone())
                    .or_insert_with(|| Guest::new(server, moment, options, chance));
                if server.was_there_before && guest.never_ran() {
                    guest.runs(server, moment);
                }
                guest.powered(server, moment, options, chance);
            }
            let mut seen = Vec::new();
            // In the cloud's order: ids are drawn.
            for server in servers {
                if let Some(guest) = state.guests.get_mut(&server.id) {
                    seen.push(guest.look(server));
                }
            }
            seen
        })
    }

    /// By server: the node's name, and the number of the engine that is to run there now.
    pub(crate) fn agents(&self) -> BTreeMap<String, (String, u64)> {
        self.with(|state, _, _| {
            let running = state.guests.iter().filter_map(|(server, guest)| {
                let engine = guest.agent()?;
                Some((server.clone(), (guest.name.clone(), engine)))
            });
            running.collect()
        })
    }

    /// The disk that a server's machine has.
    pub(crate) fn disk(&self, server: &str) -> Option<Disk> {
        let state = lock(&self.inner.state);
        Some(state.guests.get(server)?.disk.clone())
    }

    fn tell(&self) {
        self.inner.told.tell();
    }

    /// What was due has happened before.
    fn with<T>(&self, change: impl FnOnce(&mut State, Moment, &Options) -> T) -> T {
        self.settled(|state, moment, options| {
            state.quiet_until = None;
            change(state, moment, options)
        })
    }

    /// The same, of one machine that is only looked at.
    fn look_at<T>(&self, server: &str, look: impl FnOnce(&mut Guest) -> T) -> Option<T> {
        self.settled(|state, _, _| {
            let guest = state.guests.get_mut(server)?;
            guest.is_up().then(|| look(guest))
        })
    }

    fn settled<T>(&self, then: impl FnOnce(&mut State, Moment, &Options) -> T) -> T {
        let moment = Moment {
            at: Instant::now(),
            wall: self.inner.clock.now(),
        };
        let mut state = lock(&self.inner.state);
        let mut changed = false;
        if state.quiet_until.is_none_or(|until| until <= moment.at) {
            let State { chance, guests, .. } = &mut *state;
            for guest in guests.values_mut() {
                changed |= guest.settle(moment, &self.inner.options, chance);
            }
            let due = guests.values().filter_map(Guest::next_due).min();
            // An hour: any time would do, it is only looked again.
            state.quiet_until = due.or(Some(moment.at + Duration::from_secs(3600)));
        }
        let result = then(&mut state, moment, &self.inner.options);
        drop(state);
        if changed {
            self.tell();
        }
        result
    }
}

/// Now, by both clocks.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Instant,
    wall: Timestamp,
}

fn draw(chance: &mut fastrand::Rng, range: &RangeInclusive<Duration>) -> Duration {
    let span = range.end().saturating_sub(*range.start()).as_micros();
    let drawn = chance.u64(0..=u64::try_from(span).unwrap_or(u64::MAX));
    *range.start() + Duration::from_micros(drawn)
}
