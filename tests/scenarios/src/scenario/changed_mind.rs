//! The policy's file is replaced in mid-episode; the next remedy is the new version's; the engines' processes are the same.
//!
//! The old mind restarts without end, the new one hands over at once. It is other code, beside the same settings: an
//! engine that read only these again would go on restarting.

use anyhow::{Context, Result};
use rectifier_core::repair::{Asks, Phase};

use super::replaced::{Fewest, taken_over};
use super::{long, sick};
use crate::claim;
use crate::evidence::{AGENT, Bus, Mark, Sought};
use crate::wait::{object, text, within};
use crate::world::{SICK, World};

const UNIT: &str = "proxy.service";
/// One more than the settings that ship allow: that the old mind's own are in force shows by it.
const RESTARTS: usize = 3;

pub(super) async fn play(world: &World, mark: &Mark, bus: &Bus) -> Result<()> {
    let old_mind = world.policies.shipped().clone().with_attempts(90);
    let new_mind = old_mind.clone().that_hands_over()?;
    world.policies.replace(&world.kubernetes, &old_mind).await?;
    // a kubelet brings a ConfigMap to its pods when it comes to it
    within(
        "the old mind to reach the node",
        long(),
        reached(world, "attempts: 90"),
    )
    .await?;
    sick::web_on(world, SICK).await?;
    let old = world.before(SICK).await?;
    let engines = (
        world.engine_process(SICK).await?,
        world.controller.lock().await.process()?,
    );
    let fewest = Fewest::watch(world).await?;
    sick::break_proxy(world).await?;
    // the episode outlives its first attempts: the old mind is at work
    let restarts = within(
        "the old mind's restarts",
        long(),
        bus.heard(|calls| calls.iter().filter(|call| call.restarts(UNIT)).count() >= RESTARTS),
    )
    .await;
    if restarts.is_err() {
        // a machine that is taken away takes its bus with it
        let repair = world.repairs().get_opt(sick::REPAIR).await?;
        let record = repair.map(|repair| repair.status.unwrap_or_default());
        claim!(
            record.is_some_and(|record| !record.phase.is_committed()),
            "the node was replaced before the old mind had restarted {UNIT} {RESTARTS} times"
        );
    }
    restarts?;
    let repair = sick::phase(world, Phase::HealingInNode).await?;
    claim!(
        repair.spec.asks == Asks::InNode,
        "the old mind has already given up"
    );

    world.did("replaces the policy's file by one that hands over");
    world.policies.replace(&world.kubernetes, &new_mind).await?;
    let asks = |repair: &rectifier_api::NodeRepair| repair.spec.asks == Asks::Escalate;
    within(
        "the new mind's remedy",
        long(),
        object(world.repairs(), sick::REPAIR, asks),
    )
    .await?;
    let same = world.engine_process(SICK).await? == engines.0;
    claim!(same, "the node engine is another process than before");

    let repair = sick::finished(world, mark, Phase::Replaced).await?;
    let same = world.controller.lock().await.process()? == engines.1;
    claim!(same, "the controller is another process than before");
    let verdict = repair
        .status
        .as_ref()
        .and_then(|record| record.verdict.as_ref());
    let verdict = verdict.context("the record names no policy")?;
    claim!(
        verdict.digest == new_mind.digest(),
        "the controller asked {} ({}), not the new mind",
        verdict.policy,
        verdict.digest
    );
    // on the node the next remedy was the new mind's: after its word the unit was left alone
    let raise = Sought {
        user: AGENT,
        verb: "patch",
        resource: "noderepairs",
        name: sick::REPAIR,
    };
    let escalated = world.first_that(mark, raise, |body| text(body, "/spec/asks") == "Escalate")?;
    let mut late = bus.of_the_engine();
    late.retain(|call| call.at > escalated);
    claim!(late.is_empty(), "after the new mind's word: {late:?}");
    taken_over(world, mark, &old, &repair, &fewest).await
}

/// Until a policy with these words in its sidecar lies in a volume of the sick node's pods.
async fn reached(world: &World, words: &str) -> Result<()> {
    let look = format!(
        "grep --recursive --quiet --no-messages --include=*.yaml '{words}' /var/lib/kubelet/pods || echo not yet"
    );
    let machine = world.machine(SICK)?;
    while !machine.exec(["sh", "-c", &look]).await?.trim().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    Ok(())
}
