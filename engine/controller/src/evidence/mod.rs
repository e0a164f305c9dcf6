//! Keeps what is known of a sick server in a ConfigMap, before it is destroyed: for the person who asks in the morning what
//! that was. What is kept when, and that nothing waits for it without an end, is decided in `rectifier_core`.
//!
//! The decision is kept as it is followed, when what the policy saw is still at hand; the rest right before the first act
//! that destroys something. The ConfigMap belongs to its repair, and goes with it; with its archived copy, once that is
//! made.

mod compose;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Event, Node};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{Api, ListParams, Patch};
use kube::{Resource, ResourceExt};
use rectifier_api::{CONTROLLER, NodeRepair};
use rectifier_cloud::Retry;
use rectifier_core::name::ServerId;
use rectifier_core::policy::{Advice, Observation};
use rectifier_core::repair::{EvidenceSeen, Next, Record, Seen, evidence};
use serde_json::{Value, json};

use self::compose::{DECISION, Parts, compose};
use crate::context::Context;
use crate::error::{Error, api, chain, cloud};
use crate::manager;

/// So many lines of the console are asked for: about 40 KiB, if they are as long as a kernel's usually are.
const LINES: u32 = 500;
/// So many Events of the node are read at most; the API server keeps them for an hour.
const EVENTS: u32 = 500;
/// By this label people find all of them.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Where Events of Nodes are.
const EVENTS_IN: &str = "default";

fn maps(ctx: &Context) -> Api<ConfigMap> {
    Api::namespaced(ctx.client.clone(), &ctx.settings.namespace)
}

/// Looks whether it is there, and whole.
pub(crate) async fn look(ctx: &Context, repair: &NodeRepair) -> EvidenceSeen {
    match maps(ctx).get_opt(&name(repair)).await {
        Ok(found) => found
            .and_then(|map| compose::missing(&map.data?))
            .map_or(EvidenceSeen::Absent, |missing| EvidenceSeen::There {
                missing,
            }),
        Err(error) => EvidenceSeen::Unreadable(chain(&error)),
    }
}

fn name(repair: &NodeRepair) -> String {
    evidence::name(&repair.uid().unwrap_or_default())
}

/// Keeps what the policy saw and said, if its answer is followed from here on. What cannot be kept is told later, when it
/// is missing: it holds nothing up.
pub(crate) async fn keep_decision(
    ctx: &Context,
    repair: &NodeRepair,
    observation: Option<&Observation>,
    seen: &Seen,
    next: &Next,
) {
    let follows = next.record.phase != seen.record.phase;
    let (Some(observation), Some(Advice::Decided { policy, decision }), Some(verdict)) =
        (observation, &seen.advice, &next.record.verdict)
    else {
        return;
    };
    if !follows || seen.record.verdict.as_ref() == Some(verdict) {
        return;
    }
    let set = ctx.policies.set();
    let asked = set
        .policies()
        .iter()
        .find(|loaded| loaded.digest() == Some(&policy.digest));
    let settings = asked.and_then(|loaded| loaded.settings()).unwrap_or("null");
    let kept = compose::decision(verdict, observation, settings, policy, decision);
    if let Err(error) = write(ctx, repair, [(DECISION.to_owned(), kept)].into()).await {
        tracing::warn!(node = %seen.request.node, "the decision cannot be kept as evidence: {}", chain(&error));
    }
}

/// Collects all of it, and writes it.
///
/// # Errors
/// It cannot be written; or something cannot be had now, and there is another try.
pub(crate) async fn collect(ctx: &Context, repair: &NodeRepair, seen: &Seen) -> Result<(), Error> {
    let kept = maps(ctx).get_opt(&name(repair)).await;
    let kept = kept.map_err(api("get evidence"))?;
    let parts = Parts {
        decision: kept.and_then(|map| map.data?.remove(DECISION)),
        conditions: conditions(ctx, &seen.request.node).await,
        events: events(ctx, &seen.request.node).await,
        console: console(ctx, &seen.record).await?,
    };
    let data = compose(&seen.request, &seen.record, parts, ctx.now());
    write(ctx, repair, data).await
}

async fn conditions(ctx: &Context, node: &str) -> Result<Value, String> {
    let nodes: Api<Node> = Api::all(ctx.client.clone());
    let node = nodes.get(node).await.map_err(|error| chain(&error))?;
    let conditions = node.status.and_then(|status| status.conditions);
    Ok(json!(conditions.unwrap_or_default()))
}

