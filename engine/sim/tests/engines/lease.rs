//! The leader's Lease in the world: what its renewal costs, who may write it meanwhile, and who may not.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use rectifier_policy_host::Advisor;
use rectifier_sim::clock::in_virtual_time;
use rectifier_sim::scene::{CONTROLLER, NAMESPACE, Options, Scene};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::policy;

/// Between two renewals, of which a leader is told the first after this.
const RENEWAL: Duration = Duration::from_secs(5);

/// A controller that leads, in a world in which nothing else happens.
struct Leading {
    scene: Scene,
    process: JoinSet<String>,
}

impl Leading {
    async fn begin(policies: Arc<dyn Advisor>) -> Result<Self> {
        let scene = Scene::set(Options::default(), policies);
        let mut process = JoinSet::new();
        let controller = rectifier_controller::run(scene.controller("controller-1"));
        process.spawn(async move { format!("{:?}", controller.await) });
        sleep(6 * RENEWAL).await;
        Ok(Self { scene, process })
    }

    /// The requests that concern the Lease, by method and answer.
    fn asked(&self, method: &str, code: u16) -> usize {
        let requests = self.scene.api.requests();
        let is_it = |request: &&rectifier_sim::kubernetes::Request| {
            request.who == CONTROLLER
                && request.path.contains("/leases/")
                && (request.method.as_str(), request.code) == (method, code)
        };
        requests.iter().filter(is_it).count()
    }

    async fn write(&self, patch: Value) -> Result<()> {
        let leases: Api<Lease> = Api::namespaced(self.scene.api.client("somebody"), NAMESPACE);
        leases
            .patch(
                "rectifier-controller",
                &PatchParams::default(),
                &Patch::Merge(patch),
            )
            .await?;
        Ok(())
    }

    fn leads(&mut self) -> bool {
        self.process.try_join_next().is_none()
    }
}

#[test]
fn a_leader_renews_by_one_write() -> Result<()> {
    let policies = policy::shipped()?;
    in_virtual_time(async {
        let mut leading = Leading::begin(policies).await?;
        let before = (leading.asked("GET", 200), leading.asked("PUT", 200));
        sleep(60 * RENEWAL).await;
        let after = (leading.asked("GET", 200), leading.asked("PUT", 200));
        ensure!(leading.leads());
        ensure!(before.0 == after.0, "it was read {before:?} {after:?}");
        ensure!(after.1 - before.1 >= 55, "{before:?} {after:?}");
        Ok(())
    })?
}

#[test]
fn a_leader_whose_lease_somebody_else_has_touched_reads_it_and_goes_on() -> Result<()> {
    let policies = policy::shipped()?;
    in_virtual_time(async {
        let mut leading = Leading::begin(policies).await?;
        let read = leading.asked("GET", 200);
        leading
            .write(json!({"metadata": {"labels": {"touched": "yes"}}}))
            .await?;
        sleep(12 * RENEWAL).await;
        ensure!(leading.leads());
        ensure!(leading.asked("PUT", 409) == 1);
        ensure!(leading.asked("GET", 200) == read + 1);
        Ok(())
    })?
}

#[test]
fn a_leader_whose_lease_was_taken_ends() -> Result<()> {
    let policies = policy::shipped()?;
    in_virtual_time(async {
        let mut leading = Leading::begin(policies).await?;
        leading
            .write(json!({"spec": {"holderIdentity": "controller-2", "leaseTransitions": 2}}))
            .await?;
        let ended = timeout(2 * RENEWAL, leading.process.join_next()).await?;
        let ended = ended.transpose()?.unwrap_or_default();
        ensure!(
            ended.contains("held by controller-2 in term 2"),
            "it ended with {ended:?}"
        );
        Ok(())
    })?
}

#[test]
fn a_leader_whose_lease_was_deleted_ends_and_makes_none() -> Result<()> {
    let policies = policy::shipped()?;
    in_virtual_time(async {
        let mut leading = Leading::begin(policies).await?;
        let leases: Api<Lease> = Api::namespaced(leading.scene.api.client("somebody"), NAMESPACE);
        leases
            .delete("rectifier-controller", &DeleteParams::default())
            .await?;
        let ended = timeout(3 * RENEWAL, leading.process.join_next()).await?;
        let ended = ended.transpose()?.unwrap_or_default();
        ensure!(ended.contains("held by nobody"), "it ended with {ended:?}");
        ensure!(leases.get_opt("rectifier-controller").await?.is_none());
        Ok(())
    })?
}
