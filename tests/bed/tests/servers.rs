//! Nova's servers are the cluster's nodes: they join, reboot, go dark and die as nodes do. Needs
//! root, since one of them is a real machine.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use rectifier_bed::hypervisor::user_data::CloudConfig;
use rectifier_bed::hypervisor::{Kind, Outcome, Stock, connect, journal};
use rectifier_bed::kubernetes::node::condition;
use rectifier_bed::kubernetes::{self, Kubernetes};
use rectifier_bed::openstack::{self, NewServer, OpenStack, Server, Subnet};
use rectifier_bed::{Bed, machine::Machine};
use rectifier_provision::{Image, Stderr};

struct World {
    bed: Bed,
    kubernetes: Kubernetes,
    stack: OpenStack,
}

#[tokio::test]
#[ignore = "a minute and a half, and what is amiss here shows in the scenarios"]
async fn servers_are_nodes() -> Result<()> {
    let world = timed("start", World::start()).await?;
    let user_data = world.user_data().await?;
    let small = timed("small", world.join("small-1", "m1.small", &user_data)).await?;
    let large = timed("large", world.join("large-1", "m1.large", &user_data)).await?;

    timed("small, hard reboot", world.reboots(&small, true)).await?;
    timed("large, soft reboot", world.reboots(&large, false)).await?;
    timed("large, hard reboot", world.reboots(&large, true)).await?;
    timed("small, off and on", world.goes_dark_and_comes_back(&small)).await?;
    timed("small, deleted", world.dies(&small)).await?;
    timed("large, deleted", world.dies(&large)).await?;
    assert!(
        !world.bed.machine("large-1").exists(),
        "a deleted machine's disk is gone"
    );
    let console = world
        .bed
        .dir()
        .join("servers")
        .join(&large.id)
        .join("console.log");
    assert!(console.exists(), "what it said is evidence, and stays");

    let failed = journal::read(world.bed.dir())?;
    let failed: Vec<_> = failed
        .iter()
        .filter(|entry| matches!(entry.outcome, Outcome::Failed(_)))
        .collect();
    ensure!(failed.is_empty(), "the hypervisor failed: {failed:#?}");
    world.stack.stop().await;
    Ok(())
}

async fn timed<T>(what: &str, step: impl Future<Output = Result<T>>) -> Result<T> {
    let begin = Instant::now();
    let limit = Duration::from_secs(300);
    let result = tokio::time::timeout(limit, step)
        .await
        .with_context(|| what.to_owned())?;
    eprintln!("{what}: {:.1} s", begin.elapsed().as_secs_f64());
    result.with_context(|| what.to_owned())
}

fn is_ready(node: &Node) -> bool {
    condition(node, "Ready") == Some("True")
}

fn boot_id(node: &Node) -> Option<&str> {
    Some(node.status.as_ref()?.node_info.as_ref()?.boot_id.as_str())
}

impl World {
    async fn start() -> Result<Self> {
        let bed = Bed::new("servers")?;
        let mut report = Stderr::default();
        let options = openstack::Options {
            hook: Some(env!("CARGO_BIN_EXE_hypervisor-hook").into()),
            subnet: Subnet::of(bed.network()?),
            ..openstack::Options::default()
        };
        let stock = Stock {
            root: bed.cache().node_root(&mut report)?,
            programs: bed.cache().go_programs(&mut report)?,
            images: vec![bed.cache().image(Image::Pause, &mut report)?],
        };
        stock.write(&bed)?;
        let (kubernetes, stack) = tokio::try_join!(
            Kubernetes::start(&bed, kubernetes::Options::with_machines()),
            OpenStack::start(&bed, &options, &mut report),
        )?;
        connect(&bed, &kubernetes).await?;
        Ok(Self {
            bed,
            kubernetes,
            stack,
        })
    }

