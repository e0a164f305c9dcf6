//! The stories, in the embedded world: from the same definitions as on the test bed's real parts, both real engines in them,
//! the policy that ships, in virtual time, for several seeds each; proven from the world's own records.

use anyhow::{Context, Result, ensure};
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::scene::{Options, Scene};
use rectifier_sim::story::{Embedded, Error, Running, limits};
use rectifier_story::{Script, Story, play};

use crate::minds::Minds;

const SICK: &str = "worker-1";
const SEEDS: u64 = 5;

fn played(script: &Script, seed: u64, minds: &Minds) -> Result<Result<(), Error>> {
    let in_force = minds.in_force();
    let options = Options {
        seed,
        limits: limits(),
        ..Options::default()
    };
    Ok(in_virtual_time(async {
        let running = Running::start(Scene::set(options, in_force.clone()));
        play(script, &Embedded::new(&running, &*in_force, SICK)).await
    })?)
}

fn proven(story: Story) -> Result<()> {
    let minds = Minds::compiled()?;
    for seed in 0..SEEDS {
        let ended = played(&story.script(), seed, &minds)?;
        ended.with_context(|| format!("{story:?}, seed {seed}"))?;
    }
    println!("{SEEDS} seeds: {}", story.proves());
    Ok(())
}

#[test]
fn healed() -> Result<()> {
    proven(Story::Healed)
}

#[test]
fn rebooted() -> Result<()> {
    proven(Story::Rebooted)
}

#[test]
fn replaced() -> Result<()> {
    proven(Story::Replaced)
}

#[test]
fn silent() -> Result<()> {
    proven(Story::Silent)
}

#[test]
fn changed_mind() -> Result<()> {
    proven(Story::ChangedMind)
}

#[test]
fn killed() -> Result<()> {
    proven(Story::Killed)
}

#[test]
fn cleared() -> Result<()> {
    proven(Story::Cleared)
}

/// The stories can fail: what another story's deeds lead to is not what this one claims.
#[test]
fn a_story_that_takes_another_course_is_unmet() -> Result<()> {
    let minds = Minds::compiled()?;
    for (deeds, claims) in [
        (Story::Replaced, Story::Rebooted),
        (Story::Healed, Story::Silent),
        (Story::Silent, Story::Replaced),
        (Story::Rebooted, Story::Healed),
        (Story::Cleared, Story::Replaced),
    ] {
        let (mut script, course) = (claims.script(), deeds.script());
        (script.rule, script.steps, script.ends) = (course.rule, course.steps, course.ends);
        let ended = played(&script, 0, &minds)?;
        println!("{deeds:?} is not {claims:?}: {ended:?}");
        ensure!(matches!(ended, Err(Error::Unmet(_))), "{ended:?}");
    }
    Ok(())
}
