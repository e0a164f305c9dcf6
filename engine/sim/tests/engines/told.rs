//! Detectors whose word is worth less than it seems, in the world, with the real controller: conditions that come and go, that a
//! restart takes back, that nobody renews, and that nothing cures.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::{Event, Node};
use kube::api::{Api, ListParams, Patch, PatchParams};
use rectifier_core::clock::{SignedDuration, Timestamp};
use rectifier_core::policy::Outcome;
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use serde_json::{Value, json};

use crate::hands::stage::{SICK, Stage, played};

/// What the policy replaces a node for.
const KIND: &str = "KubeletUnhealthy";
/// What it has it booted for first.
const BOOTS: &str = "ContainerRuntimeUnhealthy";

/// Node Problem Detector on the sick node, as it writes its conditions: all at once, with one heartbeat.
struct Detector {
    nodes: Api<Node>,
    stage: Stage,
    kind: &'static str,
    ill: (bool, Timestamp),
    other: Timestamp,
}

impl Detector {
    async fn starts(stage: Stage) -> Result<Self> {
        Self::of(KIND, stage).await
    }

    async fn of(kind: &'static str, stage: Stage) -> Result<Self> {
        let now = stage.scene.clock.now();
        let detector = Self {
            nodes: Api::all(stage.client.clone()),
            stage,
            kind,
            ill: (false, now),
            other: now - SignedDuration::from_hours(24),
        };
        detector.speaks().await?;
        Ok(detector)
    }

    async fn speaks(&self) -> Result<()> {
        let heartbeat = self.stage.scene.clock.now();
        let said = |kind: &str, is_true: bool, since: Timestamp| {
            json!({
                "type": kind, "status": if is_true { "True" } else { "False" }, "reason": "Test", "message": "",
                "lastHeartbeatTime": whole(heartbeat), "lastTransitionTime": whole(since),
            })
        };
        let node = self.nodes.get(SICK).await?;
        let conditions = node.status.and_then(|status| status.conditions);
        let kept = conditions.into_iter().flatten();
        let kept = kept.filter(|one| one.type_ != self.kind && one.type_ != "XfsShutdown");
        let mut all = kept
            .map(serde_json::to_value)
            .collect::<Result<Vec<Value>, _>>()?;
        all.push(said(self.kind, self.ill.0, self.ill.1));
        all.push(said("XfsShutdown", false, self.other));
        let patch = Patch::Merge(json!({"status": {"conditions": all}}));
        let params = PatchParams::default();
        self.nodes.patch_status(SICK, &params, &patch).await?;
        Ok(())
    }

    async fn finds(&mut self, is_ill: bool) -> Result<()> {
        self.ill = (is_ill, self.stage.scene.clock.now());
        self.speaks().await
    }

    /// It knows nothing of before.
    async fn restarts(&mut self) -> Result<()> {
        self.other = self.stage.scene.clock.now();
        self.finds(false).await
    }

    /// It says the same every five minutes, for so many of them.
    async fn goes_on(&self, times: u32) -> Result<()> {
        for _ in 0..times {
            self.stage.minutes(5).await;
            self.speaks().await?;
        }
        Ok(())
    }

    async fn told(&self, reason: Reason) -> Result<bool> {
        let events: Api<Event> = Api::namespaced(self.stage.client.clone(), "default");
        let told = events.list(&ListParams::default()).await?.items;
        let mut told = told.iter();
        Ok(told.any(|event| event.reason.as_deref() == Some(reason.label())))
    }
}

