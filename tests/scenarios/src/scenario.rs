//! The stories, each asserted from the world's own records.

mod changed_mind;
mod cleared;
mod gate;
mod healed;
mod killed;
mod rebooted;
mod replaced;
mod sick;
mod silent;

use std::time::Duration;

use anyhow::Result;
use rectifier_provision::Report;

use crate::claim::{UNMET, Unmet};
use crate::evidence::{Bus, Mark};
use crate::timeline::{self, Timeline};
use crate::world::{SICK, World, without};

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

    /// What its records have proven when it has passed.
    #[must_use]
    pub fn proves(self) -> &'static str {
        match self {
            Scenario::Healed => {
                "systemd started it once, asked by the node engine; NPD saw it broken before, and well after; \
                 nothing else was touched"
            }
            Scenario::Rebooted => {
                "drained to the last pod, then granted, then logind's word, then another boot; uncordoned when NPD saw \
                 it well; no server was made"
            }
            Scenario::Replaced => {
                "a similar server, Ready before the first eviction; the budget held; the old server, its ports and its \
                 Node are gone"
            }
            Scenario::Silent => "the same, asked for by nobody but NPD's condition",
            Scenario::ChangedMind => {
                "the next remedy was the new file's, on the node and in the control plane; no process was started anew"
            }
            Scenario::Killed => {
                "killed after each of nine steps, its effect there and the next not yet written: one server was made, \
                 and adopted; nothing is left behind"
            }
            Scenario::Cleared => {
                "our server, its port and its token are gone, the node is uncordoned, no pod was evicted"
            }
        }
    }

    /// Lets it happen in that world, which is well before it, and gives what happened.
    ///
    /// # Errors
    /// The first thing that was not as it must be; with [`UNMET`] in front if that is no accident of the world's.
    pub async fn play(self, world: &World) -> Result<Timeline> {
        let mark = world.mark().await?;
        let bus = Bus::listen(world, SICK).await?;
        let done = self.act(world, &mark, &bus).await;
        let told = timeline::of(world, &mark, &bus).await;
        let Err(error) = done else {
            return told;
        };
        if let Ok(told) = told {
            eprintln!("{told}");
        }
        let kept = world.folder();
        let kept = format!("{self:?}; RECTIFIER_BED_KEEP=1 keeps {}", kept.display());
        match world.stands().await {
            Ok(()) if Unmet::is_in(&error) => Err(error.context(format!("{UNMET} ({kept})"))),
            Ok(()) => Err(error.context(kept)),
            Err(why) => Err(error.context(format!("the world fell apart: {why:#} ({kept})"))),
        }
    }

    async fn act(self, world: &World, mark: &Mark, bus: &Bus) -> Result<()> {
        match self {
            Scenario::Healed => healed::play(world, mark, bus).await,
            Scenario::Rebooted => rebooted::play(world, mark, bus).await,
            Scenario::Replaced => replaced::play(world, mark).await,
            Scenario::Silent => silent::play(world, mark).await,
            Scenario::ChangedMind => changed_mind::play(world, mark, bus).await,
            Scenario::Killed => killed::play(world, mark).await,
            Scenario::Cleared => cleared::play(world, mark).await,
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
