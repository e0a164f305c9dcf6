//! The policy's file is replaced in mid-episode; the next remedy is the new version's; the engine's process is the same.
//! The old mind restarts without end, the new one gives up at once.

use anyhow::{Result, ensure};
use rectifier_core::repair::{Asks, Phase};

use super::replaced::{Fewest, taken_over};
use super::{long, sick};
use crate::evidence::Mark;
use crate::wait::{object, within};
use crate::world::{SICK, World};

/// The sidecar with so many restarts before it gives up.
fn mind(attempts: u32) -> String {
    include_str!("../../fixtures/policy.yaml")
        .replace("attempts: 2,", &format!("attempts: {attempts},"))
}

pub(super) async fn play(world: &World, mark: &Mark) -> Result<()> {
    sick::web_on(world, SICK).await?;
    world.policies.replace(&world.kubernetes, &mind(90)).await?;
    let old = sick::server_of(world, SICK).await?;
    let engine = engine_process(world).await?;
    let fewest = Fewest::watch(world);
    sick::break_proxy(world).await?;
    // the episode outlives its first attempt: the old mind is at work
    let repair = sick::phase(world, Phase::HealingInNode).await?;
    ensure!(
        repair.spec.asks == Asks::InNode,
        "the old mind has already given up"
    );

    world.policies.replace(&world.kubernetes, &mind(0)).await?;
    let name = format!("{SICK}.repair");
    within(
        "the new mind's remedy",
        long(),
        object(world.repairs(), &name, |repair| {
            repair.spec.asks == Asks::Escalate
        }),
    )
    .await?;
    ensure!(
        engine_process(world).await? == engine,
        "the node engine was restarted"
    );
    let repair = sick::finished(world, mark, Phase::Replaced).await?;
    taken_over(world, mark, &old, &repair, fewest).await
}

/// The process and the moment of its start, which together name one process.
async fn engine_process(world: &World) -> Result<String> {
    let found = world.machine(SICK)?.exec(["sh", "-c", "for p in $(pgrep -f '^/usr/bin/rectifier-engine node'); do echo $p $(cut -d' ' -f22 /proc/$p/stat); done"]).await?;
    ensure!(!found.trim().is_empty(), "the node engine does not run");
    Ok(found)
}
