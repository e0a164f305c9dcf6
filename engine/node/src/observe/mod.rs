//! The first step of a pass: everything that a decision may rest on is read here, at one moment, and nowhere else.

mod own;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Node};
use rectifier_api::{NodeRepair, RETRY, wants};
use rectifier_core::episode::{
    Ended, Memory, NodeSeen, RepairSeen, Seen, SeenCondition, UnitSeen, Watched,
};
use rectifier_core::name::{ConditionKind, Uid, UnitName};
use rectifier_core::policy::{Freshness, SiteKind, Status};
use rectifier_core::repair::{PAUSED, RequestedBy};
use rectifier_core::switches::Step;

use crate::config::KUBELETS;
use crate::context::Context;
use crate::npd;
use crate::pass::State;
use crate::systemd::Running;
use crate::trouble::chain;

pub(crate) use own::Known;
pub(crate) use watch::watch;

/// What arrives between passes.
pub(crate) struct Inbox {
    /// The node's own object.
    pub(crate) node: Watched<Arc<Node>>,
    /// Its repair.
    pub(crate) repair: Watched<Arc<NodeRepair>>,
    /// The stop switch.
    pub(crate) stop: Watched<Arc<ConfigMap>>,
    /// The policies' count of changes.
    pub(crate) policies: u64,
    /// Something may have happened to the units.
    pub(crate) moved: bool,
    /// A remedy of this process is under way.
    pub(crate) carrying_out: bool,
    /// One has ended.
    pub(crate) ended: Option<Ended>,
}

/// Looks at the node.
pub(crate) async fn node(ctx: &Context, state: &mut State, inbox: Inbox) -> Seen {
    let is_deaf = ctx.switches.skips(Step::PassOn);
    let (mut conditions, npd) = from_npd(ctx).await;
    from_node(&mut conditions, &inbox.node, npd, is_deaf);
    let mut events = Vec::new();
    if !is_deaf {
        let now = ctx.clock.now();
        own::look(ctx, &mut state.known, inbox.moved, now).await;
        let own = &mut state.known.own;
        let ended = inbox.ended.as_ref().filter(|ended| ended.result.is_ok());
        if let Some(ended) = ended
            && let Some(rule) = ctx.config.problems.get(&ended.problem)
        {
            own.remedied(&ended.problem, rule, now);
        }
        // another reporter's word goes before: also its last one, while it is silent
        let episodes = &state.memory.episodes;
        let is_anothers = |kind: &ConditionKind| {
            let episode = episodes.get(kind);
            episode.is_some_and(|episode| episode.problem.source.is_none())
        };
        for told in own.conditions(&ctx.config.problems, now) {
            let is_known = conditions.iter().any(|known| known.kind == told.kind);
            if !is_known && !is_anothers(&told.kind) {
                conditions.push(told);
            }
        }
        events = own.happened(now);
    }
    let memory = &state.memory;
    let handled = handled(ctx, memory, &conditions);
    own::tell_unhandled(ctx, &conditions, &handled);
    let ill = conditions
        .iter()
        .any(|seen| seen.status == Status::Yes && handled.contains(&seen.kind));
    // Nobody is asked about units while nothing is wrong.
    let (units, running, systemd) = match ill || !memory.episodes.is_empty() {
        true => from_systemd(ctx).await,
        false => (BTreeMap::new(), None, Freshness::Missing),
    };
    Seen {
        now: ctx.clock.now(),
        name: ctx.node.clone(),
        boot: ctx.machine.boot_id(),
        booted: running.and_then(|running| running.since),
        goes_down: running.is_some_and(|running| running.goes_down),
        conditions,
        events,
        npd,
        units,
        systemd,
        node: slim(inbox.node, node_seen),
        repair: slim(inbox.repair, repair_seen),
        handled,
        made: ctx.config.problems.keys().cloned().collect(),
        policies: inbox.policies,
        stop: inbox.stop.value.as_deref().map(why),
        stop_heard: inbox.stop.freshness != Freshness::Missing,
        unwritable: state.unwritable.clone(),
        carrying_out: inbox.carrying_out,
        ended: inbox.ended,
    }
}

fn why(stop: &ConfigMap) -> String {
    let why = stop.data.as_ref().and_then(|data| data.get("why"));
    why.cloned().unwrap_or_default()
}

async fn from_npd(ctx: &Context) -> (Vec<SeenCondition>, Freshness) {
    if ctx.switches.skips(Step::PassOn) {
        return (Vec::new(), Freshness::Missing);
    }
    let read = match ctx.machine.npd().await {
        Ok(answer) => ctx
            .npd
            .read(answer)
            .map_err(|error| format!("its answer is no list of conditions: {}", chain(&error))),
        Err(error) => Err(chain(&error)),
    };
    match read {
        Ok(conditions) => {
            if ctx.npd_trouble.ends() {
                tracing::info!("Node Problem Detector answers again");
            }
            (conditions, Freshness::Fresh)
        }
        // Missing is not healthy: the episodes stay open, and say so by Event when they stand still for it.
        Err(error) => {
            if ctx.npd_trouble.begins() {
                tracing::warn!(error, "Node Problem Detector cannot be asked");
            }
            (Vec::new(), Freshness::Missing)
        }
    }
}

