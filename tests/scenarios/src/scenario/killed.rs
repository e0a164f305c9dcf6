//! The controller is killed (SIGKILL) after each step in turn and restarted: one adopted server, nothing left behind.

use anyhow::{Result, ensure};
use futures::StreamExt;
use kube::ResourceExt;
use kube::runtime::{WatchStreamExt, watcher};
use rectifier_core::repair::Phase;

use super::replaced::{Fewest, taken_over};
use super::{long, sick};
use crate::evidence::Mark;
use crate::wait::within;
use crate::world::{SICK, World};

/// The phases of a replacement, each of which it must be killed in.
const STEPS: [Phase; 8] = [
    Phase::Judging,
    Phase::Cordoning,
    Phase::CreatingPorts,
    Phase::CreatingServer,
    Phase::Joining,
    Phase::Committed,
    Phase::Draining,
    Phase::DeletingServer,
];

pub(super) async fn play(world: &World, mark: &Mark) -> Result<()> {
    sick::web_on(world, SICK).await?;
    let old = sick::server_of(world, SICK).await?;
    let fewest = Fewest::watch(world);
    sick::break_proxy(world).await?;
    let killed = within(
        "the repair to end, through all kills",
        long(),
        kill_in_each_step(world),
    )
    .await?;
    for step in STEPS {
        ensure!(
            killed.contains(&step),
            "it was not killed in {step:?}, only in {killed:?}"
        );
    }
    let repair = sick::finished(world, mark, Phase::Replaced).await?;
    let attempts = repair
        .status
        .as_ref()
        .and_then(|record| record.replacement.as_ref())
        .map_or(0, |one| one.attempt);
    ensure!(
        attempts == 1,
        "{attempts} attempts were made: a kill cost a server"
    );
    taken_over(world, mark, &old, &repair, fewest).await
}

/// Kills it as soon as a new phase is written: its side effect has just begun, or has not.
async fn kill_in_each_step(world: &World) -> Result<Vec<Phase>> {
    let mut killed = Vec::new();
    let name = format!("{SICK}.repair");
    let mut events = watcher(world.repairs(), watcher::Config::default())
        .default_backoff()
        .applied_objects()
        .boxed();
    while let Some(repair) = events.next().await {
        let repair = repair?;
        let Some(record) = repair
            .status
            .as_ref()
            .filter(|_| repair.spec.node_name == SICK)
        else {
            continue;
        };
        // a step that passed between two events counts for the next kill, not for itself
        if repair.name_any() == name
            && !killed.contains(&record.phase)
            && record.phase != Phase::HealingInNode
        {
            world.controller.lock().await.restart().await?;
            killed.push(record.phase);
        }
        if record.phase.is_final() && repair.name_any() != name {
            break;
        }
    }
    Ok(killed)
}
