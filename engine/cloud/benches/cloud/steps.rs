//! The steps of a replacement, as the controller asks for them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rectifier_cloud::openstack::{OpenStack, OpenStackConfig};
use rectifier_cloud::{Cloud, PortSpec, ServerSpec, ServerStatus};
use rectifier_core::name::ServerId;

const LOOK: Duration = Duration::from_secs(1);

pub(crate) async fn run(server: &str) -> Result<()> {
    let cloud = OpenStack::new(OpenStackConfig {
        clouds: std::env::var_os("OS_CLIENT_CONFIG_FILE")
            .context("OS_CLIENT_CONFIG_FILE")?
            .into(),
        cloud: Some("demo".to_owned()),
        region: None,
    })?;
    let old = ServerId::parse(server)?;
    let template = cloud.template(&old).await?;
    let mut ports = Vec::new();
    for template in template.ports {
        let name = format!("by-us-{server}-{}", ports.len());
        let spec = PortSpec {
            name,
            description: String::new(),
            template,
        };
        ports.push(cloud.create_port(&spec).await?.id);
    }
    let spec = ServerSpec {
        name: "by-us".to_owned(),
        shape: template.shape,
        description: None,
        ports,
        user_data: String::new(),
        metadata: template.metadata,
        tags: vec!["by-us".to_owned()],
    };
    let new = cloud.create_server(&spec).await?;
    loop {
        let server = cloud.describe(&new).await?.context("it is gone")?;
        if server.status == ServerStatus::Active {
            break;
        }
        ensure!(server.status == ServerStatus::Build, "{server:?}");
        tokio::time::sleep(LOOK).await;
    }
    let adopted = BTreeMap::from([("state".to_owned(), "adopted".to_owned())]);
    cloud.set_metadata(&new, &adopted).await?;
    // somebody may have plugged one in since
    let old_ports = cloud.ports_by_device(&old).await?;
    cloud.delete_server(&old).await?;
    while cloud.describe(&old).await?.is_some() {
        tokio::time::sleep(LOOK).await;
    }
    for port in old_ports {
        cloud.delete_port(&port.id).await?;
    }
    Ok(())
}
