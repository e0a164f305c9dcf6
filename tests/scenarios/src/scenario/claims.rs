//! What must hold at the end of a story, by the records of the bed's parts.

use anyhow::Result;
use rectifier_api::CORDONED_BY;
use rectifier_core::repair::Phase;
use rectifier_story::{Claim, Fact};

use super::real::Real;
use super::sick;
use crate::claim;
use crate::evidence::{AGENT, CONTROLLER, similar};
use crate::unmet;
use crate::world::SICK;

/// What the PodDisruptionBudget of `fixtures/web.yaml` says.
const BUDGET: usize = 2;

impl Real<'_> {
    pub(super) async fn check(&self, claim: Claim) -> Result<()> {
        let (world, mark) = (self.world, self.mark);
        let old = &self.ready()?.old;
        match claim {
            Claim::RestartedOnce => self.restarted_once().await,
            Claim::NothingWritten => {
                // of the pools it writes the status, which says how many nodes are sick
                self.only(CONTROLLER, &["leases", "events", "repairpools"])?;
                self.only(AGENT, &["events"])
            }
            Claim::NoServerTouched => world.no_server_was_touched(mark).await,
            Claim::SameServers => world.same_servers(mark).await,
            Claim::PortsMade => {
                let (made, wanted) = (world.ports_since(mark).await?, old.ports.len());
                claim!(made == wanted, "{made} ports were made, not {wanted}");
                let asked = world.asked_for(mark).await?;
                claim!(asked.is_empty(), "a server was made already");
                Ok(())
            }
            Claim::OneServerAsked => self.new_server_id().await.map(drop),
            Claim::Adopted => world.is_adopted(&self.new_server().await?).await,
            Claim::OneReplacement => self.one_replacement().await,
            Claim::OldPortsGone => {
                let left = world.ports_of(&old.server.id).await?;
                claim!(left.is_empty(), "the old server's ports are left");
                Ok(())
            }
            Claim::BudgetHeld => self.budget_held().await,
            Claim::SamePods => self.same_pods().await,
            Claim::NothingEvicted => {
                world.nothing_was_evicted(mark, &old.pods)?;
                self.same_pods().await
            }
            Claim::LeftAlone => {
                let handed_over = self.happened(Fact::Escalates).await?;
                let mut late = self.bus.of_the_engine();
                late.retain(|call| call.at > handed_over);
                claim!(late.is_empty(), "after the new mind's word: {late:?}");
                Ok(())
            }
            Claim::NothingLeft => self.nothing_left().await,
        }
    }

    /// Of all that changes something, systemd was asked one thing by the node engine; and nothing about that unit by anybody
    /// else, but for the story's teller.
    async fn restarted_once(&self) -> Result<()> {
        let unit = self.service.unit;
        let calls = self.bus.of_the_engine();
        let [call] = calls.as_slice() else {
            return Err(unmet!("the node engine asked systemd for {calls:?}"));
        };
        claim!(
            call.restarts(unit),
            "the node engine asked systemd for {call:?}"
        );
        let mut others = self.bus.changes();
        others.retain(|call| !call.by_engine && call.unit == unit && call.member != "KillUnit");
        claim!(
            others.is_empty(),
            "somebody else asked systemd for {others:?}"
        );
        let starts = self.world.starts(self.mark, SICK, unit).await?;
        let [start] = starts.as_slice() else {
            return Err(unmet!("{unit} was started {} times", starts.len()));
        };
        let mut expected = self.ready()?.services.clone();
        expected.insert(unit.to_owned(), start.invocation.clone());
        let after = self.world.services(SICK).await?;
        claim!(
            after == expected,
            "other services were touched: {after:?}, not {expected:?}"
        );
        Ok(())
    }

    /// All that this user has written since the mark is of these kinds.
    fn only(&self, user: &str, kinds: &[&str]) -> Result<()> {
        for record in self.world.writes(self.mark, user)? {
            claim!(
                kinds.contains(&record.object.resource.as_str()),
                "{user} touched {:?}",
                record.object
            );
        }
        Ok(())
    }

    async fn one_replacement(&self) -> Result<()> {
        let (world, old) = (self.world, &self.ready()?.old);
        let new = world.one_server_took_the_place_of(self.mark, old).await?;
        similar(old, &new)?;
        let (server, _) = &new;
        world.is_adopted(server).await?;
        claim!(
            world.server_of(self.replacement()?).await? == server.id,
            "the new node is not the new server"
        );
        claim!(
            !world.bed.machine(SICK).exists(),
            "the old machine is still there"
        );
        Ok(())
    }

    async fn budget_held(&self) -> Result<()> {
        sick::web_on(self.world, self.replacement()?).await?;
        let fewest = self.ready()?.fewest.as_ref();
        let ready = fewest.map_or(0, crate::fewest::Fewest::so_far);
        claim!(
            ready >= BUDGET,
            "the Deployment had only {ready} ready pods"
        );
        Ok(())
    }

    async fn same_pods(&self) -> Result<()> {
        let (before, after) = (&self.ready()?.old.pods, self.world.pods_on(SICK).await?);
        claim!(
            after == *before,
            "the pods of {SICK} were {before:?}, and are {after:?}"
        );
        Ok(())
    }

    async fn nothing_left(&self) -> Result<()> {
        let (world, mark) = (self.world, self.mark);
        if self.script.ends == Some(Phase::Replaced) {
            let new = self.replacement()?;
            return world
                .nothing_is_left_in_the_cluster(mark, &[SICK], &[new])
                .await;
        }
        let node = world.kubernetes.node(SICK, |_| true).await?;
        let annotations = node.metadata.annotations.unwrap_or_default();
        claim!(
            !annotations.contains_key(CORDONED_BY),
            "our mark is left on {SICK}"
        );
        world.nothing_is_left_in_the_cluster(mark, &[], &[]).await
    }
}
