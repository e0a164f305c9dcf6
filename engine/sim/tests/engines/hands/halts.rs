//! The stop switch and pauses: nothing intrusive is done while they hold, in whatever phase, and all of it afterwards.

use anyhow::{Context, Result, ensure};
use rectifier_core::reason::Reason;
use rectifier_core::repair::Phase;
use rectifier_sim::scene::NAMESPACE;
use serde_json::json;

use super::stage::{SICK, Stage, played};

/// Where a replacement can be halted. (One that the control plane opens itself is judged before anything is written.)
const PHASES: [Phase; 8] = [
    Phase::Cordoning,
    Phase::CreatingPorts,
    Phase::CreatingServer,
    Phase::Joining,
    Phase::Committed,
    Phase::Draining,
    Phase::DeletingServer,
    Phase::DeletingNode,
];

/// They hold by the same rule: at the beginning, on both sides of the commit, and where something is deleted.
const SOME: [Phase; 4] = [
    Phase::Cordoning,
    Phase::Joining,
    Phase::Draining,
    Phase::DeletingServer,
];

#[derive(Debug, Clone, Copy)]
enum Hand {
    Stop,
    PauseNode,
    PausePool,
}

impl Hand {
    async fn set(self, stage: &Stage, is_set: bool) -> Result<()> {
        let why = is_set.then_some("fire in az-1");
        let pause = json!({"metadata": {"annotations": {"rectifier.dev/paused": why}}});
        match self {
            Hand::Stop => stage.stop(is_set).await,
            Hand::PauseNode => stage.patch_node(SICK, pause).await,
            Hand::PausePool => stage.patch_pool(pause).await,
        }
    }

    fn reason(self) -> Reason {
        match self {
            Hand::Stop => Reason::Stopped,
            Hand::PauseNode | Hand::PausePool => Reason::Paused,
        }
    }
}

/// Halted in that phase for 15 minutes, which is longer than any deadline of the pool here, nothing is touched; then it goes on.
async fn halted(stage: &Stage, hand: Hand, phase: Phase) -> Result<()> {
    let timing = json!({"spec": {"timing": {"drain": 600, "join": 600}}});
    stage.patch_pool(timing).await?;
    stage.report(SICK, "True").await?;
    stage.reaches(SICK, phase).await?;
    hand.set(stage, true).await?;
    // what was on its way comes to its end: a request, a server that boots and joins, a pod that ends
    stage.minutes(5).await;
    let before = stage.everything().await?;
    stage.minutes(15).await;
    let after = stage.everything().await?;
    ensure!(before == after, "it was touched:\n{before}\n{after}");
    let open = stage.open(SICK).await?;
    // the last request of a repair may have been under way: then there is nothing left to be halted
    if let Some(repair) = open {
        let record = repair.status.context("a status")?;
        ensure!(record.phase != Phase::NeedsHuman, "{record:?}");
        ensure!(
            record.reason == Some(hand.reason()) && record.message.contains("fire in az-1"),
            "{:?}: {:?} {}",
            record.phase,
            record.reason,
            record.message
        );
        ensure!(record.halted_at.is_some());
        let stalled = record
            .conditions
            .iter()
            .find(|condition| condition.kind == "Stalled");
        ensure!(
            stalled.is_some_and(|condition| condition.status == "True"),
            "{record:?}"
        );
    }
    hand.set(stage, false).await?;
    stage.is_replaced(SICK).await
}

fn each(hand: Hand, phases: &[Phase]) -> Result<()> {
    for phase in phases.iter().copied() {
        played(async |policies| {
            let stage = Stage::set(policies).await?;
            halted(&stage, hand, phase).await
        })
        .with_context(|| format!("{hand:?} in {phase:?}"))?;
    }
    Ok(())
}

#[test]
fn the_stop_switch_holds_each_intrusive_act_of_a_replacement() -> Result<()> {
    each(Hand::Stop, &PHASES)
}

#[test]
fn a_pause_of_the_node_holds_a_replacement_before_and_after_its_commit() -> Result<()> {
    each(Hand::PauseNode, &SOME)
}

