//! The stories, played in the embedded world: what a [`Scene`](crate::scene::Scene) is as a [`Stage`].
//!
//! Whether a fact happened is decided by the world's own records (the changes of objects at the API server, with whose
//! request each was; the cloud's instance actions and ports; what happened on the machines), never by what the engines say.

mod claims;
mod facts;
mod gate;
mod mark;
mod running;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rectifier_core::clock::Timestamp;
use rectifier_core::policy::UnitVerb;
use rectifier_core::repair::Phase;
use rectifier_node::LimitsConfig;
use rectifier_story::{Awaited, Claim, Cure, Deed, Fact, Rule, Stage, Unmet};
use tokio::time::{Instant, sleep};

use crate::landing::lock;
use crate::machine::{self, Break};
use crate::openstack::Fault;
use crate::record::OnMachine;
use facts::Seen;
use gate::Held;
use mark::Mark;
pub use running::Running;

/// The service that breaks.
pub const UNIT: &str = "proxy.service";
/// What Node Problem Detector reports of it.
pub const CONDITION: &str = "ProxyUnhealthy";
/// A replacement takes minutes; its longest deadlines are an hour.
const PATIENCE: Duration = Duration::from_secs(5400);
/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Longer than the node engine watches a remedy (60 s), and then that the problem stays away (60 s).
const QUIET: Duration = Duration::from_secs(150);
/// Longer than it takes until a problem that was mended is reported gone and has stayed away: some 100 s.
const SLOW: Duration = Duration::from_secs(600);

/// What a node's engine may do in a story: more attempts than any of their policies wants, so that it is the policy's word
/// that ends them.
pub fn limits() -> LimitsConfig {
    LimitsConfig {
        max_attempts: 100,
        daily: 0,
        quarantine: 0,
        ..LimitsConfig::default()
    }
}

