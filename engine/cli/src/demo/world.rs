//! The world's thread: its time, in steps; the scenes; what the page breaks.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use rectifier_policy_host::Advisor;
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::machine::{Break, Cure};
use rectifier_sim::scene::{Options, Scene};
use rectifier_view::{Line, Model, Objects, Speaker};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::FRAME;
use super::scenes::{self, SceneName};
use crate::verdict::Verdict;

/// What the world is to be.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) nodes: usize,
    pub(super) pace: f64,
    pub(super) scenes: Vec<SceneName>,
    pub(super) stay: bool,
    /// Where the policies are that may be edited.
    pub(super) policies: PathBuf,
}

/// What a person does to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Break(String, Break),
    Mend(String),
    Darken(String),
    Lighten,
}

impl Act {
    /// The words in which the page asks for it.
    pub(super) fn parse(what: &str, of: &str) -> Option<Self> {
        let of = of.to_owned();
        let unit = |cure| Break::Unit("proxy.service".to_owned(), cure);
        Some(match what {
            "stop-service" => Act::Break(of, unit(Cure::Restart)),
            "break-until-boot" => Act::Break(of, unit(Cure::Boot)),
            "break-for-good" => Act::Break(of, unit(Cure::Never)),
            "silence-agent" => Act::Break(of, Break::AgentSilent),
            "reboot" => Act::Break(of, Break::Rebooted),
            "hang" => Act::Break(of, Break::Machine(Cure::Boot)),
            "mend" => Act::Mend(of),
            "darken" => Act::Darken(of),
            "lighten" => Act::Lighten,
            _ => return None,
        })
    }
}

/// How the world is.
#[derive(Debug, Clone, Default)]
pub(super) struct Now {
    pub(super) model: Option<Arc<Model>>,
    /// The scene that is played.
    pub(super) scene: Option<SceneName>,
    /// The scenes that are over.
    pub(super) ended: Vec<Ended>,
    /// All of them are, and nothing comes any more.
    pub(super) is_over: bool,
}

/// A scene that is over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Ended {
    pub(super) scene: SceneName,
    /// It ended as it should.
    pub(super) is_well: bool,
    /// What it took, in the world's time.
    pub(super) seconds: u64,
}

/// What the scenes play in.
pub(super) struct Stage {
    pub(super) scene: Scene,
    pub(super) policies: PathBuf,
    said: Mutex<Vec<Line>>,
}

impl Stage {
    pub(super) fn say(&self, node: &str, reason: &str, text: impl Into<String>) {
        let line = Line {
            at: self.scene.clock.now(),
            order: 0,
            who: Speaker::Person,
            node: node.to_owned(),
            reason: reason.to_owned(),
            text: text.into(),
            warns: false,
        };
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.push(line);
    }

    pub(super) fn model(&self) -> Model {
        let api = &self.scene.api;
        let objects = Objects {
            nodes: api.all("nodes"),
            repairs: api.all("noderepairs.rectifier.dev"),
            pods: api.all("pods"),
            events: api.all("events.events.k8s.io"),
            core_events: api.all("events"),
        };
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        Model::new(self.scene.clock.now(), &objects, &said)
    }

    fn act(&self, act: Act) {
        match act {
            Act::Break(node, what) => {
                let text = match &what {
                    Break::Unit(unit, Cure::Restart) => format!("kills {unit}"),
                    Break::Unit(unit, Cure::Boot) => {
                        format!("breaks {unit}: it cannot start before the next boot")
                    }
                    Break::Unit(unit, Cure::Never) => format!("breaks {unit} for good"),
                    Break::Machine(_) => "hangs the machine".to_owned(),
                    Break::AgentSilent => "silences the node's engine".to_owned(),
                    Break::AgentKilled => "kills the node's engine".to_owned(),
                    Break::Rebooted => "reboots the machine".to_owned(),
                };
                if self.scene.machines.break_it(&node, &what) {
                    self.say(&node, "Broken", text);
                }
            }
            Act::Mend(node) => {
                self.scene.machines.mend(&node);
                self.say(&node, "Mended", "mends the machine");
            }
            Act::Darken(zone) => {
                self.scene.darken(&zone);
                self.say("", "ZoneDark", format!("darkens {zone}"));
            }
            Act::Lighten => {
                self.scene.lighten();
                self.say("", "ZoneLight", "lets all zones be lit again");
            }
        }
    }
}

impl World {
    /// Until the scenes are over, or nobody is there who could tell it anything.
    pub(super) fn run(
        self,
        advisor: Arc<dyn Advisor>,
        acts: &Receiver<Act>,
        now: &watch::Sender<Now>,
    ) -> anyhow::Result<Verdict> {
        let result = in_virtual_time(self.live(advisor, acts, now));
        now.send_modify(|now| now.is_over = true);
        result?
    }

    async fn live(
        self,
        advisor: Arc<dyn Advisor>,
        acts: &Receiver<Act>,
        now: &watch::Sender<Now>,
    ) -> anyhow::Result<Verdict> {
        let options = Options {
            seed: self.seed,
            nodes: self.nodes,
            pods: self.nodes,
            ..Options::default()
        };
        let stage = Arc::new(Stage {
            scene: Scene::set(options, advisor),
            policies: self.policies,
            said: Mutex::default(),
        });
        let mut engines = JoinSet::new();
        engines.spawn(stage.scene.agents());
        let controller = rectifier_controller::run(stage.scene.controller("controller-0"));
        engines.spawn(async move { format!("the controller ended: {:?}", controller.await) });
        let mut plays = JoinSet::new();
        plays.spawn(scenes::play(stage.clone(), self.scenes, now.clone()));
        let mut verdict = None;
        let step = FRAME.mul_f64(self.pace);
        loop {
            tokio::time::sleep(step).await;
            // Here, and nowhere else, the world waits for the watch on the wall.
            std::thread::sleep(FRAME);
            loop {
                match acts.try_recv() {
                    Ok(act) => stage.act(act),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(Verdict::Well),
                }
            }
            if let Some(ended) = engines.try_join_next() {
                bail!("{ended:?}");
            }
            if let Some(ended) = plays.try_join_next() {
                verdict = Some(Verdict::of(ended?));
            }
            let model = Arc::new(stage.model());
            now.send_modify(|now| now.model = Some(model));
            if let (Some(verdict), false) = (verdict, self.stay) {
                return Ok(verdict);
            }
        }
    }
}

/// So often a scene looks whether it is over.
pub(super) const LOOK: Duration = Duration::from_secs(1);
