//! A replacement is like the sick server, or it is not made.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::Api;
use rectifier_api::NodeRepair;
use rectifier_cloud::openstack::OpenStack;
use rectifier_cloud::{Cloud, Server};
use rectifier_core::reason::Reason;
use rectifier_core::repair::naming::Parts;
use rectifier_core::repair::{Phase, Record, StepRecord};
use rectifier_sim::openstack::{Extra, Fault};
use serde_json::json;

use crate::stage::{SICK, Stage};

/// The one server of this name.
async fn server(stage: &Stage, name: &str) -> Result<Server> {
    let cloud = OpenStack::over(stage.scene.cloud.clone());
    let mut found = cloud.find_by_name(name).await?;
    ensure!(found.len() == 1, "{found:?}");
    found.pop().context("none")
}

/// A person is asked, by these words; nothing is touched and nothing made.
async fn is_refused(stage: &Stage, words: &[&str]) -> Result<Record> {
    let refused = stage.until_in(Phase::NeedsHuman).await?;
    ensure!(
        refused.reason == Some(Reason::PreflightRefused),
        "{refused:?}"
    );
    for words in words {
        ensure!(refused.message.contains(words), "{}", refused.message);
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    ensure!(stage.changes().is_empty(), "{:?}", stage.changes());
    ensure!(stage.scene.cloud.asked_for() == 3, "a server was asked for");
    ensure!(stage.scene.cloud.ports().len() == 3, "a port was made");
    Ok(refused)
}

async fn is_replaced(stage: &Stage) -> Result<Record> {
    let over = stage.until_over().await?;
    ensure!(over.phase == Phase::Replaced, "{over:?}");
    Ok(over)
}

/// A person's word is waited for.
async fn awaits_approval(stage: &Stage) -> Result<()> {
    let waits = || {
        let record = stage.record();
        record.is_some_and(|record| record.reason == Some(Reason::AwaitingApproval))
    };
    stage.until("a person to be asked", waits).await
}

/// Half an hour in which a person is awaited is no half hour of questions.
pub(crate) async fn a_repair_that_waits_for_a_person_does_not_ask_the_cloud_all_the_time(
    mut stage: Stage,
) -> Result<()> {
    stage.pool(json!({"mode": "Approve"})).await?;
    stage.start();
    stage.fall_sick().await?;
    awaits_approval(&stage).await?;
    let images = || stage.scene.cloud.asked_of("images");
    let before = images();
    ensure!(before == 1, "the image was asked for {before} times");
    tokio::time::sleep(Duration::from_secs(1800)).await;
    let asked = images() - before;
    ensure!((5..=6).contains(&asked), "it was asked {asked} times");
    Ok(())
}

pub(crate) async fn what_cannot_be_copied_is_named_before_anything_is_touched(
    mut stage: Stage,
) -> Result<()> {
    let id = server(&stage, SICK).await?.id;
    for extra in [
        Extra::FloatingIp("203.0.113.7".to_owned()),
        Extra::Trunk,
        Extra::Volume("data-1".to_owned()),
        Extra::Key("somebody-elses".to_owned()),
    ] {
        stage.scene.cloud.give(id.as_str(), extra);
    }
    stage.start();
    stage.fall_sick().await?;
    let words = [
        "4: ",
        "the engine's user has no key pair somebody-elses",
        " is a trunk",
        "volume data-1 is no PersistentVolume's",
        "the floating address 203.0.113.7 would not lead to it",
    ];
    is_refused(&stage, &words).await?;
    // the pool can do without them
    let without = ["FloatingIp", "KeyPair", "Trunk", "Volumes"];
    stage
        .pool(json!({"provisioning": {"without": without}}))
        .await?;
    stage.retry().await?;
    is_replaced(&stage).await.map(drop)
}

pub(crate) async fn a_server_that_boots_from_a_volume_is_replaced_where_the_pool_names_an_image(
    mut stage: Stage,
) -> Result<()> {
    let id = server(&stage, SICK).await?.id;
    let extra = Extra::BootVolume("root-1".to_owned());
    stage.scene.cloud.give(id.as_str(), extra);
    stage.start();
    stage.fall_sick().await?;
    is_refused(&stage, &["it boots from a volume", "volume root-1"]).await?;
    let image = stage.scene.cloud.stock().image;
    stage
        .pool(json!({"provisioning": {"image": image, "without": ["Volumes"]}}))
        .await?;
    stage.retry().await?;
    is_replaced(&stage).await.map(drop)
}

pub(crate) async fn an_image_that_is_gone_is_no_base(mut stage: Stage) -> Result<()> {
    stage.scene.cloud.fault(Fault::ImageGone);
    stage.start();
    stage.fall_sick().await?;
    let image = stage.scene.cloud.stock().image;
    is_refused(&stage, &[&format!("its image {image} is gone")]).await?;
    Ok(())
}

pub(crate) async fn what_the_pool_says_of_new_servers_holds_and_all_else_is_copied(
    mut stage: Stage,
) -> Result<()> {
    let id = server(&stage, SICK).await?.id;
    for extra in [
        Extra::Key("ops".to_owned()),
        Extra::Description("rack 7".to_owned()),
    ] {
        stage.scene.cloud.give(id.as_str(), extra);
    }
    let stock = stage.scene.cloud.stock();
    let cloud = OpenStack::over(stage.scene.cloud.clone());
    let old = cloud.template(&id).await?;
    let (_, other) = stock
        .flavors
        .iter()
        .find(|(_, id)| *id != old.shape.flavor)
        .context("one flavor")?;
    stage
        .pool(json!({"provisioning": {"flavor": other}}))
        .await?;
    stage.start();
    stage.fall_sick().await?;
    let over = is_replaced(&stage).await?;
    let name = over.replacement.context("no replacement")?.name;
    let new = cloud.template(&server(&stage, &name).await?.id).await?;
    ensure!(new.shape.flavor == *other, "{new:?}");
    ensure!(new.shape.key_name.as_deref() == Some("ops"), "{new:?}");
    ensure!(new.shape.image == old.shape.image, "{new:?}");
    ensure!(new.description.as_deref() == Some("rack 7"), "{new:?}");
    Ok(())
}

/// The next create finds no host in the sick server's zone; the second is made in the pool's.
pub(crate) async fn when_a_zone_is_full_the_pools_next_one_is_tried(
    mut stage: Stage,
) -> Result<()> {
    let old = server(&stage, SICK).await?;
    let zones = ["az-1", "az-2", "az-3"];
    let other = zones
        .into_iter()
        .find(|zone| old.zone.as_deref() != Some(*zone))
        .context("one zone")?;
    stage
        .pool(json!({"provisioning": {"zones": [other], "copyLabels": ["topology.kubernetes.io/zone"]}}))
        .await?;
    stage.scene.cloud.fault(Fault::NoValidHost(1));
    stage.start();
    stage.fall_sick().await?;
    let over = is_replaced(&stage).await?;
    let had_no_host =
        |step: &StepRecord| step.phase == Phase::Discarding && step.reason == Reason::NoHost;
    ensure!(
        over.steps.iter().filter(|step| had_no_host(step)).count() == 1,
        "{:?}",
        over.steps
    );
    let replacement = over.replacement.context("no replacement")?;
    ensure!(
        replacement.attempt == 2 && replacement.zone.as_deref() == Some(other),
        "{replacement:?}"
    );
    let new = server(&stage, &replacement.name).await?;
    ensure!(new.zone.as_deref() == Some(other), "{new:?}");
    ensure!(stage.scene.cloud.ports().len() == 3, "a port is left over");
    // a cloud that had no host is no failure of the replacement's
    ensure!(over.tried.len() == 1, "{:?}", over.tried);
    Ok(())
}

/// Without another zone it is the same zone again, five minutes later, however often that takes.
pub(crate) async fn a_cloud_that_is_full_is_waited_for_and_uses_up_no_attempt(
    mut stage: Stage,
) -> Result<()> {
    stage.scene.cloud.fault(Fault::NoValidHost(5));
    stage.start();
    stage.fall_sick().await?;
    let waits = || {
        stage
            .record()
            .is_some_and(|record| record.reason == Some(Reason::NoHost))
    };
    stage.until("no host to be told", waits).await?;
    let over = is_replaced(&stage).await?;
    let replacement = over.replacement.context("no replacement")?;
    ensure!(
        replacement.attempt == 6 && replacement.zone.is_none(),
        "{replacement:?}"
    );
    ensure!(stage.scene.cloud.ports().len() == 3, "a port is left over");
    Ok(())
}

/// The name that the template gives first is a server's already: the next id is taken.
pub(crate) async fn a_name_that_somebody_has_is_not_taken(mut stage: Stage) -> Result<()> {
    let name = "{{ pool }}-new-{{ id }}";
    stage
        .pool(json!({"mode": "Approve", "provisioning": {"name": name}}))
        .await?;
    stage.start();
    stage.fall_sick().await?;
    awaits_approval(&stage).await?;
    let repairs: Api<NodeRepair> = Api::all(stage.client.clone());
    let repair = repairs.get(&format!("{SICK}.repair")).await?;
    let uid = repair.metadata.uid.context("no UID")?;
    let called = |number| format!("web-new-{}", Parts::of(SICK, &uid, number).id);
    stage.scene.cloud.foreign_server(&called(1), None);
    stage.pool(json!({"mode": "Auto"})).await?;
    let over = is_replaced(&stage).await?;
    let name = over.replacement.context("no replacement")?.name;
    ensure!(name == called(2), "{name}");
    server(&stage, &called(1)).await?;
    server(&stage, &name).await.map(drop)
}

/// What an interface of the pool's does not say is as the sick server's.
pub(crate) async fn the_pools_interfaces_take_the_place_of_the_sick_servers(
    mut stage: Stage,
) -> Result<()> {
    let network = stage.scene.cloud.stock().network;
    let cloud = OpenStack::over(stage.scene.cloud.clone());
    let old = cloud.template(&server(&stage, SICK).await?.id).await?;
    stage
        .pool(json!({"provisioning": {"networks": [
            {"network": network, "securityGroups": ["web"]}, {"network": network},
        ]}}))
        .await?;
    stage.start();
    stage.fall_sick().await?;
    let over = is_replaced(&stage).await?;
    let name = over.replacement.context("no replacement")?.name;
    let new = cloud.template(&server(&stage, &name).await?.id).await?;
    ensure!(new.ports.len() == 2 && old.ports.len() == 1, "{new:?}");
    ensure!(new.ports[0].security_groups == ["web"], "{new:?}");
    ensure!(new.ports[0].subnets == old.ports[0].subnets, "{new:?}");
    Ok(())
}
