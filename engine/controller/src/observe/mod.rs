//! Reads everything that the next decision rests on, and nothing else (`rectifier_core::repair::needs`).
//!
//! Nodes and the repair are read from the API server itself, not from a cache: a decision that ends in a delete must
//! not rest on what was true some seconds ago.

pub(crate) mod ahead;
pub(crate) mod cloud;
mod further;
pub(crate) mod node;
mod owner;
pub(crate) mod pool;
mod quantity;
mod volume;

pub(crate) use further::further;

use futures::{FutureExt, try_join};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use rectifier_api::{CONFIRMED_DEAD, NodeRepair, RETRY, SIGNED, wants};
use rectifier_core::clock::{Timestamp, seconds_between};
use rectifier_core::name::{ConditionKind, NodeName, Uid};
use rectifier_core::policy::{SiteKind, Status};
use rectifier_core::repair::drain::PodSeen;
use rectifier_core::repair::evidence::is_settled;
use rectifier_core::repair::{
    APPROVE, Archived, CloudSeen, EvidenceSeen, Hand, Hands, More, NodeSeen, REJECT, Record,
    RequestedBy, Seen, Spoken, Stop, Turn, WANTS, needs, opened,
};
use rectifier_core::standing::is_problem;

use crate::cluster::{Cluster, Weather};
use crate::context::Context;
use crate::error::{Error, api};
use crate::slim::SlimNode;
use crate::{evidence, maintenance, stop, turn};

/// Looks at everything that this repair's next step depends on. `since` is when this engine began to watch.
pub(crate) async fn repair(
    ctx: &Context,
    cluster: &Cluster,
    repair: &NodeRepair,
    since: Timestamp,
) -> Result<Seen, Error> {
    let mut request = repair.spec.request();
    request.wants = wants(repair);
    request.retry = mark(repair);
    request.confirmed_dead = repair.annotations().get(CONFIRMED_DEAD).cloned();
    let record = repair.status.clone();
    let record = record.unwrap_or_else(|| opened(&request, ctx.now()));
    let name = NodeName::parse(&request.node)?;
    let wanted = needs(&record);
    let of_node = async {
        let node = read_node(ctx, cluster, &name).await?;
        let read = ctx.now();
        // whose pool it is says what was just read
        let (pool, provisioning) = pool::of_repair(cluster, &name, &record);
        let problem = cluster.problem(&name, &request.problem.kind, read);
        let silent = node
            .as_ref()
            .is_some_and(|node| node.ready == Status::Unknown);
        let cloud = async {
            let provisioning = provisioning.as_ref();
            match wanted.cloud {
                true => {
                    cloud::look(ctx, cluster, &record, node.as_ref(), provisioning, wanted).await
                }
                false => Ok(CloudSeen::NotAsked),
            }
        };
        let heartbeat = async {
            match wanted.heartbeat && silent {
                true => heartbeat(ctx, &name).await,
                false => Ok(None),
            }
        };
        let (cloud, heartbeat) = try_join!(cloud, heartbeat)?;
        Ok::<_, Error>((node, read, problem, pool, cloud, heartbeat))
    };
    let pods = async {
        match wanted.pods {
            true => Ok(Some(seen_of(&pods(ctx, &name).await?)?)),
            false => Ok(None),
        }
    };
    let archive = async {
        match wanted.archive {
            true => archive(ctx, cluster, &name, repair.metadata.uid.as_deref()).await,
            false => Ok(Vec::new()),
        }
    };
    let evidence = async {
        match wanted.evidence && !is_settled(&record) {
            true => Ok(evidence::look(ctx, repair).await),
            false => Ok(EvidenceSeen::NotAsked),
        }
    };
    let hands = hands(ctx, cluster, repair, &record, &name).map(Ok);
    // none of these rests on another, and the cloud alone may take longer than all the rest
    let ((node, read, problem, pool, cloud, heartbeat), hands, pods, archive, evidence) =
        try_join!(of_node, hands, pods, archive, evidence)?;
    Ok(Seen {
        // after all of them: what is done next counts its time from here
        now: ctx.now(),
        heartbeat,
        repair_uid: Uid::parse(repair.metadata.uid.clone().unwrap_or_default())?,
        hands,
        pool,
        problem,
        pods,
        held_back: cluster.held_back(&name),
        used_up: record
            .replacement
            .as_ref()
            .and_then(|replacement| cluster.used_up(&name, &replacement.tag)),
        archive,
        lineage: match wanted.archive {
            true => cluster.lineage(&name, node.as_ref().and_then(|node| node.server.as_ref())),
            false => None,
        },
        watched: seconds_between(since, read),
        node,
        cloud,
        evidence,
        withdrawn: ConditionKind::parse(&request.problem.kind).is_ok_and(|kind| {
            ctx.policies
                .set()
                .is_withdrawn(&kind, SiteKind::ControlPlane)
        }),
        advice: None,
        more: More::default(),
        request,
        record,
    })
}

