//! The first step of a pass: everything that a decision may rest on is read here, at one moment, and nowhere else.

mod own;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Node};
use rectifier_api::{NodeRepair, RETRY, wants};
use rectifier_core::acknowledged::{ACKNOWLEDGED, Acknowledged};
use rectifier_core::clock::{Timestamp, seconds_between};
use rectifier_core::episode::{
    Ended, Memory, NodeSeen, RepairSeen, Seen, SeenCondition, UnitSeen, Watched,
};
use rectifier_core::name::{ConditionKind, Uid, UnitName};
use rectifier_core::policy::{Freshness, SiteKind, Status};
use rectifier_core::repair::{PAUSED, Phase, RequestedBy};
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
    let said = inbox
        .node
        .value
        .as_deref()
        .map(|node| word(node, ACKNOWLEDGED));
    let said = said.unwrap_or_else(|| state.memory.acknowledged.clone());
    see_to(&mut conditions, said.as_deref(), ctx.clock.now());
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
    let repair = slim(inbox.repair, repair_seen);
    let inhibitor = match repair
        .value
        .as_ref()
        .is_some_and(|repair| can_wait(ctx, repair))
    {
        true => inhibitor(ctx).await,
        false => {
            ctx.inhibited.ends();
            None
        }
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
        inhibitor,
        repair,
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
            seen_to: false,
        });
    }
}

/// What a person has acknowledged counts as gone, also while the API server is away: no word of theirs covers what is newer.
fn see_to(conditions: &mut [SeenCondition], said: Option<&str>, now: Timestamp) {
    let Some(text) = said else { return };
    let (known, _) = Acknowledged::read(text, now);
    for condition in conditions {
        let kind = condition.kind.as_str();
        if condition.status == Status::Yes && known.covers(kind, condition.transition) {
            condition.status = Status::No;
            condition.seen_to = true;
            // it is not since then that it counts so
            condition.transition = None;
        }
    }
}

/// What stands on the node under that key.
fn word(node: &Node, key: &str) -> Option<String> {
    node.metadata.annotations.as_ref()?.get(key).cloned()
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

/// A reboot is offered, and there is time yet for whoever inhibits it: until the next looks would be too late for the grant.
fn can_wait(ctx: &Context, repair: &RepairSeen) -> bool {
    let until = repair.grant.as_ref().map(|grant| grant.until);
    let left = until.map_or(0, |until| seconds_between(ctx.clock.now(), until));
    repair.phase == Phase::GrantOffered && left > last_moment(ctx.config.npd.interval)
}

/// So many seconds before a grant runs out it is taken, whoever inhibits the reboot: two looks, and an answer of systemd's that
/// does not come.
fn last_moment(interval: u32) -> u32 {
    interval.saturating_mul(2).saturating_add(14)
}

/// Who holds up a reboot that is offered. A logind that does not tell holds up none.
async fn inhibitor(ctx: &Context) -> Option<String> {
    let who = match ctx.machine.inhibitor().await {
        Ok(who) => who,
        Err(error) => {
            tracing::warn!(error = %chain(&error), "cannot ask who inhibits a reboot");
            None
        }
    };
    match &who {
        Some(who) if ctx.inhibited.begins() => {
            tracing::info!(
                who,
                "a reboot is offered, and waits for whoever inhibits it"
            );
        }
        Some(_) => {}
        None => {
            ctx.inhibited.ends();
        }
    }
    who
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
    Some(NodeSeen {
        paused: word(node, PAUSED),
        acknowledged: word(node, ACKNOWLEDGED),
        retry: word(node, RETRY),
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
