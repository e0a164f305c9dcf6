//! A real OpenStack on loopback: Keystone, Placement, Glance, Neutron and Nova behind one TLS door.
//!
//! Only the hypervisor is not one: Nova's own fake driver, which calls a program with what happens
//! to each server. What that program does is the physical world's part ([`hypervisor`]).
//!
//! ```text
//!  user demo ──TLS──▶ front door ──▶ keystone, glance, neutron, nova, placement
//!                      (faults)                       │
//!  bed, as admin ─────────────────────────────────────┘ ──▶ hook: spawn, boot, reboot, destroy …
//! ```
//!
//! Guaranteed: every stack has a folder, ports, databases and a certificate authority of its own,
//! and none of its processes outlives [`OpenStack`], or the process that held it. [`Records`] go
//! around the front door: a fault that was asked for never hits, nor is used up by, an assertion.
//!
//! Left to others: the machines that the hook starts; they are the bed's.
//!
//! [`hypervisor`]: crate::hypervisor

mod answers;
mod fault;
mod knobs;
mod records;
mod requests;
mod tenant;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use osauth::common::IdOrName;
use osauth::identity::{Password, Scope};
use osauth::{InterfaceType, Session};
use rectifier_provision::Report;
use serde::Deserialize;

pub use answers::{
    Action, ActionEvent, FixedIp, Flavor, Image, Port, Server, ServerFault, ServerFlavor,
    ServerImage,
};
pub use fault::{Effect, Fault, HttpFault};
pub use records::Records;
pub use requests::Request;
pub use tenant::{NewServer, Tenant};

use crate::Bed;
use crate::network::Network;
use crate::process::{Process, Program};
use knobs::Knobs;

/// From the seed it takes 15 to 25 s on two cores; where the seed must be made first, a minute more.
const START: Duration = Duration::from_secs(300);
/// Its launcher ends five services, each within 5 s, most at once.
const STOP: Duration = Duration::from_secs(10);

/// What a stack is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names of the compute hosts. Another list than the default's needs another seed: 60 s, once.
    pub hosts: Vec<String>,
    /// The program that the hypervisor calls; none: servers are only records.
    pub hook: Option<PathBuf>,
    /// From ACTIVE, or a reboot's call, to the hook's event `boot`.
    pub boot_delay: Duration,
    /// The addresses of the user's network. Give the bed's own ([`Subnet::of`]) where servers are
    /// to be machines: then they have the addresses that Neutron says.
    pub subnet: Subnet,
}

/// A subnet, as Neutron is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Its addresses, in CIDR notation.
    pub cidr: String,
    /// Its gateway, which no port gets.
    pub gateway: String,
    /// The first and the last address that ports get.
    pub pool: (String, String),
}

impl Subnet {
    /// That of a bed's bridge.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        let (first, last) = network.machines();
        Self {
            cidr: network.subnet(),
            gateway: network.gateway().to_string(),
            pool: (first.to_string(), last.to_string()),
        }
    }
}

impl Default for Subnet {
    /// Room for 65 000 servers, which nothing can reach.
    fn default() -> Self {
        Self {
            cidr: "10.20.0.0/16".to_owned(),
            gateway: "10.20.0.1".to_owned(),
            pool: ("10.20.0.2".to_owned(), "10.20.255.254".to_owned()),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hosts: ["c1", "c2", "c3"].map(str::to_owned).to_vec(),
            hook: None,
            boot_delay: Duration::ZERO,
            subnet: Subnet::default(),
        }
    }
}

/// How a user logs in at the front door; the same stands in [`OpenStack::clouds_yaml`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Keystone, version 3.
    pub auth_url: String,
    /// Its name, in the domain `Default`; the project's name is the same.
    pub username: String,
    /// Its password.
    pub password: String,
    /// The front door's authority, a PEM file.
    pub cacert: PathBuf,
}

/// A running OpenStack; dropping it ends its processes, and leaves its folder with the logs.
#[derive(Debug)]
pub struct OpenStack {
    process: Process,
    folder: PathBuf,
    access: Access,
    knobs: Knobs,
    /// What the services themselves have recorded of the user demo's project.
    pub records: Records,
    /// The user demo, who owns the servers.
    pub demo: Tenant,
}

/// `access.json`: how to reach the services around the front door.
#[derive(Debug, Clone, Deserialize)]
struct Access {
    front: String,
    ports: Ports,
    users: Users,
}

#[derive(Debug, Clone, Deserialize)]
struct Ports {
    keystone: u16,
}

