//! What each pool's breaker and pace are decided by, from what the watches tell; what follows from it is decided in
//! [`rectifier_core::budget`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

use jiff::Timestamp;
use kube::ResourceExt;
use rectifier_api::{BreakerStatus, OnPlateau, RepairPool};
use rectifier_core::budget::{
    Attempt, Breaker, HOUR, Limits, Pace, Sight, State as Breaks, TOGETHER, Tripped, Turned, Work,
    Zone, rules,
};
use rectifier_core::clock::{SignedDuration, seconds_between};
use rectifier_core::name::NodeName;
use rectifier_core::policy::{Outcome, Seconds};
use rectifier_core::reason::Reason;
use rectifier_core::repair::history::had_no_room;
use rectifier_core::repair::{Phase, Rung, Tried};
use rectifier_core::standing::NOT_READY;
use rectifier_policy_host::Set;

use super::made::Made;
use super::node::Kept;
use super::{Cluster, State};

/// A watch that is away for so long breaks the looking on; one that is cut, and taken up where it was, misses nothing.
const AWAY: Seconds = 30;
/// Errors that follow each other within this are of one outage.
const OUTAGE: Seconds = 15;
/// Requests that the API server fails for so many nodes within so long are its trouble, and no node's.
const FAILED_FOR: usize = 3;
const FAILED_WITHIN: Seconds = 60;

/// A pool is not looked at twice within a second, but for other policies: they may take other nodes for ill.
const LOOKED: SignedDuration = SignedDuration::from_secs(1);

/// Which problems count.
type Handles<'a> = dyn Fn(&str) -> bool + 'a;

/// Which policies there are, and which problems count by their word.
pub(crate) struct Answers<'a> {
    pub(crate) policies: &'a Arc<Set>,
    pub(crate) handles: &'a Handles<'a>,
}

/// A condition of a node that turned.
struct Turn {
    at: Timestamp,
    node: NodeName,
    pool: Arc<str>,
    kind: Arc<str>,
    ill: bool,
}

#[derive(Default)]
struct Storm {
    breaker: Breaker,
    /// The most nodes that the pool had in each of the last hours.
    most: BTreeMap<i64, u32>,
    looked: Option<Timestamp>,
    /// Whose word the last look went by.
    policies: Weak<Set>,
    sight: Sight,
    /// Until when no replacement is made.
    no_creates: Option<Timestamp>,
}

/// The storms of all pools.
#[derive(Default)]
pub(super) struct Storms {
    pools: BTreeMap<String, Storm>,
    turns: VecDeque<Turn>,
    /// Since when the watches have told everything without a break.
    steady: Option<Timestamp>,
    /// The first and the last error of a watch that is away.
    cut: Option<(Timestamp, Timestamp)>,
    /// When the API server last failed a request for a node.
    failed: BTreeMap<NodeName, Timestamp>,
    /// When it last did so for too many.
    trouble: Option<Timestamp>,
}

impl Storms {
    /// A condition has turned.
    pub(super) fn turned(
        &mut self,
        (node, pool): (&NodeName, &Arc<str>),
        kind: &Arc<str>,
        ill: bool,
        now: Timestamp,
    ) {
        self.turns.push_back(Turn {
            at: now,
            node: node.clone(),
            pool: pool.clone(),
            kind: kind.clone(),
            ill,
        });
        self.pass_over(now);
    }

    fn pass_over(&mut self, now: Timestamp) {
        // and what a clock that was put back made a thing of the future
        let is_old = |turn: &Turn| seconds_between(turn.at, now) >= TOGETHER || turn.at > now;
        while self.turns.front().is_some_and(is_old) {
            self.turns.pop_front();
        }
    }

    /// What broke the watching, if that is more than its beginning.
    fn trouble_words(&self) -> String {
        match self.steady.is_some() && self.steady == self.trouble {
            true => "requests for several nodes failed".to_owned(),
            false => String::new(),
        }
    }

