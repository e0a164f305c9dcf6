//! Holds a repair in each of its phases, so that the controller can be killed after a step's effect and before the next
//! step is written down: that moment is too short to be hit otherwise.
//!
//! The engine has no such hook. The API server holds it: an admission policy refuses to let the repair's phase change
//! until the scenario writes onto the repair that it may. The refused write is in the audit log, and says that the engine
//! has seen its step done.

use std::time::Duration;

use anyhow::{Result, bail};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use rectifier_api::NodeRepair;
use rectifier_core::repair::Phase;
use serde_json::json;

use super::sick::REPAIR;
use crate::evidence::{CONTROLLER, Mark};
use crate::wait::text;
use crate::world::World;

const NAME: &str = "bed-gate";
/// The phase that the repair may leave.
const LET_GO: &str = "bed.rectifier.dev/let-go";
const POLICY: &str = include_str!("../../fixtures/gate.yaml");

/// Closed in every phase but the node engine's own.
pub(super) struct Gate<'a> {
    world: &'a World,
}

impl<'a> Gate<'a> {
    /// Closes it; back when it holds.
    pub(super) async fn close(world: &'a World) -> Result<Self> {
        world.kubernetes.apply(POLICY).await?;
        let probe = json!({
            "metadata": {"name": "probe"},
            "spec": {"nodeName": "probe", "nodeUid": "probe", "problem": {"kind": "Probe", "since": "1970-01-01T00:00:00Z"}},
        });
        let probe = NodeRepair {
            metadata: serde_json::from_value(probe["metadata"].clone())?,
            spec: serde_json::from_value(probe["spec"].clone())?,
            status: None,
        };
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        // That a policy is in force is told by nothing but its first refusal.
        for _ in 0..600 {
            match world.repairs().create(&dry, &probe).await {
                Err(kube::Error::Api(status)) if status.message.contains("the gate holds") => {
                    return Ok(Self { world });
                }
                Err(error) => return Err(error.into()),
                Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        bail!("the gate never came into force")
    }

    /// Until the controller was refused to write that phase: it has seen the step before it done.
    pub(super) async fn refused(&self, since: &Mark, next: Phase) -> Result<()> {
        let next = format!("{next:?}");
        let audit = self.world.kubernetes.audit();
        let refused = audit.wait_for(|record| {
            record.received >= since.at()
                && record.user == CONTROLLER
                && record.object.name == REPAIR
                && record.object.subresource == "status"
                && record.code == 403
                && text(&record.body, "/status/phase") == next
        });
        refused.await?;
        Ok(())
    }

    /// Lets the repair leave that phase, and no other.
    pub(super) async fn let_go(&self, phase: Phase) -> Result<()> {
        let patch = json!({"metadata": {"annotations": {LET_GO: format!("{phase:?}")}}});
        let patch = Patch::Merge(patch);
        let repairs = self.world.repairs();
        repairs
            .patch(REPAIR, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Opens it for good.
    pub(super) async fn open(&self) -> Result<()> {
        let client = self.world.kubernetes.admin();
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
        bindings.delete(NAME, &DeleteParams::default()).await?;
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(client);
        policies.delete(NAME, &DeleteParams::default()).await?;
        Ok(())
    }
}
