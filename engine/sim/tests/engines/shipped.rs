//! The policies that ship, with both real engines: what each claims to heal it heals, and what
//! it claims to leave alone it leaves.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams};
use rectifier_core::reason::Reason;
use rectifier_core::repair::{PAUSED, Phase, Record, Rung};
use rectifier_sim::machine::{Break, Cure, Problem};
use rectifier_sim::scene;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::hands::stage::{SICK, Stage, played_with};

/// What Node Problem Detector reports of no unit.
const KINDS: [&str; 3] = [
    "KernelDeadlock",
    "ReadonlyFilesystem",
    "FrequentKubeletRestart",
];

/// With the settings that it ships with.
fn with(policy: &str, body: impl AsyncFnOnce(&Stage) -> Result<()>) -> Result<()> {
    with_sidecar(policy, "{}", body)
}

/// A cluster that has been well for longer than any guard rail waits, and this policy alone.
fn with_sidecar(
    policy: &str,
    sidecar: &str,
    body: impl AsyncFnOnce(&Stage) -> Result<()>,
) -> Result<()> {
    let policies = crate::policy::of(policy, sidecar)?;
    played_with(policies, async |policies| {
        let options = scene::Options {
            kinds: KINDS.map(str::to_owned).into(),
            ..scene::Options::default()
        };
        let mut stage = Stage::in_scene(options, policies).await?;
        stage.start();
        let mut agents = JoinSet::new();
        agents.spawn(stage.scene.agents());
        stage.minutes(45).await;
        body(&stage).await
    })
}

fn ail(stage: &Stage, node: &str, kind: &str, cure: Cure) {
    let message = match kind {
        "ReadonlyFilesystem" => "EXT4-fs (vda1): Remounting filesystem read-only",
        _ => "",
    };
    let problem = Problem {
        kind: kind.to_owned(),
        reason: "Test".to_owned(),
        message: message.to_owned(),
        cure,
        since: None,
    };
    assert!(stage.scene.machines.ail(node, &problem));
}

/// How the repair of the sick node ended, and by which rungs.
async fn over(stage: &Stage) -> Result<(Phase, Vec<Rung>)> {
    let ended = async || -> Result<Option<Record>> {
        let repairs = stage.repairs().list(&ListParams::default()).await?.items;
        let of_it = repairs
            .into_iter()
            .filter(|repair| repair.spec.node_name == SICK);
        let mut records = of_it.filter_map(|repair| repair.status);
        Ok(records.find(|record| record.phase.is_final()))
    };
    stage
        .until("its end", async |_| Ok(ended().await?.is_some()))
        .await?;
    let record = ended().await?.context("it was there a moment ago")?;
    let rungs = record.tried.iter().map(|tried| tried.rung).collect();
    Ok((record.phase, rungs))
}

/// How often a unit of the sick node was started anew.
async fn restarts(stage: &Stage, unit: &str) -> Result<usize> {
    let events: Api<Event> = Api::all(stage.client.clone());
    let events = events.list(&ListParams::default()).await?.items;
    let words = format!(": restart {unit}: ");
    let begun = |told: &str| told.contains(&words) && told.contains(": attempt ");
    Ok(events
        .iter()
        .filter_map(|event| event.message.as_deref())
        .filter(|told| begun(told))
        .count())
}

mod default_ladder {
    use super::*;

    #[test]
    fn a_kernel_that_hangs_is_booted_and_well() -> Result<()> {
        with("default-ladder", async |stage| {
            ail(stage, SICK, "KernelDeadlock", Cure::Boot);
            let ended = over(stage).await?;
            ensure!(ended == (Phase::Recovered, vec![Rung::Reboot]), "{ended:?}");
            Ok(())
        })
    }

    #[test]
    fn a_file_system_that_is_read_only_is_replaced_without_a_boot() -> Result<()> {
        with("default-ladder", async |stage| {
            ail(stage, SICK, "ReadonlyFilesystem", Cure::Never);
            let ended = over(stage).await?;
            ensure!(ended == (Phase::Replaced, vec![Rung::Replace]), "{ended:?}");
            Ok(())
        })
    }

    /// A unit that rests between two restarts has a repair that only leaves the node to its engine; the kernel does not wait for it.
    #[test]
    fn a_graver_problem_does_not_wait_for_a_milder_ones_repair() -> Result<()> {
        let sidecar = "settings: {restSeconds: 3600, ladders: [\
            {conditions: [ContainerRuntimeUnhealthy], units: [containerd.service]}, \
            {conditions: [KernelDeadlock], reboot: true}]}\n";
        with_sidecar("default-ladder", sidecar, async |stage| {
            let broken = Break::Unit("containerd.service".to_owned(), Cure::Boot);
            ensure!(stage.scene.machines.break_it(SICK, &broken));
            let problem = async |stage: &Stage| -> Result<Option<String>> {
                Ok(stage.open(SICK).await?.map(|open| open.spec.problem.kind))
            };
            let is_of = async |kind: &str| {
                let what = format!("a repair for {kind}");
                let is = async |stage: &Stage| Ok(problem(stage).await?.as_deref() == Some(kind));
                stage.until(&what, is).await
            };
            is_of("ContainerRuntimeUnhealthy").await?;
            let first = stage.open(SICK).await?.context("it is open")?;
            ail(stage, SICK, "KernelDeadlock", Cure::Boot);
            is_of("KernelDeadlock").await?;
            let second = stage.open(SICK).await?.context("it is open")?;
            ensure!(
                first.metadata.uid == second.metadata.uid,
                "another one was opened"
            );
            let ended = over(stage).await?;
            ensure!(ended == (Phase::Recovered, vec![Rung::Reboot]), "{ended:?}");
            // the boot cured both
            stage.minutes(30).await;
            ensure!(stage.open(SICK).await?.is_none(), "there is another repair");
            Ok(())
        })
    }
}

