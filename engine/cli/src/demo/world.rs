//! The world's thread: its time, in steps; the stories; what the page breaks.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::bail;
use rectifier_policy_host::Advisor;
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::machine::{Break, Cure};
use rectifier_sim::scene::{Options, Scene};
use rectifier_sim::story::{self, Error, Operator, Running, UNIT};
use rectifier_story::{Deed, Rule, Story};
use rectifier_view::{Line, Model, Objects, Speaker};
use serde::Serialize;
use tokio::sync::watch;

use super::FRAME;
use super::operator::Policies;
use super::scenes;
use crate::verdict::Verdict;

/// What the world is to be.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) nodes: usize,
    pub(super) pace: f64,
    pub(super) stories: Vec<Story>,
    pub(super) stay: bool,
    /// Where the policies are that may be edited.
    pub(super) policies: PathBuf,
}

/// After one restart more than this it hands over at once.
const HANDS_OVER: Rule = Rule {
    attempts: 1,
    reboot: false,
};

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
    /// The story that is played.
    pub(super) story: Option<Story>,
    /// Those that are over.
    pub(super) ended: Vec<Ended>,
    /// All of them are, and nothing comes any more.
    pub(super) is_over: bool,
}

/// A story that is over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Ended {
    pub(super) story: Story,
    /// It ended as it should.
    pub(super) is_well: bool,
    /// And all that it claims was found in the world's records.
    pub(super) is_proven: bool,
    /// What it took, in the world's time.
    pub(super) seconds: u64,
}

/// What the stories are played in.
pub(super) struct Stage {
    pub(super) running: Running,
    pub(super) policies: Policies,
    said: Mutex<Vec<Line>>,
}

impl Stage {
    pub(super) fn say(&self, node: &str, reason: &str, text: impl Into<String>) {
        let at = self.running.scene.clock.now();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let order = said.len() as u64;
        said.push(Line {
            at,
            order,
            who: Speaker::Person,
            node: node.to_owned(),
            reason: reason.to_owned(),
            text: text.into(),
            warns: false,
        });
    }

    pub(super) fn model(&self) -> Model {
        let api = &self.running.scene.api;
        let objects = Objects {
            nodes: api.all("nodes"),
            pools: api.all("repairpools.rectifier.dev"),
            repairs: api.all("noderepairs.rectifier.dev"),
            pods: api.all("pods"),
            events: api.all("events.events.k8s.io"),
            core_events: api.all("events"),
        };
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        Model::new(self.running.scene.clock.now(), &objects, &said)
    }

    async fn put(&self, rule: Rule) -> Result<(), Error> {
        let put = self.policies.put(rule).await;
        put.map_err(|error| Error::Operator(error.into()))
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
                    Break::DiskFull => "fills the disk".to_owned(),
                    Break::Rebooted => "reboots the machine".to_owned(),
                };
                if self.running.scene.machines.break_it(&node, &what) {
                    self.say(&node, "Broken", text);
                }
            }
            Act::Mend(node) => {
                self.running.scene.machines.mend(&node);
                self.say(&node, "Mended", "mends the machine");
            }
            Act::Darken(zone) => {
                self.running.scene.darken(&zone);
                self.say("", "ZoneDark", format!("darkens {zone}"));
            }
            Act::Lighten => {
                self.running.scene.lighten();
                self.say("", "ZoneLight", "lets all zones be lit again");
            }
        }
    }
}

impl Operator for Stage {
    async fn sets(&self, rule: Rule) -> Result<(), Error> {
        match self.policies.takes_rules() {
            true => self.put(rule).await,
            // it is played as the policy has it
            false => Ok(()),
        }
    }

    async fn hands_over(&self) -> Result<(), Error> {
        self.put(HANDS_OVER).await
    }

    fn hears(&self, deed: Deed, node: &str) {
        let reason = match deed {
            Deed::Break(_) | Deed::SilenceEngine | Deed::SlowBoots => "Broken",
            Deed::Mend => "Mended",
            Deed::HandOver => "Edited",
            Deed::HoldSteps => "Held",
            Deed::KillController => "Killed",
            Deed::StartController => "Started",
        };
        self.say(node, reason, deed.words(UNIT, node));
    }
}

impl World {
    /// Until the stories are over, or nobody is there who could tell it anything.
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
            limits: story::limits(),
            ..Options::default()
        };
        let step = FRAME.mul_f64(self.pace);
        let stage = Stage {
            running: Running::start(Scene::set(options, advisor.clone())),
            policies: Policies::new(self.policies, advisor, step),
            said: Mutex::default(),
        };
        let mut plays = pin!(scenes::all(&stage, self.stories, now));
        let mut verdict = None;
        loop {
            let frame = tokio::time::sleep(step);
            tokio::select! {
                biased;
                all_well = &mut plays, if verdict.is_none() => verdict = Some(Verdict::of(all_well)),
                () = frame => {}
            }
            // Here, and nowhere else, the world waits for the watch on the wall.
            std::thread::sleep(FRAME);
            loop {
                match acts.try_recv() {
                    Ok(act) => stage.act(act),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(Verdict::Well),
                }
            }
            if let Some(why) = stage.running.ended() {
                bail!(why);
            }
            let model = Arc::new(stage.model());
            now.send_modify(|now| now.model = Some(model));
            if let (Some(verdict), false) = (verdict, self.stay) {
                return Ok(verdict);
            }
        }
    }
}