    fn together(&self, pool: &str, handles: &Handles<'_>, ill: bool) -> Vec<Turned> {
        let mut nodes: BTreeMap<&str, BTreeSet<&NodeName>> = BTreeMap::new();
        let own =
            |turn: &&Turn| turn.ill == ill && &*turn.pool == pool && counts(&turn.kind, handles);
        for turn in self.turns.iter().filter(own) {
            nodes.entry(&turn.kind).or_default().insert(&turn.node);
        }
        let counted = |(kind, nodes): (&str, BTreeSet<_>)| Turned {
            kind: kind.to_owned(),
            nodes: number(nodes.len()),
        };
        nodes.into_iter().map(counted).collect()
    }
}

/// How things stand with a pool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Weather {
    /// Why nothing is begun in it, and what has begun stays where it is before its commit.
    pub(crate) holds: Option<(Reason, String)>,
    /// Why no replacement is made in it.
    pub(crate) no_creates: Option<String>,
    /// The same, for people.
    pub(crate) status: BreakerStatus,
}

fn counts(kind: &str, handles: &Handles<'_>) -> bool {
    kind == NOT_READY || handles(kind)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn limits(pool: &RepairPool) -> Limits {
    let breaker = &pool.spec.breaker;
    Limits {
        sick: breaker.sick_percent,
        zone_sick: breaker.zone_sick_percent,
        together: breaker.together_percent,
        trickles: breaker.on_plateau == OnPlateau::Trickle,
    }
}

/// How fast a pool is repaired; `hourly` is the cluster's.
pub(crate) fn pace(pool: &RepairPool, hourly: u32) -> Pace {
    let pacing = &pool.spec.pacing;
    Pace {
        in_flight: pacing.in_flight_percent,
        at_most: pacing.in_flight,
        every: pacing.every,
        hourly,
    }
}

/// What the repairs of a pool, or of all, have tried: of each, and whether it is over with it.
fn tries<'a>(state: &'a State, pool: Option<&'a str>) -> impl Iterator<Item = (&'a Tried, bool)> {
    let is_own = move |of: Option<&str>| pool.is_none_or(|pool| of == Some(pool));
    let open = state.repairs.whole.values();
    let open = open
        .filter(move |open| is_own(open.flight.pool.as_deref()))
        .flat_map(|open| open.tried.iter().map(|tried| (tried, open.made.is_some())));
    let over = state.archived.whole.values();
    let over = over
        .filter(move |kept| is_own(kept.pool.as_deref()))
        .flat_map(|kept| {
            kept.story
                .tried
                .iter()
                .map(|tried| (tried, kept.made.is_some()))
        });
    open.chain(over)
}

impl State {
    /// Who in the pool ails, by the zone of its node. One that a repair removed within the hour is in that of its replacement.
    fn ailing(
        &self,
        pool: &RepairPool,
        handles: &Handles<'_>,
        now: Timestamp,
    ) -> BTreeMap<&str, Option<&Arc<str>>> {
        // later it is judged as any other
        let unready = pool.spec.timing.unready;
        let pool = pool.metadata.name.as_deref().unwrap_or_default();
        let in_pool = |name: &NodeName| {
            let kept = self.nodes.get(name)?;
            kept.place.pool.as_deref().ok().filter(|of| *of == pool)?;
            Some(kept)
        };
        let mut all = BTreeMap::new();
        for name in &self.sick {
            let ails = |kept: &&Kept| {
                let is_new = kept.is_new(unready, now);
                let mut problems = kept.problems().filter(|kind| counts(kind, handles));
                problems.any(|kind| kind != NOT_READY || !is_new)
            };
            let kept = in_pool(name).filter(ails);
            if let Some(kept) = kept {
                all.insert(name.as_str(), Some(&kept.place.zone));
            }
        }
        for (name, open) in &self.repairs.whole {
            let is_over = open.flight.phase.is_final();
            let kept = in_pool(name);
            let is_own = kept.is_some() || open.flight.pool.as_deref() == Some(pool);
            if is_own && !is_over {
                all.insert(name.as_str(), kept.map(|kept| &kept.place.zone));
            }
        }
        for kept in self.archived.whole.values() {
            let is_removed = kept.story.phase == Phase::Replaced
                && kept.pool.as_deref() == Some(pool)
                && seconds_between(kept.ended(), now) < HOUR
                && kept.ended() <= now;
            if is_removed {
                let beside = kept.made.as_ref().and_then(Made::in_its_zone);
                let beside = beside.and_then(|node| self.nodes.get(&node));
                all.entry(kept.node.as_str())
                    .or_insert(beside.map(|kept| &kept.place.zone));
            }
        }
        all
    }