async fn events(ctx: &Context, node: &str) -> Result<Vec<Value>, String> {
    let events: Api<Event> = Api::namespaced(ctx.client.clone(), EVENTS_IN);
    // not by UID: kubelet and Node Problem Detector write the node's name there
    let of_node = format!("involvedObject.kind=Node,involvedObject.name={node}");
    let some = ListParams::default().fields(&of_node).limit(EVENTS);
    let list = events.list(&some).await.map_err(|error| chain(&error))?;
    let mut events = list.items;
    let last = |event: &Event| {
        let series = event.series.as_ref();
        let micro = series.and_then(|series| series.last_observed_time.as_ref());
        micro
            .map(|time| time.0)
            .or(event.last_timestamp.as_ref().map(|time| time.0))
            .or(event.event_time.as_ref().map(|time| time.0))
            .or(event
                .metadata
                .creation_timestamp
                .as_ref()
                .map(|time| time.0))
    };
    events.sort_by_key(|event| std::cmp::Reverse(last(event)));
    let told = |event: &Event| {
        let source = event
            .source
            .as_ref()
            .and_then(|source| source.component.as_ref());
        json!({
            "last": last(event), "count": event.count, "type": event.type_, "reason": event.reason,
            "message": event.message, "source": source.or(event.reporting_component.as_ref()),
        })
    };
    Ok(events.iter().map(told).collect())
}

/// # Errors
/// The cloud says that asking again can help, and there is another try.
async fn console(ctx: &Context, record: &Record) -> Result<Result<String, String>, Error> {
    let Some(id) = &record.server_id else {
        return Ok(Err("the record names no server".to_owned()));
    };
    match ctx.cloud.console_log(&ServerId::parse(id)?, LINES).await {
        Ok(console) => Ok(Ok(console)),
        Err(error) => match error.retry() {
            Retry::Again | Retry::Later(_) if !evidence::is_last_try(record) => {
                Err(cloud("get console log")(error))
            }
            _ => Ok(Err(chain(&error))),
        },
    }
}

/// Makes the ConfigMap, or adds these parts to it.
async fn write(
    ctx: &Context,
    repair: &NodeRepair,
    data: BTreeMap<String, String>,
) -> Result<(), Error> {
    let name = name(repair);
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            labels: Some([(MANAGED_BY.to_owned(), CONTROLLER.to_owned())].into()),
            owner_references: Some(vec![owner(repair)]),
            ..ObjectMeta::default()
        },
        data: Some(data),
        ..ConfigMap::default()
    };
    let maps = maps(ctx);
    match maps.create(&manager::posts(), &map).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => {
            let patch = json!({"data": map.data});
            maps.patch(&name, &manager::patches(), &Patch::Merge(patch))
                .await
                .map(drop)
                .map_err(api("write evidence"))
        }
        Err(error) => Err(api("create evidence")(error)),
    }
}

/// Not blocking: whoever deletes a repair need not wait for what it leaves.
fn owner(repair: &NodeRepair) -> OwnerReference {
    OwnerReference {
        api_version: NodeRepair::api_version(&()).into_owned(),
        kind: NodeRepair::kind(&()).into_owned(),
        name: repair.name_any(),
        uid: repair.uid().unwrap_or_default(),
        controller: Some(false),
        block_owner_deletion: Some(false),
    }
}

/// From now on it belongs to the archived copy: with the repair it would be collected as garbage. One that is not there, or
/// may not be written, holds no archiving up.
pub(crate) async fn pass_on(
    ctx: &Context,
    repair: &NodeRepair,
    copy: &NodeRepair,
) -> Result<(), Error> {
    let record = repair.status.as_ref();
    if record.is_none_or(|record| record.verdict.is_none() && record.evidence.is_none()) {
        return Ok(());
    }
    let patch = json!({"metadata": {"ownerReferences": [owner(copy)]}});
    let patched = maps(ctx)
        .patch(&name(repair), &manager::patches(), &Patch::Merge(patch))
        .await;
    match patched {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(kube::Error::Api(status)) if [403, 422].contains(&status.code) => {
            tracing::warn!(
                repair = repair.name_any(),
                "its evidence goes with it: {}",
                status.message
            );
            Ok(())
        }
        Err(error) => Err(api("pass the evidence on")(error)),
    }
}
