//! A sick server goes before its replacement is made, where no host has room for both and the pool says so.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, DeleteParams};
use rectifier_core::reason::Reason;
use rectifier_core::repair::{Phase, Record};
use rectifier_sim::machine::{Break, Cure};
use rectifier_sim::openstack::Fault;
use serde_json::json;

use crate::stage::{SICK, Stage};

/// Three servers are all that the hosts can take.
async fn full(stage: &mut Stage) -> Result<()> {
    stage
        .pool(json!({"provisioning": {"whenNoCapacity": "TerminateFirst"}}))
        .await?;
    stage.scene.cloud.fault(Fault::Room(3));
    Ok(())
}

async fn falls_sick_where_all_is_full(stage: &mut Stage) -> Result<()> {
    full(stage).await?;
    stage.start();
    stage.fall_sick().await
}

/// The phases that were entered, in order.
fn phases(record: &Record) -> Vec<Phase> {
    record.steps.iter().map(|step| step.phase).collect()
}

async fn is_replaced(stage: &Stage) -> Result<Record> {
    let over = stage.until_over().await?;
    ensure!(over.phase == Phase::Replaced, "{}", over.message);
    let servers = stage.scene.cloud.servers();
    ensure!(servers.len() == 3, "{servers:?}");
    ensure!(stage.scene.cloud.ports().len() == 3, "a port is left over");
    ensure!(!stage.has_server(SICK) && stage.node(SICK).is_none());
    ensure!(stage.nodes().await? == 3);
    Ok(over)
}

async fn is_given_back(stage: &Stage, why: Reason) -> Result<()> {
    let over = stage.until_over().await?;
    ensure!(
        over.phase == Phase::Cancelled && over.reason == Some(why),
        "{:?}: {}",
        over.phase,
        over.message
    );
    ensure!(stage.has_server(SICK), "its server is gone");
    ensure!(stage.scene.cloud.ports().len() == 3, "a port is left over");
    let node = stage.node(SICK).context("its Node is gone")?;
    let spec = node.spec.unwrap_or_default();
    ensure!(spec.unschedulable != Some(true), "it is still cordoned");
    let excluded = node.metadata.labels.unwrap_or_default();
    let label = "node.kubernetes.io/exclude-from-external-load-balancers";
    ensure!(!excluded.contains_key(label), "no load balancer uses it");
    Ok(())
}

pub(crate) async fn a_server_goes_first_where_no_host_has_room_for_two(
    mut stage: Stage,
) -> Result<()> {
    stage.budget("web", 2).await?;
    falls_sick_where_all_is_full(&mut stage).await?;
    let over = is_replaced(&stage).await?;
    let from = phases(&over);
    let from = from
        .iter()
        .position(|phase| *phase == Phase::Discarding)
        .context("nothing was tried beside it")?;
    ensure!(
        phases(&over)[from..]
            == [
                Phase::Discarding,
                Phase::Draining,
                Phase::AwaitingOwners,
                Phase::DeletingServer,
                Phase::CreatingPorts,
                Phase::CreatingServer,
                Phase::Joining,
                Phase::Committed,
                Phase::Draining,
                Phase::AwaitingOwners,
                Phase::DeletingServer,
                Phase::DeletingNode,
                Phase::Replaced,
            ],
        "{:?}",
        phases(&over)
    );
    // a cloud that is full is no failure of the replacement's
    ensure!(over.tried.len() == 1, "{:?}", over.tried);
    ensure!(!stage.said("MakingRoom").is_empty(), "nobody was told");
    stage.until_ready("web", 3).await
}

pub(crate) async fn nothing_goes_first_unless_the_pool_says_so(mut stage: Stage) -> Result<()> {
    stage.scene.cloud.fault(Fault::Room(3));
    stage.start();
    stage.fall_sick().await?;
    let tried = || {
        stage
            .record()
            .is_some_and(|record| record.replacement.is_some_and(|one| one.attempt == 4))
    };
    stage.until("the fourth try", tried).await?;
    ensure!(stage.has_server(SICK), "its server is gone");
    ensure!(stage.pods("web", SICK).0.len() == 1, "its pod was evicted");
    Ok(())
}

