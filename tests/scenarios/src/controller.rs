//! The control-plane engine as a process of the test, so that it can be killed and started again; with the identity of
//! its Deployment: the token of that Deployment's own pod.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::watcher;
use rectifier_bed::Bed;
use rectifier_bed::kubernetes::Kubernetes;
use rectifier_bed::openstack::OpenStack;
use rectifier_bed::process::{Process, Program, Record};

use crate::wait::{until, within};

const NAMESPACE: &str = "rectifier-system";
const NAME: &str = "rectifier-controller";

/// The controller, running or killed.
pub struct Controller {
    program: Program,
    logs: PathBuf,
    process: Option<Process>,
}

impl Controller {
    /// Starts it as the Deployment's pod would be.
    ///
    /// # Errors
    /// If the pod was not made, or the program does not start.
    pub async fn start(
        bed: &Bed,
        kubernetes: &Kubernetes,
        openstack: &OpenStack,
        engine: PathBuf,
        policies: PathBuf,
    ) -> Result<Self> {
        let pod = within(
            "the controller's pod",
            Duration::from_secs(60),
            scheduled(kubernetes),
        )
        .await?;
        let token = kubernetes
            .service_account_token(NAMESPACE, NAME, Some(&pod))
            .await?;
        let dir = bed.part("controller")?;
        let kubeconfig = dir.join("kubeconfig");
        kubernetes.kubeconfig_with_token(&kubeconfig, &token)?;
        let mut program = Program::new("controller", engine)
            .args([
                "controller",
                "--cluster=scenario",
                "--cloud=demo",
                "--poll=1",
                // many are replaced at once here
                "--hourly-replacements=1000",
                // any free port: it is not the machine's only listener
                "--listen=127.0.0.1:0",
            ])
            .arg(format!("--policies={}", policies.display()))
            .arg(format!("--policy-cache={}", dir.join("cache").display()))
            .env("KUBECONFIG", &kubeconfig)
            .env("OS_CLIENT_CONFIG_FILE", openstack.clouds_yaml())
            .env("POD_NAME", pod.name_any())
            .env("POD_NAMESPACE", NAMESPACE)
            .env("RUST_LOG", "info,rectifier_controller=debug");
        if let Ok(step) = std::env::var(crate::world::WITHOUT) {
            program = program.env(crate::world::WITHOUT, step);
        }
        let logs = dir.join("log");
        let mut controller = Self {
            program,
            logs,
            process: None,
        };
        controller.restart().await?;
        Ok(controller)
    }

    /// Kills it (SIGKILL), if it runs, and starts it again.
    ///
    /// # Errors
    /// If the program does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill().await;
        self.process = Some(self.program.clone().start(&self.logs)?);
        Ok(())
    }

    /// Its process. Another one has another number or another start.
    ///
    /// # Errors
    /// If it does not run.
    pub fn process(&self) -> Result<Record> {
        let process = self.process.as_ref().context("the controller is killed")?;
        ensure!(
            process.exit().is_none(),
            "the controller has ended by itself ({:?}); its log: {}",
            process.exit(),
            process.log().display()
        );
        Record::of(process.pid())
    }

    /// Kills it (SIGKILL).
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }
}

async fn scheduled(kubernetes: &Kubernetes) -> Result<Pod> {
    let pods: Api<Pod> = Api::namespaced(kubernetes.admin(), NAMESPACE);
    let ours = watcher::Config::default().labels(&format!("app={NAME}"));
    until(pods, ours, |all| {
        all.iter().find(|pod| running(pod)).cloned()
    })
    .await
}

fn running(pod: &Pod) -> bool {
    pod.status
        .as_ref()
        .is_some_and(|status| status.phase.as_deref() == Some("Running"))
}
