//! A real Kubernetes control plane: etcd, kube-apiserver, controller manager, scheduler; and KWOK,
//! which plays the kubelets of fake nodes.
//!
//! - Everyone has a certificate and a role of their own. Only [`Kubernetes::admin`] is
//!   `system:masters`, and it is the bed's; give the code under test [`Kubernetes::client_for`] or
//!   a ServiceAccount's token.
//! - The [audit log](Audit) has every request: who, what, which object, the answer. Assert from it,
//!   not from what the code under test says of itself.
//! - A node joins as kubeadm's do, by a [bootstrap token](Kubernetes::bootstrap_token) and a CSR.
//! - With the bed's network the API server listens on the bridge, and machines reach it; without
//!   it, on loopback, and no root is needed.
//!
//! Nodes here are marked dead after 16 s without a heartbeat ([`Options::node_grace`]), not after
//! Kubernetes' 50 s.

mod access;
mod apply;
mod audit;
mod components;
mod join;
pub mod node;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::Client;
use rectifier_provision::Cache;
use tokio::sync::Mutex;

use crate::Bed;
use crate::network::Network;
use crate::pki::Authority;
use crate::ports::Port;
use crate::process::Process;

pub use access::Credential;
pub use audit::{Audit, Follow, Object, Record};

/// A cold API server on a busy computer; usually it takes three seconds.
const START: Duration = Duration::from_secs(120);

/// What a test may choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a node's heartbeat may be absent before it is `Unknown`. The kubelets and KWOK
    /// renew their leases every 10 s, so less than 12 s makes healthy nodes flap.
    pub node_grace: Duration,
    /// How long a fake node's Lease holds, in whole seconds; KWOK renews it after a quarter of that. With
    /// thousands of nodes on one computer the renewals are most of what the API server does.
    pub lease: Duration,
    /// Whether fake nodes are played.
    pub kwok: bool,
    /// Whether it listens on the bed's network (needs root), where machines can reach it, or on
    /// loopback.
    pub network: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            node_grace: Duration::from_secs(16),
            lease: Duration::from_secs(40),
            kwok: true,
            network: false,
        }
    }
}

impl Options {
    /// For a bed with machines.
    #[must_use]
    pub fn with_machines() -> Self {
        Self {
            network: true,
            ..Self::default()
        }
    }
}

/// A running control plane; dropping it ends it.
pub struct Kubernetes {
    layout: Layout,
    admin: Client,
    apiserver: Mutex<Option<Process>>,
    // in the order of their start
    rest: Vec<Process>,
}

/// What its parts need to know of each other.
#[derive(Debug)]
struct Layout {
    dir: PathBuf,
    authority: Authority,
    cache: Cache,
    options: Options,
    network: Option<Network>,
    address: IpAddr,
    port: u16,
    etcd: Port,
    peer: Port,
    controller_manager: Port,
    scheduler: Port,
    kwok: Port,
    /// The API server's, where it is not 443 on an address of its own.
    _port: Option<Port>,
}

impl Kubernetes {
    /// Starts all of it; back when all of it is ready.
    ///
    /// # Errors
    /// If a program cannot be had, or one ends or is not ready in time: with the end of its log.
    pub async fn start(bed: &Bed, options: Options) -> Result<Self> {
        let layout = Layout::new(bed, options)?;
        layout.furnish()?;
        let logs = layout.dir.join("log");
        let etcd = layout.etcd()?.start(&logs)?;
        etcd.ready(START, || components::http_ok(&layout.etcd, "/health"))
            .await?;
        let apiserver = layout.apiserver()?.start(&logs)?;
        let admin = layout.client(&layout.admin()?).await?;
        apiserver
            .ready(START, || components::readyz(&admin))
            .await?;
        apply::apply(&admin, include_str!("../kubernetes/access.yaml")).await?;

        let controller_manager = layout.controller_manager()?.start(&logs)?;
        let scheduler = layout.scheduler()?.start(&logs)?;
        let kwok = match layout.options.kwok {
            true => Some(layout.kwok()?.start(&logs)?),
            false => None,
        };
        let (one, other) = (
            layout.probe(&layout.controller_manager).await?,
            layout.probe(&layout.scheduler).await?,
        );
        controller_manager
            .ready(START, || components::healthz(&one))
            .await?;
        scheduler
            .ready(START, || components::healthz(&other))
            .await?;
        if let Some(kwok) = &kwok {
            kwok.ready(START, || components::http_ok(&layout.kwok, "/healthz"))
                .await?;
        }
        let mut rest = vec![etcd, controller_manager, scheduler];
        rest.extend(kwok);
        Ok(Self {
            layout,
            admin,
            apiserver: Mutex::new(Some(apiserver)),
            rest,
        })
    }

    /// The API server's URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.layout.url()
    }

    /// The certificate of its authority, PEM.
    #[must_use]
    pub fn ca(&self) -> String {
        self.layout.authority.certificate()
    }

    /// The folder of its files: `log/`, `pki/`, `audit.log`, `*.kubeconfig`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.layout.dir
    }

    /// What the API server was asked, and by whom.
    #[must_use]
    pub fn audit(&self) -> Audit {
        Audit::new(self.layout.audit_log())
    }

    /// Takes the API server away (SIGKILL): an outage. Its data stay.
    ///
    /// # Errors
    /// If it is away already.
    pub async fn stop_apiserver(&self) -> Result<()> {
        self.apiserver
            .lock()
            .await
            .take()
            .context("the API server is stopped already")?
            .kill()
            .await;
        Ok(())
    }

    /// Brings the API server back, at the same address; back when it is ready.
    ///
    /// # Errors
    /// If it runs, or does not become ready.
    pub async fn start_apiserver(&self) -> Result<()> {
        let mut place = self.apiserver.lock().await;
        if place.is_some() {
            bail!("the API server runs already");
        }
        let apiserver = self
            .layout
            .apiserver()?
            .start(&self.layout.dir.join("log"))?;
        apiserver
            .ready(START, || components::readyz(&self.admin))
            .await?;
        *place = Some(apiserver);
        Ok(())
    }
}

impl Drop for Kubernetes {
    fn drop(&mut self) {
        // Nothing of it is read again: no grace for anybody, and all at once.
        let apiserver = self.apiserver.get_mut();
        apiserver
            .iter()
            .chain(&self.rest)
            .for_each(Process::discard);
    }
}

impl Layout {
    fn new(bed: &Bed, options: Options) -> Result<Self> {
        let network = options
            .network
            .then(|| bed.network().cloned())
            .transpose()?;
        let (address, port, _port) = match &network {
            // 443: where a pod looks for it, and on this address nobody else listens
            Some(network) => (network.gateway(), 443, None),
            None => {
                let port = bed.port()?;
                (Ipv4Addr::LOCALHOST, port.number(), Some(port))
            }
        };
        Ok(Self {
            dir: bed.part("kubernetes")?,
            authority: Authority::new("bed")?,
            cache: bed.cache().clone(),
            options,
            network,
            address: address.into(),
            port,
            etcd: bed.port()?,
            peer: bed.port()?,
            controller_manager: bed.port()?,
            scheduler: bed.port()?,
            kwok: bed.port()?,
            _port,
        })
    }
}

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
