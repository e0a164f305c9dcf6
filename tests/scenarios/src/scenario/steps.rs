//! After which step of a replacement the controller may be killed: what the story's facts do not say of the step's effect,
//! by the world's records.

use anyhow::Result;
use rectifier_core::repair::Phase;

use super::facts::node;
use super::real::Real;
use crate::claim;
use crate::world::SICK;

impl Real<'_> {
    /// The step's effect is there, and nothing of the next step.
    pub(super) async fn is_done(&self, step: Phase) -> Result<()> {
        let (world, mark) = (self.world, self.mark);
        let old = &self.ready()?.old;
        match step {
            Phase::Judging => world.none(mark, node("patch", SICK)),
            Phase::CreatingServer => self.new_server().await.map(drop),
            Phase::Joining => world.none(mark, node("patch", &self.new_server().await?.name)),
            Phase::Draining | Phase::AwaitingOwners => {
                let server = world.openstack.records.server(&old.server.id).await?;
                claim!(server.is_some(), "the old server is gone already");
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
