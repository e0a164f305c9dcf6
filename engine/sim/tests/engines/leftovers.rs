//! Things of ours in the cloud that nobody needs are collected, and no others: not before two hours, not on half a list, and
//! nothing of another cluster in the same project, or of a person.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, PostParams};
use rectifier_cloud::openstack::OpenStack;
use rectifier_cloud::{Cloud, PortSpec, ServerSpec, ServerStatus, ServerTemplate};
use rectifier_core::name::ServerId;
use rectifier_policy_host::Advisor;
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::kubernetes::{self, ApiServer, Identity};
use rectifier_sim::openstack::Fault;
use rectifier_sim::scene::{self, CONTROLLER, NAMESPACE, Scene};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::policy;

/// A project with things of several owners in it.
struct Project {
    scene: Scene,
    cloud: OpenStack,
    template: ServerTemplate,
    began: Instant,
}

/// One thing, as an engine makes it.
struct Thing<'a> {
    cluster: &'a str,
    /// The first letter of its repair's UID.
    repair: char,
    /// `None`: no server, only its ports.
    state: Option<&'a str>,
    port_tags: &'a [&'a str],
}

impl Project {
    async fn set(seed: u64, policies: Arc<dyn Advisor>) -> Result<Self> {
        let options = scene::Options {
            seed,
            ..scene::Options::default()
        };
        let scene = Scene::set(options, policies);
        let cloud = OpenStack::over(scene.cloud.clone());
        let servers = cloud.servers().await?;
        let template = cloud.template(&servers[0].id).await?;
        Ok(Self {
            scene,
            cloud,
            template,
            began: Instant::now(),
        })
    }

    /// Its server's name, or its port's.
    async fn make(&self, thing: &Thing<'_>) -> Result<String> {
        let uid = format!("{}f1c2a3b-0000-4000-8000-000000000000", thing.repair);
        let port = PortSpec {
            name: format!("rectifier-{uid}-1-0"),
            description: format!("rectifier cluster {}", thing.cluster),
            template: self.template.ports[0].clone(),
        };
        let made = self.cloud.create_port(&port).await?;
        for tag in thing.port_tags {
            self.cloud.tag_port(&made.id, tag).await?;
        }
        let Some(state) = thing.state else {
            return Ok(port.name);
        };
        let marks = [
            ("rectifier.cluster", thing.cluster),
            ("rectifier.repair", &uid),
            ("rectifier.state", state),
        ];
        let server = ServerSpec {
            name: format!("late-{}", thing.repair),
            description: None,
            shape: self.template.shape.clone(),
            ports: vec![made.id],
            user_data: "it never joins".to_owned(),
            metadata: marks
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            tags: vec![format!("rectifier-{uid}-1")],
        };
        self.until_built(&self.cloud.create_server(&server).await?)
            .await?;
        Ok(server.name)
    }

    async fn until_built(&self, id: &ServerId) -> Result<()> {
        for _ in 0..60 {
            let server = self.cloud.describe(id).await?.context("it is gone")?;
            if server.status == ServerStatus::Active {
                return Ok(());
            }
            sleep(Duration::from_secs(1)).await;
        }
        anyhow::bail!("it is not built in a minute")
    }

    /// The names of all servers, and of all ports that have one, with how many have it.
    async fn there(&self) -> Result<BTreeMap<String, usize>> {
        let mut there = BTreeMap::new();
        for (name, _) in self.scene.cloud.servers() {
            *there.entry(name).or_default() += 1;
        }
        for id in self.scene.cloud.ports() {
            let port = self
                .cloud
                .port(&rectifier_core::name::PortId::parse(id)?)
                .await?;
            let name = port.map(|port| port.name).filter(|name| !name.is_empty());
            if let Some(name) = name {
                *there.entry(name).or_default() += 1;
            }
        }
        Ok(there)
    }

    async fn at(&self, hours: f64) {
        sleep_until(self.began + Duration::from_secs_f64(hours * 3600.0)).await;
    }

    fn start(&self, cluster: &str, api: &ApiServer) -> JoinSet<()> {
        let mut ctx = self.scene.controller(&format!("controller of {cluster}"));
        ctx.settings.cluster = cluster.to_owned();
        ctx.client = api.client_of(CONTROLLER, Identity::account(NAMESPACE, CONTROLLER));
        let mut running = JoinSet::new();
        running.spawn(async move {
            let ended = rectifier_controller::run(ctx).await;
            println!("a controller ended: {ended:?}");
        });
        running
    }
}

fn difference(before: &BTreeMap<String, usize>, now: &BTreeMap<String, usize>) -> BTreeSet<String> {
    let names = before.keys().chain(now.keys());
    names
        .filter(|name| before.get(*name) != now.get(*name))
        .cloned()
        .collect()
}

const OURS: &str = "world";
const LEFT: Thing<'static> = Thing {
    cluster: OURS,
    repair: '1',
    state: Some("provisional"),
    port_tags: &[],
};

