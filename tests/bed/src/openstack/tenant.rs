//! The user demo at work: making servers as our engine does, and doing to them what people do.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use osauth::Session;
use osauth::services::{COMPUTE, NETWORK};
use serde::Deserialize;
use serde_json::{Value, json};

use super::records::{IDENTITY, NOVA};
use super::{Access, Records, Server};

/// Which server to make.
#[derive(Debug, Clone, Default)]
pub struct NewServer {
    /// Its name, and its node's.
    pub name: String,
    /// `m1.large` is booted as a real machine, `m1.small` is a KWOK node.
    pub flavor: String,
    /// `#cloud-config`; empty: a server that joins no cluster.
    pub user_data: String,
    /// Keys match `[a-zA-Z0-9-_:. ]{1,255}`.
    pub metadata: BTreeMap<String, String>,
    /// Of the server, and of its port.
    pub tags: Vec<String>,
    /// The name of its [key pair](Tenant::create_key_pair).
    pub key_name: Option<String>,
    /// The id of its [group](Tenant::create_group_apart).
    pub group: Option<String>,
}

/// The user demo. Each call logs in anew, so that revoked tokens are no concern of it; it goes
/// around the front door, whose faults are for the engine.
#[derive(Debug)]
pub struct Tenant {
    access: Access,
    records: Records,
}

impl Tenant {
    pub(super) fn new(access: Access, records: Records) -> Self {
        Self { access, records }
    }

    /// Makes a server, with a port made before it, and waits until it is ACTIVE.
    ///
    /// # Errors
    /// If a service refuses, or the server ends in ERROR; the server and its port are left then.
    pub async fn create_server(&self, wanted: &NewServer) -> Result<Server> {
        let id = self.request_server(wanted).await?;
        self.records.await_status(&id, "ACTIVE").await
    }

    /// Asks for a server, with a port made before it, and returns its id without waiting.
    ///
    /// # Errors
    /// If a service refuses.
    pub async fn request_server(&self, wanted: &NewServer) -> Result<String> {
        let session = self.session().await?;
        let port = self
            .create_port(&session, wanted)
            .await
            .context("its port")?;
        let flavors = self.records.flavors().await?;
        let flavor = flavors.iter().find(|flavor| flavor.name == wanted.flavor);
        let flavor = flavor.with_context(|| format!("there is no flavor {}", wanted.flavor))?;
        let images = self.records.images().await?;
        let image = images.first().context("there is no image")?;
        let mut server = json!({
            "name": wanted.name,
            "flavorRef": flavor.id,
            "imageRef": image.id,
            "networks": [{"port": port}],
            "metadata": wanted.metadata,
            "tags": wanted.tags,
        });
        if let Some(key) = &wanted.key_name {
            server["key_name"] = json!(key);
        }
        if !wanted.user_data.is_empty() {
            server["user_data"] = json!(BASE64_STANDARD.encode(&wanted.user_data));
        }
        let mut body = json!({"server": server});
        if let Some(group) = &wanted.group {
            body["os:scheduler_hints"] = json!({"group": group});
        }
        let request = session.post(COMPUTE, ["servers"]).api_version(NOVA);
        let made: Made = request.json(&body).fetch().await.context("Nova")?;
        made.id("server")
    }

    /// Makes a key pair; Nova draws its keys, and nobody keeps the private one.
    ///
    /// # Errors
    /// If Nova refuses, or has one of that name.
    pub async fn create_key_pair(&self, name: &str) -> Result<()> {
        let session = self.session().await?;
        let request = session.post(COMPUTE, ["os-keypairs"]).api_version(NOVA);
        request
            .json(&json!({"keypair": {"name": name}}))
            .send()
            .await
            .context("a key pair")?;
        Ok(())
    }

    /// Makes a group of servers of which no two are on one host. Gives its id.
    ///
    /// # Errors
    /// If Nova refuses.
    pub async fn create_group_apart(&self, name: &str) -> Result<String> {
        let session = self.session().await?;
        let request = session
            .post(COMPUTE, ["os-server-groups"])
            .api_version(NOVA);
        let wanted = json!({"server_group": {"name": name, "policy": "anti-affinity"}});
        let made: Made = request.json(&wanted).fetch().await.context("a group")?;
        made.id("server_group")
    }

