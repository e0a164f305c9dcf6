//! The fourth step of a pass: the intent, on disk and at the API server, before anything is done.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Error as KubeError};
use rectifier_api::{AGENT, NodeRepair, NodeRepairSpec, repair_name};
use rectifier_core::episode::{RepairWrite, Seen};
use rectifier_core::repair::RequestedBy;
use rectifier_core::switches::Step;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::context::Context;
use crate::trouble::chain;

/// A write that takes longer is given up for now. 5 s: the node is not looked at meanwhile.
const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// The first pause before what was refused for now is tried again; each further one is twice as long.
const AGAIN: Duration = Duration::from_millis(100);

/// An accepted grant must be used within this, or it is not used. 10 s: far below the time after which the control plane
/// stops waiting for the boot, so that we never end a boot that it already counts as the new one.
const GRANT_FOR: Duration = Duration::from_secs(10);

/// Proof that the API server took our acceptance of a grant. No reboot without one.
#[derive(Debug)]
pub(crate) struct Accepted {
    grant: String,
    asked: Instant,
}

impl Accepted {
    /// Still fresh enough to be used, and for this grant?
    pub(crate) fn allows(&self, grant: &str) -> bool {
        self.grant == grant && self.asked.elapsed() < GRANT_FOR
    }
}

/// What became of the write.
#[derive(Debug)]
pub(crate) enum Swap {
    /// None was due.
    None,
    /// It is written; a grant with it, if that was it.
    Written(Option<Accepted>),
    /// Somebody else wrote first: nothing of ours is there. Read again.
    Lost,
    /// No answer, or a refusal: it may or may not be there. What is seen next will tell.
    Unknown,
}

/// Writes to the node's repair, by compare-and-swap with what was seen.
pub(crate) async fn repair(ctx: &Context, seen: &Seen, write: Option<&RepairWrite>) -> Swap {
    let Some(write) = write else {
        return Swap::None;
    };
    if ctx.switches.skips(Step::Escalate) {
        return Swap::None;
    }
    let asked = Instant::now();
    let result = match tokio::time::timeout(WRITE_WITHIN, insist(ctx, seen, write)).await {
        Ok(result) => result,
        Err(_) => {
            tracing::warn!(
                ?write,
                "the API server did not answer a write to the node's repair"
            );
            return Swap::Unknown;
        }
    };
    match result {
        Ok(true) => {
            tracing::info!(?write, "the node's repair is written");
            let accepted = match write {
                RepairWrite::Accept { grant } => Some(Accepted {
                    grant: grant.clone(),
                    asked,
                }),
                RepairWrite::Open { .. }
                | RepairWrite::Raise(_)
                | RepairWrite::TakeOver { .. }
                | RepairWrite::Extend { .. }
                | RepairWrite::Withdraw => None,
            };
            Swap::Written(accepted)
        }
        Ok(false) => Swap::Lost,
        // 409: another version than the one that was read, or a repair of that name is there already. 404: it is gone.
        Err(KubeError::Api(status)) if status.code == 409 || status.code == 404 => {
            tracing::info!(
                ?write,
                message = status.message,
                "somebody else wrote the node's repair: reading again"
            );
            Swap::Lost
        }
        Err(error) => {
            tracing::warn!(?write, error = %chain(&error), "cannot write the node's repair");
            Swap::Unknown
        }
    }
}

/// Repeats what an API server that has too much to do refused to begin (429): nothing has happened, and an act that waits
/// for this write must not be lost for it. False, if it never began. Anything else may have happened, and is not repeated.
async fn insist(ctx: &Context, seen: &Seen, write: &RepairWrite) -> Result<bool, KubeError> {
    let (began, mut pause) = (Instant::now(), AGAIN);
    loop {
        match send(ctx, seen, write).await {
            Err(KubeError::Api(status)) if status.code == 429 => {
                if began.elapsed() + 2 * pause > WRITE_WITHIN {
                    tracing::warn!(
                        ?write,
                        "the API server has too much to do for a write to the node's repair"
                    );
                    return Ok(false);
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            result => return result,
        }
    }
}

/// False: what the write rests on was not seen.
async fn send(ctx: &Context, seen: &Seen, write: &RepairWrite) -> Result<bool, KubeError> {
    let api: Api<NodeRepair> = Api::all(ctx.client.clone());
    let name = repair_name(&ctx.node);
    let spec = match write {
        RepairWrite::Open { .. } => {
            let Some(repair) = opened(ctx, seen, write) else {
                return Ok(false);
            };
            let params = PostParams {
                field_manager: Some(AGENT.to_owned()),
                ..PostParams::default()
            };
            api.create(&params, &repair).await?;
            return Ok(true);
        }
        RepairWrite::Raise(asks) => json!({ "asks": asks }),
        // all of it: what a merge does not name stays
        RepairWrite::TakeOver { problem, asks } => json!({
            "asks": asks,
            "problem": {
                "kind": problem.kind, "reason": problem.reason, "message": problem.message,
                "since": problem.since, "source": problem.source,
            },
        }),
        RepairWrite::Extend { deadline } => json!({ "deadline": deadline }),
        RepairWrite::Withdraw => json!({ "withdrawn": true }),
        RepairWrite::Accept { grant } => json!({ "acceptedGrant": grant }),
    };
    let Some(read) = &seen.repair.value else {
        return Ok(false);
    };
    let patch: Value =
        json!({ "metadata": { "resourceVersion": read.version, "uid": read.uid }, "spec": spec });
    let params = PatchParams {
        field_manager: Some(AGENT.to_owned()),
        ..PatchParams::default()
    };
    api.patch(&name, &params, &Patch::Merge(patch)).await?;
    Ok(true)
}

fn opened(ctx: &Context, seen: &Seen, write: &RepairWrite) -> Option<NodeRepair> {
    let RepairWrite::Open {
        problem,
        asks,
        deadline,
    } = write
    else {
        return None;
    };
    // The node's UID must be known: a repair without it could be taken for that of another node of this name.
    let uid = seen.node.value.as_ref()?.uid.to_string();
    Some(NodeRepair {
        metadata: ObjectMeta {
            name: Some(repair_name(&ctx.node)),
            ..ObjectMeta::default()
        },
        spec: NodeRepairSpec {
            node_name: ctx.node.to_string(),
            node_uid: uid,
            problem: problem.clone(),
            asks: *asks,
            deadline: Some(*deadline),
            withdrawn: false,
            accepted_grant: None,
            requested_by: RequestedBy::NodeEngine,
            wants: None,
            by: None,
        },
        status: None,
    })
}
