//! The stories, played on the bed: their definitions are `rectifier-story`'s, the facts are looked up in the records of the
//! bed's parts, and what only real parts can show is claimed besides.

mod besides;
mod claims;
mod facts;
mod gate;
mod real;
mod sick;
mod steps;

use std::time::Duration;

use anyhow::Result;
use rectifier_provision::Report;
use rectifier_story::Story;

use crate::claim::{UNMET, is_unmet};
use crate::evidence::{Bus, Mark};
use crate::timeline::{self, Timeline};
use crate::world::{SICK, World, without};
use real::Real;

/// A replacement takes a minute; a slow computer five.
fn long() -> Duration {
    limit(400)
}

/// What happens on one node takes seconds.
fn short() -> Duration {
    limit(120)
}

/// With a step of the loop off, nobody waits so long for what will not come.
fn limit(seconds: u64) -> Duration {
    Duration::from_secs(if without().is_some() {
        seconds / 4
    } else {
        seconds
    })
}

/// Lets it happen in that world, which is well before it, and gives what happened.
///
/// # Errors
/// The first thing that was not as it must be; with [`UNMET`] in front if that is no accident of the world's.
pub async fn play(story: Story, world: &World) -> Result<Timeline> {
    let mark = world.mark().await?;
    let bus = Bus::listen(world, SICK).await?;
    let done = proven(story, world, &mark, &bus).await;
    let told = timeline::of(world, &mark, &bus).await;
    let Err(error) = done else {
        return told;
    };
    if let Ok(told) = told {
        eprintln!("{told}");
    }
    let kept = world.folder();
    let kept = format!("{story:?}; RECTIFIER_BED_KEEP=1 keeps {}", kept.display());
    match world.stands().await {
        Ok(()) if is_unmet(&error) => Err(error.context(format!("{UNMET} ({kept})"))),
        Ok(()) => Err(error.context(kept)),
        Err(why) => Err(error.context(format!("the world fell apart: {why:#} ({kept})"))),
    }
}

async fn proven(story: Story, world: &World, mark: &Mark, bus: &Bus) -> Result<()> {
    let script = story.script();
    let real = Real::new(world, mark, bus, &script);
    rectifier_story::play(&script, &real).await?;
    real.besides().await
}

/// Makes a world for it alone, and plays it there.
///
/// # Errors
/// As [`play`]; or if the world does not come up.
pub async fn run(story: Story, report: &mut (dyn Report + Send)) -> Result<Timeline> {
    let world = World::start(&format!("{story:?}").to_lowercase(), report).await?;
    play(story, &world).await
}