pub(crate) async fn another_zone_comes_before_the_servers_end(mut stage: Stage) -> Result<()> {
    let first =
        json!({"provisioning": {"whenNoCapacity": "TerminateFirst", "zones": ["az-2", "az-3"]}});
    stage.pool(first).await?;
    stage.scene.cloud.fault(Fault::NoValidHost(2));
    stage.start();
    stage.fall_sick().await?;
    let over = is_replaced(&stage).await?;
    ensure!(over.room.is_none(), "{:?}", over.room);
    let zone = over.replacement.and_then(|one| one.zone);
    ensure!(zone.as_deref() == Some("az-3"), "{zone:?}");
    Ok(())
}

pub(crate) async fn what_goes_first_is_given_back_to_whoever_uncordons_it(
    mut stage: Stage,
) -> Result<()> {
    // nothing may leave
    stage.budget("web", 3).await?;
    falls_sick_where_all_is_full(&mut stage).await?;
    stage.until_in(Phase::Draining).await?;
    stage
        .change_node(SICK, json!({"spec": {"unschedulable": null}}))
        .await?;
    is_given_back(&stage, Reason::Uncordoned).await
}

pub(crate) async fn a_problem_that_goes_away_in_the_drain_calls_it_off(
    mut stage: Stage,
) -> Result<()> {
    stage.budget("web", 3).await?;
    falls_sick_where_all_is_full(&mut stage).await?;
    stage.until_in(Phase::Draining).await?;
    stage.recovers().await?;
    is_given_back(&stage, Reason::ProblemCleared).await
}

/// Somebody else's server is made in the moment in which ours is gone.
pub(crate) async fn whoever_takes_the_room_is_waited_for(mut stage: Stage) -> Result<()> {
    falls_sick_where_all_is_full(&mut stage).await?;
    stage.until_in(Phase::DeletingServer).await?;
    stage
        .until("its server's end", || !stage.has_server(SICK))
        .await?;
    stage.scene.cloud.fault(Fault::Room(2));
    let waits = || {
        let record = stage.record();
        record.is_some_and(|record| record.reason == Some(Reason::NoHost))
    };
    stage.until("no host to be told", waits).await?;
    // its uncordon comes too late, and so does a recovery: there is nothing left to be given back
    stage
        .change_node(SICK, json!({"spec": {"unschedulable": null}}))
        .await?;
    stage.recovers().await?;
    let tried = || {
        let record = stage.record();
        record.is_some_and(|record| record.replacement.is_some_and(|one| one.attempt >= 4))
    };
    stage.until("further tries", tried).await?;
    stage.scene.cloud.fault(Fault::Room(3));
    is_replaced(&stage).await.map(drop)
}

/// As a cloud controller manager does it.
pub(crate) async fn a_node_whose_object_goes_with_its_server_is_replaced_by_what_was_kept(
    mut stage: Stage,
) -> Result<()> {
    full(&mut stage).await?;
    stage
        .pool(json!({"provisioning": {"copyLabels": ["example.com/"], "copyTaints": ["example.com/"]}}))
        .await?;
    let taint =
        json!([{"key": "example.com/dedicated", "value": "web", "effect": "PreferNoSchedule"}]);
    let patch =
        json!({"metadata": {"labels": {"example.com/rack": "7"}}, "spec": {"taints": taint}});
    stage.change_node(SICK, patch).await?;
    stage.start();
    stage.fall_sick().await?;
    stage
        .until("its server's end", || {
            let record = stage.record();
            let is_at = record.is_some_and(|record| record.phase == Phase::DeletingServer);
            is_at && !stage.has_server(SICK)
        })
        .await?;
    let nodes: Api<Node> = Api::all(stage.client.clone());
    nodes.delete(SICK, &DeleteParams::default()).await?;
    let over = is_replaced(&stage).await?;
    let name = over.replacement.context("no replacement")?.name;
    let node = stage.node(&name).context("it is not there")?;
    let labels = node.metadata.labels.unwrap_or_default();
    ensure!(
        labels
            .get("example.com/rack")
            .is_some_and(|rack| rack == "7"),
        "{labels:?}"
    );
    let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
    let is_copied = |key: &str| key == "example.com/dedicated";
    ensure!(
        taints.iter().any(|taint| is_copied(&taint.key)),
        "{taints:?}"
    );
    Ok(())
}