    fn sight(&self, pool: &RepairPool, handles: &Handles<'_>, now: Timestamp) -> Sight {
        let name = pool.name_any();
        let ailing = self.ailing(pool, handles, now);
        let zones = self.members.zones(&name).map(|(zone, nodes)| Zone {
            name: zone.to_string(),
            nodes,
            ailing: number(ailing.values().filter(|of| **of == Some(zone)).count()),
        });
        let over = self.archived.whole.values();
        let over = over.filter(|kept| kept.pool.as_deref() == Some(&*name));
        let helped =
            over.filter(|kept| matches!(kept.story.phase, Phase::Replaced | Phase::Recovered));
        // known when the phase that follows it is entered
        let did_not = |tried: &[Tried]| {
            let last = tried.last();
            last.is_some_and(|last| last.outcome == Outcome::Failed && !had_no_room(last))
        };
        let over = self.archived.whole.values();
        let over = over.filter(|kept| kept.pool.as_deref() == Some(&*name));
        let over = over.filter(|kept| did_not(&kept.story.tried));
        let open = self.repairs.whole.values();
        let open = open.filter(|open| open.flight.pool.as_deref() == Some(&*name));
        let open = open.filter(|open| did_not(&open.tried));
        let failed = over.map(|kept| kept.ended());
        let failed = failed.chain(open.filter_map(|open| open.flight.since));
        let stuck = self.repairs.whole.values().filter(|open| {
            open.flight.phase == Phase::NeedsHuman && open.flight.pool.as_deref() == Some(&*name)
        });
        let stuck = stuck.filter_map(|open| open.flight.since);
        Sight {
            nodes: 0,
            ailing: number(ailing.len()),
            zones: zones.collect(),
            onsets: self.storms.together(&name, handles, true),
            resets: self.storms.together(&name, handles, false),
            cap: 0,
            helped: helped.map(|kept| kept.ended()).collect(),
            failed: failed.chain(stuck).max(),
        }
    }

    /// Takes a look at the pool, if the last one is not of this second.
    fn look(&mut self, pool: &RepairPool, answers: &Answers<'_>, now: Timestamp) {
        let (name, handles) = (pool.name_any(), answers.handles);
        let policies = Arc::downgrade(answers.policies);
        let is_fresh = |storm: &Storm| {
            storm.policies.ptr_eq(&policies)
                && storm
                    .looked
                    .is_some_and(|at| at <= now && now.duration_since(at) < LOOKED)
        };
        if self.storms.pools.get(&name).is_some_and(is_fresh) {
            return;
        }
        self.storms.pass_over(now);
        // a clock that was put back holds nothing for ever
        self.storms.steady = self.storms.steady.map(|since| since.min(now));
        let mut sight = self.sight(pool, handles, now);
        let no_creates = self.work(&name, None).stopped(now);
        let members = self.members.count(&name, "").0;
        let is_steady = self.unsteady(pool, now).is_none();
        let storm = self.storms.pools.entry(name).or_insert_with(|| {
            let before = pool
                .status
                .as_ref()
                .and_then(|status| status.breaker.clone());
            let before = before.unwrap_or_default();
            Storm {
                breaker: Breaker::resumed(before.state, before.since, before.tripped),
                ..Storm::default()
            }
        });
        let hour = now.as_second().div_euclid(HOUR.into());
        storm.most.retain(|at, _| (hour - 24..=hour).contains(at));
        let most = storm.most.entry(hour).or_default();
        *most = members.max(*most);
        sight.nodes = storm.most.values().copied().max().unwrap_or(members);
        sight.cap = pace(pool, 0).cap(sight.nodes);
        storm.breaker.look(&sight, &limits(pool), is_steady, now);
        (storm.looked, storm.policies) = (Some(now), policies);
        (storm.sight, storm.no_creates) = (sight, no_creates);
    }

