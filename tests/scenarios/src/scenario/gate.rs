//! Holds a repair in each of its phases, so that the controller can be killed after a step's effect and before the next
//! step is written down: until the scenario writes onto the repair that it may leave that phase.

use anyhow::Result;
use kube::api::{Patch, PatchParams};
use rectifier_core::repair::Phase;
use serde_json::json;

use super::sick::REPAIR;
use crate::evidence::Mark;
use crate::gate::{close, open, refused};
use crate::world::World;

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
        close(&world.kubernetes, POLICY).await?;
        Ok(Self { world })
    }

    /// Until the controller was refused to write that phase: it has seen the step before it done.
    pub(super) async fn refused(&self, since: &Mark, next: Phase) -> Result<()> {
        let next = format!("{next:?}");
        let audit = self.world.kubernetes.audit();
        let is_it = audit.wait_for(|record| {
            record.received >= since.at()
                && record.object.name == REPAIR
                && refused(record) == Some(next.as_str())
        });
        is_it.await.map(drop)
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
        open(&self.world.kubernetes).await
    }
}
