//! The OpenStack implementation against real services: each part of the contract that only they can show.
//!
//! One stack serves all parts, since it takes half a minute to start; each makes its own servers and ports,
//! under a name of its own, and leaves none.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rectifier_bed::Bed;
use rectifier_bed::openstack::{self as bed, Effect, Fault, HttpFault};
use rectifier_cloud::openstack::{OpenStack, OpenStackConfig};
use rectifier_cloud::{
    Cloud, CloudError, Port, PortSpec, PortTemplate, Reboot, Retry, Server, ServerSpec,
    ServerStatus, Shape,
};
use rectifier_core::name::ServerId;
use rectifier_provision::Stderr;

/// Nova cannot be watched.
const POLL: Duration = Duration::from_millis(250);
/// As long as the bed itself waits for Nova.
const PATIENCE: Duration = Duration::from_secs(120);

/// A stack, our view of it, and what a server there needs.
struct Real {
    stack: bed::OpenStack,
    cloud: OpenStack,
    shape: Shape,
    network: String,
}

#[tokio::test]
async fn real_services_keep_the_contract() -> Result<()> {
    let bed = Bed::new("cloud")?;
    let stack =
        bed::OpenStack::start(&bed, &bed::Options::default(), &mut Stderr::default()).await?;
    let real = Real::new(stack).await?;
    real.a_server_lives_and_ends()
        .await
        .context("a server lives and ends")?;
    real.a_similar_server_is_made_from_a_template()
        .await
        .context("a similar server")?;
    real.a_lost_create_is_found_by_its_tag()
        .await
        .context("a lost create")?;
    real.failures_say_what_to_do().await.context("failures")?;
    real.a_revoked_token_is_replaced()
        .await
        .context("a revoked token")?;
    real.a_delete_on_a_dead_host_has_no_event()
        .await
        .context("a dead host")?;
    let ports = real.stack.records.ports().await?;
    ensure!(ports.is_empty(), "left over: {ports:?}");
    real.stack.stop().await;
    Ok(())
}

impl Real {
    async fn new(stack: bed::OpenStack) -> Result<Self> {
        let cloud = OpenStack::new(OpenStackConfig {
            clouds: stack.clouds_yaml(),
            cloud: "demo".to_owned(),
            region: None,
        })?;
        let flavors = stack.records.flavors().await?;
        let flavor = flavors
            .iter()
            .find(|flavor| flavor.name == "m1.small")
            .context("m1.small")?;
        let images = stack.records.images().await?;
        let shape = Shape {
            flavor: flavor.id.clone(),
            image: images.first().map(|image| image.id.clone()),
            key_name: None,
            zone: None,
            server_group: None,
            config_drive: false,
        };
        let network = stack.records.network().await?;
        Ok(Self {
            stack,
            cloud,
            shape,
            network,
        })
    }

    async fn port(&self, name: &str) -> Result<Port> {
        let template = PortTemplate {
            network: self.network.clone(),
            subnets: Vec::new(),
            security_groups: Vec::new(),
            address_pairs: Vec::new(),
            port_security: None,
            vnic_type: None,
        };
        let spec = PortSpec {
            name: format!("{name}-0"),
            tags: vec![name.to_owned()],
            template,
        };
        Ok(self.cloud.create_port(&spec).await?)
    }

    fn spec(&self, name: &str, port: &Port) -> ServerSpec {
        ServerSpec {
            name: format!("{name}.example"),
            shape: self.shape.clone(),
            ports: vec![port.id.clone()],
            user_data: "#cloud-config\n".to_owned(),
            metadata: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            tags: vec![name.to_owned()],
        }
    }

    /// A server with its port, ready.
    async fn server(&self, name: &str) -> Result<(Server, Port)> {
        let port = self.port(name).await?;
        let id = self.cloud.create_server(&self.spec(name, &port)).await?;
        let server = self
            .until(&id, |server| server.status != ServerStatus::Build)
            .await?;
        ensure!(server.status == ServerStatus::Active, "{server:?}");
        Ok((server, port))
    }

