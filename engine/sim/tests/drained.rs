//! The real controller in the world: what it does about the pods of a node that is replaced, and what it wants of the
//! replacement before.

mod policy;
mod stage;

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::storage::v1::CSINode;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, PostParams};
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use rectifier_sim::clock::in_virtual_time;
use serde_json::{Value, json};

use stage::{SICK, Stage, slow};

/// A story in the world.
macro_rules! played {
    ($($name:ident)+) => {$(
        #[test]
        fn $name() -> Result<()> {
            let policies = policy::shipped()?;
            in_virtual_time(async move { stories::$name(Stage::set(policies).await?).await })?
        }
    )+};
}

played! {
    pods_leave_by_priority_behind_their_budgets
    a_node_whose_pods_would_be_lost_is_not_touched_until_that_is_allowed
    a_drain_that_takes_too_long_is_shown_to_a_person
    a_drain_that_takes_too_long_deletes_as_a_last_resort_where_the_pool_says_so
    two_budgets_over_one_pod_are_told_and_end_when_one_goes
    the_server_goes_when_the_pods_are_ready_elsewhere
    pods_that_do_not_come_up_elsewhere_hold_the_server_for_a_while_only
    a_replacement_is_committed_when_it_has_the_drivers_and_daemons
    a_pod_on_a_replacement_that_is_taken_back_leaves_it_within_its_budget
}

mod stories {
    use super::*;

    pub(super) async fn pods_leave_by_priority_behind_their_budgets(
        mut stage: Stage,
    ) -> Result<()> {
        let system = json!({"priorityClassName": "system-cluster-critical"});
        stage.set_of("system", 3, system).await?;
        let class = json!({"metadata": {"name": "batch"}, "value": -10});
        Api::all(stage.client.clone())
            .create(
                &PostParams::default(),
                &serde_json::from_value::<k8s_openapi::api::scheduling::v1::PriorityClass>(class)?,
            )
            .await?;
        stage
            .set_of("batch", 3, json!({"priorityClassName": "batch"}))
            .await?;
        for app in ["system", "batch"] {
            stage.until_ready(app, 3).await?;
            ensure!(stage.pods(app, SICK).0.len() == 1, "{app} is not there");
        }
        // nobody of the web may go yet
        stage.budget("web", 3).await?;
        stage.start();
        stage.fall_sick().await?;
        let early = RefCell::new(Vec::new());
        let held = || {
            let is_there = |app: &str| stage.pods(app, SICK) != (Vec::new(), Vec::new());
            let goes = |app: &str| !stage.pods(app, SICK).1.is_empty();
            for (app, above) in [("batch", "web"), ("batch", "system")] {
                if is_there(app) && goes(above) {
                    early.borrow_mut().push(above);
                }
            }
            let record = stage.record().unwrap_or_default();
            record.phase == Phase::Draining
                && record.reason == Some(Reason::BlockedByBudget)
                && record.drain.is_some_and(|drain| drain.gone == 2)
        };
        stage.until("all but the web to have left", held).await?;
        ensure!(
            early.borrow().is_empty(),
            "{:?} left too early",
            early.borrow()
        );
        let drain = stage
            .record()
            .and_then(|record| record.drain)
            .context("no progress")?;
        ensure!(
            (drain.total, drain.gone, drain.to_evict) == (3, 2, 1),
            "{drain:?}"
        );
        let [held] = drain.held_back.as_slice() else {
            anyhow::bail!("{drain:?}");
        };
        ensure!(held.pod.starts_with("default/web-"), "{held:?}");
        ensure!(held.by.contains("web needs 3 healthy pods"), "{held:?}");
        // it keeps its own pace
        let refusals = || {
            stage
                .changes()
                .iter()
                .filter(|line| line.ends_with("/eviction? 429"))
                .count()
        };
        let before = refusals();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let in_a_minute = refusals() - before;
        ensure!(
            (8..=12).contains(&in_a_minute),
            "asked {in_a_minute} times in a minute"
        );
        stage.budget("web", 2).await?;
        let over = stage.until_over().await?;
        ensure!(over.phase == Phase::Replaced, "{over:?}");
        let evicted: Vec<String> = stage
            .changes()
            .into_iter()
            .filter(|line| line.contains("/eviction") && line.ends_with(" 201"))
            .collect();
        let order: Vec<bool> = ["pods/batch-", "pods/system-", "pods/web-"]
            .iter()
            .zip(&evicted)
            .map(|(app, line)| line.contains(app))
            .collect();
        ensure!(evicted.len() == 3 && order == [true; 3], "{evicted:?}");
        Ok(())
    }

