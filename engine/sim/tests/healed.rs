//! Both real engines in the world: what breaks on a node is healed there if it can be, and else in the control plane.

mod policy;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use rectifier_api::NodeRepair;
use rectifier_policy_host::Advisor;
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::machine::{Break, Cure};
use rectifier_sim::scene::{self, Scene};
use tokio::task::JoinSet;

const SICK: &str = "worker-1";
const PROXY: &str = "proxy.service";

/// A scene in which both engines run.
struct Running {
    scene: Scene,
    engines: JoinSet<String>,
}

impl Running {
    async fn start(seed: u64, policies: Arc<dyn Advisor>) -> Result<Self> {
        let options = scene::Options {
            seed,
            ..scene::Options::default()
        };
        let scene = Scene::set(options, policies);
        let mut engines = JoinSet::new();
        engines.spawn(scene.agents());
        let controller = rectifier_controller::run(scene.controller("controller-0"));
        engines.spawn(async move { format!("the controller ended: {:?}", controller.await) });
        let mut running = Self { scene, engines };
        running.until_well().await?;
        Ok(running)
    }

    async fn until_well(&mut self) -> Result<()> {
        for _ in 0..3600 {
            if let Some(ended) = self.engines.try_join_next() {
                bail!("{ended:?}");
            }
            if self.scene.is_well() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        bail!("it is not well after an hour")
    }

    async fn heals(&mut self, what: Break) -> Result<Story> {
        ensure!(self.scene.machines.break_it(SICK, &what));
        self.until_well().await?;
        // What is well for a moment may be so by chance; and words come late.
        tokio::time::sleep(Duration::from_secs(400)).await;
        self.until_well().await?;
        let client = self.scene.api.client("witness");
        let all = ListParams::default();
        let events = Api::<Event>::all(client.clone()).list(&all).await?.items;
        let nodes = Api::<Node>::all(client.clone()).list(&all).await?.items;
        let repairs = Api::<NodeRepair>::all(client).list(&all).await?.items;
        let boot = |node: Node| node.status?.node_info.map(|info| info.boot_id);
        Ok(Story {
            told: events
                .into_iter()
                .filter_map(|event| event.reason)
                .collect(),
            is_there: nodes
                .iter()
                .any(|node| node.metadata.name.as_deref() == Some(SICK)),
            boots: nodes
                .into_iter()
                .filter_map(boot)
                .filter(|id| !id.ends_with("-1"))
                .count(),
            repairs: repairs.len(),
            servers: self.scene.cloud.asked_for(),
        })
    }
}

/// What came of it.
#[derive(Debug)]
struct Story {
    told: Vec<String>,
    is_there: bool,
    /// Nodes that are in a later boot than their first.
    boots: usize,
    /// Archived ones: none is open.
    repairs: usize,
    servers: usize,
}

impl Story {
    fn tells(&self, reason: &str) -> bool {
        self.told.iter().any(|told| told == reason)
    }
}

fn in_the_world<T>(body: impl Future<Output = Result<T>>) -> Result<T> {
    in_virtual_time(body)?
}

fn story(seed: u64, policies: Arc<dyn Advisor>, what: Break) -> Result<Story> {
    in_the_world(async {
        let mut running = Running::start(seed, policies).await?;
        running.heals(what).await
    })
}

#[test]
fn a_unit_that_a_restart_heals_is_restarted_and_nothing_more() -> Result<()> {
    let policies = policy::shipped()?;
    for seed in 0..10 {
        let what = Break::Unit(PROXY.to_owned(), Cure::Restart);
        let story = story(seed, policies.clone(), what)?;
        println!("{story:?}");
        ensure!(story.tells("RemedyRecovered"), "{story:?}");
        ensure!(
            story.is_there && story.boots == 0 && story.servers == 3 && story.repairs == 0,
            "{story:?}"
        );
    }
    Ok(())
}

#[test]
fn a_unit_that_a_boot_heals_is_healed_by_a_granted_reboot() -> Result<()> {
    let policies = policy::shipped()?;
    for seed in 0..10 {
        let what = Break::Unit(PROXY.to_owned(), Cure::Boot);
        let story = story(seed, policies.clone(), what)?;
        println!("{story:?}");
        ensure!(
            story.is_there && story.boots == 1 && story.servers == 3 && story.repairs == 1,
            "{story:?}"
        );
    }
    Ok(())
}

#[test]
fn a_unit_that_nothing_heals_has_its_node_replaced() -> Result<()> {
    let policies = policy::shipped()?;
    for seed in 0..10 {
        let what = Break::Unit(PROXY.to_owned(), Cure::Never);
        let story = story(seed, policies.clone(), what)?;
        println!("{story:?}");
        ensure!(
            !story.is_there && story.servers == 4 && story.repairs == 1,
            "{story:?}"
        );
    }
    Ok(())
}

#[test]
fn a_silent_agents_node_is_judged_by_the_controller() -> Result<()> {
    let policies = policy::shipped()?;
    for seed in 0..5 {
        let story = in_the_world(async {
            let mut running = Running::start(seed, policies.clone()).await?;
            running.scene.machines.break_it(SICK, &Break::AgentSilent);
            running
                .heals(Break::Unit(PROXY.to_owned(), Cure::Never))
                .await
        })?;
        println!("{story:?}");
        ensure!(
            !story.is_there && story.servers == 4 && story.repairs == 1,
            "{story:?}"
        );
    }
    Ok(())
}