    async fn until(&self, id: &ServerId, done: impl Fn(&Server) -> bool) -> Result<Server> {
        let looking = async {
            loop {
                let server = self.cloud.describe(id).await?.context("it is gone")?;
                if done(&server) {
                    return anyhow::Ok(server);
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking)
            .await
            .context("waited in vain")?
    }

    async fn end(&self, id: &ServerId, port: &Port) -> Result<()> {
        self.cloud.delete_server(id).await?;
        let looking = async {
            while self.cloud.describe(id).await?.is_some() {
                tokio::time::sleep(POLL).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, looking)
            .await
            .context("waited in vain")??;
        self.cloud.delete_port(&port.id).await?;
        Ok(())
    }

    async fn a_server_lives_and_ends(&self) -> Result<()> {
        let cloud = &self.cloud;
        let (server, port) = self.server("life").await?;
        let id = &server.id;
        ensure!(
            server.tags == ["life"] && server.metadata["a"] == "b",
            "{server:?}"
        );

        // The port is taken up by its name, and knows its server.
        let again = self.port("life").await?;
        ensure!(
            again.id == port.id && again.device.as_ref() == Some(id),
            "{again:?}"
        );
        for found in [
            cloud.ports_by_name("life-0").await?,
            cloud.ports_by_tag("life").await?,
            cloud.ports_by_device(id).await?,
        ] {
            ensure!(found.len() == 1 && found[0].id == port.id, "{found:?}");
        }
        ensure!(
            server.fixed_addresses().eq(again.addresses.iter().copied()),
            "{server:?}"
        );
        for found in [
            cloud.find_by_tag("life").await?,
            cloud.find_by_name("life.example").await?,
        ] {
            ensure!(found.len() == 1 && found[0] == server, "{found:?}");
        }
        ensure!(
            cloud.find_by_name("lifeXexample").await?.is_empty(),
            "a dot is a dot"
        );

        let second = cloud.create_server(&self.spec("life", &port)).await;
        ensure!(
            matches!(second, Err(CloudError::PortInUse { .. })),
            "{second:?}"
        );

        cloud.tag_server(id, "adopted").await?;
        cloud.tag_server(id, "adopted").await?;
        cloud.untag_server(id, "life").await?;
        cloud.untag_server(id, "life").await?;
        cloud
            .set_metadata(id, &BTreeMap::from([("c".to_owned(), "d".to_owned())]))
            .await?;
        let changed = cloud.describe(id).await?.context("it is gone")?;
        ensure!(
            changed.tags == ["adopted"] && changed.metadata.len() == 2,
            "{changed:?}"
        );
        ensure!(!cloud.console_log(id, 5).await?.is_empty(), "no console");

        let ready =
            |server: &Server| server.status == ServerStatus::Active && server.task.is_none();
        cloud.reboot(id, Reboot::Hard).await?;
        self.until(id, ready).await?;
        let busy = cloud.start(id).await;
        ensure!(matches!(busy, Err(CloudError::Busy { .. })), "{busy:?}");
        cloud.stop(id).await?;
        self.until(id, Server::is_off).await?;
        cloud.start(id).await?;
        self.until(id, ready).await?;

        self.end(id, &port).await?;
        cloud.delete_server(id).await?;
        cloud.delete_port(&port.id).await?;
        ensure!(cloud.port(&port.id).await?.is_none(), "the port is there");
        let actions = cloud.actions(id).await?;
        let seen: Vec<&str> = actions
            .iter()
            .map(|action| action.action.as_str())
            .collect();
        ensure!(
            seen == ["delete", "start", "stop", "reboot", "create"],
            "{seen:?}"
        );
        ensure!(
            actions[0].succeeded("compute_terminate_instance"),
            "{actions:?}"
        );
        ensure!(actions[2].succeeded("compute_stop_instance"), "{actions:?}");
        let nobody = cloud
            .actions(&ServerId::parse("00000000-0000-4000-8000-000000000000")?)
            .await;
        ensure!(
            matches!(nobody, Err(CloudError::NotFound { .. })),
            "{nobody:?}"
        );
        Ok(())
    }

    async fn a_similar_server_is_made_from_a_template(&self) -> Result<()> {
        let cloud = &self.cloud;
        // Somebody else's: with the groups and the subnet that a project gives to whoever names none.
        let wanted = bed::NewServer {
            name: "old".to_owned(),
            flavor: "m1.small".to_owned(),
            ..bed::NewServer::default()
        };
        let old = ServerId::parse(self.stack.demo.create_server(&wanted).await?.id)?;
        let [old_port] = &cloud.ports_by_device(&old).await?[..] else {
            anyhow::bail!("no port")
        };
        let template = cloud.template(&old).await?;
        ensure!(template.shape.flavor == self.shape.flavor, "{template:?}");
        let [like] = &template.ports[..] else {
            anyhow::bail!("one port: {template:?}")
        };
        ensure!(
            !like.subnets.is_empty() && !like.security_groups.is_empty(),
            "{template:?}"
        );

        let spec = PortSpec {
            name: "new-0".to_owned(),
            tags: vec!["new".to_owned()],
            template: like.clone(),
        };
        let port = cloud.create_port(&spec).await?;
        let spec = ServerSpec {
            shape: template.shape.clone(),
            ..self.spec("new", &port)
        };
        let id = cloud.create_server(&spec).await?;
        let new = self
            .until(&id, |server| server.status != ServerStatus::Build)
            .await?;
        ensure!(new.status == ServerStatus::Active, "{new:?}");
        let copy = cloud.template(&id).await?;
        ensure!(
            copy.shape == template.shape && copy.ports == template.ports,
            "{copy:?}"
        );
        self.end(&id, &port).await?;
        self.end(&old, old_port).await
    }

    async fn a_lost_create_is_found_by_its_tag(&self) -> Result<()> {
        let cloud = &self.cloud;
        let port = self.port("lost").await?;
        self.stack
            .fault(Fault::Http(HttpFault::next(
                "POST",
                "/servers$",
                Effect::AnswerLost,
            )))
            .await?;
        let lost = cloud.create_server(&self.spec("lost", &port)).await;
        let Err(error) = lost else {
            anyhow::bail!("an answer: {lost:?}")
        };
        ensure!(
            matches!(error, CloudError::Lost { .. }) && error.may_have_happened(),
            "{error:?}"
        );
        let found = cloud.find_by_tag("lost").await?;
        let [server] = &found[..] else {
            anyhow::bail!("one server: {found:?}")
        };
        // Only now is the port taken: a second create in the meantime would have been accepted too.
        self.until(&server.id, |server| server.status != ServerStatus::Build)
            .await?;
        let second = cloud.create_server(&self.spec("lost", &port)).await;
        ensure!(
            matches!(second, Err(CloudError::PortInUse { .. })),
            "{second:?}"
        );
        self.end(&server.id, &port).await
    }

    async fn failures_say_what_to_do(&self) -> Result<()> {
        let cloud = &self.cloud;
        let port = self.port("fail").await?;

        self.stack.fault(Fault::NoValidHost(1)).await?;
        let id = cloud.create_server(&self.spec("fail", &port)).await?;
        let failed = self
            .until(&id, |server| server.status != ServerStatus::Build)
            .await?;
        let fault = failed.fault.context("no fault")?;
        ensure!(fault.retry() == Retry::OtherZone, "{fault:?}");
        let tagged = cloud.tag_server(&id, "x").await;
        ensure!(matches!(tagged, Err(CloudError::Busy { .. })), "{tagged:?}");
        cloud.delete_server(&id).await?;

        self.stack.fault(Fault::Quota(0)).await?;
        let refused = cloud.create_server(&self.spec("fail", &port)).await;
        ensure!(
            matches!(refused, Err(CloudError::Exhausted { .. })),
            "{refused:?}"
        );
        self.stack.clear_faults().await?;

        let headers = vec![("Retry-After".to_owned(), "7".to_owned())];
        for (status, headers, later) in [(429, headers, 7), (503, Vec::new(), 10)] {
            let effect = Effect::Answer { status, headers };
            self.stack
                .fault(Fault::Http(HttpFault::next("GET", "/servers/", effect)))
                .await?;
            let refused = cloud.describe(&id).await;
            let Err(error) = refused else {
                anyhow::bail!("an answer: {refused:?}")
            };
            ensure!(
                error.retry() == Retry::Later(Duration::from_secs(later)),
                "{error:?}"
            );
        }
        // The door's own 404 is not the cloud's.
        let effect = Effect::Answer {
            status: 404,
            headers: Vec::new(),
        };
        self.stack
            .fault(Fault::Http(HttpFault::next("GET", "/servers/", effect)))
            .await?;
        let stranger = cloud.describe(&id).await;
        ensure!(
            matches!(stranger, Err(CloudError::Garbled { .. })),
            "{stranger:?}"
        );
        self.end(&id, &port).await
    }

    async fn a_revoked_token_is_replaced(&self) -> Result<()> {
        self.stack.fault(Fault::TokensRevoked).await?;
        ensure!(self.cloud.find_by_tag("nothing").await?.is_empty());
        Ok(())
    }

    async fn a_delete_on_a_dead_host_has_no_event(&self) -> Result<()> {
        let cloud = &self.cloud;
        let (server, port) = self.server("dead").await?;
        let records = self.stack.records.server(server.id.as_str()).await?;
        let host = records
            .and_then(|server| server.host)
            .context("it has no host")?;
        self.stack.fault(Fault::HostStopped(host)).await?;
        let seen = cloud.describe(&server.id).await?.context("it is gone")?;
        ensure!(seen.status == ServerStatus::Active, "{seen:?}");
        self.end(&server.id, &port).await?;
        let actions = cloud.actions(&server.id).await?;
        let delete = actions.first().context("no actions")?;
        ensure!(
            delete.action == "delete" && delete.events.is_empty(),
            "{delete:?}"
        );
        self.stack.clear_faults().await
    }
}