/// Why a story did not come true.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What it claims is not so.
    #[error(transparent)]
    Unmet(#[from] Unmet),
    /// One of the engines ended, which none ever should.
    #[error("{0}")]
    Ended(String),
    /// The machine is down, or not there.
    #[error("{deed:?} cannot be done to {node}")]
    NotDone {
        /// What.
        deed: Deed,
        /// To which.
        node: String,
    },
    /// The operator could not do his part.
    #[error("the policy cannot be replaced")]
    Operator(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Who supplies the policies, outside of the world, and hears what the teller does in it.
pub trait Operator {
    /// The policy has this rule for [`CONDITION`] when this is done.
    fn sets(&self, rule: Rule) -> impl Future<Output = Result<(), Error>>;

    /// Another policy, which hands over at once, has taken its place when this is done.
    fn hands_over(&self) -> impl Future<Output = Result<(), Error>>;

    /// Something is about to be done, to that node.
    fn hears(&self, deed: Deed, node: &str);
}

/// A world in which a story is played, on one of its nodes. Its record is kept as long as this is there.
pub struct Embedded<'a, O> {
    running: &'a Running,
    operator: &'a O,
    sick: String,
    mark: Mutex<Arc<Mark>>,
    held: Arc<Mutex<Held>>,
}

impl<'a, O: Operator> Embedded<'a, O> {
    /// The node is to fall sick.
    pub fn new(running: &'a Running, operator: &'a O, sick: &str) -> Self {
        Self {
            running,
            operator,
            sick: sick.to_owned(),
            mark: Mutex::default(),
            held: Arc::default(),
        }
    }

    fn mark(&self) -> Arc<Mark> {
        lock(&self.mark).clone()
    }

    /// What has happened since the story began.
    fn seen<T>(&self, look: impl FnOnce(&Seen<'_>) -> T) -> T {
        let (mark, servers) = (self.mark(), self.running.scene.cloud.server_records());
        self.running.scene.record.read(|entries| {
            look(&Seen {
                entries,
                mark: &mark,
                servers: &servers,
                sick: &self.sick,
            })
        })
    }

    async fn until_so(&self, what: &str, is_so: impl Fn() -> bool) -> Result<(), Error> {
        let end = Instant::now() + PATIENCE;
        while !is_so() {
            if let Some(why) = self.running.ended() {
                return Err(Error::Ended(why));
            }
            if Instant::now() >= end {
                let ills = self.running.scene.ills().join("; ");
                let words = format!(
                    "waited {} s in vain for: {what} ({ills})",
                    PATIENCE.as_secs()
                );
                return Err(Unmet::new(words).into());
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    async fn until_well(&self) -> Result<(), Error> {
        self.until_so("all to be well", || self.running.scene.is_well())
            .await
    }

    fn happened(&self, fact: Fact) -> bool {
        self.seen(|seen| seen.when(fact)).is_ok()
    }

    fn restarts(&self) -> usize {
        let is_restart = |what: &OnMachine| matches!(what, OnMachine::UnitAsked(unit, UnitVerb::Restart) if unit == UNIT);
        self.seen(|seen| {
            seen.on_machine()
                .filter(|(_, what)| is_restart(what))
                .count()
        })
    }

    fn break_it(&self, deed: Deed, what: &Break) -> Result<(), Error> {
        match self.running.scene.machines.break_it(&self.sick, what) {
            true => Ok(()),
            false => Err(Error::NotDone {
                deed,
                node: self.sick.clone(),
            }),
        }
    }
}

impl<O: Operator> Stage for Embedded<'_, O> {
    type Error = Error;

    async fn begin(&self, rule: Rule) -> Result<(), Error> {
        self.operator.sets(rule).await?;
        self.until_well().await?;
        self.running.scene.record.keep(true);
        *lock(&self.mark) = Arc::new(Mark::of(&self.running.scene, &self.sick));
        Ok(())
    }

    async fn perform(&self, deed: Deed) -> Result<(), Error> {
        self.operator.hears(deed, &self.sick);
        let scene = &self.running.scene;
        match deed {
            Deed::Break(cure) => {
                let cure = match cure {
                    Cure::Restart => machine::Cure::Restart,
                    Cure::Boot => machine::Cure::Boot,
                    Cure::Never => machine::Cure::Never,
                };
                self.break_it(deed, &Break::Unit(UNIT.to_owned(), cure))?;
                self.until_so("NPD to report the problem", || {
                    self.happened(Fact::ReportedIll)
                })
                .await
            }
            Deed::Mend => {
                scene.machines.mend(&self.sick);
                Ok(())
            }
            Deed::SilenceEngine => self.break_it(deed, &Break::AgentSilent),
            Deed::SlowBoots => {
                scene.cloud.fault(Fault::BootDelay(SLOW));
                Ok(())
            }
            Deed::HandOver => self.operator.hands_over().await,
            Deed::HoldSteps => {
                let gate = gate::gate(&scene.api, &self.sick, self.held.clone());
                scene.api.close(Some(gate));
                Ok(())
            }
            Deed::KillController => {
                self.running.kill_controller();
                Ok(())
            }
            Deed::StartController => {
                lock(&self.held).let_go();
                self.running.start_controller();
                Ok(())
            }
        }
    }

    async fn until(&self, awaited: Awaited) -> Result<(), Error> {
        let what = format!("{awaited:?}");
        match awaited {
            Awaited::Well => {
                self.until_so(&what, || self.happened(Fact::ReportedWell))
                    .await
            }
            Awaited::Quiet => {
                sleep(QUIET).await;
                Ok(())
            }
            Awaited::Restarts(count) => self.until_so(&what, || self.restarts() >= count).await,
            Awaited::Escalated => {
                self.until_so(&what, || self.happened(Fact::Escalates))
                    .await
            }
            Awaited::Phase(phase) => {
                self.until_so(&what, || self.seen(|seen| seen.was_in(phase)))
                    .await
            }
            Awaited::Done(phase) => {
                self.until_so(&what, || lock(&self.held).is_held_in(phase))
                    .await
            }
        }
    }

    async fn ended(&self, phase: Option<Phase>) -> Result<(), Error> {
        if let Some(phase) = phase {
            let ended = || self.seen(|seen| seen.ended());
            self.until_so("the repair to end", || ended().is_some())
                .await?;
            let ended = ended().unwrap_or_default();
            if ended != format!("{phase:?}") {
                let words = format!("the repair ended as {ended}, not as {phase:?}");
                return Err(Unmet::new(words).into());
            }
        }
        self.running.scene.api.close(None);
        self.until_well().await
    }

    async fn when(&self, fact: Fact) -> Result<Result<Timestamp, Unmet>, Error> {
        Ok(self.seen(|seen| seen.when(fact)))
    }

    async fn holds(&self, claim: Claim) -> Result<(), Error> {
        let scene = &self.running.scene;
        Ok(self.seen(|seen| claims::check(claim, scene, seen))?)
    }
}

impl<O> Drop for Embedded<'_, O> {
    fn drop(&mut self) {
        let scene = &self.running.scene;
        scene.record.keep(false);
        scene.api.close(None);
        scene.cloud.fault(Fault::BootDelay(Duration::ZERO));
    }
}
