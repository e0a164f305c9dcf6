//! Asking a stack to misbehave, as clouds do.

use std::time::Duration;

use anyhow::{Context, Result};
use osauth::services::COMPUTE;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::OpenStack;
use super::records::{IDENTITY, poll};

/// What goes wrong. Counted faults are used up by what they hit; the others last until they are
/// set anew or [cleared](OpenStack::clear_faults).
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// So many creates are accepted and end in ERROR "No valid host was found".
    NoValidHost(u32),
    /// So many creates end in ERROR because the build was aborted.
    SpawnAborted(u32),
    /// So many attempts to build fail on their host; the scheduler tries another, at most thrice.
    SpawnRescheduled(u32),
    /// Servers stay in BUILD so much longer.
    BuildDelay(Duration),
    /// From ACTIVE, or a reboot's call, to the hook's event `boot`.
    BootDelay(Duration),
    /// Deletes take so much longer.
    DestroyDelay(Duration),
    /// The user may have no more than so many servers at a time.
    Quota(u32),
    /// The front door does something else than forwarding.
    Http(HttpFault),
    /// Every token that the user `demo` has been given is revoked.
    TokensRevoked,
    /// That compute host's nova-compute dies: no heartbeat, no answers. Its servers stay as they
    /// are. The fault returns when Nova has noticed, 15 s later.
    HostStopped(String),
}

/// Which requests the front door does not just forward.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpFault {
    /// Type in the catalogue: `compute`, `network`, `image`, `identity`; none: all of them.
    pub service: Option<String>,
    /// Only this HTTP method; none: all of them.
    pub method: Option<String>,
    /// A regular expression that is sought in the path below the service, without the query.
    pub path: String,
    /// So many requests; none: all, until the faults are cleared.
    pub count: Option<u32>,
    /// Before anything else happens.
    pub delay: Duration,
    /// What happens then.
    pub effect: Effect,
}

/// What the client of a faulty request sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Only the delay: the service answers.
    Slow,
    /// The front door answers, and the service never hears of it.
    Answer {
        /// The HTTP status.
        status: u16,
        /// Names and values.
        headers: Vec<(String, String)>,
    },
    /// The connection is closed, and the service never hears of it.
    HungUp,
    /// The service does what it was asked to do, and the connection is closed instead of answering.
    AnswerLost,
}

impl HttpFault {
    /// The next request whose method and path fit has that effect.
    pub fn next(method: &str, path: &str, effect: Effect) -> Self {
        Self {
            service: None,
            method: Some(method.to_owned()),
            path: path.to_owned(),
            count: Some(1),
            delay: Duration::ZERO,
            effect,
        }
    }

    /// The rule as `front.py` reads it.
    fn rule(&self) -> Value {
        let mut rule = Map::new();
        if let Some(service) = &self.service {
            rule.insert("service".to_owned(), json!(service));
        }
        if let Some(method) = &self.method {
            rule.insert("method".to_owned(), json!(method));
        }
        rule.insert("path".to_owned(), json!(self.path));
        rule.insert(
            "count".to_owned(),
            self.count.map_or(json!(-1), |count| json!(count)),
        );
        rule.insert("delay".to_owned(), json!(self.delay.as_secs_f64()));
        match &self.effect {
            Effect::Slow => {}
            Effect::Answer { status, headers } => {
                let headers = headers
                    .iter()
                    .cloned()
                    .collect::<std::collections::BTreeMap<_, _>>();
                rule.insert("status".to_owned(), json!(status));
                rule.insert("headers".to_owned(), json!(headers));
            }
            Effect::HungUp => drop(rule.insert("hang_up".to_owned(), json!(true))),
            Effect::AnswerLost => {
                rule.insert("hang_up".to_owned(), json!(true));
                rule.insert("after".to_owned(), json!(true));
            }
        }
        Value::Object(rule)
    }
}