    /// Makes an application credential with the role `member` in the project, which may ask what these access rules say
    /// and nothing else. Gives its id and its secret.
    ///
    /// # Errors
    /// If Keystone refuses, or has one of that name.
    pub async fn application_credential(
        &self,
        name: &str,
        access_rules: &Value,
    ) -> Result<(String, String)> {
        #[derive(Deserialize)]
        struct Answer {
            application_credential: Credential,
        }
        #[derive(Deserialize)]
        struct Credential {
            id: String,
            secret: String,
        }
        let session = self.session().await?;
        let user = self.records.user().await?;
        let path = ["users", &user, "application_credentials"];
        let wanted = json!({"application_credential": {
            "name": name, "roles": [{"name": "member"}], "access_rules": access_rules,
        }});
        let request = session.post(IDENTITY, path).json(&wanted);
        let made: Answer = request.fetch().await.context("an application credential")?;
        let Credential { id, secret } = made.application_credential;
        Ok((id, secret))
    }

    /// Asks for a server to be deleted. [`Records::await_gone`] waits for it.
    ///
    /// # Errors
    /// If Nova refuses.
    pub async fn delete_server(&self, id: &str) -> Result<()> {
        let session = self.session().await?;
        session
            .delete(COMPUTE, ["servers", id])
            .send()
            .await
            .context("deleting a server")?;
        Ok(())
    }

    /// Deletes a port: those that were made before their server outlive it.
    ///
    /// # Errors
    /// If Neutron refuses.
    pub async fn delete_port(&self, id: &str) -> Result<()> {
        let session = self.session().await?;
        session
            .delete(NETWORK, ["ports", id])
            .send()
            .await
            .context("deleting a port")?;
        Ok(())
    }

    /// Asks for a reboot: through the guest's own system, or by its plug.
    ///
    /// # Errors
    /// If Nova refuses.
    pub async fn reboot_server(&self, id: &str, hard: bool) -> Result<()> {
        let kind = if hard { "HARD" } else { "SOFT" };
        self.act(id, json!({"reboot": {"type": kind}})).await
    }

    /// Asks for it to be shut off.
    ///
    /// # Errors
    /// If Nova refuses.
    pub async fn stop_server(&self, id: &str) -> Result<()> {
        self.act(id, json!({"os-stop": null})).await
    }

    /// Asks for it to be started.
    ///
    /// # Errors
    /// If Nova refuses.
    pub async fn start_server(&self, id: &str) -> Result<()> {
        self.act(id, json!({"os-start": null})).await
    }

    async fn act(&self, id: &str, action: Value) -> Result<()> {
        let session = self.session().await?;
        let request = session
            .post(COMPUTE, ["servers", id, "action"])
            .api_version(NOVA);
        request
            .json(&action)
            .send()
            .await
            .with_context(|| format!("{action} on server {id}"))?;
        Ok(())
    }

    async fn create_port(&self, session: &Session, wanted: &NewServer) -> Result<String> {
        let network = self.records.network().await?;
        let body = json!({"port": {"network_id": network, "name": wanted.name}});
        let made: Made = session.post(NETWORK, ["ports"]).json(&body).fetch().await?;
        let port = made.id("port")?;
        let tags = json!({"tags": wanted.tags});
        session
            .put(NETWORK, ["ports", &port, "tags"])
            .json(&tags)
            .send()
            .await?;
        Ok(port)
    }

    async fn session(&self) -> Result<Session> {
        self.access.session("demo").await
    }
}

/// `{"server": {"id": …}}`
#[derive(Deserialize)]
#[serde(transparent)]
struct Made(BTreeMap<String, Value>);

impl Made {
    fn id(&self, what: &str) -> Result<String> {
        let id = self
            .0
            .get(what)
            .and_then(|made| made.get("id"))
            .and_then(Value::as_str);
        Ok(id
            .with_context(|| format!("the answer names no {what}"))?
            .to_owned())
    }
}
