//! The controller is killed (SIGKILL) after each step in turn and restarted: one adopted server, nothing left behind.

use anyhow::{Context, Result};
use jiff::Timestamp;
use rectifier_bed::openstack::Server;
use rectifier_core::repair::Phase;

use super::gate::Gate;
use super::replaced::{Fewest, taken_over};
use super::{long, sick};
use crate::claim;
use crate::evidence::{Before, CONTROLLER, Mark, Sought};
use crate::wait::{text, within};
use crate::world::{SICK, World};

/// The steps of a replacement, after each of which it is killed.
const STEPS: [Phase; 9] = [
    Phase::Judging,
    Phase::Cordoning,
    Phase::CreatingPorts,
    Phase::CreatingServer,
    Phase::Joining,
    Phase::Committed,
    Phase::Draining,
    Phase::DeletingServer,
    Phase::DeletingNode,
];

pub(super) async fn play(world: &World, mark: &Mark) -> Result<()> {
    sick::web_on(world, SICK).await?;
    let old = world.before(SICK).await?;
    let fewest = Fewest::watch(world).await?;
    let gate = Gate::close(world).await?;
    sick::break_proxy(world).await?;
    let mut killed = Vec::new();
    for (number, step) in STEPS.into_iter().enumerate() {
        let next = STEPS.get(number + 1).copied().unwrap_or(Phase::Replaced);
        let done = format!("the step {step:?} to be done");
        within(&done, long(), gate.refused(mark, next)).await?;
        is_done(world, mark, &old, step)
            .await
            .with_context(|| format!("the controller takes {step:?} for done"))?;
        killed.push((next, kill(world, step).await?));
        gate.let_go(step).await?;
        world.controller.lock().await.restart().await?;
        world.did("starts the controller again");
    }
    let repair = sick::finished(world, mark, Phase::Replaced).await?;
    gate.open().await?;
    for (next, at) in killed {
        let entered = entered(world, mark, next)?;
        claim!(
            entered > at,
            "{next:?} was written at {entered}, before the kill at {at}"
        );
    }
    let made = world.asked_for(mark).await?;
    claim!(
        made.len() == 1,
        "Nova was asked for {} servers: a kill cost one",
        made.len()
    );
    taken_over(world, mark, &old, &repair, &fewest).await
}

/// Kills it; the repair then stands where it stood.
async fn kill(world: &World, step: Phase) -> Result<Timestamp> {
    world.controller.lock().await.kill().await;
    let at = Timestamp::now();
    world.did(&format!("kills the controller (SIGKILL), {step:?} done"));
    let repair = world.repairs().get(sick::REPAIR).await?;
    let phase = repair.status.map(|record| record.phase);
    claim!(
        phase == Some(step),
        "it was killed in {phase:?}, not after {step:?}"
    );
    Ok(at)
}

/// When the repair entered that phase.
fn entered(world: &World, mark: &Mark, phase: Phase) -> Result<Timestamp> {
    let phase = format!("{phase:?}");
    let write = Sought {
        user: CONTROLLER,
        verb: "update",
        resource: "noderepairs/status",
        name: sick::REPAIR,
    };
    world.first_that(mark, write, |body| text(body, "/status/phase") == phase)
}

/// The step's effect is there, and nothing of the next step, by the world's records.
async fn is_done(world: &World, mark: &Mark, old: &Before, step: Phase) -> Result<()> {
    let node = |name| Sought {
        user: CONTROLLER,
        verb: "patch",
        resource: "nodes",
        name,
    };
    match step {
        Phase::Judging => {
            world.none(mark, node(SICK))?;
            world.same_servers(mark).await
        }
        Phase::Cordoning => {
            world.cordoned(mark, SICK, true)?;
            world.same_servers(mark).await
        }
        Phase::CreatingPorts => {
            let made = world.ports_since(mark).await?;
            claim!(
                made == old.ports.len(),
                "{made} ports were made, not {}",
                old.ports.len()
            );
            claim!(
                world.asked_for(mark).await?.is_empty(),
                "a server was made already"
            );
            Ok(())
        }
        Phase::CreatingServer => new_server(world, mark).await.map(drop),
        Phase::Joining => {
            let new = new_server(world, mark).await?;
            world.ready_since(mark, &new.name)?;
            world.none(mark, node(&new.name))
        }
        Phase::Committed => {
            let new = new_server(world, mark).await?;
            world.is_adopted(&new).await?;
            world.first_that(mark, node(&new.name), |_| true)?;
            claim!(
                world.pods_on(SICK).await? == old.pods,
                "the pods of the sick node are not those that were there"
            );
            Ok(())
        }
        Phase::Draining => {
            world.drained(mark, SICK, &old.pods)?;
            claim!(
                world
                    .openstack
                    .records
                    .server(&old.server.id)
                    .await?
                    .is_some(),
                "the old server is gone already"
            );
            Ok(())
        }
        Phase::DeletingServer => {
            world.terminated(&old.server.id).await?;
            claim!(
                world.ports_of(&old.server.id).await?.is_empty(),
                "the old server's ports are left"
            );
            world.none(
                mark,
                Sought {
                    verb: "delete",
                    ..node(SICK)
                },
            )
        }
        Phase::DeletingNode => {
            let delete = Sought {
                verb: "delete",
                ..node(SICK)
            };
            world.first_that(mark, delete, |_| true).map(drop)
        }
        other => anyhow::bail!("{other:?} is no step of a replacement"),
    }
}

/// The one server that was made.
async fn new_server(world: &World, mark: &Mark) -> Result<Server> {
    let made = world.asked_for(mark).await?;
    let [id] = made.as_slice() else {
        return Err(crate::unmet!("{} servers were made, not one", made.len()));
    };
    let server = world.openstack.records.server(id).await?;
    server.with_context(|| format!("Nova does not know {id}"))
}
