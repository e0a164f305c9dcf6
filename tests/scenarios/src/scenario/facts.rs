//! Which record of the bed's says that a fact has happened, and when.

use anyhow::{Context, Result};
use jiff::Timestamp;
use rectifier_api::PROVISIONAL_TAINT;
use rectifier_bed::openstack::Server;
use rectifier_story::Fact;

use super::real::Real;
use super::sick::REPAIR;
use crate::evidence::{AGENT, Bus, CONTROLLER, Report, Sought};
use crate::unmet;
use crate::wait::text;
use crate::world::SICK;

const fn repairs(user: &'static str, verb: &'static str) -> Sought<'static> {
    Sought {
        user,
        verb,
        resource: "noderepairs",
        name: REPAIR,
    }
}

/// What the controller does to a node.
pub(super) const fn node<'a>(verb: &'a str, name: &'a str) -> Sought<'a> {
    Sought {
        user: CONTROLLER,
        verb,
        resource: "nodes",
        name,
    }
}

impl Real<'_> {
    /// When it happened first; an unmet claim, if no record has it.
    pub(super) async fn happened(&self, fact: Fact) -> Result<Timestamp> {
        let (world, mark) = (self.world, self.mark);
        let first = |sought| world.first_that(mark, sought, |_| true);
        match fact {
            Fact::FoundIll => Ok(self.ill()?.found),
            Fact::ReportedIll => Ok(self.ill()?.told),
            Fact::ReportedWell => {
                let condition = (self.service.condition, "False");
                Ok(world
                    .reported(mark, self.ill()?.told, SICK, condition)?
                    .told)
            }
            Fact::RestartAsked => restarted(self.bus, self.service.unit),
            Fact::UnitStarted => {
                let starts = world.starts(mark, SICK, self.service.unit).await?;
                let start = starts.first().map(|start| start.at);
                start.ok_or_else(|| unmet!("systemd did not start {}", self.service.unit))
            }
            Fact::EngineAsks => first(repairs(AGENT, "create")),
            Fact::ControllerOpens => first(repairs(CONTROLLER, "create")),
            Fact::Escalates => world.first_that(mark, repairs(AGENT, "patch"), |body| {
                text(body, "/spec/asks") == "Escalate"
            }),
            Fact::Cordoned => world.cordoned(mark, SICK, true),
            Fact::Uncordoned => world.cordoned(mark, SICK, false),
            Fact::FirstEviction => self.first_eviction(),
            Fact::LastPodEnded => {
                let pods = &self.ready()?.old.pods;
                world.drained(mark, SICK, pods).map(|(_, ended)| ended)
            }
            Fact::GrantAccepted => world.first_that(mark, repairs(AGENT, "patch"), |body| {
                !text(body, "/spec/acceptedGrant").is_empty()
            }),
            Fact::RebootAsked => reboot(self.bus),
            Fact::GoesDown => world.logind_rebooted(mark, SICK).await,
            Fact::Booted => world.boot_began(mark, SICK).await,
            Fact::BootReported => world.booted_again(mark, SICK, &self.ready()?.boot),
            Fact::ServerAsked => world.action(&self.new_server_id().await?, "create").await,
            Fact::Registered => {
                let new = self.new_name().await?;
                world.registered_with(mark, &new, PROVISIONAL_TAINT)
            }
            Fact::NewReady => world.ready_since(mark, &self.new_name().await?),
            Fact::Released => {
                let new = self.new_name().await?;
                world.first_that(mark, node("patch", &new), |body| {
                    body.pointer("/spec/taints").is_some()
                })
            }
            Fact::OldDeleteAsked => world.action(&self.ready()?.old.server.id, "delete").await,
            Fact::OldTerminated => world.terminated(&self.ready()?.old.server.id).await,
            Fact::OldNodeDeleted => first(node("delete", SICK)),
            Fact::NewDeleteAsked => world.action(&self.new_server_id().await?, "delete").await,
            Fact::NewTerminated => world.terminated(&self.new_server_id().await?).await,
        }
    }

    fn ill(&self) -> Result<Report> {
        let condition = (self.service.condition, "True");
        self.world
            .reported(self.mark, self.mark.at(), SICK, condition)
    }

    /// Of the pods that were on the node.
    fn first_eviction(&self) -> Result<Timestamp> {
        let pods = &self.ready()?.old.pods;
        let evictions = pods.keys().map(|name| Sought {
            user: CONTROLLER,
            verb: "create",
            resource: "pods/eviction",
            name,
        });
        let mut first = None;
        for sought in evictions {
            if let Ok(at) = self.world.first_that(self.mark, sought, |_| true) {
                first = first.min(Some(at)).or(Some(at));
            }
        }
        first.ok_or_else(|| unmet!("none of the pods {:?} was evicted", pods.keys()))
    }

    /// The id of the one server that Nova was asked for.
    pub(super) async fn new_server_id(&self) -> Result<String> {
        let made = self.world.asked_for(self.mark).await?;
        match made.as_slice() {
            [id] => Ok(id.clone()),
            made => Err(unmet!("{} servers were made, not one", made.len())),
        }
    }

    /// Its name, which is its node's, though it be gone.
    async fn new_name(&self) -> Result<String> {
        let id = self.new_server_id().await?;
        let mut all = self.world.openstack.records.servers().await?.into_iter();
        let found = all.find(|server| server.id == id);
        let name = found.map(|server| server.name);
        name.with_context(|| format!("Nova does not know {id}"))
    }

    /// That server, which is there.
    pub(super) async fn new_server(&self) -> Result<Server> {
        let id = self.new_server_id().await?;
        let server = self.world.openstack.records.server(&id).await?;
        server.with_context(|| format!("Nova does not know {id}"))
    }
}

/// The node engine asked systemd for it.
fn restarted(bus: &Bus, unit: &str) -> Result<Timestamp> {
    let calls = bus.changes();
    let first = calls.iter().find(|call| call.restarts(unit));
    first
        .map(|call| call.at)
        .ok_or_else(|| unmet!("the node engine asked systemd for no restart of {unit}"))
}

/// The node engine asked logind for it, once, and nobody else did.
fn reboot(bus: &Bus) -> Result<Timestamp> {
    let mut calls = bus.changes();
    calls.retain(|call| ["Reboot", "PowerOff"].contains(&call.member.as_str()));
    match calls.as_slice() {
        [call] if call.by_engine && call.member == "Reboot" => Ok(call.at),
        calls => Err(unmet!("logind was asked for {calls:?}")),
    }
}
