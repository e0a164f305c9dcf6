//! What a story claims on real parts besides: which process it was, which file's digest, what else was not written.

use anyhow::{Context, Result};
use rectifier_core::repair::RequestedBy;
use rectifier_story::Story;

use super::real::Real;
use super::sick;
use crate::claim;
use crate::evidence::{AGENT, CONTROLLER, Sought};
use crate::wait::text;
use crate::world::{Policy, SICK};

impl Real<'_> {
    /// All of it, when the story itself has come true.
    pub(super) async fn besides(&self) -> Result<()> {
        match self.script.story {
            Story::Healed | Story::Replaced | Story::Cleared => Ok(()),
            Story::Rebooted => self.is_another_boot().await,
            Story::Silent => self.nobody_asked(),
            Story::ChangedMind => self.was_judged_by_the_new_mind().await,
            Story::Killed => self.was_killed_before_the_next_step(),
        }
    }

    /// The name of the new node, by the repair's record.
    pub(super) fn replacement(&self) -> Result<&str> {
        let record = self.repair()?.status.as_ref();
        let replacement = record.and_then(|record| record.replacement.as_ref());
        let replacement = replacement.context("the record names no replacement")?;
        Ok(&replacement.name)
    }

    /// The other code of a changed mind, beside the same settings.
    pub(super) fn handing_over(&self) -> Result<Policy> {
        let shipped = self.world.policies.shipped().clone();
        let old = shipped.with_attempts(self.script.rule.attempts);
        old.that_hands_over()
    }

    async fn is_another_boot(&self) -> Result<()> {
        let world = self.world;
        claim!(
            sick::boot_id(world).await? != self.ready()?.boot,
            "the boot id is the same: it was not rebooted"
        );
        // the node that took its pods is let go
        sick::lend_pool(world, false).await?;
        sick::web_on(world, SICK).await
    }

    fn nobody_asked(&self) -> Result<()> {
        claim!(
            self.repair()?.spec.requested_by == RequestedBy::Conditions,
            "somebody else asked for it"
        );
        for verb in ["create", "patch"] {
            let asks = Sought {
                user: AGENT,
                verb,
                resource: "noderepairs",
                name: "",
            };
            self.world.none(self.mark, asks)?;
        }
        Ok(())
    }

    async fn was_judged_by_the_new_mind(&self) -> Result<()> {
        let same = self.world.controller.lock().await.process()? == self.ready()?.controller;
        claim!(same, "the controller is another process than before");
        let record = self.repair()?.status.as_ref();
        let verdict = record.and_then(|record| record.verdict.as_ref());
        let verdict = verdict.context("the record names no policy")?;
        claim!(
            verdict.digest == self.handing_over()?.digest(),
            "the controller asked {} ({}), not the new mind",
            verdict.policy,
            verdict.digest
        );
        Ok(())
    }

    fn was_killed_before_the_next_step(&self) -> Result<()> {
        for (next, at) in self.killed() {
            let phase = format!("{next:?}");
            let write = Sought {
                user: CONTROLLER,
                verb: "update",
                resource: "noderepairs/status",
                name: sick::REPAIR,
            };
            let entered = self.world.first_that(self.mark, write, |body| {
                text(body, "/status/phase") == phase
            })?;
            claim!(
                entered > at,
                "{next:?} was written at {entered}, before the kill at {at}"
            );
        }
        Ok(())
    }
}