/// Adds what the Node object says. NPD's conditions are there too, but only as its last word: they count while NPD itself
/// can be asked and does not report that type (then somebody else does), and not while it is silent.
fn from_node(
    conditions: &mut Vec<SeenCondition>,
    node: &Watched<Arc<Node>>,
    npd: Freshness,
    only_kubelets: bool,
) {
    if node.freshness != Freshness::Fresh {
        return;
    }
    let status = node.value.as_ref().and_then(|node| node.status.as_ref());
    for condition in status
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten()
    {
        // everything else on the Node may be NPD's
        let trusted = KUBELETS.contains(&condition.type_.as_str())
            || (npd == Freshness::Fresh && !only_kubelets);
        let Ok(kind) = ConditionKind::parse(condition.type_.as_str()) else {
            continue;
        };
        if !trusted || conditions.iter().any(|known| known.kind == kind) {
            continue;
        }
        conditions.push(SeenCondition {
            kind,
            status: npd::status(&condition.status),
            reason: condition.reason.clone().unwrap_or_default(),
            message: condition.message.clone().unwrap_or_default(),
            transition: condition.last_transition_time.as_ref().map(|time| time.0),
            source: "node-status".to_owned(),
            tells_after: 0,
        });
    }
}

/// Which of the kinds seen and remembered a policy answers for on a node.
fn handled(
    ctx: &Context,
    memory: &Memory,
    conditions: &[SeenCondition],
) -> BTreeSet<ConditionKind> {
    let set = ctx.policies.set();
    let seen = conditions.iter().map(|condition| &condition.kind);
    seen.chain(memory.episodes.keys())
        .filter(|kind| set.handles(kind, SiteKind::Node))
        .cloned()
        .collect()
}

async fn from_systemd(ctx: &Context) -> (BTreeMap<UnitName, UnitSeen>, Option<Running>, Freshness) {
    let mut units = BTreeMap::new();
    let Ok(running) = ctx.machine.running().await else {
        return (units, None, Freshness::Missing);
    };
    for name in &ctx.limits.units {
        match ctx.machine.unit(name).await {
            Ok(Some(unit)) => {
                units.insert(name.clone(), unit);
            }
            Ok(None) => {}
            // One unit that cannot be read says nothing about the others.
            Err(error) => {
                tracing::warn!(unit = %name, error = %chain(&error), "cannot read the unit's state")
            }
        }
    }
    (units, Some(running), Freshness::Fresh)
}

fn slim<T, S>(watched: Watched<Arc<T>>, see: impl Fn(&T) -> Option<S>) -> Watched<S> {
    Watched {
        value: watched.value.as_deref().and_then(see),
        freshness: watched.freshness,
    }
}

fn node_seen(node: &Node) -> Option<NodeSeen> {
    let ready = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let ready = ready.and_then(|conditions| {
        conditions
            .iter()
            .find(|condition| condition.type_ == "Ready")
    });
    let word = |key: &str| node.metadata.annotations.as_ref()?.get(key).cloned();
    Some(NodeSeen {
        paused: word(PAUSED),
        retry: word(RETRY),
        uid: Uid::parse(node.metadata.uid.clone()?).ok()?,
        ready: ready.map_or(Status::Unknown, |ready| npd::status(&ready.status)),
        labels: node.metadata.labels.clone().unwrap_or_default(),
        unschedulable: node
            .spec
            .as_ref()
            .and_then(|spec| spec.unschedulable)
            .unwrap_or(false),
    })
}

fn repair_seen(repair: &NodeRepair) -> Option<RepairSeen> {
    let wants = wants(repair);
    let NodeRepair {
        metadata,
        spec,
        status,
    } = repair;
    let status = status.clone().unwrap_or_default();
    Some(RepairSeen {
        uid: metadata.uid.clone()?,
        version: metadata.resource_version.clone()?,
        node_uid: spec.node_uid.clone(),
        problem: spec.problem.kind.clone(),
        of_others: spec.requested_by != RequestedBy::NodeEngine,
        asks: spec.asks,
        deadline: spec.deadline,
        withdrawn: spec.withdrawn && wants.is_none(),
        accepted_grant: spec.accepted_grant.clone(),
        phase: status.phase,
        past_return: status.side().is_past_return(),
        grant: status.grant,
        wants,
    })
}

#[cfg(test)]
mod tests;
