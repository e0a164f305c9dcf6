//! One suite for two clouds, the real one and the world's: each part of the contract of [`Cloud`] that only services can
//! show. Each part makes its own servers and ports, under a name of its own, and leaves none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rectifier_cloud::openstack::OpenStack;
use rectifier_cloud::{
    Cloud, CloudError, Port, PortSpec, PortTemplate, Reboot, Retry, Server, ServerSpec,
    ServerStatus, Shape,
};
use rectifier_core::name::ServerId;
use rectifier_core::repair::Lack;

/// Nova cannot be watched.
const POLL: Duration = Duration::from_millis(250);
/// As long as the bed itself waits for Nova.
const PATIENCE: Duration = Duration::from_secs(120);

/// What goes wrong in the suite.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// The next create is carried out, and its answer lost.
    LostCreate,
    /// The next server finds no host.
    NoValidHost,
    /// No server may be made.
    NoQuota,
    /// The next description is answered at the front door.
    Answered(u16, Vec<(String, String)>),
    /// A host stops.
    HostStopped(String),
}

/// A cloud that is asked.
#[async_trait::async_trait(?Send)]
pub(crate) trait Stack {
    fn cloud(&self) -> &OpenStack;
    fn shape(&self) -> Shape;
    fn network(&self) -> String;
    /// A server that somebody else made, running; with the groups and the subnet that a project gives to whoever names none.
    async fn foreign_server(&self, name: &str) -> Result<ServerId>;
    async fn trouble(&self, trouble: Trouble) -> Result<()>;
    async fn no_more_trouble(&self) -> Result<()>;
    async fn host_of(&self, server: &ServerId) -> Result<String>;
    async fn ports_left(&self) -> Result<usize>;
}

/// All that holds of both.
pub(crate) async fn keeps_the_contract(stack: &dyn Stack) -> Result<()> {
    let suite = Suite {
        stack,
        cloud: stack.cloud(),
        shape: stack.shape(),
        network: stack.network(),
    };
    suite
        .a_server_lives_and_ends()
        .await
        .context("a server lives and ends")?;
    suite
        .a_similar_server_is_made_from_a_template()
        .await
        .context("a similar server")?;
    suite
        .a_lost_create_is_found_by_its_tag()
        .await
        .context("a lost create")?;
    suite
        .of_two_creates_with_the_same_ports_one_fails()
        .await
        .context("two creates")?;
    suite.failures_say_what_to_do().await.context("failures")?;
    suite
        .a_delete_on_a_dead_host_has_no_event()
        .await
        .context("a dead host")?;
    let left = stack.ports_left().await?;
    ensure!(left == 0, "{left} ports are left");
    Ok(())
}

struct Suite<'a> {
    stack: &'a dyn Stack,
    cloud: &'a OpenStack,
    shape: Shape,
    network: String,
}

