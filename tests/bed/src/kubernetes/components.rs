//! The programs of the control plane, each with its arguments.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::access::Credential;
use super::{Kubernetes, Layout};
use crate::pki::Identity;
use crate::ports::Port;
use crate::process::Program;

/// The controllers that a bed has no use for: they want a cloud, or subnets for pods.
const CONTROLLERS: &str = "*,token-cleaner-controller,-node-ipam-controller,-node-route-controller,\
                           -service-lb-controller,-cloud-node-lifecycle-controller";

impl Layout {
    /// Writes the files that the programs read.
    pub(super) fn furnish(&self) -> Result<()> {
        let pki = self.pki();
        for dir in ["pki", "log"] {
            fs::create_dir_all(self.dir.join(dir))?;
        }
        let address = self.address.to_string();
        let first_service = self.first_service();
        let names = [
            &address,
            &first_service,
            "127.0.0.1",
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ];
        let ca = &self.authority;
        ca.identity().write(&pki, "ca")?;
        ca.server(&names)?.write(&pki, "apiserver")?;
        ca.server(&["127.0.0.1"])?.write(&pki, "loopback")?;
        ca.client("bed:apiserver-to-kubelet", &[])?
            .write(&pki, "kubelet-client")?;
        service_account_key()?.write(&pki, "service-account")?;
        for (role, user) in [
            ("kube-controller-manager", "system:kube-controller-manager"),
            ("kube-scheduler", "system:kube-scheduler"),
            ("kwok", "bed:kwok"),
        ] {
            let credential = Credential::Certificate(ca.client(user, &[])?);
            self.write_kubeconfig(&self.kubeconfig(role), &credential)?;
        }
        self.write_kubeconfig(&self.kubeconfig("admin"), &self.admin()?)?;
        fs::write(
            self.dir.join("audit-policy.yaml"),
            include_str!("../../kubernetes/audit-policy.yaml"),
        )?;
        fs::write(
            self.dir.join("stages.yaml"),
            include_str!("../../kubernetes/stages.yaml"),
        )?;
        Ok(())
    }

    pub(super) fn etcd(&self) -> Result<Program> {
        let client = format!("http://127.0.0.1:{}", self.etcd);
        let peer = format!("http://127.0.0.1:{}", self.peer);
        Ok(Program::new("etcd", self.cache.program("etcd")?)
            .arg("--name=bed")
            .arg(format!("--data-dir={}", self.dir.join("etcd").display()))
            // the data need not survive the computer, only the API server
            .args(["--unsafe-no-fsync", "--log-level=warn"])
            .arg(format!("--listen-client-urls={client}"))
            .arg(format!("--advertise-client-urls={client}"))
            .arg(format!("--listen-peer-urls={peer}"))
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster=bed={peer}")))
    }

    pub(super) fn apiserver(&self) -> Result<Program> {
        let pki = |file: &str| self.pki().join(file).display().to_string();
        let mut program = Program::new("kube-apiserver", self.cache.program("kube-apiserver")?)
            .arg(format!("--etcd-servers=http://127.0.0.1:{}", self.etcd))
            .arg(format!("--bind-address={}", self.address))
            .arg(format!("--advertise-address={}", self.address))
            .arg(format!("--secure-port={}", self.port))
            .arg(format!("--service-cluster-ip-range={}", self.services()))
            .arg(format!("--tls-cert-file={}", pki("apiserver.crt")))
            .arg(format!("--tls-private-key-file={}", pki("apiserver.key")))
            .arg(format!("--client-ca-file={}", pki("ca.crt")))
            .args([
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
            ])
            .args([
                "--enable-bootstrap-token-auth",
                "--allow-privileged",
                "--profiling=false",
            ])
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(format!(
                "--service-account-key-file={}",
                pki("service-account.crt")
            ))
            .arg(format!(
                "--service-account-signing-key-file={}",
                pki("service-account.key")
            ))
            // a kubelet's serving certificate is its own: nobody but this computer is on that
            // network
            .arg(format!(
                "--kubelet-client-certificate={}",
                pki("kubelet-client.crt")
            ))
            .arg(format!(
                "--kubelet-client-key={}",
                pki("kubelet-client.key")
            ))
            .arg("--kubelet-preferred-address-types=InternalIP")
            .arg(format!(
                "--audit-policy-file={}",
                self.dir.join("audit-policy.yaml").display()
            ))
            .arg(format!("--audit-log-path={}", self.audit_log().display()))
            // one file, whatever its size: whoever follows it never misses a rotation
            .arg("--audit-log-maxsize=100000")
            // a thousand nodes' heartbeats come at once
            .args([
                "--max-requests-inflight=1600",
                "--max-mutating-requests-inflight=800",
            ]);
        if self.network.is_none() {
            // an endpoint may not be a loopback address
            program = program.arg("--endpoint-reconciler-type=none");
        }
        Ok(program)
    }

    pub(super) fn controller_manager(&self) -> Result<Program> {
        let pki = |file: &str| self.pki().join(file).display().to_string();
        let grace = self.options.node_grace.as_secs_f64();
        Ok(self
            .client_program("kube-controller-manager", &self.controller_manager)?
            .arg("--use-service-account-credentials")
            .arg(format!(
                "--service-account-private-key-file={}",
                pki("service-account.key")
            ))
            .arg(format!("--root-ca-file={}", pki("ca.crt")))
            .arg(format!("--cluster-signing-cert-file={}", pki("ca.crt")))
            .arg(format!("--cluster-signing-key-file={}", pki("ca.key")))
            // else it makes a folder below /usr
            .arg(format!(
                "--flex-volume-plugin-dir={}",
                self.dir.join("flexvolume").display()
            ))
            .arg(format!("--controllers={CONTROLLERS}"))
            .arg("--node-monitor-period=2s")
            .arg(format!("--node-monitor-grace-period={grace}s")))
    }

    pub(super) fn scheduler(&self) -> Result<Program> {
        self.client_program("kube-scheduler", &self.scheduler)
    }

    /// What the controller manager and the scheduler have in common.
    fn client_program(&self, name: &str, port: &Port) -> Result<Program> {
        let pki = self.pki();
        Ok(Program::new(name, self.cache.program(name)?)
            .arg(format!("--kubeconfig={}", self.kubeconfig(name).display()))
            .args([
                "--bind-address=127.0.0.1",
                "--authentication-skip-lookup",
                "--leader-elect=false",
            ])
            .arg(format!("--secure-port={port}"))
            .arg(format!(
                "--tls-cert-file={}",
                pki.join("loopback.crt").display()
            ))
            .arg(format!(
                "--tls-private-key-file={}",
                pki.join("loopback.key").display()
            ))
            .args(["--kube-api-qps=500", "--kube-api-burst=500"]))
    }

    pub(super) fn kwok(&self) -> Result<Program> {
        Ok(Program::new("kwok", self.cache.program("kwok")?)
            .arg(format!(
                "--kubeconfig={}",
                self.kubeconfig("kwok").display()
            ))
            .arg(format!(
                "--config={}",
                self.dir.join("stages.yaml").display()
            ))
            // a label, since a node whose label is taken away dies; an annotation would be believed
            // for ever
            .arg("--manage-nodes-with-label-selector=kwok.x-k8s.io/node=fake")
            .arg(format!(
                "--node-lease-duration-seconds={}",
                self.options.lease.as_secs()
            ))
            .arg("--cidr=10.244.0.0/16")
            .arg("--node-ip=127.0.0.1")
            .arg(format!("--server-address=127.0.0.1:{}", self.kwok)))
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}:{}", self.address, self.port)
    }

