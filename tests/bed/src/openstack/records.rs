//! What the services themselves have recorded: asked as admin, around the front door.
//!
//! For assertions. All of it is about the user demo's project, so that what the stack made for
//! itself (a first server, to warm Nova up) is not in it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use osauth::services::{COMPUTE, GenericService, IMAGE, NETWORK, ServiceType, VersionSelector};
use osauth::{ApiVersion, Session};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answers::{Action, Flavor, Image, Port, Server};

/// The newest that the answers were checked against; Nova 34 knows more.
pub(super) const NOVA: ApiVersion = ApiVersion(2, 90);
/// Keystone, which osauth has no name for.
pub(super) const IDENTITY: GenericService =
    GenericService::new("identity", VersionSelector::Major(3));
/// Nova cannot be watched. Arbitrary: often enough for a create of 3 s, seldom enough for its CPU.
const POLL: Duration = Duration::from_millis(200);
/// Creates, deletes and heartbeats take at most 20 s here when nothing else runs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The reader. It shares its session with its clones.
#[derive(Debug, Clone)]
pub struct Records {
    session: Session,
    project: String,
}

impl Records {
    pub(super) async fn new(session: Session) -> Result<Self> {
        let mut records = Self {
            session,
            project: String::new(),
        };
        let projects: Vec<Named> = records
            .list(IDENTITY, &["projects"], "projects", &[("name", "demo")])
            .await?;
        records.project = projects
            .into_iter()
            .next()
            .context("there is no project demo")?
            .id;
        Ok(records)
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// The project of the user demo.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Keystone's id of the user demo.
    pub(super) async fn user(&self) -> Result<String> {
        let users: Vec<Named> = self
            .list(IDENTITY, &["users"], "users", &[("name", "demo")])
            .await?;
        Ok(users
            .into_iter()
            .next()
            .context("there is no user demo")?
            .id)
    }

    /// Every server that there has ever been, deleted ones too.
    ///
    /// # Errors
    /// If Nova does not answer, or has more than it puts on one page (1000).
    pub async fn servers(&self) -> Result<Vec<Server>> {
        let since = [("changes-since", "1970-01-01T00:00:00Z")];
        let query = [
            &[("all_tenants", "true"), ("project_id", self.project())],
            &since[..],
        ]
        .concat();
        self.nova(&["servers", "detail"], "servers", &query).await
    }

    /// That server; none if it has been deleted.
    ///
    /// # Errors
    /// If Nova does not answer, or says anything else than 200 or 404.
    pub async fn server(&self, id: &str) -> Result<Option<Server>> {
        #[derive(Deserialize)]
        struct Answer {
            server: Server,
        }
        let request = self.session.get(COMPUTE, ["servers", id]).api_version(NOVA);
        let answer = request.send_unchecked().await?;
        if answer.status().as_u16() == 404 {
            return Ok(None);
        }
        let answer = osauth::client::check(answer).await?;
        Ok(Some(answer.json::<Answer>().await?.server))
    }

    /// What was asked of that server, the oldest first; deleted ones have it too.
    ///
    /// # Errors
    /// If Nova does not answer, or does not know the server.
    pub async fn instance_actions(&self, server: &str) -> Result<Vec<Action>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            instance_action: Action,
        }
        let path = ["servers", server, "os-instance-actions"];
        let listed: Vec<Action> = self.nova(&path, "instanceActions", &[]).await?;
        let mut actions = Vec::new();
        for action in listed {
            let path = [&path[..], &[action.request_id.as_str()]].concat();
            let request = self.session.get(COMPUTE, path).api_version(NOVA);
            let mut action = request.fetch::<Answer>().await?.instance_action;
            action
                .events
                .sort_by(|a, b| a.start_time.cmp(&b.start_time));
            actions.push(action);
        }
        actions.sort_by(|a, b| a.start_time.cmp(&b.start_time));
        Ok(actions)
    }

    /// Every port of the project.
    ///
    /// # Errors
    /// If Neutron does not answer.
    pub async fn ports(&self) -> Result<Vec<Port>> {
        self.list(
            NETWORK,
            &["ports"],
            "ports",
            &[("project_id", self.project())],
        )
        .await
    }

    /// Every image.
    ///
    /// # Errors
    /// If Glance does not answer.
    pub async fn images(&self) -> Result<Vec<Image>> {
        self.list(IMAGE, &["images"], "images", &[]).await
    }

    /// Every flavor.
    ///
    /// # Errors
    /// If Nova does not answer.
    pub async fn flavors(&self) -> Result<Vec<Flavor>> {
        self.nova(&["flavors", "detail"], "flavors", &[]).await
    }

    /// The id of the user's one network.
    ///
    /// # Errors
    /// If Neutron does not answer.
    pub async fn network(&self) -> Result<String> {
        let query = [("project_id", self.project())];
        let networks: Vec<Named> = self
            .list(NETWORK, &["networks"], "networks", &query)
            .await?;
        Ok(networks
            .into_iter()
            .next()
            .context("demo has no network")?
            .id)
    }

    /// Waits until that server has that status.
    ///
    /// # Errors
    /// If it has not within two minutes; at once, with Nova's reason, if it is in ERROR instead.
    pub async fn await_status(&self, id: &str, status: &str) -> Result<Server> {
        poll(&format!("server {id} to be {status}"), async || {
            let server = self
                .server(id)
                .await?
                .with_context(|| format!("server {id} is gone"))?;
            if server.status == "ERROR" && status != "ERROR" {
                let why = server.fault.map_or_else(String::new, |fault| fault.message);
                bail!("server {id} is in ERROR: {why}");
            }
            Ok((server.status == status && server.task.is_none()).then_some(server))
        })
        .await
    }

    /// Waits until Nova no longer knows that server.
    ///
    /// # Errors
    /// If it still does after two minutes.
    pub async fn await_gone(&self, id: &str) -> Result<()> {
        let gone = async || Ok(self.server(id).await?.is_none().then_some(()));
        poll(&format!("server {id} to be gone"), gone).await
    }

    async fn nova<T: DeserializeOwned>(
        &self,
        path: &[&str],
        field: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>> {
        let request = self
            .session
            .get(COMPUTE, path)
            .api_version(NOVA)
            .query(query);
        let answer = request.fetch().await.with_context(|| path.join("/"))?;
        entries(answer, field).with_context(|| path.join("/"))
    }

    async fn list<T: DeserializeOwned, S: ServiceType + Send + Clone>(
        &self,
        service: S,
        path: &[&str],
        field: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>> {
        let request = self.session.get(service, path).query(query);
        let answer = request.fetch().await.with_context(|| path.join("/"))?;
        entries(answer, field).with_context(|| path.join("/"))
    }
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// The entries of a list. Half a list must not pass for all of it: an assertion "nothing is left"
/// would be true by accident.
fn entries<T: DeserializeOwned>(mut answer: Value, field: &str) -> Result<Vec<T>> {
    ensure!(
        answer.get(format!("{field}_links")).is_none(),
        "the list goes on on a second page"
    );
    ensure!(
        answer.get("next").is_none_or(Value::is_null),
        "the list goes on on a second page"
    );
    let entries = answer.get_mut(field).map(Value::take);
    let entries = entries.with_context(|| format!("the answer has no field {field}"))?;
    serde_json::from_value(entries).with_context(|| format!("reading {field}"))
}

/// Asks until there is an answer. An error of the question ends the wait.
pub(super) async fn poll<T>(what: &str, ask: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
    let asking = async {
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .with_context(|| format!("waited {PATIENCE:?} in vain for {what}"))?
}
