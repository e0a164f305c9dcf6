//! A replacement is like the sick server, or it is not made.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rectifier_cloud::openstack::OpenStack;
use rectifier_cloud::{Cloud, Server};
use rectifier_core::reason::Reason;
use rectifier_core::repair::{Phase, Record};
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

/// Half an hour in which a person is awaited is no half hour of questions.
pub(crate) async fn a_repair_that_waits_for_a_person_does_not_ask_the_cloud_all_the_time(
    mut stage: Stage,
) -> Result<()> {
    stage.pool(json!({"mode": "Approve"})).await?;
    stage.start();
    stage.fall_sick().await?;
    let waits = || {
        let record = stage.record();
        record.is_some_and(|record| record.reason == Some(Reason::AwaitingApproval))
    };
    stage.until("a person to be asked", waits).await?;
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
