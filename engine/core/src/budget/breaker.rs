//! The breaker of a pool.
//!
//! ```text
//! Closed ──a rule trips──▶ Open ──calm for 5 min, or no worse for 30──▶ Trickle ──calm, and that went well──▶ Closed
//!                            ▲──────────────worse, or another rule──────────┘
//! ```

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::share_up;
use crate::clock::seconds_between;
use crate::policy::Seconds;
use crate::reason::Reason;

/// So long a storm must have been over, by four fifths of each limit, before repairs begin again: 5 min, so that what comes back
/// with a beat of minutes is not taken for over.
const CALM: Seconds = 300;
/// A storm that does not get worse for so long is let through in a trickle: 30 min. A breaker that waits for nodes to heal that
/// only a repair would heal latches for ever.
const PLATEAU: Seconds = 1800;
/// A zone of fewer nodes is no zone: half of two is one.
const ZONE: u32 = 3;
/// So many nodes turn ill of one thing by chance.
const BY_CHANCE: u32 = 3;

/// What opens a pool's breaker, in percent of its nodes; 0: nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// More of them ill open it.
    pub sick: u32,
    /// More of those in one zone.
    pub zone_sick: u32,
    /// So many that turn ill, or well, of one thing together.
    pub together: u32,
    /// A storm that gets no worse is let through in a trickle, without waiting for its end.
    pub trickles: bool,
}

/// A zone of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// Its nodes.
    pub nodes: u32,
    /// Those of them that are ill, in repair, or were removed by one within the hour.
    pub ailing: u32,
}

/// Nodes whose condition of one type turned within five minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// The condition.
    pub kind: String,
    /// How many nodes, each once.
    pub nodes: u32,
}

/// What is seen of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sight {
    /// The most nodes that it had within a day: those that went away may be a part of the storm.
    pub nodes: u32,
    /// Those that are ill, in repair, or were removed by one within the hour.
    pub ailing: u32,
    /// By zone.
    pub zones: Vec<Zone>,
    /// Which conditions turned ill.
    pub onsets: Vec<Turned>,
    /// And which turned well: so many at once are no recovery, but a detector that began anew.
    pub resets: Vec<Turned>,
    /// How many repairs of it may be in flight on a good day.
    pub cap: u32,
    /// When repairs of it last helped.
    pub helped: Vec<Timestamp>,
    /// When one last did not.
    pub failed: Option<Timestamp>,
}

/// What opens a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Rule {
    /// So many nodes of the pool are ill.
    PoolSick,
    /// So many nodes of one zone are.
    ZoneSick,
    /// So many turned ill of one thing together.
    Onset,
    /// So many turned well of one thing together.
    Reset,
}

/// A rule that is broken, and by how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tripped {
    /// Which.
    pub rule: Rule,
    /// The zone or the condition that it is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub of: String,
    /// How many nodes.
    pub seen: u32,
    /// How many more than which, or of an onset and a reset as many as which, open the breaker.
    pub limit: u32,
    /// Of how many.
    pub nodes: u32,
}

impl std::fmt::Display for Tripped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            rule,
            of,
            seen,
            limit,
            nodes,
        } = self;
        match rule {
            Rule::PoolSick => write!(
                f,
                "{seen} of the pool's {nodes} nodes are ill, in repair or removed within the hour; {limit} may be"
            ),
            Rule::ZoneSick => write!(
                f,
                "{seen} of the {nodes} nodes in zone {of} are ill, in repair or removed within the hour; {limit} may be"
            ),
            Rule::Onset => write!(
                f,
                "{of} came to {seen} of the pool's {nodes} nodes within 5 minutes; fewer than {limit} may fall ill together"
            ),
            Rule::Reset => write!(
                f,
                "{of} went from {seen} of the pool's {nodes} nodes within 5 minutes; fewer than {limit} may recover together"
            ),
        }
    }
}

impl Tripped {
    fn is_sick(&self) -> bool {
        match self.rule {
            Rule::PoolSick | Rule::ZoneSick => true,
            Rule::Onset | Rule::Reset => false,
        }
    }

    /// Is the rule broken?
    fn is_broken(&self) -> bool {
        match self.is_sick() {
            true => self.seen > self.limit,
            false => self.seen >= self.limit,
        }
    }