    pub(super) fn audit_log(&self) -> PathBuf {
        self.dir.join("audit.log")
    }

    fn pki(&self) -> PathBuf {
        self.dir.join("pki")
    }

    fn services(&self) -> String {
        match &self.network {
            Some(network) => network.services(),
            None => "10.0.0.0/16".to_owned(),
        }
    }

    fn first_service(&self) -> String {
        match &self.network {
            Some(network) => network.gateway().to_string(),
            None => "10.0.0.1".to_owned(),
        }
    }

    /// A client that asks the program at `port` how it is.
    pub(super) async fn probe(&self, port: &Port) -> Result<Client> {
        self.client_at(
            &format!("https://127.0.0.1:{port}"),
            &Credential::Token(String::new()),
        )
        .await
    }
}

impl Kubernetes {
    /// The file `NAME.kubeconfig`, which the bed wrote for `admin`, `kube-controller-manager`,
    /// `kube-scheduler` and `kwok`.
    #[must_use]
    pub fn kubeconfig(&self, role: &str) -> PathBuf {
        self.layout.kubeconfig(role)
    }
}

/// The key pair that ServiceAccounts' tokens are signed with; its `.crt` is the public key.
fn service_account_key() -> Result<Identity> {
    let key = rcgen::KeyPair::generate()?;
    Ok(Identity {
        certificate: key.public_key_pem(),
        key: key.serialize_pem(),
    })
}

pub(super) async fn readyz(client: &Client) -> Result<()> {
    ask(client, "/readyz").await
}

pub(super) async fn healthz(client: &Client) -> Result<()> {
    ask(client, "/healthz").await
}

async fn ask(client: &Client, path: &str) -> Result<()> {
    let request = http::Request::get(path).body(Vec::new())?;
    client.request_text(request).await?;
    Ok(())
}

/// GETs a path of a server on loopback without TLS; an error unless it says 200.
pub(super) async fn http_ok(port: &Port, path: &str) -> Result<()> {
    let answer = tokio::time::timeout(Duration::from_secs(5), async {
        let mut server = TcpStream::connect(("127.0.0.1", port.number())).await?;
        server
            .write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
            .await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    });
    let answer = answer.await.context("no answer in 5 s")??;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        bail!("{path} says {status:?}");
    }
    Ok(())
}