    /// Until when it has not been watched long enough.
    fn unsteady(&self, pool: &RepairPool, now: Timestamp) -> Option<Timestamp> {
        let since = self.storms.steady.unwrap_or(now);
        let until = since + SignedDuration::from_secs(pool.spec.breaker.steady.into());
        (until > now).then_some(until)
    }

    fn weather(&mut self, pool: &RepairPool, answers: &Answers<'_>, now: Timestamp) -> Weather {
        self.look(pool, answers, now);
        let until = self.unsteady(pool, now);
        let Some(storm) = self.storms.pools.get(&pool.name_any()) else {
            return Weather::default();
        };
        let breaker = &storm.breaker;
        let holds = breaker.holds();
        let holds = holds.or(until.map(|_| (Reason::NotSteady, self.storms.trouble_words())));
        let allowed = match holds {
            Some(_) => 0,
            None => breaker.allowed(&storm.sight),
        };
        let why = breaker.tripped.as_ref().map(ToString::to_string);
        let why = why.unwrap_or_default();
        let message = match (&holds, breaker.state) {
            (Some((Reason::BreakerOpen, _)), _) => format!(
                "{}: {why}. It is over when every rule has been kept by a fifth of its limit for 5 minutes",
                Reason::BreakerOpen
            ),
            (Some((reason, words)), _) => {
                let words = match words.is_empty() {
                    true => String::new(),
                    false => format!(": {words}"),
                };
                let until = until.map(|until| format!(", before {until}"));
                format!("{reason}{words}{}", until.unwrap_or_default())
            }
            (None, Breaks::Trickle) => {
                format!("after a storm repairs begin again, {allowed} at a time: {why}")
            }
            (None, _) => String::new(),
        };
        Weather {
            holds,
            no_creates: storm.no_creates.map(|_| String::new()),
            status: BreakerStatus {
                state: breaker.state,
                since: breaker.since,
                tripped: breaker.tripped.clone(),
                message,
                // while it is not steady that moves on with the clock
                looks_again: match until {
                    Some(_) => until,
                    None => breaker.looks_again(&limits(pool), now),
                },
                allowed,
            },
        }
    }

    /// What is under way in the pool, and was; without what `but` has.
    pub(super) fn work(&self, pool: &str, but: Option<(&NodeName, Timestamp)>) -> Work {
        let zone = |node: &NodeName| {
            let kept = self.nodes.get(node);
            kept.map_or(String::new(), |kept| kept.place.zone.to_string())
        };
        let is_ours = |of: Option<&str>| of.is_none_or(|of| of == pool);
        let in_flight = but.into_iter().flat_map(|(me, now)| {
            // one whose pool is not written down counts for all of them
            let others = self.repairs.whole.iter().filter(move |(node, open)| {
                *node != me && open.flight.counts(now) && is_ours(open.flight.pool.as_deref())
            });
            others.map(|(node, _)| (node.clone(), zone(node)))
        });
        // what is being cordoned, or drained for a boot, has tried nothing yet
        let cordoning = |of: Option<&str>, rung: Option<Rung>| {
            let own = self.repairs.whole.values().filter(move |open| {
                [Phase::Cordoning, Phase::RebootDraining].contains(&open.flight.phase)
                    && (of.is_none() || open.flight.pool.as_deref() == of)
                    && (rung.is_none() || open.flight.rung == rung)
            });
            own.filter_map(|open| open.flight.since).collect::<Vec<_>>()
        };
        let is_replace = |(tried, _): &(&Tried, bool)| tried.rung == Rung::Replace;
        // a cloud that is full is asked again and again, and nothing comes of it
        let is_made = |(tried, _): &(&Tried, bool)| !had_no_room(tried);
        let began = tries(self, Some(pool)).filter(is_made);
        let began = began.map(|(tried, _)| tried.since);
        let attempts = tries(self, Some(pool)).filter(is_replace);
        let replaced = tries(self, None).filter(is_replace).filter(is_made);
        Work {
            in_flight: in_flight.collect(),
            zones: number(self.members.zones(pool).count()),
            began: began.chain(cordoning(Some(pool), None)).max(),
            attempts: attempts.map(attempt).collect(),
            replaced: replaced
                .map(|(tried, _)| tried.since)
                .chain(cordoning(None, Some(Rung::Replace)))
                .collect(),
            nodes: number(self.nodes.len()),
        }
    }
}