#[derive(Debug, Clone, Deserialize)]
struct Users {
    admin: String,
    demo: String,
}

impl OpenStack {
    /// Starts the bed's one stack, in the folder `openstack` of it. The hook finds the bed by the
    /// variable [`hypervisor::BED`](crate::hypervisor::BED).
    ///
    /// # Errors
    /// If the Python environment cannot be made, or the stack does not come up; the error shows
    /// the end of the log that says why.
    pub async fn start(
        bed: &Bed,
        options: &Options,
        report: &mut (dyn Report + Send),
    ) -> Result<Self> {
        let venv = bed
            .cache()
            .openstack_venv(report)
            .context("OpenStack's Python environment")?;
        let folder = bed.dir().join("openstack");
        ensure!(!folder.exists(), "{} is there already", folder.display());
        report.step(
            "openstack: starting (15 to 25 s; a minute more where its databases are made first)",
        );
        let process = launch(&venv, bed, &folder, options)?;
        let (ready, waited) = (folder.join("ready"), "it is still starting");
        process
            .ready(START, || {
                let there = ready.exists();
                async move { there.then_some(()).context(waited) }
            })
            .await
            .with_context(|| format!("OpenStack in {}", folder.display()))?;

        let text = std::fs::read_to_string(folder.join("access.json"))?;
        let access: Access = serde_json::from_str(&text).context("access.json")?;
        let records = Records::new(access.session("admin").await?).await?;
        let knobs = Knobs::new(folder.join("knobs.json"));
        let demo = Tenant::new(access.clone(), records.clone());
        Ok(Self {
            process,
            folder,
            access,
            knobs,
            records,
            demo,
        })
    }

    /// The user's configuration, with the clouds `demo` and `admin`, both through the front door.
    #[must_use]
    pub fn clouds_yaml(&self) -> PathBuf {
        self.folder.join("clouds.yaml")
    }

    /// Where the services' logs are.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// How `demo` or `admin` logs in at the front door.
    ///
    /// # Errors
    /// If there is no such user.
    pub fn cloud(&self, user: &str) -> Result<Credentials> {
        Ok(Credentials {
            auth_url: format!("{}/identity/v3", self.access.front),
            username: user.to_owned(),
            password: self.access.password(user)?.to_owned(),
            cacert: self.folder.join("etc/ca.pem"),
        })
    }

    /// Ends its processes, and waits for that.
    pub async fn stop(self) {
        self.process.stop(STOP).await;
    }
}

fn launch(venv: &Path, bed: &Bed, folder: &Path, options: &Options) -> Result<Process> {
    let cache = bed.cache();
    let program = cache.checkout().join("tests/bed/openstack/launch.py");
    let hook = options
        .hook
        .as_deref()
        .map_or(OsStr::new(""), Path::as_os_str);
    let launcher = Program::new("openstack", venv.join("bin/python"))
        // no bytecode beside the sources: the checkout stays as it is
        .arg("-B")
        .arg(program)
        .arg("run")
        .arg(folder)
        .args([OsStr::new("--cache"), cache.openstack()?.as_os_str()])
        .args(["--hosts", &options.hosts.join(",")])
        .args([OsStr::new("--hook"), hook])
        .args([
            "--boot-delay",
            &options.boot_delay.as_secs_f64().to_string(),
        ])
        .args([
            "--subnet",
            &options.subnet.cidr,
            "--gateway",
            &options.subnet.gateway,
        ])
        .args(["--pool", &options.subnet.pool.0, &options.subnet.pool.1])
        .env(crate::hypervisor::BED, bed.dir());
    launcher.start(bed.dir())
}

impl Access {
    fn password(&self, user: &str) -> Result<&str> {
        match user {
            "admin" => Ok(&self.users.admin),
            "demo" => Ok(&self.users.demo),
            _ => anyhow::bail!("no user {user}: there are demo and admin"),
        }
    }

    /// A new session of that user in the project of the same name, around the front door.
    async fn session(&self, user: &str) -> Result<Session> {
        let keystone = format!("http://127.0.0.1:{}/v3", self.ports.keystone);
        let domain = Some(IdOrName::from_name("Default"));
        let scope = Scope::Project {
            project: IdOrName::from_name(user),
            domain,
        };
        let password = Password::new(keystone, user, self.password(user)?, "Default")?;
        let session = Session::new(password.with_scope(scope)).await;
        let session = session.with_context(|| format!("logging in as {user}"))?;
        Ok(session.with_endpoint_interface(InterfaceType::Internal))
    }
}
