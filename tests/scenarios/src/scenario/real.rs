//! The bed as a story's stage: what is done there, and how one waits.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::Api;
use rectifier_api::NodeRepair;
use rectifier_bed::openstack::Fault;
use rectifier_bed::process::Record as Process;
use rectifier_core::repair::{Asks, Phase};
use rectifier_story::{Awaited, Claim, Cure, Deed, Fact, Rule, Script, Stage, Step, Unmet};

use super::gate::Gate;
use super::{long, short, sick};
use crate::claim;
use crate::evidence::{Before, Bus, Mark};
use crate::fewest::Fewest;
use crate::wait::{gone, object, within};
use crate::world::{SICK, World};

/// The replacement boots so slowly that the problem is gone before.
const SLOW: Duration = Duration::from_secs(600);

/// A service that can be broken, what NPD reports of it, and what the policy's sidecar says of that.
pub(super) struct Service {
    pub(super) unit: &'static str,
    pub(super) condition: &'static str,
    pub(super) rule: Rule,
}

/// As `fixtures/policy.yaml` has them.
pub(super) const PROXY: Service = Service {
    unit: "proxy.service",
    condition: "ProxyUnhealthy",
    rule: Rule {
        attempts: 2,
        reboot: false,
    },
};
pub(super) const CACHE: Service = Service {
    unit: "cache.service",
    condition: "CacheUnhealthy",
    rule: Rule {
        attempts: 1,
        reboot: true,
    },
};

/// One story's stage.
pub(super) struct Real<'a> {
    pub(super) world: &'a World,
    pub(super) mark: &'a Mark,
    pub(super) bus: &'a Bus,
    pub(super) script: &'a Script,
    pub(super) service: Service,
    ready: OnceLock<Ready>,
    gate: OnceLock<Gate<'a>>,
    /// The step that is done, and the phase that the controller was refused to write.
    held: Mutex<Option<(Phase, Phase)>>,
    /// The phases that were not written yet when it was killed, and when.
    killed: Mutex<Vec<(Phase, Timestamp)>>,
    repair: OnceLock<NodeRepair>,
}

/// How things stood when the story began.
pub(super) struct Ready {
    pub(super) old: Before,
    pub(super) services: BTreeMap<String, String>,
    pub(super) boot: String,
    pub(super) fewest: Option<Fewest>,
    node_engine: Process,
    pub(super) controller: Process,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Real<'a> {
    pub(super) fn new(world: &'a World, mark: &'a Mark, bus: &'a Bus, script: &'a Script) -> Self {
        Self {
            world,
            mark,
            bus,
            script,
            service: if script.rule.reboot { CACHE } else { PROXY },
            ready: OnceLock::new(),
            gate: OnceLock::new(),
            held: Mutex::default(),
            killed: Mutex::default(),
            repair: OnceLock::new(),
        }
    }

    pub(super) fn ready(&self) -> Result<&Ready> {
        self.ready.get().context("the story has not begun")
    }

    /// Its record, when it has ended.
    pub(super) fn repair(&self) -> Result<&NodeRepair> {
        self.repair.get().context("the repair has not ended")
    }

    pub(super) fn killed(&self) -> Vec<(Phase, Timestamp)> {
        lock(&self.killed).clone()
    }

    /// The phase that is written when this one's step is done.
    fn next(&self, phase: Phase) -> Option<Phase> {
        let done = self.script.steps.iter().filter_map(|step| match step {
            Step::Await(Awaited::Done(done)) => Some(*done),
            Step::Await(_) | Step::Do(_) | Step::Has(_) | Step::HasNot(_) | Step::Holds(_) => None,
        });
        let mut after = done.skip_while(|done| *done != phase).skip(1);
        after.next().or(self.script.ends)
    }