mod readonly_filesystem {
    use super::*;

    #[test]
    fn a_node_whose_file_system_is_read_only_is_replaced_without_a_boot() -> Result<()> {
        with("readonly-filesystem", async |stage| {
            ail(stage, SICK, "ReadonlyFilesystem", Cure::Never);
            let ended = over(stage).await?;
            ensure!(ended == (Phase::Replaced, vec![Rung::Replace]), "{ended:?}");
            Ok(())
        })
    }

    #[test]
    fn storage_that_two_nodes_have_in_common_is_told_to_a_person() -> Result<()> {
        with("readonly-filesystem", async |stage| {
            // seen together: nothing is done before both are
            let paused = |why: Value| json!({"metadata": {"annotations": {(PAUSED): why}}});
            stage.patch_pool(paused("wait".into())).await?;
            for node in [SICK, "worker-2"] {
                ail(stage, node, "ReadonlyFilesystem", Cure::Never);
            }
            stage.minutes(3).await;
            stage.patch_pool(paused(Value::Null)).await?;
            for node in [SICK, "worker-2"] {
                stage.says(node, Reason::PolicyEscalated).await?;
                let record = stage.record(node).await?;
                ensure!(record.phase == Phase::NeedsHuman, "{record:?}");
                ensure!(record.tried.is_empty(), "{record:?}");
            }
            ensure!(stage.scene.nodes().len() == 3);
            Ok(())
        })
    }
}

mod kernel_deadlock {
    use super::*;

    #[test]
    fn a_kernel_that_hangs_is_booted_once_and_well() -> Result<()> {
        with("kernel-deadlock", async |stage| {
            ail(stage, SICK, "KernelDeadlock", Cure::Boot);
            let ended = over(stage).await?;
            ensure!(ended == (Phase::Recovered, vec![Rung::Reboot]), "{ended:?}");
            Ok(())
        })
    }

    #[test]
    fn one_that_hangs_after_its_boot_too_is_replaced() -> Result<()> {
        with("kernel-deadlock", async |stage| {
            ail(stage, SICK, "KernelDeadlock", Cure::Never);
            let ended = over(stage).await?;
            ensure!(
                ended == (Phase::Replaced, vec![Rung::Reboot, Rung::Replace]),
                "{ended:?}"
            );
            Ok(())
        })
    }
}

mod kubelet_and_runtime {
    use super::*;

    #[test]
    fn a_runtime_that_fails_is_restarted_and_the_kubelet_is_not() -> Result<()> {
        with("kubelet-and-runtime", async |stage| {
            let broken = Break::Unit("containerd.service".to_owned(), Cure::Restart);
            ensure!(stage.scene.machines.break_it(SICK, &broken));
            stage.is_restarted().await?;
            stage.minutes(10).await;
            let counts = (
                restarts(stage, "containerd.service").await?,
                restarts(stage, "kubelet.service").await?,
            );
            ensure!(counts == (1, 0), "{counts:?}");
            ensure!(stage.open(SICK).await?.is_none());
            Ok(())
        })
    }

    #[test]
    fn what_is_started_again_and_again_is_booted_and_not_restarted_once_more() -> Result<()> {
        with("kubelet-and-runtime", async |stage| {
            ail(stage, SICK, "FrequentKubeletRestart", Cure::Boot);
            let ended = over(stage).await?;
            ensure!(ended == (Phase::Recovered, vec![Rung::Reboot]), "{ended:?}");
            ensure!(restarts(stage, "kubelet.service").await? == 0);
            Ok(())
        })
    }
}

mod flapping_in_python {
    use super::*;

    async fn hangs(stage: &Stage, lasting: Duration) {
        assert!(
            stage
                .scene
                .machines
                .break_it(SICK, &Break::Machine(Cure::Boot))
        );
        tokio::time::sleep(lasting).await;
    }

    #[test]
    fn what_passes_within_its_time_is_let_pass() -> Result<()> {
        // the engine asks when a node was not Ready for `timing.unready`, 300 s
        with_sidecar(
            "flapping",
            "settings: {patienceSeconds: 600}",
            async |stage| {
                hangs(stage, Duration::from_secs(420)).await;
                let asked = stage.open(SICK).await?.context("nobody was asked")?;
                let verdict = asked.status.and_then(|record| record.verdict);
                ensure!(
                    verdict
                        .as_ref()
                        .is_some_and(|verdict| verdict.reason.contains("has 600 s")),
                    "{verdict:?}"
                );
                stage.scene.machines.mend(SICK);
                stage.minutes(30).await;
                ensure!(stage.open(SICK).await?.is_none());
                for repair in stage.archived().await? {
                    let record = repair.status.context("a record")?;
                    ensure!(record.tried.is_empty(), "{record:?}");
                }
                Ok(())
            },
        )
    }

    #[test]
    fn a_node_that_is_not_heard_is_booted_when_its_time_is_over() -> Result<()> {
        with("flapping", async |stage| {
            hangs(stage, Duration::ZERO).await;
            let ended = over(stage).await?;
            ensure!(
                ended == (Phase::Recovered, vec![Rung::HardReboot]),
                "{ended:?}"
            );
            Ok(())
        })
    }
}
