//! The stories, each asserted from the world's own records.

mod changed_mind;
mod cleared;
mod healed;
mod killed;
mod rebooted;
mod replaced;
mod sick;
mod silent;

use std::time::Duration;

use anyhow::{Context, Result};
use rectifier_provision::Report;

use crate::timeline::{self, Timeline};
use crate::world::{World, without};

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

/// One of the stories that the test bed can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// A broken service is restarted, and is well
    Healed,
    /// Only a reboot helps: by a grant, after a drain
    Rebooted,
    /// Nothing on the node helps: it is replaced
    Replaced,
    /// The node engine is stopped: NPD's condition alone leads to the replacement
    Silent,
    /// The policy's file is replaced in mid-episode
    ChangedMind,
    /// The controller is killed after each step in turn
    Killed,
    /// The problem goes away before the replacement is Ready
    Cleared,
}

impl Scenario {
    /// One line for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Scenario::Healed => "a broken service is restarted on the node",
            Scenario::Rebooted => "only a reboot helps: it is granted, drained for, verified",
            Scenario::Replaced => "nothing on the node helps: a similar server takes its place",
            Scenario::Silent => {
                "the node engine is silent: the condition alone leads to the replacement"
            }
            Scenario::ChangedMind => "the policy changes its mind in mid-episode",
            Scenario::Killed => {
                "the controller is killed after each step, and one server is adopted"
            }
            Scenario::Cleared => "the problem goes away in time: everything is taken back",
        }
    }

    /// Lets it happen in that world, which is well before and after it, and gives what happened.
    ///
    /// # Errors
    /// The first thing that was not as it must be.
    pub async fn play(self, world: &World) -> Result<Timeline> {
        let mark = world.mark().await?;
        let done = match self {
            Scenario::Healed => healed::play(world, &mark).await,
            Scenario::Rebooted => rebooted::play(world, &mark).await,
            Scenario::Replaced => replaced::play(world, &mark).await,
            Scenario::Silent => silent::play(world, &mark).await,
            Scenario::ChangedMind => changed_mind::play(world, &mark).await,
            Scenario::Killed => killed::play(world, &mark).await,
            Scenario::Cleared => cleared::play(world, &mark).await,
        };
        let told = timeline::of(world, &mark).await;
        match (done, told) {
            (Ok(()), told) => told,
            (Err(error), Ok(told)) => {
                eprintln!("{told}");
                Err(error).with_context(|| {
                    format!(
                        "{self:?}; RECTIFIER_BED_KEEP=1 keeps {}",
                        world.folder().display()
                    )
                })
            }
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// Makes a world for it alone, and plays it there.
    ///
    /// # Errors
    /// As [`Scenario::play`]; or if the world does not come up.
    pub async fn run(self, report: &mut (dyn Report + Send)) -> Result<Timeline> {
        let world = World::start(&format!("{self:?}").to_lowercase(), report).await?;
        self.play(&world).await
    }
}