/// As the API server has it.
fn whole(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[test]
fn a_node_that_flaps_faster_than_its_grace_is_repaired_and_one_that_blips_is_not() -> Result<()> {
    played(async |policies| {
        let mut detector = Detector::starts(Stage::set(policies).await?).await?;
        let before = detector.stage.everything().await?;
        for _ in 0..3 {
            detector.finds(true).await?;
            seconds(50).await;
            detector.finds(false).await?;
            detector.goes_on(12).await?;
        }
        ensure!(detector.stage.everything().await? == before, "three blips");
        ensure!(detector.stage.archived().await?.is_empty());
        ensure!(!detector.told(Reason::Flapping).await?);
        for _ in 0..10 {
            detector.finds(true).await?;
            seconds(20).await;
            detector.finds(false).await?;
            seconds(40).await;
        }
        ensure!(detector.told(Reason::Flapping).await?, "and says so");
        let open = detector.stage.open(SICK).await?;
        ensure!(
            open.is_some(),
            "200 s in ten minutes, and never 60 s at a time"
        );
        // what was away for a settling time was away before
        detector.finds(false).await?;
        seconds(300).await;
        let record = detector.stage.record(SICK).await?;
        ensure!(!record.phase.is_final(), "{record:?}");
        detector.goes_on(3).await?;
        let is_over = async |stage: &Stage| Ok(stage.open(SICK).await?.is_none());
        detector.stage.until("its end", is_over).await?;
        detector
            .stage
            .until("the cluster is as before", async |stage| {
                Ok(stage.everything().await? == before)
            })
            .await
    })
}

#[test]
fn a_restart_of_node_problem_detector_ends_no_repair() -> Result<()> {
    played(async |policies| {
        let mut detector = Detector::starts(Stage::set(policies).await?).await?;
        detector.finds(true).await?;
        detector.stage.reaches(SICK, Phase::CreatingServer).await?;
        detector.restarts().await?;
        detector.goes_on(2).await?;
        let record = detector.stage.record(SICK).await?;
        ensure!(record.phase == Phase::Joining, "{record:?}");
        ensure!(
            record.reason == Some(Reason::DetectorRestarted),
            "{record:?}"
        );
        // it finds it again
        detector.finds(true).await?;
        detector.stage.is_replaced(SICK).await
    })
}

#[test]
fn what_a_restarted_detector_does_not_find_again_is_given_back() -> Result<()> {
    played(async |policies| {
        let mut stage = Stage::set(policies).await?;
        let before = stage.everything().await?;
        stage.kill().await;
        stage.start();
        let mut detector = Detector::starts(stage).await?;
        detector.finds(true).await?;
        detector.stage.reaches(SICK, Phase::Joining).await?;
        detector.restarts().await?;
        // both at once, as when all is rolled out anew
        detector.stage.kill().await;
        detector.stage.start();
        detector.goes_on(2).await?;
        let record = detector.stage.record(SICK).await?;
        ensure!(
            record.reason == Some(Reason::DetectorRestarted),
            "{record:?}"
        );
        detector.goes_on(2).await?;
        detector
            .stage
            .until("the cluster is as before", async |stage| {
                Ok(stage.everything().await? == before)
            })
            .await?;
        let ended = detector
            .stage
            .ended(Phase::Cancelled, Reason::ProblemCleared);
        ended.await.map(drop)
    })
}

#[test]
fn a_node_whose_detector_died_is_not_touched_before_it_speaks_again() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage
            .patch_pool(json!({"spec": {"mode": "Observe"}}))
            .await?;
        let before = stage.everything().await?;
        let mut detector = Detector::starts(stage).await?;
        detector.finds(true).await?;
        detector.stage.says(SICK, Reason::PoolObserves).await?;
        detector.stage.minutes(12).await;
        detector
            .stage
            .patch_pool(json!({"spec": {"mode": "Auto"}}))
            .await?;
        for _ in 0..2 {
            detector.stage.says(SICK, Reason::ConditionStale).await?;
            detector.stage.minutes(60).await;
            ensure!(detector.stage.everything().await? == before);
            // a new engine takes the old word for no newer than it is
            detector.stage.kill().await;
            detector.stage.start();
        }
        detector.speaks().await?;
        detector.stage.is_replaced(SICK).await
    })
}

/// As a permanent problem of Node Problem Detector's is: True until the detector is restarted, whatever was done.
#[test]
fn a_condition_that_nothing_cures_gets_each_rung_once_and_then_a_person() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage
            .patch_pool(json!({"spec": {"provisioning": null}}))
            .await?;
        let mut detector = Detector::of(BOOTS, stage).await?;
        let mut repairs = 0;
        for _ in 0..4 {
            detector.finds(true).await?;
            // three hours, in which it says so whatever the node's own says
            for _ in 0..3 * 360 {
                detector.speaks().await?;
                seconds(10).await;
            }
            let record = detector.stage.record(SICK).await?;
            ensure!(record.phase == Phase::NeedsHuman, "{record:?}");
            repairs += 1;
            detector.restarts().await?;
            detector.goes_on(4).await?;
            ensure!(
                detector.stage.open(SICK).await?.is_none(),
                "it was given back"
            );
        }
        let archived = detector.stage.archived().await?;
        ensure!(
            archived.len() == repairs,
            "one repair each time: {archived:#?}"
        );
        let records = archived.iter().filter_map(|repair| repair.status.as_ref());
        let tried: Vec<_> = records.flat_map(|record| &record.tried).collect();
        ensure!(tried.len() == 1, "one boot in all that time: {tried:?}");
        ensure!(tried[0].outcome == Outcome::NoEffect, "{tried:?}");
        ensure!(detector.stage.scene.nodes().iter().any(|node| node == SICK));
        Ok(())
    })
}