impl Suite<'_> {
    async fn port(&self, name: &str) -> Result<Port> {
        let template = PortTemplate {
            network: self.network.clone(),
            subnets: Vec::new(),
            security_groups: Vec::new(),
            address_pairs: Vec::new(),
            port_security: None,
            vnic_type: None,
            qos_policy: None,
            dhcp_options: Vec::new(),
        };
        let spec = PortSpec {
            name: format!("{name}-0"),
            description: format!("of {name}"),
            template,
        };
        Ok(self.cloud.create_port(&spec).await?)
    }

    fn spec(&self, name: &str, port: &Port) -> ServerSpec {
        ServerSpec {
            name: format!("{name}.example"),
            shape: self.shape.clone(),
            description: Some(format!("{name}, of the suite")),
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
        let cloud = self.cloud;
        let (server, port) = self.server("life").await?;
        let id = &server.id;
        ensure!(
            server.tags == ["life"] && server.metadata["a"] == "b",
            "{server:?}"
        );

        // The port is found by its name, and knows its server. Of several names any may fit.
        let other = self.port("other").await?;
        let names = ["life-0", "other-0", "nobodys"].map(str::to_owned);
        let both = cloud.ports_by_names(&names).await?;
        let ids: BTreeSet<_> = both.iter().map(|port| &port.id).collect();
        ensure!(ids == BTreeSet::from([&port.id, &other.id]), "{both:?}");
        cloud.delete_port(&other.id).await?;
        let [again] = &cloud.ports_by_names(&names[..1]).await?[..] else {
            anyhow::bail!("one port has that name")
        };
        ensure!(
            again.id == port.id && again.device.as_ref() == Some(id),
            "{again:?}"
        );
        let of_it = cloud.ports_by_device(id).await?;
        ensure!(of_it.len() == 1 && of_it[0].id == port.id, "{of_it:?}");
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

        cloud
            .set_metadata(id, &BTreeMap::from([("c".to_owned(), "d".to_owned())]))
            .await?;
        let changed = cloud.describe(id).await?.context("it is gone")?;
        ensure!(
            changed.tags == ["life"] && changed.metadata.len() == 2,
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
        let deleted = cloud
            .deleted_since(server.created.context("no age")?)
            .await?;
        let of_it = deleted
            .iter()
            .find(|gone| gone.id == *id)
            .context("not told of")?;
        ensure!(of_it.status == ServerStatus::Deleted, "{of_it:?}");
        // whose it was it does not say any more
        ensure!(
            of_it.metadata.is_empty() && of_it.tags.is_empty(),
            "{of_it:?}"
        );
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
        let cloud = self.cloud;
        let old = self.stack.foreign_server("old").await?;
        self.until(&old, |server| server.status == ServerStatus::Active)
            .await?;
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

        ensure!(template.lacks.is_empty(), "{template:?}");
        let missing = cloud.missing(&template.shape).await?;
        ensure!(missing.is_empty(), "{missing:?}");
        let unknown = "6c3ac1b5-65ae-4a42-a09c-000000000000";
        let nothing = Shape {
            flavor: unknown.to_owned(),
            image: Some(unknown.to_owned()),
            key_name: Some("nobodys".to_owned()),
            ..template.shape.clone()
        };
        let missing = cloud.missing(&nothing).await?;
        ensure!(
            missing
                == [
                    Lack::Base(format!("its flavor {unknown} is gone")),
                    Lack::Base(format!("its image {unknown} is gone")),
                    Lack::KeyPair("nobodys".to_owned()),
                ],
            "{missing:?}"
        );

        let spec = PortSpec {
            name: "new-0".to_owned(),
            description: "of the suite".to_owned(),
            template: like.clone(),
        };
        let port = cloud.create_port(&spec).await?;
        for _ in 0..2 {
            cloud.tag_port(&port.id, "adopted").await?;
        }
        let [described] = &cloud.ports_by_description("of the suite").await?[..] else {
            anyhow::bail!("one port has that description");
        };
        ensure!(
            described.id == port.id && described.created.is_some(),
            "{described:?}"
        );
        ensure!(described.tags == ["adopted"], "{described:?}");
        let spec = ServerSpec {
            shape: template.shape.clone(),
            ..self.spec("new", &port)
        };
        let id = cloud.create_server(&spec).await?;
        let new = self
            .until(&id, |server| server.status != ServerStatus::Build)
            .await?;
        ensure!(new.status == ServerStatus::Active, "{new:?}");
        let all = cloud.servers().await?;
        for id in [&id, &old] {
            let of_it: Vec<_> = all.iter().filter(|server| server.id == *id).collect();
            ensure!(of_it.len() == 1 && of_it[0].created.is_some(), "{of_it:?}");
        }
        let copy = cloud.template(&id).await?;
        ensure!(
            copy.shape == template.shape && copy.ports == template.ports,
            "{copy:?}"
        );
        self.end(&id, &port).await?;
        self.end(&old, old_port).await
    }

    async fn a_lost_create_is_found_by_its_tag(&self) -> Result<()> {
        let cloud = self.cloud;
        let port = self.port("lost").await?;
        self.stack.trouble(Trouble::LostCreate).await?;
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
        let cloud = self.cloud;
        let port = self.port("fail").await?;

        self.stack.trouble(Trouble::NoValidHost).await?;
        let id = cloud.create_server(&self.spec("fail", &port)).await?;
        // Nova writes the fault a moment after the status
        let failed = self
            .until(&id, |server| {
                server.status != ServerStatus::Build && server.fault.is_some()
            })
            .await?;
        let fault = failed.fault.context("no fault")?;
        ensure!(fault.retry() == Retry::OtherZone, "{fault:?}");
        cloud.delete_server(&id).await?;

        self.stack.trouble(Trouble::NoQuota).await?;
        let refused = cloud.create_server(&self.spec("fail", &port)).await;
        ensure!(
            matches!(refused, Err(CloudError::Exhausted { .. })),
            "{refused:?}"
        );
        self.stack.no_more_trouble().await?;

        let headers = vec![("Retry-After".to_owned(), "7".to_owned())];
        for (status, headers, later) in [(429, headers, 7), (503, Vec::new(), 10)] {
            self.stack
                .trouble(Trouble::Answered(status, headers))
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
        self.stack
            .trouble(Trouble::Answered(404, Vec::new()))
            .await?;
        let stranger = cloud.describe(&id).await;
        ensure!(
            matches!(stranger, Err(CloudError::Garbled { .. })),
            "{stranger:?}"
        );
        self.end(&id, &port).await
    }

    /// What the contract warns of: until the first server's ports are bound a second create is taken, too.
    async fn of_two_creates_with_the_same_ports_one_fails(&self) -> Result<()> {
        let cloud = self.cloud;
        let port = self.port("twice").await?;
        let spec = self.spec("twice", &port);
        let (one, other) =
            tokio::try_join!(cloud.create_server(&spec), cloud.create_server(&spec))?;
        let is_over = |server: &Server| server.status != ServerStatus::Build;
        let (one, other) = (
            self.until(&one, is_over).await?,
            self.until(&other, is_over).await?,
        );
        let failed = [&one, &other].map(|server| server.status == ServerStatus::Error);
        ensure!(failed.contains(&true), "{one:?} {other:?}");
        cloud.delete_server(&one.id).await?;
        self.end(&other.id, &port).await?;
        let gone = async {
            while !cloud.find_by_tag("twice").await?.is_empty() {
                tokio::time::sleep(POLL).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, gone)
            .await
            .context("waited in vain")?
    }

    async fn a_delete_on_a_dead_host_has_no_event(&self) -> Result<()> {
        let cloud = self.cloud;
        let (server, port) = self.server("dead").await?;
        let host = self.stack.host_of(&server.id).await?;
        self.stack.trouble(Trouble::HostStopped(host)).await?;
        let seen = cloud.describe(&server.id).await?.context("it is gone")?;
        ensure!(seen.status == ServerStatus::Active, "{seen:?}");
        self.end(&server.id, &port).await?;
        let actions = cloud.actions(&server.id).await?;
        let delete = actions.first().context("no actions")?;
        ensure!(
            delete.action == "delete" && delete.events.is_empty(),
            "{delete:?}"
        );
        self.stack.no_more_trouble().await
    }
}
