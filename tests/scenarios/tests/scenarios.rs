//! Each story on real parts, in a world of its own: three of the seven in every test run, all with `--full` or by their names.
//! (The embedded world plays all seven each time.)

use anyhow::Result;
use rectifier_provision::Stderr;
use rectifier_scenarios::scenario;
use rectifier_story::Story;

async fn run(story: Story) -> Result<()> {
    let told = scenario::run(story, &mut Stderr::default()).await?;
    eprintln!("{told}\n  proven   {}", story.proves());
    Ok(())
}

#[tokio::test]
async fn healed() -> Result<()> {
    run(Story::Healed).await
}

#[tokio::test]
async fn rebooted() -> Result<()> {
    run(Story::Rebooted).await
}

#[tokio::test]
async fn replaced() -> Result<()> {
    run(Story::Replaced).await
}

#[tokio::test]
#[ignore = "a minute or two"]
async fn silent() -> Result<()> {
    run(Story::Silent).await
}

#[tokio::test]
#[ignore = "a minute or two"]
async fn changed_mind() -> Result<()> {
    run(Story::ChangedMind).await
}

#[tokio::test]
#[ignore = "a minute or two; tests/parallel.rs kills it after each step, too"]
async fn killed() -> Result<()> {
    run(Story::Killed).await
}

#[tokio::test]
#[ignore = "a minute or two"]
async fn cleared() -> Result<()> {
    run(Story::Cleared).await
}