async fn each_kind_is_collected_after_two_hours(policies: Arc<dyn Advisor>) -> Result<()> {
    let project = Project::set(1, policies).await?;
    let server = project.make(&LEFT).await?;
    let its_port = "rectifier-1f1c2a3b-0000-4000-8000-000000000000-1-0".to_owned();
    // killed between making and tagging it
    let untagged = Thing {
        repair: '2',
        state: None,
        port_tags: &[],
        ..LEFT
    };
    let untagged = project.make(&untagged).await?;
    let leftovers = BTreeSet::from([server, its_port, untagged]);
    for other in [
        Thing {
            repair: '3',
            state: Some("adopted"),
            ..LEFT
        },
        Thing {
            repair: '4',
            state: None,
            port_tags: &["rectifier-adopted"],
            ..LEFT
        },
        Thing {
            repair: '5',
            cluster: "theirs",
            ..LEFT
        },
        Thing {
            repair: '6',
            cluster: "theirs",
            state: None,
            ..LEFT
        },
    ] {
        project.make(&other).await?;
    }
    project
        .scene
        .cloud
        .foreign_server("somebodys-database", None);
    let persons = PortSpec {
        name: "rectifier-7f1c2a3b-0000-4000-8000-000000000000-1-0".to_owned(),
        description: "kept for a reason".to_owned(),
        template: project.template.ports[0].clone(),
    };
    project.cloud.create_port(&persons).await?;
    let before = project.there().await?;
    let engine = project.start(OURS, &project.scene.api);
    project.at(1.98).await;
    ensure!(
        project.there().await? == before,
        "nothing goes before two hours"
    );
    project.at(2.5).await;
    let gone = difference(&before, &project.there().await?);
    ensure!(gone == leftovers, "{gone:?}");
    project.at(9.0).await;
    let gone = difference(&before, &project.there().await?);
    ensure!(gone == leftovers, "what is not ours never goes: {gone:?}");
    ensure!(!engine.is_empty());
    Ok(())
}

#[test]
fn leftovers_of_each_kind_are_collected_after_two_hours_and_nobody_elses_things() -> Result<()> {
    in_virtual_time(each_kind_is_collected_after_two_hours(policy::shipped()?))?
}

async fn half_a_list_takes_nothing(policies: Arc<dyn Advisor>) -> Result<()> {
    let project = Project::set(2, policies).await?;
    project.make(&LEFT).await?;
    project
        .make(&Thing {
            repair: '2',
            state: None,
            ..LEFT
        })
        .await?;
    let before = project.there().await?;
    let workers = project.cloud.find_by_name("worker-1").await?;
    let worker = workers.first().context("no worker-1")?;
    let host = project
        .scene
        .cloud
        .host_of(worker.id.as_str())
        .context("no host")?;
    project.scene.cloud.fault(Fault::CellDown(host));
    let _engine = project.start(OURS, &project.scene.api);
    project.at(4.0).await;
    ensure!(
        project.there().await? == before,
        "a cell is down: nothing goes"
    );
    project.scene.cloud.clear_faults();
    project.at(4.5).await;
    let gone = difference(&before, &project.there().await?);
    ensure!(gone.len() == 3, "{gone:?}");
    Ok(())
}

#[test]
fn a_list_that_a_cell_is_missing_from_takes_nothing() -> Result<()> {
    in_virtual_time(half_a_list_takes_nothing(policy::shipped()?))?
}

/// Two clusters, each with a controller and an API server of its own, in one project.
async fn two_clusters_in_one_project(policies: Arc<dyn Advisor>) -> Result<()> {
    let project = Project::set(3, policies).await?;
    let own = project.make(&LEFT).await?;
    let their = project
        .make(&Thing {
            repair: '5',
            cluster: "theirs",
            ..LEFT
        })
        .await?;
    let before = project.there().await?;
    let other = ApiServer::new(kubernetes::Options::default(), project.scene.clock.clone());
    for crd in rectifier_api::crds() {
        other.install(&crd)?;
    }
    let namespaces: Api<Namespace> = Api::all(other.client("installer"));
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(NAMESPACE.to_owned());
    namespaces
        .create(&PostParams::default(), &namespace)
        .await?;

    let theirs = project.start("theirs", &other);
    project.at(3.0).await;
    let gone = difference(&before, &project.there().await?);
    let servers = |gone: &BTreeSet<String>| {
        let servers = gone.iter().filter(|name| name.starts_with("late-"));
        servers.cloned().collect::<Vec<_>>()
    };
    ensure!(
        servers(&gone) == [their.clone()] && gone.len() == 2,
        "{gone:?}"
    );
    let ours = project.start(OURS, &project.scene.api);
    project.at(4.0).await;
    let gone = difference(&before, &project.there().await?);
    ensure!(
        servers(&gone) == [own, their] && gone.len() == 4,
        "{gone:?}"
    );
    // Neither knows a single Node of the other, and yet all of them run.
    let workers = project.scene.cloud.servers();
    ensure!(workers.len() == 3, "{workers:?}");
    ensure!(!theirs.is_empty() && !ours.is_empty());
    Ok(())
}

#[test]
fn two_clusters_in_one_project_leave_each_others_things_alone() -> Result<()> {
    in_virtual_time(two_clusters_in_one_project(policy::shipped()?))?
}
