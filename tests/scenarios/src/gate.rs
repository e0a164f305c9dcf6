//! An admission policy that refuses to let repairs change their phase. The moment between a step's effect and the next
//! intent is too short to be hit otherwise; the engine has no such hook. The refused write is in the audit log, and says
//! that the engine has seen its step done.

use std::time::Duration;

use anyhow::{Result, bail};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::api::{Api, DeleteParams, PostParams};
use rectifier_api::NodeRepair;
use rectifier_bed::kubernetes::{Kubernetes, Record};
use serde_json::json;

use crate::evidence::CONTROLLER;
use crate::wait::text;

/// The policy's name, and its binding's.
pub const NAME: &str = "bed-gate";
/// Nobody makes a repair of that name but who wants to know whether the policy is in force: it refuses that.
pub const PROBE: &str = "probe";
/// In these words.
pub const HOLDS: &str = "the gate holds";

/// Applies the policy and its binding; back when the API server heeds them.
///
/// # Errors
/// If it refuses them, or never does.
pub async fn close(kubernetes: &Kubernetes, policy: &str) -> Result<()> {
    kubernetes.apply(policy).await?;
    let probe: NodeRepair = serde_json::from_value(json!({
        "apiVersion": "rectifier.dev/v1alpha1", "kind": "NodeRepair", "metadata": {"name": PROBE},
        "spec": {
            "nodeName": PROBE, "nodeUid": PROBE,
            "problem": {"kind": "Probe", "since": "1970-01-01T00:00:00Z"},
        },
    }))?;
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let repairs: Api<NodeRepair> = Api::all(kubernetes.admin());
    // That a policy is in force is told by nothing but its first refusal.
    for _ in 0..600 {
        match repairs.create(&dry, &probe).await {
            Err(kube::Error::Api(status)) if status.message.contains(HOLDS) => return Ok(()),
            Err(error) => return Err(error.into()),
            Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    bail!("the gate never came into force")
}

/// The phase that the controller was refused to write into a repair, if that is what this tells.
#[must_use]
pub fn refused(record: &Record) -> Option<&str> {
    let object = &record.object;
    let is_it = record.user == CONTROLLER
        && record.code == 403
        && (object.resource.as_str(), object.subresource.as_str()) == ("noderepairs", "status");
    is_it.then(|| text(&record.body, "/status/phase"))
}

/// Takes the policy away.
///
/// # Errors
/// If it is not there.
pub async fn open(kubernetes: &Kubernetes) -> Result<()> {
    let client = kubernetes.admin();
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    bindings.delete(NAME, &DeleteParams::default()).await?;
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client);
    policies.delete(NAME, &DeleteParams::default()).await?;
    Ok(())
}