fn attempt((tried, is_committed): (&Tried, bool)) -> Attempt {
    let went_well = match tried.outcome {
        Outcome::Failed if had_no_room(tried) => None,
        Outcome::Failed => Some(false),
        Outcome::Recovered => Some(true),
        Outcome::Running if is_committed => Some(true),
        Outcome::Running | Outcome::NoEffect | Outcome::Refused | Outcome::Unknown => None,
    };
    Attempt {
        began: tried.since,
        went_well,
    }
}

/// What a pool's breaker counted when it was last looked at.
pub(crate) struct Counted {
    pub(crate) state: Breaks,
    pub(crate) nodes: u32,
    pub(crate) ailing: u32,
    /// So many may be in flight.
    pub(crate) allowed: u32,
    /// Each rule, with what was seen and what may be.
    pub(crate) rules: Vec<Tripped>,
}

impl Cluster {
    /// Of every pool that was looked at.
    pub(crate) fn storms(&self) -> BTreeMap<String, Counted> {
        let state = self.state();
        let counted = |(name, storm): (&String, &Storm)| {
            let pool = &state.pools.whole.get(name)?.object;
            let counted = Counted {
                state: storm.breaker.state,
                nodes: storm.sight.nodes,
                ailing: storm.sight.ailing,
                allowed: storm.breaker.allowed(&storm.sight),
                rules: rules(&storm.sight, &limits(pool)),
            };
            Some((name.clone(), counted))
        };
        state.storms.pools.iter().filter_map(counted).collect()
    }

    /// A watch failed.
    pub(crate) fn cut(&self, now: Timestamp) {
        let mut state = self.state();
        let first = match state.storms.cut {
            Some((first, last)) if seconds_between(last, now) <= OUTAGE && first <= now => first,
            Some(_) | None => now,
        };
        state.storms.cut = Some((first, now));
        if seconds_between(first, now) >= AWAY {
            state.storms.steady = Some(now);
        }
    }

    /// The API server failed a request for this node.
    pub(crate) fn failed(&self, node: &NodeName, now: Timestamp) {
        let mut state = self.state();
        let storms = &mut state.storms;
        storms.failed.insert(node.clone(), now);
        storms
            .failed
            .retain(|_, at| *at <= now && seconds_between(*at, now) < FAILED_WITHIN);
        if storms.failed.len() >= FAILED_FOR {
            (storms.steady, storms.trouble) = (Some(now), Some(now));
        }
    }

    /// The watches begin anew: from now on they have to be without a break.
    pub(crate) fn unsettled(&self, now: Timestamp) {
        self.state().storms.steady = Some(now);
    }

    /// How things stand with a pool now.
    pub(crate) fn weather(
        &self,
        pool: &RepairPool,
        answers: &Answers<'_>,
        now: Timestamp,
    ) -> Weather {
        self.state().weather(pool, answers, now)
    }
}