    async fn user_data(&self) -> Result<String> {
        let token = self
            .kubernetes
            .bootstrap_token(Duration::from_secs(600))
            .await?;
        let bootstrap = self.kubernetes.bootstrap_kubeconfig(&token);
        let arguments = "--node-labels=pool=a --register-with-taints=new=true:NoSchedule";
        CloudConfig::joining(&bootstrap, arguments).render()
    }

    /// A server of that flavor becomes a Ready node which says whose it is.
    async fn join(&self, name: &str, flavor: &str, user_data: &str) -> Result<Server> {
        let wanted = NewServer {
            name: name.to_owned(),
            flavor: flavor.to_owned(),
            user_data: user_data.to_owned(),
            ..NewServer::default()
        };
        let server = self.stack.demo.create_server(&wanted).await?;
        let node = self.kubernetes.node(name, is_ready).await?;

        let spec = node.spec.as_ref().context("a spec")?;
        assert_eq!(
            spec.provider_id,
            Some(format!("openstack:///{}", server.id))
        );
        let taints = spec.taints.iter().flatten();
        assert!(
            taints
                .into_iter()
                .any(|taint| taint.key == "new" && taint.effect == "NoSchedule")
        );
        assert_eq!(
            node.metadata.labels.as_ref().context("labels")?["pool"],
            "a"
        );
        let status = node.status.as_ref().context("a status")?;
        let address = status
            .addresses
            .iter()
            .flatten()
            .find(|a| a.type_ == "InternalIP");
        let ports = self.stack.records.ports().await?;
        let port = ports
            .iter()
            .find(|port| port.device_id == server.id)
            .context("its port")?;
        assert_eq!(
            address.context("an address")?.address,
            port.fixed_ips[0].ip_address
        );

        let user = format!("system:node:{name}");
        let audit = self.kubernetes.audit();
        let registered = audit.wait_for(|record| {
            record.verb == "create" && record.object.resource == "nodes" && record.user == user
        });
        assert_eq!(registered.await?.code, 201);
        Ok(server)
    }

    async fn reboots(&self, server: &Server, hard: bool) -> Result<()> {
        let before = self.kubernetes.node(&server.name, is_ready).await?;
        let before = boot_id(&before).context("a boot id")?;
        self.stack.demo.reboot_server(&server.id, hard).await?;
        let another = |node: &Node| is_ready(node) && boot_id(node) != Some(before);
        self.kubernetes.node(&server.name, another).await?;
        self.stack
            .records
            .await_status(&server.id, "ACTIVE")
            .await?;
        Ok(())
    }

    async fn goes_dark_and_comes_back(&self, server: &Server) -> Result<()> {
        self.stack.demo.stop_server(&server.id).await?;
        self.stack
            .records
            .await_status(&server.id, "SHUTOFF")
            .await?;
        let unknown = |node: &Node| condition(node, "Ready") == Some("Unknown");
        self.kubernetes.node(&server.name, unknown).await?;
        self.stack.demo.start_server(&server.id).await?;
        self.kubernetes.node(&server.name, is_ready).await?;
        self.stack
            .records
            .await_status(&server.id, "ACTIVE")
            .await?;
        Ok(())
    }

    /// Its Node object stays, Unknown: to delete it is not the cloud's business.
    async fn dies(&self, server: &Server) -> Result<()> {
        self.stack.demo.delete_server(&server.id).await?;
        self.stack.records.await_gone(&server.id).await?;
        let unknown = |node: &Node| condition(node, "Ready") == Some("Unknown");
        self.kubernetes.node(&server.name, unknown).await?;
        let told = journal::read(self.bed.dir())?;
        let last = told
            .iter()
            .rfind(|entry| entry.uuid == server.id)
            .context("entries")?;
        assert_eq!((last.event, &last.outcome), (Kind::Destroy, &Outcome::Done));
        let machine = Machine::open(&self.bed.machine(&server.name));
        assert!(machine.is_err());
        Ok(())
    }
}