    fn gate(&self) -> Result<&Gate<'a>> {
        self.gate.get().context("nothing holds the repair")
    }

    async fn kill_controller(&self) -> Result<()> {
        let held = *lock(&self.held);
        let (step, next) = held.context("the repair is not held")?;
        self.world.controller.lock().await.kill().await;
        let at = Timestamp::now();
        self.world
            .did(&format!("kills the controller (SIGKILL), {step:?} done"));
        // the repair stands where it stood
        let repair = self.world.repairs().get(sick::REPAIR).await?;
        let phase = repair.status.map(|record| record.phase);
        claim!(
            phase == Some(step),
            "it was killed in {phase:?}, not after {step:?}"
        );
        lock(&self.killed).push((next, at));
        Ok(())
    }

    async fn start_controller(&self) -> Result<()> {
        let held = lock(&self.held).take();
        let (step, _) = held.context("the repair is not held")?;
        self.gate()?.let_go(step).await?;
        self.world.controller.lock().await.restart().await?;
        self.world.did("starts the controller again");
        Ok(())
    }

    /// As the script has it; the services' rules are otherwise those of the fixture.
    async fn put_policy(&self, rule: Rule) -> Result<()> {
        ensure!(rule.reboot == self.service.rule.reboot, "{rule:?}");
        if rule == self.service.rule {
            return Ok(());
        }
        let world = self.world;
        let mind = world.policies.shipped().clone();
        let mind = mind.with_attempts(rule.attempts);
        world.policies.replace(&world.kubernetes, &mind).await?;
        // a kubelet brings a ConfigMap to its pods when it comes to it
        let words = format!("attempts: {}", rule.attempts);
        let reached = sick::reached(world, &words);
        within("the policy to reach the node", long(), reached).await
    }

    /// Until the old mind has restarted the service so often.
    async fn restarts(&self, count: usize) -> Result<()> {
        let unit = self.service.unit;
        let heard = self
            .bus
            .heard(|calls| calls.iter().filter(|call| call.restarts(unit)).count() >= count);
        let restarts = within("the node engine's restarts", long(), heard).await;
        if restarts.is_err() {
            // a machine that is taken away takes its bus with it
            let repair = self.world.repairs().get_opt(sick::REPAIR).await?;
            let record = repair.map(|repair| repair.status.unwrap_or_default());
            claim!(
                record.is_some_and(|record| !record.side().is_past_return()),
                "the node was replaced before the old mind had restarted {unit} {count} times"
            );
        }
        restarts
    }
}

