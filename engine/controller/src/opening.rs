//! A node whose problem no agent took up within the pool's grace: its engine is silent, and its repair is opened here.

use std::time::Duration;

use kube::api::Api;
use rectifier_api::{NodeRepair, NodeRepairSpec, repair_name};
use rectifier_core::clock::{SignedDuration, Timestamp, seconds_between};
use rectifier_core::name::{ConditionKind, NodeName};
use rectifier_core::policy::SiteKind;
use rectifier_core::reason::Reason;
use rectifier_core::repair::{Asks, FINALIZER, Problem, RequestedBy, history};
use rectifier_core::standing::is_problem;

use crate::cluster::{self, Cluster, Open, Sight};
use crate::context::Context;
use crate::error::{Error, api};
use crate::observe::{self, ahead, pool};
use crate::persist::{self, Again};
use crate::{event, maintenance, manager};

/// What is told of a node without a repair is told again after this, as long as it is so.
const TELL_AGAIN: Duration = Duration::from_secs(cluster::TELL_AGAIN as u64);

/// Whether a repair is there now.
pub(crate) enum Opening {
    Opened(Box<NodeRepair>),
    NotNow(Again),
}

/// Opens the repair of a node whose problem no agent took up within the pool's grace: its engine is silent. Why it does
/// not is said on the Node.
pub(crate) async fn open_if_due(
    ctx: &Context,
    cluster: &Cluster,
    node: &NodeName,
) -> Result<Opening, Error> {
    let Some(facts) = cluster.facts(node) else {
        return Ok(Opening::NotNow(None));
    };
    let policies = ctx.policies.set();
    let sick = facts
        .conditions
        .iter()
        .filter(|(kind, sight)| is_problem(kind.as_str(), sight.status));
    let (problems, unhandled): (Vec<_>, Vec<_>) =
        sick.partition(|(kind, _)| policies.handles(kind, SiteKind::ControlPlane));
    let names = |problems: &[(&ConditionKind, &Sight)]| {
        let names = problems.iter().map(|(kind, _)| kind.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    if problems.is_empty() && unhandled.is_empty() {
        return Ok(Opening::NotNow(None));
    }
    if problems.is_empty() {
        let words = names(&unhandled);
        event::hold(ctx, cluster, node, &facts, Reason::NoPolicy, &words).await;
        return Ok(Opening::NotNow(Some(TELL_AGAIN)));
    }
    let pool = match cluster.pool_of(node) {
        Ok(pool) => pool,
        Err(none) => {
            let words = names(&problems);
            event::hold(ctx, cluster, node, &facts, none.into(), &words).await;
            return Ok(Opening::NotNow(Some(TELL_AGAIN)));
        }
    };
    // what can wait has no repair before its window opens: it would keep others from the node
    let shut = |kind: &ConditionKind| maintenance::waits(&pool, kind.as_str(), ctx.now());
    let (waiting, problems): (Vec<_>, Vec<_>) = problems
        .into_iter()
        .partition(|(kind, _)| shut(kind).is_some());
    let opens = waiting.iter().filter_map(|(kind, _)| shut(kind)?.until);
    let opens = opens.min().map(|until: Timestamp| {
        let left = until.duration_since(ctx.now());
        Duration::try_from(left).unwrap_or_default()
    });
    if problems.is_empty() {
        let words = waiting
            .iter()
            .filter_map(|(kind, _)| Some(format!("{kind}: {}", shut(kind)?.words)));
        let words = words.collect::<Vec<_>>().join(", ");
        cluster.hold(node, Some(Reason::AwaitingWindow));
        event::hold(ctx, cluster, node, &facts, Reason::AwaitingWindow, &words).await;
        let left = opens.unwrap_or(TELL_AGAIN).min(TELL_AGAIN);
        return Ok(Opening::NotNow(Some(left)));
    }
    // to the instant, and from it: whole seconds, counted from the end of a pass, are late by all that the pass did
    let left = |(kind, sight): &(&ConditionKind, &Sight)| {
        let wait = sight.spell.due_after(pool::grace(&pool, kind));
        let wait = SignedDuration::from_secs(wait.into());
        Duration::try_from(wait - ctx.now().duration_since(sight.since)).unwrap_or_default()
    };
    let (due, early): (Vec<_>, Vec<_>) = problems.into_iter().partition(|one| left(one).is_zero());
    if due.is_empty() {
        let flaps = early.iter().any(|(_, sight)| sight.spell.returns > 0);
        let reason = match flaps {
            true => Reason::Flapping,
            false => Reason::AwaitingAgent,
        };
        cluster.hold(node, flaps.then_some(reason));
        let words = names(&early);
        event::hold(ctx, cluster, node, &facts, reason, &words).await;
        let soonest = || early.iter().map(left).min().unwrap_or_default();
        if let Some(rest) = soonest().checked_sub(ahead::LEAD)
            && !rest.is_zero()
        {
            return Ok(Opening::NotNow(Some(rest)));
        }
        // nobody has to wait then for what is asked before it is due
        ahead::look(ctx, cluster, node, soonest()).await;
        return Ok(Opening::NotNow(Some(soonest())));
    }
    let mut again = early.iter().map(left).chain(opens).min();
    let archive = observe::archive(ctx, cluster, node, None).await?;
    for (kind, sight) in due {
        let veto = history::veto(&archive, &facts.uid, kind.as_str(), ctx.now());
        let Some(until) = veto else {
            cluster.hold(node, None);
            return open(ctx, cluster, node, &facts.uid, (kind, sight)).await;
        };
        let words = format!("{kind}, until {until}");
        cluster.hold(node, Some(Reason::Vetoed));
        event::hold(ctx, cluster, node, &facts, Reason::Vetoed, &words).await;
        let left = Duration::from_secs(seconds_between(ctx.now(), until).max(1).into());
        again = Some(again.map_or(left, |again| again.min(left)));
    }
    Ok(Opening::NotNow(again.map(|again| again.min(TELL_AGAIN))))
}

/// By its name, of which there is one: if another has it already, that is the node's repair.
async fn open(
    ctx: &Context,
    cluster: &Cluster,
    node: &NodeName,
    uid: &str,
    (kind, sight): (&ConditionKind, &Sight),
) -> Result<Opening, Error> {
    let mut repair = NodeRepair::new(
        &repair_name(node),
        NodeRepairSpec {
            node_name: node.to_string(),
            node_uid: uid.to_owned(),
            problem: Problem {
                kind: kind.to_string(),
                reason: sight.reason.clone(),
                message: sight.message.clone(),
                since: sight.since,
                source: None,
            },
            asks: Asks::Escalate,
            deadline: None,
            withdrawn: false,
            accepted_grant: None,
            requested_by: RequestedBy::Conditions,
            wants: None,
            by: None,
        },
    );
    repair.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    let repairs: Api<NodeRepair> = Api::all(ctx.client.clone());
    match repairs.create(&manager::posts(), &repair).await {
        Ok(opened) => {
            cluster.has_opened(node.clone(), Open::new(&opened));
            Ok(Opening::Opened(Box::new(opened)))
        }
        // the watch has not shown it yet
        Err(kube::Error::Api(status)) if status.code == 409 => {
            Ok(match persist::current(ctx, node).await? {
                Some(there) => {
                    cluster.has_opened(node.clone(), Open::new(&there));
                    Opening::Opened(Box::new(there))
                }
                None => Opening::NotNow(Some(Duration::from_secs(1))),
            })
        }
        Err(error) => Err(api("create noderepair")(error)),
    }
}
