//! A replacement that falls sick of what the node had whose place it took: no second one is made by itself.

use anyhow::{Context, Result, ensure};
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;

use super::stage::{SICK, Stage, played};

/// Replaced for a problem; the new node's name.
async fn replaced(stage: &Stage) -> Result<String> {
    stage.report(SICK, "True").await?;
    stage.is_replaced(SICK).await?;
    new(stage)
}

fn new(stage: &Stage) -> Result<String> {
    let mut nodes = stage.scene.nodes().into_iter();
    let new = nodes.find(|node| node.starts_with(&format!("{SICK}-")));
    new.context("its replacement")
}

#[test]
fn a_replacement_that_falls_sick_of_the_same_is_not_replaced_before_a_person_says_so() -> Result<()>
{
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        let new = replaced(&stage).await?;
        stage.minutes(60).await;
        stage.report(&new, "True").await?;
        stage.says(&new, Reason::ReplacementDidNotHelp).await?;
        let before = stage.everything().await?;
        stage.minutes(120).await;
        ensure!(stage.everything().await? == before, "it was touched");
        let record = stage.record(&new).await?;
        ensure!(record.phase == Phase::NeedsHuman, "{record:?}");
        let words = format!("it took the place of {SICK}, which had KubeletUnhealthy");
        ensure!(record.message.contains(&words), "{}", record.message);
        stage
            .annotate(&new, "rectifier.dev/retry", "another image")
            .await?;
        stage.is_replaced(&new).await
    })
}

/// The repair that made it is not archived yet, and passes its turn on before it is.
#[test]
fn a_replacement_that_falls_sick_while_the_sick_node_drains_is_not_replaced_either() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage.report(SICK, "True").await?;
        stage.reaches(SICK, Phase::Draining).await?;
        let new = new(&stage)?;
        stage.report(&new, "True").await?;
        stage.says(&new, Reason::ReplacementDidNotHelp).await?;
        stage.minutes(60).await;
        let record = stage.record(&new).await?;
        ensure!(record.rung.is_none(), "it was touched: {record:?}");
        ensure!(
            !stage.scene.nodes().iter().any(|node| node == SICK),
            "the first is replaced all the same"
        );
        Ok(())
    })
}

#[test]
fn a_replacement_that_did_well_for_a_day_is_a_node_as_any_other() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        let new = replaced(&stage).await?;
        stage.minutes(24 * 60).await;
        stage.report(&new, "True").await?;
        stage.is_replaced(&new).await
    })
}