#[test]
fn a_pause_of_the_pool_holds_a_replacement_before_and_after_its_commit() -> Result<()> {
    each(Hand::PausePool, &SOME)
}

#[test]
fn a_sick_node_of_a_stopped_cluster_is_not_touched_from_the_beginning() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage.stop(true).await?;
        let before = stage.everything().await?;
        stage.report(SICK, "True").await?;
        stage.says(SICK, Reason::Stopped).await?;
        stage.minutes(60).await;
        ensure!(stage.everything().await? == before);
        stage.stop(false).await?;
        stage.is_replaced(SICK).await
    })
}

/// The API server refuses to tell: whoever has no right to read the switch does not know that it is not set.
#[test]
fn a_stop_switch_that_cannot_be_read_holds() -> Result<()> {
    played(async |policies| {
        let mut stage = Stage::without_controller(policies).await?;
        let switch = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/rectifier-stop");
        stage.scene.api.forbid(Some(&switch));
        stage.start();
        let before = stage.everything().await?;
        stage.report(SICK, "True").await?;
        stage.says(SICK, Reason::StopUnreadable).await?;
        stage.minutes(60).await;
        ensure!(stage.everything().await? == before);
        stage.scene.api.forbid(None);
        stage.is_replaced(SICK).await
    })
}

/// What is called off under the switch is taken back all the same.
#[test]
fn what_is_ours_is_taken_back_while_the_switch_is_set() -> Result<()> {
    played(async |policies| {
        let stage = Stage::set(policies).await?;
        stage.report(SICK, "True").await?;
        stage.reaches(SICK, Phase::Joining).await?;
        stage.stop(true).await?;
        stage
            .annotate(SICK, "rectifier.dev/reject", "not tonight")
            .await?;
        stage
            .until("the end of the repair", async |stage| {
                Ok(stage.open(SICK).await?.is_none())
            })
            .await?;
        stage.ended(Phase::Cancelled, Reason::Rejected).await?;
        stage.report(SICK, "False").await?;
        stage.minutes(2).await;
        ensure!(stage.scene.is_well(), "{:?}", stage.scene.ills());
        ensure!(stage.scene.cloud.servers().len() == 3);
        Ok(())
    })
}

/// The node engines hear of the switch, too, and hold what they would do. (By itself: after its deadline the control plane
/// would take the node over.)
#[test]
fn a_node_engine_touches_nothing_under_the_stop_switch() -> Result<()> {
    played(async |policies| {
        let (stage, mut agents) = Stage::with_agents(policies).await?;
        stage.stop(true).await?;
        stage.minutes(1).await;
        stage.a_unit_fails()?;
        stage.minutes(4).await;
        ensure!(!stage.scene.machines.is_well(SICK), "nobody restarted it");
        stage.stop(false).await?;
        stage.is_restarted().await?;
        ensure!(agents.try_join_next().is_none());
        ensure!(
            stage.scene.nodes().iter().any(|node| node == SICK),
            "by a restart alone"
        );
        Ok(())
    })
}

/// The time of the pause is not taken from that in which it may heal its node, either.
#[test]
fn a_node_engine_that_starts_anew_on_a_paused_node_touches_nothing() -> Result<()> {
    played(async |policies| {
        let (stage, mut agents) = Stage::with_agents(policies).await?;
        stage.minutes(1).await;
        Hand::PauseNode.set(&stage, true).await?;
        let machines = &stage.scene.machines;
        stage.a_unit_fails()?;
        stage.minutes(2).await;
        for _ in 0..3 {
            ensure!(machines.break_it(SICK, &rectifier_sim::machine::Break::AgentKilled));
            stage.minutes(2).await;
        }
        // longer than it asks to be left alone for: the time of a pause does not count
        stage.minutes(15).await;
        ensure!(!machines.is_well(SICK), "nobody restarted it");
        Hand::PauseNode.set(&stage, false).await?;
        stage.is_restarted().await?;
        ensure!(agents.try_join_next().is_none());
        Ok(())
    })
}