pub(crate) async fn a_dead_machine_goes_first_when_its_host_has_stopped_it(
    mut stage: Stage,
) -> Result<()> {
    full(&mut stage).await?;
    stage
        .pool(json!({"timing": {"reboot": 60, "unready": 60}}))
        .await?;
    stage.start();
    let was_there = stage
        .scene
        .machines
        .break_it(SICK, &Break::Machine(Cure::Never));
    ensure!(was_there, "there is no such machine");
    let over = is_replaced(&stage).await?;
    let phases = phases(&over);
    let first = |phase: Phase| phases.iter().position(|one| *one == phase);
    ensure!(
        first(Phase::Stopping) < first(Phase::DeletingServer),
        "{phases:?}"
    );
    ensure!(
        first(Phase::Stopping).is_some() && over.proof.is_some(),
        "{phases:?}"
    );
    Ok(())
}

/// A person is asked, who can have it tried again, or take it back; its server is there until then.
pub(crate) async fn a_budget_that_lets_no_pod_go_holds_it_before_its_end(
    mut stage: Stage,
) -> Result<()> {
    stage.budget("web", 3).await?;
    stage.pool(json!({"timing": {"drain": 120}})).await?;
    falls_sick_where_all_is_full(&mut stage).await?;
    let asked = stage.until_in(Phase::NeedsHuman).await?;
    ensure!(asked.reason == Some(Reason::Overdue), "{}", asked.message);
    ensure!(
        asked.message.contains("its server is still there"),
        "{}",
        asked.message
    );
    ensure!(stage.has_server(SICK), "its server is gone");
    // a host got free meanwhile: then it is replaced as any other
    stage.scene.cloud.fault(Fault::Room(9));
    stage.retry().await?;
    stage.until_in(Phase::Committed).await?;
    ensure!(stage.has_server(SICK), "it went first all the same");
    stage.budget("web", 2).await?;
    is_replaced(&stage).await.map(drop)
}

/// Neither the attempts nor the other zones are used up by that: it is the project's.
pub(crate) async fn a_quota_that_is_used_up_is_told_and_waited_for(mut stage: Stage) -> Result<()> {
    stage
        .pool(json!({"provisioning": {"zones": ["az-2", "az-3"]}}))
        .await?;
    stage.scene.cloud.fault(Fault::Quota(3));
    stage.start();
    stage.fall_sick().await?;
    let tried = || {
        let record = stage.record();
        record.is_some_and(|record| {
            let attempt = record.replacement.map_or(0, |one| one.attempt);
            attempt == 5 && record.reason == Some(Reason::UsedUp)
        })
    };
    stage.until("the fifth try", tried).await?;
    let waits = stage.record().context("it is open")?;
    ensure!(
        waits.message.contains("Quota exceeded"),
        "{}",
        waits.message
    );
    ensure!(stage.has_server(SICK), "its server is gone");
    stage.scene.cloud.fault(Fault::Quota(4));
    let over = is_replaced(&stage).await?;
    ensure!(over.tried.len() == 1 && over.room.is_none(), "{over:?}");
    ensure!(over.replacement.is_some_and(|one| one.zone.is_none()));
    Ok(())
}

pub(crate) async fn a_server_goes_first_where_the_quota_leaves_no_room_for_two(
    mut stage: Stage,
) -> Result<()> {
    stage
        .pool(json!({"provisioning": {"whenNoCapacity": "TerminateFirst"}}))
        .await?;
    stage.scene.cloud.fault(Fault::Quota(3));
    stage.start();
    stage.fall_sick().await?;
    let over = is_replaced(&stage).await?;
    ensure!(over.room.is_some(), "it was made beside it");
    Ok(())
}