impl OpenStack {
    /// Lets that go wrong from now on: when this returns, the fault is there.
    ///
    /// # Errors
    /// If the services cannot be told, or do not show the fault's effect in time.
    pub async fn fault(&self, fault: Fault) -> Result<()> {
        match fault {
            Fault::NoValidHost(creates) => self.knobs.set("no_valid_host", creates),
            Fault::SpawnAborted(creates) => self.knobs.set("spawn_abort", creates),
            Fault::SpawnRescheduled(attempts) => self.knobs.set("spawn_reschedule", attempts),
            Fault::BuildDelay(delay) => self.knobs.set("build_delay", delay.as_secs_f64()),
            Fault::BootDelay(delay) => self.knobs.set("boot_delay", delay.as_secs_f64()),
            Fault::DestroyDelay(delay) => self.knobs.set("destroy_delay", delay.as_secs_f64()),
            Fault::Quota(servers) => self.quota(i64::from(servers)).await,
            Fault::Http(fault) => self.knobs.change(|values| {
                if let Some(Value::Array(rules)) = values.get_mut("http") {
                    rules.push(fault.rule());
                }
            }),
            Fault::TokensRevoked => self.revoke_tokens().await,
            Fault::HostStopped(host) => {
                self.knobs.change(|values| {
                    if let Some(Value::Array(stopped)) = values.get_mut("stopped") {
                        stopped.push(json!(host));
                    }
                })?;
                self.await_host(&host, "down").await
            }
        }
    }

    /// Undoes all faults, except the boot delay; when this returns, stopped hosts are up again.
    ///
    /// # Errors
    /// If the services cannot be told, or a host does not come back.
    pub async fn clear_faults(&self) -> Result<()> {
        let mut stopped = Vec::new();
        self.knobs.change(|values| {
            for name in ["no_valid_host", "spawn_abort", "spawn_reschedule"] {
                values.insert(name.to_owned(), json!(0));
            }
            for name in ["build_delay", "destroy_delay"] {
                values.insert(name.to_owned(), json!(0.0));
            }
            values.insert("http".to_owned(), json!([]));
            if let Some(Value::Array(hosts)) = values.insert("stopped".to_owned(), json!([])) {
                stopped = hosts;
            }
        })?;
        self.quota(-1).await?;
        for host in stopped.iter().filter_map(Value::as_str) {
            self.await_host(host, "up").await?;
        }
        Ok(())
    }

    /// -1 is no limit.
    async fn quota(&self, servers: i64) -> Result<()> {
        let path = ["os-quota-sets", self.records.project()];
        let body = json!({"quota_set": {"instances": servers, "force": true}});
        self.records
            .session()
            .put(COMPUTE, path)
            .json(&body)
            .send()
            .await
            .context("the quota")?;
        Ok(())
    }

    async fn await_host(&self, host: &str, state: &str) -> Result<()> {
        #[derive(Deserialize)]
        struct Answer {
            services: Vec<Service>,
        }
        #[derive(Deserialize)]
        struct Service {
            host: String,
            state: String,
        }
        poll(&format!("host {host} to be {state}"), async || {
            let request = self.records.session().get(COMPUTE, ["os-services"]);
            let request = request.query(&[("binary", "nova-compute")]);
            let services = request.fetch::<Answer>().await?.services;
            Ok(services
                .iter()
                .any(|s| s.host == host && s.state == state)
                .then_some(()))
        })
        .await
    }

    /// A changed password, even to the same one, revokes all tokens given before. Keystone counts
    /// in whole seconds, and the services remember a token for two: a witness, given before, shows
    /// when it is so.
    async fn revoke_tokens(&self) -> Result<()> {
        #[derive(Deserialize)]
        struct Answer {
            users: Vec<User>,
        }
        #[derive(Deserialize)]
        struct User {
            id: String,
        }
        let witness = self.access.session("demo").await?;
        witness
            .get(COMPUTE, ["flavors"])
            .send()
            .await
            .context("a token before it is revoked")?;

        let admin = self.records.session();
        let found = admin.get(IDENTITY, ["users"]).query(&[("name", "demo")]);
        let found = found.fetch::<Answer>().await?.users;
        let user = found.first().context("Keystone knows no user demo")?;
        let body = json!({"user": {"password": self.access.password("demo")?}});
        let path = ["users", user.id.as_str()];
        admin
            .request(IDENTITY, http::Method::PATCH, path)
            .json(&body)
            .send()
            .await
            .context("revoking tokens")?;

        poll("demo's old tokens to be refused", async || {
            let answer = witness.get(COMPUTE, ["flavors"]).send_unchecked().await?;
            Ok((answer.status().as_u16() == 401).then_some(()))
        })
        .await?;
        // a token drawn in the second of the change would be refused too
        poll("demo to be let in again", async || {
            let answer = self.access.session("demo").await?;
            let answer = answer.get(COMPUTE, ["flavors"]).send_unchecked().await?;
            Ok(answer.status().is_success().then_some(()))
        })
        .await
    }
}