    /// Is it kept even with a fifth of its limit to spare? One node is no storm.
    fn is_calm(&self) -> bool {
        let (seen, limit) = (u64::from(self.seen) * 5, u64::from(self.limit) * 4);
        match self.is_sick() {
            true => seen <= limit || self.seen <= 1,
            false => seen < limit,
        }
    }

    /// The same rule about the same thing?
    fn is_of(&self, other: &Self) -> bool {
        (self.rule, &self.of) == (other.rule, &other.of)
    }
}

/// Whether repairs of a pool may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// They may.
    #[default]
    Closed,
    /// None may, and those before their commit stay where they are.
    Open,
    /// One at a time, and one more with each that helped.
    Trickle,
}

impl State {
    /// As it is written, for metrics.
    pub fn label(self) -> &'static str {
        match self {
            State::Closed => "Closed",
            State::Open => "Open",
            State::Trickle => "Trickle",
        }
    }
}

/// The breaker of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Breaker {
    /// Its state.
    pub state: State,
    /// Since when it is in that.
    pub since: Option<Timestamp>,
    /// What opened it, as it was last seen.
    pub tripped: Option<Tripped>,
    calm: Option<Timestamp>,
    /// The most that were ill at once since it opened, and since when that is so.
    highest: u32,
    rose: Option<Timestamp>,
    /// What turned together when the trickle began: a condition that goes on flapping is no new storm.
    known: Vec<Tripped>,
}

impl Breaker {
    /// As a leader before us left it: an open one waits its times again.
    pub fn resumed(state: State, since: Option<Timestamp>, tripped: Option<Tripped>) -> Self {
        let state = match state {
            State::Closed => State::Closed,
            State::Open | State::Trickle => State::Open,
        };
        Self {
            state,
            since,
            tripped,
            ..Self::default()
        }
    }

    /// Takes a look at the pool. Of what is seen with eyes that are not `steady` nothing counts as calm.
    pub fn look(&mut self, sight: &Sight, limits: &Limits, steady: bool, now: Timestamp) {
        let rules = rules(sight, limits);
        let mut broken = rules.iter().filter(|rule| rule.is_broken());
        let is_calm = steady && rules.iter().all(Tripped::is_calm);
        self.calm = match is_calm {
            true => Some(self.calm.filter(|since| *since <= now).unwrap_or(now)),
            false => None,
        };
        match self.state {
            State::Closed => {
                if let Some(broken) = broken.next() {
                    self.open(broken, sight, now);
                }
            }
            State::Open => {
                self.see(&rules);
                let is_worse = sight.ailing > self.highest;
                if is_worse || !steady || self.rose.is_none_or(|rose| rose > now) {
                    self.rose = Some(now);
                }
                self.highest = self.highest.max(sight.ailing);
                let is_flat = limits.trickles && self.lasts(self.rose, now) >= PLATEAU;
                if self.lasts(self.calm, now) >= CALM || is_flat {
                    (self.state, self.since) = (State::Trickle, Some(now));
                    self.known = broken.filter(|rule| !rule.is_sick()).cloned().collect();
                }
            }
            State::Trickle => {
                self.see(&rules);
                if is_calm {
                    self.highest = sight.ailing;
                    self.known.clear();
                }
                let is_worse = |rule: &&Tripped| match rule.is_sick() {
                    true => sight.ailing > self.highest,
                    false => self.known.iter().all(|known| !known.is_of(rule)),
                };
                if let Some(worse) = broken.find(is_worse) {
                    self.open(worse, sight, now);
                } else if is_calm
                    && (self.allowed(sight) >= sight.cap || self.lasts(self.calm, now) >= PLATEAU)
                {
                    *self = Self {
                        since: Some(now),
                        ..Self::default()
                    };
                }
            }
        }
    }

