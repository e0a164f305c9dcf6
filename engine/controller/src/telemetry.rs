//! What the control plane does and does not, for whoever watches it: metrics.
//!
//! No series per node: their number is that of pools, phases and reasons, however many nodes there are. Which node it is
//! says its repair, or the Event on it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric, LabelValueEncoder,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use rectifier_core::budget::State;
use rectifier_core::clock::{Clock, seconds_between};
use rectifier_core::repair::{Phase, Record};
use rectifier_policy_host::Advisor;

use crate::cluster::{Cluster, Kind, Sick};
use crate::error::Error;

/// Upper bounds in seconds: from a pass to the hour that a drain may take.
const SECONDS: [f64; 10] = [
    1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0,
];

/// Filled by the engine, read by whoever serves it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

struct Inner {
    ended: Family<Ended, Counter>,
    seconds: Family<InPhase, Histogram, fn() -> Histogram>,
    errors: Family<Called, Counter>,
    calls: Family<CloudCall, Counter>,
    collected: Family<Collected, Counter>,
    cuts: Family<Watched, Counter>,
    leads: Gauge,
    view: Mutex<Option<View>>,
}

/// What is counted when it is asked for, from what the engine knows then.
struct View {
    cluster: Arc<Cluster>,
    policies: Arc<dyn Advisor>,
    clock: Arc<dyn Clock>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            ended: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            errors: Family::default(),
            calls: Family::default(),
            collected: Family::default(),
            cuts: Family::default(),
            leads: Gauge::default(),
            view: Mutex::default(),
        }
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    pool: String,
    outcome: Shown,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InPhase {
    phase: Shown,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    call: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CloudCall {
    call: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Collected {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Watched {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct SickLabels {
    pool: String,
    reason: &'static str,
    phase: Shown,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct RepairLabels {
    pool: String,
    phase: Shown,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Breaks {
    pool: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Counted {
    pool: String,
    what: &'static str,
}

/// A rule, and the zone or the condition that it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Ruled {
    pool: String,
    rule: String,
    of: String,
    what: &'static str,
}

/// A phase, as `status.phase` has it; empty without a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Shown(Option<Phase>);

impl EncodeLabelValue for Shown {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        match self.0 {
            Some(phase) => write!(encoder, "{phase:?}"),
            None => Ok(()),
        }
    }
}

impl Telemetry {
    /// Names the metrics.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("rectifier");
        let Inner {
            ended,
            seconds,
            errors,
            calls,
            collected,
            cuts,
            leads,
            view: _,
        } = &*self.inner;
        registry.register(
            "repairs_ended",
            "Repairs that are over, by the node's pool and the phase in which they ended",
            ended.clone(),
        );
        registry.register(
            "phase_seconds",
            "How long a phase of a repair lasted, counted when it ends",
            seconds.clone(),
        );
        registry.register(
            "errors",
            "What failed, by the call that did; each is tried again",
            errors.clone(),
        );
        registry.register(
            "cloud_calls",
            "Requests to the cloud, by call and by how it was answered",
            calls.clone(),
        );
        registry.register(
            "leftovers_collected",
            "Things of ours in the cloud that nobody needed any more, and that were deleted",
            collected.clone(),
        );
        registry.register(
            "watch_cuts",
            "How often a watch was cut, and taken up again",
            cuts.clone(),
        );
        registry.register("leader", "1 while this process leads", leads.clone());
        registry.register_collector(Box::new(self.clone()));
    }

    /// Every node with a problem or in repair, as the engine knows it now; nothing before it leads and knows all.
    pub fn sick(&self) -> Vec<Sick> {
        let view = self.view();
        let Some(view) = view.as_ref().filter(|view| view.cluster.is_complete()) else {
            return Vec::new();
        };
        view.cluster.sick(&view.policies.set())
    }

    /// Whether the engine leads, and its watches have told everything once.
    pub fn is_complete(&self) -> bool {
        self.view()
            .as_ref()
            .is_some_and(|view| view.cluster.is_complete())
    }

    /// How a request to the cloud was answered: `ok`, or a class of errors.
    pub fn called(&self, call: &'static str, result: &'static str) {
        let labels = CloudCall { call, result };
        self.inner.calls.get_or_create(&labels).inc();
    }

    fn view(&self) -> MutexGuard<'_, Option<View>> {
        self.inner
            .view
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn leads(
        &self,
        cluster: &Arc<Cluster>,
        policies: &Arc<dyn Advisor>,
        clock: &Arc<dyn Clock>,
    ) {
        self.inner.leads.set(1);
        *self.view() = Some(View {
            cluster: cluster.clone(),
            policies: policies.clone(),
            clock: clock.clone(),
        });
    }

    pub(crate) fn failed(&self, error: &Error) {
        if let Some(call) = error.call() {
            self.inner.errors.get_or_create(&Called { call }).inc();
        }
    }

    pub(crate) fn collected(&self, kind: &'static str) {
        self.inner
            .collected
            .get_or_create(&Collected { kind })
            .inc();
    }

    pub(crate) fn cut(&self, kind: Kind) {
        let kind = kind.label();
        self.inner.cuts.get_or_create(&Watched { kind }).inc();
    }

    /// A record was written: it may have left a phase, and be over.
    pub(crate) fn wrote(&self, pool: &str, before: &Record, now: &Record) {
        if before.phase == now.phase {
            return;
        }
        if let (Some(began), Some(ended)) = (before.since, now.since) {
            let phase = Shown(Some(before.phase));
            let lasted = Duration::from_secs(seconds_between(began, ended).into());
            let seconds = self.inner.seconds.get_or_create(&InPhase { phase });
            seconds.observe(lasted.as_secs_f64());
        }
        if now.phase.is_final() {
            let labels = Ended {
                pool: pool.to_owned(),
                outcome: Shown(Some(now.phase)),
            };
            self.inner.ended.get_or_create(&labels).inc();
        }
    }
}

impl Collector for Telemetry {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let (mut sick, mut repairs) = (BTreeMap::new(), BTreeMap::new());
        for Sick {
            node: _,
            pool,
            phase,
            reason,
        } in self.sick()
        {
            if phase.is_some() {
                let labels = RepairLabels {
                    pool: pool.clone(),
                    phase: Shown(phase),
                };
                *repairs.entry(labels).or_default() += 1;
            }
            let labels = SickLabels {
                pool,
                reason: reason.label(),
                phase: Shown(phase),
            };
            *sick.entry(labels).or_default() += 1;
        }
        let help = "Nodes with a problem or in repair, each under the one reason that stands on it";
        gauges(&mut encoder, "sick_nodes", help, sick)?;
        gauges(&mut encoder, "repairs", "Open repairs", repairs)?;
        let ages = self
            .view()
            .as_ref()
            .map(|view| view.cluster.ages(view.clock.now()));
        let ages = ages.into_iter().flatten();
        let ages = ages.map(|(kind, age)| (Watched { kind: kind.label() }, i64::from(age)));
        let help = "Seconds since a watch has told anything";
        gauges(&mut encoder, "watch_age_seconds", help, ages.collect())?;
        let storms = self.view().as_ref().map(|view| view.cluster.storms());
        let (mut states, mut nodes, mut rules) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (pool, seen) in storms.into_iter().flatten() {
            for rule in seen.rules {
                for (what, count) in [("seen", rule.seen), ("limit", rule.limit)] {
                    let labels = Ruled {
                        pool: pool.clone(),
                        rule: format!("{:?}", rule.rule),
                        of: rule.of.clone(),
                        what,
                    };
                    rules.insert(labels, i64::from(count));
                }
            }
            for state in [State::Closed, State::Open, State::Trickle] {
                let labels = Breaks {
                    pool: pool.clone(),
                    state: state.label(),
                };
                states.insert(labels, i64::from(state == seen.state));
            }
            for (what, count) in [
                ("all", seen.nodes),
                ("ailing", seen.ailing),
                ("in-flight-at-most", seen.allowed),
            ] {
                let pool = pool.clone();
                nodes.insert(Counted { pool, what }, i64::from(count));
            }
        }
        let help = "1 for the state in which a pool's breaker is";
        gauges(&mut encoder, "pool_breaker", help, states)?;
        let help = "What a pool's breaker counts: its most nodes in a day, those that ail, and how many may be in repair now";
        gauges(&mut encoder, "pool_nodes", help, nodes)?;
        let help = "Each rule of a pool's breaker, by what it is about: nodes of which it holds, and how many may be";
        gauges(&mut encoder, "pool_rule_nodes", help, rules)
    }
}

fn gauges<L: EncodeLabelSet + Ord>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    values: BTreeMap<L, i64>,
) -> Result<(), std::fmt::Error> {
    if values.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        let labelled = metric.encode_family(&labels)?;
        ConstGauge::new(value).encode(labelled)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
