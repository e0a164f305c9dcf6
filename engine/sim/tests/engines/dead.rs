//! Nodes that are not heard, in the world, with both real engines: what is booted, what is replaced, and what nobody may touch
//! before it is proven that the machine is off.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use rectifier_api::{CONFIRMED_DEAD, NodeRepair};
use rectifier_cloud::openstack::OpenStack;
use rectifier_cloud::{Cloud, InstanceAction};
use rectifier_core::name::ServerId;
use rectifier_core::reason::Reason;
use rectifier_core::repair::{Phase, Record};
use rectifier_policy_host::Advisor;
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::machine::{Break, Cure};
use rectifier_sim::openstack::Fault;
use rectifier_sim::scene::{Options, Scene};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::{database, policy};

const SICK: &str = "worker-1";

struct Stage {
    scene: Scene,
    engines: JoinSet<String>,
    /// The sick node's server.
    server: String,
    uid: String,
}

impl Stage {
    /// A cluster that is well, both engines in it, and a database on the node that is to fall sick.
    async fn set(seed: u64, policies: Arc<dyn Advisor>) -> Result<Self> {
        let options = Options {
            seed,
            ..Options::default()
        };
        let scene = Scene::set(options, policies);
        let mut engines = JoinSet::new();
        engines.spawn(scene.agents());
        let controller = rectifier_controller::run(scene.controller("controller-1"));
        engines.spawn(async move { format!("the controller: {:?}", controller.await) });
        let mut stage = Self {
            scene,
            engines,
            server: String::new(),
            uid: String::new(),
        };
        stage
            .until("all is well", |stage| stage.scene.is_well())
            .await?;
        for name in ["worker-2", "worker-3"] {
            stage.cordon(name, true).await?;
        }
        let sets: Api<StatefulSet> = Api::namespaced(stage.scene.api.client("a person"), "default");
        sets.create(&PostParams::default(), &database::wanted()?)
            .await?;
        stage
            .until("the database runs", |stage| stage.holders() == [SICK])
            .await?;
        for name in ["worker-2", "worker-3"] {
            stage.cordon(name, false).await?;
        }
        let node = stage.node(SICK).context("the node")?;
        let provider = node.spec.and_then(|spec| spec.provider_id);
        let provider = provider.context("its provider's id")?;
        stage.server = provider.rsplit('/').next().unwrap_or_default().to_owned();
        stage.uid = node.metadata.uid.unwrap_or_default();
        Ok(stage)
    }