    /// Of the rule that opened it what is seen now; of another that is broken, if that is kept again.
    fn see(&mut self, rules: &[Tripped]) {
        let Some(tripped) = &self.tripped else {
            self.tripped = rules.iter().find(|rule| rule.is_broken()).cloned();
            return;
        };
        let own = rules.iter().find(|rule| rule.is_of(tripped));
        let own_is_broken = own.is_some_and(Tripped::is_broken);
        let other = rules.iter().find(|rule| rule.is_broken());
        let shown = match other {
            Some(other) if !own_is_broken => Some(other),
            Some(_) | None => own,
        };
        self.tripped = Some(match shown {
            Some(shown) => shown.clone(),
            // nobody turns any more
            None => Tripped {
                seen: 0,
                ..tripped.clone()
            },
        });
    }

    fn open(&mut self, why: &Tripped, sight: &Sight, now: Timestamp) {
        *self = Self {
            state: State::Open,
            since: Some(now),
            tripped: Some(why.clone()),
            calm: None,
            highest: sight.ailing,
            rose: Some(now),
            known: Vec::new(),
        };
    }

    fn lasts(&self, since: Option<Timestamp>, now: Timestamp) -> Seconds {
        since.map_or(0, |since| seconds_between(since, now))
    }

    /// Why no repair of the pool may begin, and those before their commit stay where they are. Each of thousands says it, so
    /// there is nothing in it that changes with every node: the numbers stand in the pool's status.
    pub fn holds(&self) -> Option<(Reason, String)> {
        let why = || {
            let rule = self.tripped.as_ref().map(|tripped| tripped.rule);
            rule.map_or(String::new(), |rule| format!("{rule:?}"))
        };
        (self.state == State::Open).then(|| (Reason::BreakerOpen, why()))
    }

    /// How many repairs may be in flight.
    pub fn allowed(&self, sight: &Sight) -> u32 {
        match self.state {
            State::Closed => sight.cap,
            State::Open => 0,
            State::Trickle => {
                let from = self.since.max(sight.failed);
                let helped = sight.helped.iter().filter(|at| Some(**at) > from).count();
                let more = u32::try_from(helped).unwrap_or(u32::MAX);
                sight.cap.min(more.saturating_add(1))
            }
        }
    }

    /// When it can next change, if the pool stays as it is.
    pub fn looks_again(&self, limits: &Limits, now: Timestamp) -> Option<Timestamp> {
        let after = |since: Option<Timestamp>, wait: Seconds| {
            Some(since? + jiff::SignedDuration::from_secs(wait.into()))
        };
        let calm = match self.state {
            State::Closed => None,
            State::Open => after(self.calm, CALM),
            State::Trickle => after(self.calm, PLATEAU),
        };
        let flat = match self.state {
            State::Open if limits.trickles => after(self.rose, PLATEAU),
            State::Open | State::Closed | State::Trickle => None,
        };
        let all = calm.into_iter().chain(flat);
        all.filter(|at| *at > now).min()
    }
}

/// Every rule with what is seen of it, those about many nodes first.
pub fn rules(sight: &Sight, limits: &Limits) -> Vec<Tripped> {
    let pool = (limits.sick > 0).then(|| Tripped {
        rule: Rule::PoolSick,
        of: String::new(),
        seen: sight.ailing,
        limit: share_up(limits.sick, sight.nodes).max(1),
        nodes: sight.nodes,
    });
    let is_zone = |zone: &&Zone| limits.zone_sick > 0 && zone.nodes >= ZONE;
    let zones = sight.zones.iter().filter(is_zone);
    let zones = zones.map(|zone| Tripped {
        rule: Rule::ZoneSick,
        of: zone.name.clone(),
        seen: zone.ailing,
        limit: share_up(limits.zone_sick, zone.nodes).max(1),
        nodes: zone.nodes,
    });
    let together = |rule: Rule| {
        move |turned: &Turned| Tripped {
            rule,
            of: turned.kind.clone(),
            seen: turned.nodes,
            limit: share_up(limits.together, sight.nodes).max(BY_CHANCE),
            nodes: sight.nodes,
        }
    };
    let counts = |_: &&Turned| limits.together > 0;
    let onsets = sight.onsets.iter().filter(counts);
    let onsets = onsets.map(together(Rule::Onset));
    let resets = sight.resets.iter().filter(counts);
    let resets = resets.map(together(Rule::Reset));
    pool.into_iter()
        .chain(zones)
        .chain(onsets)
        .chain(resets)
        .collect()
}