/// What asks for another try: a new mark, or another rung. What the record can hold of it tells one from another. A wish that is taken
/// back asks for nothing.
fn mark(repair: &NodeRepair) -> Option<String> {
    let said = repair.annotations().get(RETRY);
    let wished = repair.annotations().contains_key(WANTS);
    let mark = match (said, wants(repair).filter(|_| wished)) {
        (mark, None) => mark?.clone(),
        (mark, Some(rung)) => format!("{rung:?} {}", mark.map_or("", String::as_str)),
    };
    let mark: String = mark.trim().chars().take(256).collect();
    let before = repair
        .status
        .as_ref()
        .and_then(|record| record.retried.clone());
    let is_rest = |before: &String| {
        let rest = before.split_once(' ').map(|(_, rest)| rest);
        !wished && rest == Some(mark.as_str())
    };
    Some(before.filter(is_rest).unwrap_or(mark))
}

/// Is anything else wrong with the node? While a repair is open nothing else is done to it.
fn ails_else(ctx: &Context, cluster: &Cluster, node: &NodeName, problem: &str) -> bool {
    let policies = ctx.policies.set();
    let handles = |kind: &ConditionKind| policies.handles(kind, SiteKind::ControlPlane);
    let facts = cluster.facts(node).unwrap_or_default();
    let mut others = facts.conditions.iter();
    others.any(|(kind, sight)| {
        let is_another = kind.as_str() != problem && handles(kind);
        let is_unready = kind.as_str() == "Ready" && sight.status != Status::Yes;
        is_unready || is_another && is_problem(kind.as_str(), sight.status)
    })
}

/// What people say of this repair and its pool. (Of its node, too: that stands on the node.)
async fn hands(
    ctx: &Context,
    cluster: &Cluster,
    repair: &NodeRepair,
    record: &Record,
    node: &NodeName,
) -> Hands {
    let word = |key: &str| {
        let word = repair.annotations().get(key)?;
        Some(word.trim().to_owned())
    };
    let signed = |key: &str| word(&format!("{key}{SIGNED}"));
    let spoken = |hand: Hand, key: &str| {
        Some(Spoken {
            hand,
            words: word(key)?,
            by: signed(key),
        })
    };
    let opened = (repair.spec.requested_by == RequestedBy::Operator).then(|| Spoken {
        hand: Hand::Ask,
        words: repair.spec.problem.message.clone(),
        by: repair.spec.by.clone(),
    });
    let later = [
        (Hand::Want, WANTS),
        (Hand::Approve, APPROVE),
        (Hand::Reject, REJECT),
        (Hand::Retry, RETRY),
        (Hand::ConfirmDead, CONFIRMED_DEAD),
    ];
    let later = later.map(|(hand, key)| spoken(hand, key));
    let pool = pool::object(cluster, node, record);
    let pool = pool.as_ref();
    let weather = pool.map_or_else(Weather::default, |pool| turn::weather(ctx, cluster, pool));
    let problem = &repair.spec.problem.kind;
    Hands {
        window: pool
            .and_then(|pool| maintenance::waits(pool, problem, ctx.now()))
            .filter(|_| !ails_else(ctx, cluster, node, problem))
            .map(|shut| shut.words),
        storm: weather.holds,
        no_creates: weather.no_creates,
        short: pool.and_then(|pool| cluster.short(&pool.name_any(), node)),
        stop: match record.phase.is_final() {
            true => Stop::Runs,
            false => stop::read(ctx).await,
        },
        pool_paused: pool.and_then(|pool| pool::paused(pool)),
        // known when it is asked for
        turn: Turn::Free,
        approve: word(APPROVE),
        reject: word(REJECT),
        deleted: repair.metadata.deletion_timestamp.is_some(),
        spoken: opened
            .into_iter()
            .chain(later.into_iter().flatten())
            .collect(),
    }
}