    async fn cordon(&self, node: &str, is: bool) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.scene.api.client("a person"));
        let patch = json!({"spec": {"unschedulable": is}});
        nodes
            .patch(node, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    fn node(&self, name: &str) -> Option<Node> {
        let nodes: Vec<Node> = self.scene.api.all("nodes");
        nodes.into_iter().find(|node| node.name_any() == name)
    }

    /// The nodes to which the database's volume is attached.
    fn holders(&self) -> Vec<String> {
        database::holders(&self.scene)
    }

    fn repair(&self) -> Option<NodeRepair> {
        let repairs: Vec<NodeRepair> = self.scene.api.all("noderepairs.rectifier.dev");
        let name = format!("{SICK}.repair");
        repairs.into_iter().find(|repair| repair.name_any() == name)
    }

    fn record(&self) -> Record {
        self.repair()
            .and_then(|repair| repair.status)
            .unwrap_or_default()
    }

    fn is_in(&self, phase: Phase) -> bool {
        self.repair().is_some() && self.record().phase == phase
    }

    /// The repairs of the sick node that are over.
    fn ended(&self) -> Vec<Phase> {
        let repairs: Vec<NodeRepair> = self.scene.api.all("noderepairs.rectifier.dev");
        let over = repairs.iter().filter(|repair| {
            repair.spec.node_name == SICK && !repair.name_any().ends_with(".repair")
        });
        over.filter_map(|repair| Some(repair.status.as_ref()?.phase))
            .collect()
    }

    /// Looks at each change, and each second at what is no object, for three hours at most: at no moment do two nodes have
    /// the volume.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<()> {
        let began = Instant::now();
        let mut changes = self.scene.api.changes();
        while began.elapsed() < Duration::from_secs(3 * 3600) {
            if is_so(self) {
                return Ok(());
            }
            let holders = self.holders();
            ensure!(holders.len() < 2, "{holders:?} have the volume");
            if let Some(ended) = self.engines.try_join_next() {
                bail!("an engine ended: {ended:?}");
            }
            drop(timeout(Duration::from_secs(1), changes.changed()).await);
        }
        bail!(
            "waited in vain until {what}: {:?}, {:#?}",
            self.scene.ills(),
            self.record()
        )
    }

    /// For so many seconds.
    async fn stays(
        &mut self,
        seconds: u64,
        what: &str,
        is_so: impl Fn(&Self) -> bool,
    ) -> Result<()> {
        for _ in 0..seconds {
            ensure!(is_so(self), "{what}: {:#?}", self.record());
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    fn hangs(&self, cure: Cure) {
        self.scene.machines.break_it(SICK, &Break::Machine(cure));
    }

    fn cloud(&self) -> OpenStack {
        OpenStack::over(self.scene.cloud.clone())
    }

    fn id(&self) -> Result<ServerId> {
        Ok(ServerId::parse(&self.server)?)
    }

    /// What was done to the sick server since its creation, oldest first.
    async fn done(&self) -> Result<Vec<InstanceAction>> {
        let mut actions = self.cloud().actions(&self.id()?).await?;
        actions.reverse();
        Ok(actions.into_iter().skip(1).collect())
    }

    /// Its host is down until a person is asked about it.
    async fn loses_its_host(&mut self) -> Result<()> {
        let host = self.scene.cloud.host_of(&self.server);
        let host = host.context("its host")?;
        self.scene.cloud.fault(Fault::HostStopped(host));
        self.until("a person is asked", |stage| stage.is_in(Phase::NeedsHuman))
            .await?;
        let record = self.record();
        ensure!(record.reason == Some(Reason::HostUnreachable), "{record:?}");
        Ok(())
    }

    /// The repair ends so, and the database runs elsewhere.
    async fn is_replaced(&mut self) -> Result<()> {
        self.until("it is replaced", |stage| !stage.ended().is_empty())
            .await?;
        ensure!(self.ended() == [Phase::Replaced], "{:?}", self.ended());
        let runs = |stage: &Self| stage.holders().len() == 1;
        self.until("the database runs elsewhere", runs).await
    }

    async fn annotate(&self, key: &str, value: &str) -> Result<()> {
        let repairs: Api<NodeRepair> = Api::all(self.scene.api.client("a person"));
        let patch = json!({"metadata": {"annotations": BTreeMap::from([(key, value)])}});
        let name = format!("{SICK}.repair");
        repairs
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }
}

fn names(actions: &[InstanceAction]) -> Vec<(&str, bool)> {
    let one = |action: &InstanceAction| action.is_done_by_host();
    actions
        .iter()
        .map(|action| (action.action.as_str(), one(action)))
        .collect()
}

/// Plays it with some seeds.
fn play(story: impl AsyncFn(Stage) -> Result<()>) -> Result<()> {
    let policies = policy::shipped()?;
    for seed in 0..3 {
        let whole = async { story(Stage::set(seed, policies.clone()).await?).await };
        in_virtual_time(whole)?.with_context(|| format!("seed {seed}"))?;
    }
    Ok(())
}

#[test]
fn a_node_that_is_not_heard_is_booted_by_the_cloud() -> Result<()> {
    play(async |mut stage| {
        stage.hangs(Cure::Boot);
        stage
            .until("it is healed", |stage| !stage.ended().is_empty())
            .await?;
        ensure!(stage.ended() == [Phase::Recovered], "{:?}", stage.ended());
        let done = stage.done().await?;
        ensure!(names(&done) == [("reboot", true)], "{done:?}");
        let node = stage.node(SICK).context("the node")?;
        ensure!(node.metadata.uid.as_ref() == Some(&stage.uid));
        stage
            .until("all is well", |stage| stage.holders().len() == 1)
            .await
    })
}

#[test]
fn a_node_that_no_boot_brings_back_is_replaced_once_its_machine_is_proven_to_be_off() -> Result<()>
{
    play(async |mut stage| {
        stage.hangs(Cure::Never);
        stage
            .until("its volume is let go", |stage| stage.holders().is_empty())
            .await?;
        let done = stage.done().await?;
        ensure!(
            names(&done)[..2] == [("reboot", true), ("stop", true)],
            "{done:?}"
        );
        let proof = stage.record().proof;
        ensure!(proof.is_some_and(|proof| proof.starts_with("stop req-")));
        stage.is_replaced().await?;
        ensure!(stage.node(SICK).is_none());
        let done = stage.done().await?;
        ensure!(names(&done).last() == Some(&("delete", true)), "{done:?}");
        Ok(())
    })
}

#[test]
fn a_host_that_is_down_ends_with_a_person_and_a_raw_delete_proves_nothing() -> Result<()> {
    play(async |mut stage| {
        stage.loses_its_host().await?;
        ensure!(stage.holders() == [SICK], "nothing is forced");

        // A person tries it the rough way: the cloud forgets the server, and its machine may run on.
        stage.cloud().delete_server(&stage.id()?).await?;
        ensure!(stage.cloud().describe(&stage.id()?).await?.is_none());
        stage.annotate(rectifier_api::RETRY, "now").await?;
        stage
            .stays(1200, "nothing is taken from it", |stage| {
                stage.node(SICK).is_some() && stage.holders() == [SICK]
            })
            .await
    })
}

#[test]
fn a_persons_word_stands_in_the_place_of_a_host_that_is_down() -> Result<()> {
    play(async |mut stage| {
        stage.loses_its_host().await?;
        stage.annotate(CONFIRMED_DEAD, "some-other-server").await?;
        stage
            .stays(60, "a word about another server", |stage| {
                stage.is_in(Phase::NeedsHuman)
            })
            .await?;
        stage
            .annotate(CONFIRMED_DEAD, &stage.server.clone())
            .await?;
        stage.is_replaced().await
    })
}

/// Until it reaches this phase it is dead; then somebody finds the right button.
fn comes_back_in(phase: Phase, ends: Phase) -> Result<()> {
    play(async |mut stage| {
        stage.hangs(Cure::Never);
        stage
            .until("it is as far", |stage| stage.is_in(phase))
            .await?;
        stage.scene.machines.mend(SICK);
        stage
            .until("the repair ends", |stage| !stage.ended().is_empty())
            .await?;
        ensure!(stage.ended() == [ends], "{:?}", stage.ended());
        stage
            .until("the database runs", |stage| stage.holders().len() == 1)
            .await?;
        let servers = stage.scene.cloud.servers();
        ensure!(servers.len() == 3, "{servers:?}");
        ensure!(stage.scene.cloud.ports().len() == 3);
        Ok(())
    })
}

#[test]
fn a_zombie_that_comes_back_before_the_commit_is_kept() -> Result<()> {
    comes_back_in(Phase::CreatingServer, Phase::Cancelled)?;
    comes_back_in(Phase::Joining, Phase::Cancelled)
}

#[test]
fn a_zombie_that_comes_back_after_the_commit_is_drained_or_stopped_all_the_same() -> Result<()> {
    for phase in [
        Phase::Committed,
        Phase::Draining,
        Phase::Stopping,
        Phase::Detaching,
        Phase::DeletingServer,
    ] {
        comes_back_in(phase, Phase::Replaced).with_context(|| format!("{phase:?}"))?;
    }
    Ok(())
}

#[test]
fn a_server_that_a_person_stopped_is_left_to_that_person() -> Result<()> {
    play(async |mut stage| {
        stage.cloud().stop(&stage.id()?).await?;
        stage
            .until("a person is asked", |stage| stage.is_in(Phase::NeedsHuman))
            .await?;
        let record = stage.record();
        ensure!(record.reason == Some(Reason::StoppedByOther), "{record:?}");
        let done = stage.done().await?;
        ensure!(names(&done) == [("stop", true)], "{done:?}");
        // and it is well again when they start it
        stage.cloud().start(&stage.id()?).await?;
        stage
            .until("the repair ends", |stage| !stage.ended().is_empty())
            .await?;
        ensure!(stage.ended() == [Phase::Cancelled], "{:?}", stage.ended());
        Ok(())
    })
}

#[test]
fn a_server_whose_host_lost_its_power_is_started() -> Result<()> {
    play(async |mut stage| {
        let host = stage
            .scene
            .cloud
            .host_of(&stage.server)
            .context("its host")?;
        stage.scene.cloud.fault(Fault::HostRestarted(host));
        stage
            .until("the repair ends", |stage| !stage.ended().is_empty())
            .await?;
        ensure!(stage.ended() == [Phase::Recovered], "{:?}", stage.ended());
        let done = stage.done().await?;
        ensure!(
            names(&done) == [("stop", true), ("start", true)],
            "{done:?}"
        );
        Ok(())
    })
}

#[test]
fn a_node_object_that_goes_away_takes_its_repair_along_before_the_commit_and_not_after()
-> Result<()> {
    for (phase, ends) in [
        (Phase::Joining, Phase::Cancelled),
        (Phase::Draining, Phase::Replaced),
    ] {
        play(async |mut stage| {
            stage.hangs(Cure::Never);
            stage
                .until("it is as far", |stage| stage.is_in(phase))
                .await?;
            let nodes: Api<Node> = Api::all(stage.scene.api.client("a person"));
            nodes.delete(SICK, &DeleteParams::default()).await?;
            stage
                .until("the repair ends", |stage| !stage.ended().is_empty())
                .await?;
            ensure!(stage.ended() == [ends], "{:?}", stage.ended());
            let servers = stage.scene.cloud.servers();
            ensure!(servers.len() == 3, "{servers:?}");
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_node_that_renews_its_lease_is_not_touched() -> Result<()> {
    play(async |mut stage| {
        stage.hangs(Cure::Never);
        let leases: Api<k8s_openapi::api::coordination::v1::Lease> =
            Api::namespaced(stage.scene.api.client("a kubelet"), "kube-node-lease");
        for second in 0..120 {
            let renewed = format!(
                "2026-01-01T01:{:02}:{:02}.000000Z",
                second / 6,
                second % 6 * 10
            );
            let patch = json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": SICK},
                "spec": {"renewTime": renewed},
            });
            leases
                .patch(
                    SICK,
                    &PatchParams::apply("kubelet").force(),
                    &Patch::Apply(patch),
                )
                .await?;
            sleep(Duration::from_secs(10)).await;
        }
        let record = stage.record();
        ensure!(record.phase == Phase::Judging, "{record:?}");
        ensure!(
            record.reason == Some(Reason::KubeletAlive)
                || record.reason == Some(Reason::AwaitingSilence),
            "{record:?}"
        );
        ensure!(stage.done().await?.is_empty());
        // it dies after all
        stage.is_replaced().await
    })
}
