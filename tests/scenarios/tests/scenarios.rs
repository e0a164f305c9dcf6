//! Each scenario in a world of its own.

use anyhow::Result;
use rectifier_provision::Stderr;
use rectifier_scenarios::Scenario;

async fn run(scenario: Scenario) -> Result<()> {
    let told = scenario.run(&mut Stderr::default()).await?;
    eprintln!("{told}\n  proven   {}", scenario.proves());
    Ok(())
}

#[tokio::test]
async fn healed() -> Result<()> {
    run(Scenario::Healed).await
}

#[tokio::test]
async fn rebooted() -> Result<()> {
    run(Scenario::Rebooted).await
}

#[tokio::test]
async fn replaced() -> Result<()> {
    run(Scenario::Replaced).await
}

#[tokio::test]
async fn silent() -> Result<()> {
    run(Scenario::Silent).await
}

#[tokio::test]
async fn changed_mind() -> Result<()> {
    run(Scenario::ChangedMind).await
}

#[tokio::test]
async fn killed() -> Result<()> {
    run(Scenario::Killed).await
}

#[tokio::test]
async fn cleared() -> Result<()> {
    run(Scenario::Cleared).await
}