/// The node as the API server has it now; `None` only if it says so itself.
pub(crate) async fn read_node(
    ctx: &Context,
    cluster: &Cluster,
    name: &NodeName,
) -> Result<Option<NodeSeen>, Error> {
    let nodes: Api<SlimNode> = Api::all(ctx.client.clone());
    let before = cluster.before(name);
    match nodes
        .get_opt(name.as_str())
        .await
        .map_err(api("get node"))?
    {
        Some(node) => {
            cluster.read(&node, &before, ctx.now());
            Ok(Some(node::seen(&node, cluster, ctx.now())?))
        }
        None => {
            cluster.is_absent(name, &before);
            Ok(None)
        }
    }
}

/// The last renewal of the node's Lease, by the node's own clock.
async fn heartbeat(ctx: &Context, name: &NodeName) -> Result<Option<String>, Error> {
    let leases: Api<Lease> = Api::namespaced(ctx.client.clone(), "kube-node-lease");
    let lease = leases
        .get_opt(name.as_str())
        .await
        .map_err(api("get the node's lease"))?;
    let renewed = lease.and_then(|lease| lease.spec?.renew_time);
    Ok(renewed.map(|renewed| renewed.0.to_string()))
}

/// The repairs of this node, or of another that had its name, that are over. Where the watch may not have told of all of them
/// they are read from the API server itself: what a person undid would be done again.
pub(crate) async fn archive(
    ctx: &Context,
    cluster: &Cluster,
    name: &NodeName,
    open: Option<&str>,
) -> Result<Vec<Archived>, Error> {
    if let Some(stories) = cluster.stories(name, open) {
        return Ok(stories);
    }
    let repairs: Api<NodeRepair> = Api::all(ctx.client.clone());
    let of_node = ListParams::default().fields(&format!("spec.nodeName={name}"));
    let list = repairs
        .list(&of_node)
        .await
        .map_err(api("list noderepairs"))?;
    let over = |repair: &NodeRepair| {
        let record = repair.status.as_ref()?;
        Archived::of(&repair.spec.request(), record)
    };
    Ok(list.items.iter().filter_map(over).collect())
}

/// The pods bound to a node.
async fn pods(ctx: &Context, name: &NodeName) -> Result<Vec<Pod>, Error> {
    let pods: Api<Pod> = Api::all(ctx.client.clone());
    let bound = ListParams::default().fields(&format!("spec.nodeName={name}"));
    let list = pods.list(&bound).await.map_err(api("list pods"))?;
    Ok(list.items)
}

/// The same, as decisions read them.
fn seen_of(pods: &[Pod]) -> Result<Vec<PodSeen>, Error> {
    Ok(pods.iter().map(node::pod).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn repair(annotations: Value, retried: Option<&str>) -> NodeRepair {
        serde_json::from_value(json!({
            "apiVersion": "rectifier.dev/v1alpha1", "kind": "NodeRepair",
            "metadata": {"name": "worker-1.repair", "annotations": annotations},
            "spec": {"nodeName": "worker-1", "nodeUid": "u", "problem": {"kind": "K", "since": "2026-01-01T00:00:00Z"}},
            "status": {"retried": retried},
        }))
        .unwrap()
    }

    #[test]
    fn each_word_is_another_try_and_one_that_is_taken_back_is_none() {
        let told = |annotations, retried| mark(&repair(annotations, retried));
        let is = |mark: &str| Some(mark.to_owned());
        assert_eq!(told(json!({}), None), None);
        assert_eq!(told(json!({RETRY: "1"}), None), is("1"));
        let wish = json!({RETRY: "1 it hums", WANTS: "Replace"});
        assert_eq!(told(wish.clone(), Some("1")), is("Replace 1 it hums"));
        let wish = json!({WANTS: "Replace"});
        assert_eq!(told(wish, None), is("Replace"));
        // the wish is gone, and its mark is left
        let left = json!({RETRY: "1 it hums"});
        let before = Some("Replace 1 it hums");
        assert_eq!(told(left.clone(), before), is("Replace 1 it hums"));
        assert_eq!(told(left, Some("0")), is("1 it hums"));
        // what names no rung is no wish
        assert_eq!(told(json!({WANTS: "replace"}), None), None);
    }
}