    pub(super) async fn a_node_whose_pods_would_be_lost_is_not_touched_until_that_is_allowed(
        mut stage: Stage,
    ) -> Result<()> {
        let volume = json!({
            "metadata": {"name": "pv-1"},
            "spec": {
                "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "local": {"path": "/disk"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "kubernetes.io/hostname", "operator": "In", "values": [SICK]},
                ]}]}},
            },
        });
        Api::<PersistentVolume>::all(stage.client.clone())
            .create(&PostParams::default(), &serde_json::from_value(volume)?)
            .await?;
        let claim = json!({
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "pv-1"},
        });
        stage.make::<PersistentVolumeClaim>(claim).await?;
        let pod = |name: &str, more: Value| {
            let mut pod = json!({
                "metadata": {"name": name, "labels": {"app": name}},
                "spec": {"nodeName": SICK, "containers": [{"name": "c", "image": "none:1"}]},
            });
            json_patch::merge(&mut pod, &more);
            pod
        };
        let set = stage.set_of("db", 0, json!({})).await?;
        let data = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
        let owned =
            json!({"metadata": {"ownerReferences": [owner(&set)]}, "spec": {"volumes": data}});
        stage.make::<Pod>(pod("db", owned)).await?;
        stage.make::<Pod>(pod("alone", json!({}))).await?;
        stage.start();
        stage.fall_sick().await?;
        let refused = stage.until_in(Phase::NeedsHuman).await?;
        ensure!(
            refused.reason == Some(Reason::PreflightRefused),
            "{refused:?}"
        );
        for words in [
            "2: default/alone (no controller makes it again), default/db (its volume pv-1 is on this node alone)",
            "in Judging, nothing is committed",
        ] {
            ensure!(refused.message.contains(words), "{}", refused.message);
        }
        // and the Event holds all of it, with the command
        let said = stage.said("PreflightRefused");
        ensure!(
            said.len() == 1 && said[0].contains("rectifier.dev/retry="),
            "{said:?}"
        );
        tokio::time::sleep(Duration::from_secs(600)).await;
        ensure!(stage.changes().is_empty(), "{:?}", stage.changes());
        ensure!(stage.scene.cloud.asked_for() == 3, "a server was asked for");
        // still refused, if nothing is done but to ask again
        stage.retry().await?;
        tokio::time::sleep(Duration::from_secs(30)).await;
        let again = stage.until_in(Phase::NeedsHuman).await?;
        ensure!(again.since > refused.since, "it was not looked at again");
        ensure!(stage.changes().is_empty(), "{:?}", stage.changes());
        stage
            .pool(json!({"drain": {"unmanagedPods": true, "nodeVolumes": true}}))
            .await?;
        stage.retry().await?;
        let over = stage.until_over().await?;
        ensure!(over.phase == Phase::Replaced, "{over:?}");
        Ok(())
    }

    async fn no_web_may_go(stage: &mut Stage, last_resort: &str) -> Result<()> {
        stage.budget("web", 3).await?;
        stage
            .pool(json!({"drain": {"lastResort": last_resort}, "timing": {"drain": 120}}))
            .await?;
        stage.start();
        stage.fall_sick().await
    }

    pub(super) async fn a_drain_that_takes_too_long_is_shown_to_a_person(
        mut stage: Stage,
    ) -> Result<()> {
        no_web_may_go(&mut stage, "Ask").await?;
        let asked = stage.until_in(Phase::NeedsHuman).await?;
        ensure!(asked.reason == Some(Reason::Overdue), "{asked:?}");
        for words in [
            "Draining for 12",
            "web needs 3 healthy pods",
            "after the commit",
        ] {
            ensure!(asked.message.contains(words), "{}", asked.message);
        }
        ensure!(stage.pods("web", SICK).0.len() == 1, "its pod is not there");
        ensure!(stage.has_server(SICK), "its server is not there");
        stage.budget("web", 2).await?;
        stage.retry().await?;
        let over = stage.until_over().await?;
        ensure!(over.phase == Phase::Replaced, "{over:?}");
        Ok(())
    }

    pub(super) async fn a_drain_that_takes_too_long_deletes_as_a_last_resort_where_the_pool_says_so(
        mut stage: Stage,
    ) -> Result<()> {
        no_web_may_go(&mut stage, "Delete").await?;
        let draining = stage.until_in(Phase::Draining).await?;
        let over = stage.until_over().await?;
        ensure!(over.phase == Phase::Replaced, "{over:?}");
        let said = stage.said("LastResort");
        ensure!(
            said.len() == 1 && said[0].contains("default/web-"),
            "{said:?}"
        );
        let lines = stage.changes();
        let mut deleted = lines
            .iter()
            .filter(|line| line.starts_with("DELETE /api/v1/namespaces/default/pods/web-"));
        ensure!(
            deleted.next().is_some() && deleted.next().is_none(),
            "{lines:?}"
        );
        let evicted = lines
            .iter()
            .any(|line| line.contains("/eviction") && line.ends_with(" 201"));
        ensure!(!evicted, "{lines:?}");
        let waits = over
            .steps
            .iter()
            .find(|step| step.phase == Phase::AwaitingOwners);
        let waited = waits
            .context("it never waited")?
            .at
            .duration_since(draining.since.context("no time")?);
        ensure!(waited.as_secs() >= 120, "deleted after {waited}");
        Ok(())
    }

    pub(super) async fn two_budgets_over_one_pod_are_told_and_end_when_one_goes(
        mut stage: Stage,
    ) -> Result<()> {
        let second = json!({
            "metadata": {"name": "second"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        });
        stage.make::<PodDisruptionBudget>(second).await?;
        stage.start();
        stage.fall_sick().await?;
        let is_told = || {
            let record = stage.record().unwrap_or_default();
            record.reason == Some(Reason::TwoBudgets)
        };
        stage.until("it to be told", is_told).await?;
        let said = stage.said("TwoBudgets");
        ensure!(
            said.len() == 1 && said[0].contains("default/web-"),
            "{said:?}"
        );
        Api::<PodDisruptionBudget>::namespaced(stage.client.clone(), "default")
            .delete("second", &DeleteParams::default())
            .await?;
        let over = stage.until_over().await?;
        ensure!(over.phase == Phase::Replaced, "{over:?}");
        Ok(())
    }

    /// Its pods take so long to be Ready.
    async fn with_slow(stage: &mut Stage, seconds: u32) -> Result<()> {
        stage
            .set_of("slow", 3, json!({"containers": slow(seconds)}))
            .await?;
        stage.until_ready("slow", 3).await?;
        ensure!(
            stage.pods("slow", SICK).0.len() == 1,
            "none is on the sick node"
        );
        stage.start();
        stage.fall_sick().await
    }

    pub(super) async fn the_server_goes_when_the_pods_are_ready_elsewhere(
        mut stage: Stage,
    ) -> Result<()> {
        with_slow(&mut stage, 200).await?;
        let waits = stage.until_in(Phase::AwaitingOwners).await?;
        let owners = waits.owners.context("nothing is written down")?;
        let had: Vec<(&str, u32)> = owners
            .iter()
            .map(|one| (one.name.as_str(), one.ready))
            .collect();
        ensure!(had == [("slow", 3), ("web", 3)], "{had:?}");
        stage
            .until("the server to go", || !stage.has_server(SICK))
            .await?;
        ensure!(
            stage.ready("slow") == 3,
            "{} are Ready",
            stage.ready("slow")
        );
        let over = stage.until_over().await?;
        ensure!(
            over.phase == Phase::Replaced && over.notes.is_empty(),
            "{over:?}"
        );
        let said = stage.said("AwaitingOwners");
        let named = said
            .iter()
            .any(|line| line.contains("ReplicaSet default/slow has 2 of 3 Ready"));
        ensure!(named, "{said:?}");
        Ok(())
    }

    pub(super) async fn pods_that_do_not_come_up_elsewhere_hold_the_server_for_a_while_only(
        mut stage: Stage,
    ) -> Result<()> {
        stage.pool(json!({"timing": {"owners": 60}})).await?;
        with_slow(&mut stage, 1000).await?;
        let since = stage.until_in(Phase::AwaitingOwners).await?.since;
        let over = stage.until_over().await?;
        ensure!(over.phase == Phase::Replaced, "{over:?}");
        ensure!(
            stage.ready("slow") == 2,
            "{} are Ready",
            stage.ready("slow")
        );
        let note = over.notes.get("owners").context("it is not noted")?;
        ensure!(note.contains("default/slow has 2 of 3 Ready"), "{note}");
        let goes = over
            .steps
            .iter()
            .find(|step| step.phase == Phase::DeletingServer);
        let waited = goes
            .context("it never went")?
            .at
            .duration_since(since.context("no time")?);
        ensure!((60..70).contains(&waited.as_secs()), "it waited {waited}");
        Ok(())
    }

    pub(super) async fn a_replacement_is_committed_when_it_has_the_drivers_and_daemons(
        mut stage: Stage,
    ) -> Result<()> {
        let tolerant = json!([{"operator": "Exists"}]);
        stage
            .daemons(
                "net",
                json!({"tolerations": tolerant, "containers": slow(100)}),
            )
            .await?;
        // one that comes only after the commit must not be waited for
        stage.daemons("shy", json!({})).await?;
        stage
            .until("the daemons", || {
                stage.pods("net", SICK).0.len() == 1 && stage.pods("shy", SICK).0.len() == 1
            })
            .await?;
        tokio::time::sleep(Duration::from_secs(120)).await;
        let drivers = Api::<CSINode>::all(stage.scene.api.client("kubelet"));
        let registered = |node: &str| -> Result<CSINode> {
            Ok(serde_json::from_value(json!({
                "metadata": {"name": node},
                "spec": {"drivers": [{"name": "disk.example.com", "nodeID": node}]},
            }))?)
        };
        drivers
            .create(&PostParams::default(), &registered(SICK)?)
            .await?;
        stage.start();
        stage.fall_sick().await?;
        stage
            .until("the replacement", || stage.new_node().is_some())
            .await?;
        let new = stage.new_node().context("it is gone")?.name_any();
        let message = || {
            stage
                .record()
                .map(|record| record.message)
                .unwrap_or_default()
        };
        let says = |words: &'static str| move |message: String| message.contains(words);
        stage
            .until("the driver to be missed", || {
                says("it lacks the CSI driver disk.example.com")(message())
            })
            .await?;
        tokio::time::sleep(Duration::from_secs(50)).await;
        ensure!(
            stage
                .record()
                .is_some_and(|record| record.phase == Phase::Joining)
        );
        drivers
            .create(&PostParams::default(), &registered(&new)?)
            .await?;
        stage
            .until("the daemon to be missed", || {
                says("a Ready pod of the DaemonSet default/net")(message())
            })
            .await?;
        let is_ready = |pod: &Pod| {
            let status = pod.status.clone().unwrap_or_default();
            let mut conditions = status.conditions.into_iter().flatten();
            conditions.any(|one| one.type_ == "Ready" && one.status == "True")
        };
        let committed = || {
            stage
                .record()
                .is_some_and(|record| record.committed_at.is_some())
        };
        stage.until("the commit", committed).await?;
        let (net, _) = stage.pods("net", &new);
        ensure!(
            net.iter().any(is_ready),
            "it was committed without its network"
        );
        let over = stage.until_over().await?;
        ensure!(over.phase == Phase::Replaced, "{over:?}");
        ensure!(
            stage.pods("shy", &new).0.len() == 1,
            "the shy one came after the commit"
        );
        Ok(())
    }

    pub(super) async fn a_pod_on_a_replacement_that_is_taken_back_leaves_it_within_its_budget(
        mut stage: Stage,
    ) -> Result<()> {
        stage.pool(json!({"timing": {"ready": 300}})).await?;
        let set = stage.set_of("guest", 1, json!({})).await?;
        stage.until_ready("guest", 1).await?;
        stage.start();
        stage.fall_sick().await?;
        stage
            .until("the replacement", || stage.new_node().is_some())
            .await?;
        let new = stage.new_node().context("it is gone")?.name_any();
        let guest = json!({
            "metadata": {"name": "guest-2", "labels": {"app": "guest"}, "ownerReferences": [owner(&set)]},
            "spec": {
                "nodeName": new, "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "c", "image": "none:1"}],
            },
        });
        stage.make::<Pod>(guest).await?;
        // its own set wants one pod more from now on
        let patch = json!({"spec": {"replicas": 2}});
        Api::<ReplicaSet>::namespaced(stage.client.clone(), "default")
            .patch(
                "guest",
                &Default::default(),
                &kube::api::Patch::Merge(patch),
            )
            .await?;
        stage.until_ready("guest", 2).await?;
        stage.budget("guest", 2).await?;
        // a person wants the node back
        stage
            .change_node(SICK, json!({"spec": {"unschedulable": null}}))
            .await?;
        let is_held = || {
            let record = stage.record().unwrap_or_default();
            record.phase == Phase::RollingBack && record.reason == Some(Reason::RollbackHeld)
        };
        stage.until("its pod to be held back", is_held).await?;
        tokio::time::sleep(Duration::from_secs(7200)).await;
        ensure!(is_held(), "{:?}", stage.record());
        ensure!(stage.has_server(&new), "the server went under a pod");
        ensure!(
            stage.pods("guest", &new).0.len() == 1,
            "its pod went below its budget"
        );
        let said = stage.said("RollbackHeld");
        ensure!(
            said.len() == 1 && said[0].contains("guest needs 2 healthy pods"),
            "{said:?}"
        );
        stage.budget("guest", 1).await?;
        stage
            .until("the replacement to go", || !stage.has_server(&new))
            .await?;
        let (here, leaving) = stage.pods("guest", &new);
        ensure!(
            here.is_empty() && leaving.is_empty(),
            "{here:?} {leaving:?}"
        );
        let over = stage.until_over().await?;
        ensure!(
            over.phase == Phase::Cancelled && over.reason == Some(Reason::Uncordoned),
            "{over:?}"
        );
        ensure!(stage.nodes().await? == 3 && stage.scene.cloud.servers().len() == 3);
        Ok(())
    }

    fn owner(set: &ReplicaSet) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set.name_any(), "uid": set.uid(), "controller": true,
        })
    }
}
