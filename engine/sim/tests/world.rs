//! The world's API server gives the answers that the real one gave (`conformance/` holds the questions, and
//! `conformance/answers` what was answered), and its cloud keeps the contract that the real one keeps (`openstack/`).

mod conformance;
mod openstack;

use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result};
use conformance::{Others, Subject, cases};
use openstack::{Stack, Trouble};
use rectifier_cloud::Shape;
use rectifier_cloud::openstack::OpenStack;
use rectifier_cloud::openstack::transport::Method;
use rectifier_core::clock::Timestamp;
use rectifier_core::name::ServerId;
use rectifier_sim::clock::WorldClock;
use rectifier_sim::cluster::{self, Cluster};
use rectifier_sim::kubernetes::{ApiServer, Identity, Options};
use rectifier_sim::machine::{self, Machines};
use rectifier_sim::openstack::{self as sim, Effect, Fault, World};

fn clock() -> Result<Arc<WorldClock>> {
    let at: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    Ok(Arc::new(WorldClock::starting(at)))
}

fn world(seed: u64) -> Result<ApiServer> {
    let clock = clock()?;
    let options = Options {
        seed,
        ..Options::default()
    };
    let server = ApiServer::new(options, clock);
    for crd in rectifier_api::crds() {
        server.install(&crd)?;
    }
    server.admit_by(include_str!("../../../deploy/admission.yaml"))?;
    Ok(server)
}

/// Others who ask the world.
struct Visitors(ApiServer);

#[async_trait::async_trait(?Send)]
impl Others for Visitors {
    async fn with_token(&self, token: &str) -> Result<kube::Client> {
        Ok(self.0.client_with_token("visitor", token))
    }

    async fn account(
        &self,
        [namespace, name]: [&str; 2],
        node: Option<[&str; 2]>,
    ) -> Result<kube::Client> {
        let identity = Identity::account(namespace, name);
        Ok(self.0.client_of(
            name,
            match node {
                Some([node, uid]) => identity.on_node(node, uid),
                None => identity,
            },
        ))
    }
}

#[tokio::test(start_paused = true)]
async fn the_world_answers_as_the_real_api_server_does() -> Result<()> {
    for seed in 0..20 {
        let server = world(seed)?;
        let subject = Subject {
            client: server.client("suite"),
            others: Rc::new(Visitors(server.clone())),
        };
        for case in cases() {
            subject.answers(&case).await?;
        }
    }
    Ok(())
}

/// What a request did and when it was answered, for a seed.
async fn trace(seed: u64) -> Result<(Vec<String>, std::time::Duration)> {
    let server = world(seed)?;
    let began = tokio::time::Instant::now();
    let subject = Subject {
        client: server.client("suite"),
        others: Rc::new(Visitors(server.clone())),
    };
    for case in cases() {
        subject.answers(&case).await?;
    }
    let told = |request: rectifier_sim::kubernetes::Request| format!("{request:?}");
    Ok((
        server.requests().into_iter().map(told).collect(),
        began.elapsed(),
    ))
}

#[tokio::test(start_paused = true)]
async fn a_seed_gives_the_same_world_every_time() -> Result<()> {
    let (one, other, third) = (trace(7).await?, trace(7).await?, trace(8).await?);
    assert_eq!(one, other);
    assert_ne!(one.1, third.1);
    Ok(())
}

struct Cloud {
    world: World,
    cloud: OpenStack,
}

#[async_trait::async_trait(?Send)]
impl Stack for Cloud {
    fn cloud(&self) -> &OpenStack {
        &self.cloud
    }

    fn shape(&self) -> Shape {
        let stock = self.world.stock();
        let small = stock
            .flavors
            .into_iter()
            .find(|(name, _)| name == "m1.small");
        Shape {
            flavor: small.map_or(String::new(), |(_, id)| id),
            image: Some(stock.image),
            key_name: None,
            zone: None,
            server_group: None,
            config_drive: false,
        }
    }

    fn network(&self) -> String {
        self.world.stock().network
    }

    async fn foreign_server(&self, name: &str) -> Result<ServerId> {
        Ok(ServerId::parse(self.world.foreign_server(name, None))?)
    }

    async fn trouble(&self, trouble: Trouble) -> Result<()> {
        let door = |method, path_ends: &str, effect| Fault::Door {
            method,
            path_ends: path_ends.to_owned(),
            effect,
        };
        self.world.fault(match trouble {
            Trouble::LostCreate => door(Method::Post, "/servers", Effect::AnswerLost),
            Trouble::NoValidHost => Fault::NoValidHost(1),
            Trouble::NoQuota => Fault::Quota(0),
            Trouble::Answered(status, headers) => {
                let headers = headers
                    .into_iter()
                    .map(|(name, value)| (name.to_lowercase(), value));
                let headers = headers.collect();
                door(Method::Get, "", Effect::Answer { status, headers })
            }
            Trouble::HostStopped(host) => Fault::HostStopped(host),
        });
        Ok(())
    }

    async fn no_more_trouble(&self) -> Result<()> {
        self.world.clear_faults();
        Ok(())
    }

    async fn host_of(&self, server: &ServerId) -> Result<String> {
        self.world
            .host_of(server.as_str())
            .context("it has no host")
    }

    async fn ports_left(&self) -> Result<usize> {
        Ok(self.world.ports().len())
    }
}

#[tokio::test(start_paused = true)]
async fn the_worlds_cloud_keeps_the_contract() -> Result<()> {
    for seed in 0..20 {
        let options = sim::Options {
            seed,
            ..sim::Options::default()
        };
        let world = World::new(options, clock()?);
        let cloud = OpenStack::over(world.clone());
        let stack = Cloud { world, cloud };
        openstack::keeps_the_contract(&stack)
            .await
            .with_context(|| format!("seed {seed}"))?;
    }
    Ok(())
}

/// What the API server says of the node's Ready, so many virtual seconds from now.
async fn ready_in(seconds: u64, client: &kube::Client) -> Result<Option<String>> {
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    let nodes: kube::Api<k8s_openapi::api::core::v1::Node> = kube::Api::all(client.clone());
    let status = nodes.get("worker-1").await?.status.unwrap_or_default();
    let mut conditions = status.conditions.unwrap_or_default().into_iter();
    let ready = conditions.find(|condition| condition.type_ == "Ready");
    Ok(ready.map(|condition| condition.status))
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_host_is_down_is_unknown_after_its_grace_and_ready_when_it_is_back()
-> Result<()> {
    let (api, cloud) = (world(1)?, World::new(sim::Options::default(), clock()?));
    let machines = Machines::new(machine::Options::default(), clock()?);
    let cluster = Cluster::new(
        api.clone(),
        cloud.clone(),
        machines,
        cluster::Options::default(),
    );
    cluster.add_node("worker-1", "nova", &[]);
    let mut nature = tokio::task::JoinSet::new();
    nature.spawn(cluster.run());
    let client = api.client("witness");
    assert_eq!(ready_in(60, &client).await?.as_deref(), Some("True"));
    for host in ["c1", "c2", "c3"] {
        cloud.fault(Fault::HostStopped(host.to_owned()));
    }
    assert_eq!(ready_in(38, &client).await?.as_deref(), Some("True"));
    assert_eq!(ready_in(5, &client).await?.as_deref(), Some("Unknown"));
    cloud.clear_faults();
    assert_eq!(ready_in(1, &client).await?.as_deref(), Some("True"));
    Ok(())
}