impl Stage for Real<'_> {
    type Error = anyhow::Error;

    async fn begin(&self, rule: Rule) -> Result<()> {
        let world = self.world;
        self.put_policy(rule).await?;
        if self.script.ends.is_some() {
            sick::web_on(world, SICK).await?;
        }
        let watched = self.script.claims.contains(&Claim::BudgetHeld);
        let pods: Api<Pod> = Api::namespaced(world.kubernetes.admin(), "default");
        let ready = Ready {
            old: world.before(SICK).await?,
            services: world.services(SICK).await?,
            boot: sick::boot_id(world).await?,
            node_engine: world.engine_process(SICK).await?,
            controller: world.controller.lock().await.process()?,
            fewest: match watched {
                true => Some(Fewest::watch(pods, "app=web").await?),
                false => None,
            },
        };
        ensure!(self.ready.set(ready).is_ok(), "a stage is for one play");
        if rule.reboot {
            // a node that goes down needs another that takes its pods
            sick::lend_pool(world, true).await?;
        }
        Ok(())
    }

    async fn perform(&self, deed: Deed) -> Result<()> {
        let world = self.world;
        match deed {
            Deed::KillController => return self.kill_controller().await,
            Deed::StartController => return self.start_controller().await,
            _ => world.did(&deed.words(self.service.unit, SICK)),
        }
        match deed {
            Deed::Break(cure) => {
                let (unit, condition) = (self.service.unit, self.service.condition);
                match cure {
                    Cure::Restart => {}
                    Cure::Boot => sick::until_boot(world).await?,
                    Cure::Never => sick::for_good(world)?,
                }
                sick::kill(world, unit).await?;
                sick::reported(world, condition).await
            }
            Deed::Mend => sick::mend_proxy(world).await,
            Deed::SilenceEngine => sick::silence(world).await,
            Deed::SlowBoots => world.openstack.fault(Fault::BootDelay(SLOW)).await,
            Deed::HandOver => {
                let mind = self.handing_over()?;
                world.policies.replace(&world.kubernetes, &mind).await
            }
            Deed::HoldSteps => {
                let gate = Gate::close(world).await?;
                ensure!(self.gate.set(gate).is_ok(), "it is held already");
                Ok(())
            }
            Deed::KillController | Deed::StartController => Ok(()),
        }
    }

    async fn until(&self, awaited: Awaited) -> Result<()> {
        let world = self.world;
        match awaited {
            Awaited::Well => sick::well(world, SICK, self.service.condition).await,
            Awaited::Quiet => sick::quiet(world).await,
            Awaited::Restarts(count) => self.restarts(count).await,
            Awaited::Escalated => {
                let asks = |repair: &NodeRepair| repair.spec.asks == Asks::Escalate;
                let asked = object(world.repairs(), sick::REPAIR, asks);
                within("the node engine to hand over", long(), asked).await?;
                let same = world.engine_process(SICK).await? == self.ready()?.node_engine;
                claim!(same, "the node engine is another process than before");
                Ok(())
            }
            Awaited::Phase(phase) => sick::phase(world, phase).await.map(drop),
            Awaited::Done(step) => {
                let next = self.next(step).context("no phase follows")?;
                let done = format!("the step {step:?} to be done");
                within(&done, long(), self.gate()?.refused(self.mark, next)).await?;
                *lock(&self.held) = Some((step, next));
                let is_done = self.is_done(step).await;
                is_done.with_context(|| format!("the controller takes {step:?} for done"))
            }
        }
    }

    async fn ended(&self, phase: Option<Phase>) -> Result<()> {
        let (world, Some(phase)) = (self.world, phase) else {
            return Ok(());
        };
        let repair = sick::finished(world, self.mark, phase).await?;
        ensure!(self.repair.set(repair).is_ok(), "it has ended already");
        if let Some(gate) = self.gate.get() {
            gate.open().await?;
        }
        match phase {
            Phase::Replaced => {
                let nodes: Api<Node> = Api::all(world.kubernetes.admin());
                within("the old Node to be gone", short(), gone(nodes, SICK)).await
            }
            Phase::Recovered => {
                sick::schedulable(world).await?;
                sick::well(world, SICK, self.service.condition).await
            }
            _ => {
                sick::schedulable(world).await?;
                let ours = self.new_server_id().await?;
                let gone = world.openstack.records.await_gone(&ours);
                within("our server to be gone", short(), gone).await
            }
        }
    }

    async fn when(&self, fact: Fact) -> Result<Result<Timestamp, Unmet>> {
        match self.happened(fact).await {
            Ok(at) => Ok(Ok(at)),
            // what no record has did not happen; a record that cannot be read is another matter
            Err(error) => error.downcast::<Unmet>().map(Err),
        }
    }

    async fn holds(&self, claim: Claim) -> Result<()> {
        self.check(claim).await
    }
}

#[cfg(test)]
mod tests {
    use rectifier_story::Story;

    use super::*;

    #[test]
    fn the_services_rules_are_those_of_the_sidecar() {
        let sidecar = include_str!("../../fixtures/policy.yaml");
        for Service {
            unit,
            condition,
            rule: Rule { attempts, reboot },
        } in [PROXY, CACHE]
        {
            let rule = format!(
                "{{condition: {condition}, unit: {unit}, attempts: {attempts}, reboot: {reboot}, "
            );
            assert!(sidecar.contains(&rule), "{rule}");
        }
    }

    #[test]
    fn each_story_has_a_rule_that_can_be_put_here() {
        for story in Story::ALL {
            let rule = story.script().rule;
            // the cache's attempts are no setting of the scenarios
            assert!(!rule.reboot || rule == CACHE.rule, "{story:?}");
        }
    }
}
