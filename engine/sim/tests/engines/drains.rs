//! How pods leave a node whose replacement is committed, and what becomes of it then.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, PostParams};
use rectifier_core::reason::Reason;
use rectifier_core::repair::{EXCLUDED, Phase};
use rectifier_sim::scene::NAMESPACE;
use serde_json::json;

use crate::stage::{SICK, Stage, slow};

pub(crate) async fn pods_leave_by_priority_behind_their_budgets(mut stage: Stage) -> Result<()> {
    let system = json!({"priorityClassName": "system-cluster-critical"});
    stage.set_of("system", 3, system).await?;
    let class = json!({"metadata": {"name": "batch"}, "value": -10});
    Api::all(stage.client.clone())
        .create(
            &PostParams::default(),
            &serde_json::from_value::<PriorityClass>(class)?,
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

pub(crate) async fn the_stop_switch_holds_the_rest_of_an_eviction(mut stage: Stage) -> Result<()> {
    let here = json!({"nodeSelector": {"kubernetes.io/hostname": SICK}});
    stage.set_of("crowd", 40, here).await?;
    stage.until_ready("crowd", 40).await?;
    stage.start();
    stage.fall_sick().await?;
    let gone = || {
        let lines = stage.changes().into_iter();
        lines
            .filter(|line| line.contains("pods/crowd-") && line.ends_with("/eviction? 201"))
            .count()
    };
    stage.until("the first to go", || gone() > 0).await?;
    let maps: Api<ConfigMap> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let switch = json!({"metadata": {"name": "rectifier-stop"}, "data": {"why": "fire in az-1"}});
    maps.create(&PostParams::default(), &serde_json::from_value(switch)?)
        .await?;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let at_once = gone();
    ensure!((1..40).contains(&at_once), "{at_once} of 40 were evicted");
    let halted = stage.record().context("it is gone")?;
    ensure!(halted.reason == Some(Reason::Stopped), "{halted:?}");
    tokio::time::sleep(Duration::from_secs(300)).await;
    ensure!(gone() == at_once, "{} of 40 are evicted now", gone());
    maps.delete("rectifier-stop", &DeleteParams::default())
        .await?;
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

pub(crate) async fn a_drain_that_takes_too_long_is_shown_to_a_person(
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

pub(crate) async fn a_drain_that_takes_too_long_deletes_as_a_last_resort_where_the_pool_says_so(
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

pub(crate) async fn two_budgets_over_one_pod_are_told_and_end_when_one_goes(
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
        // the Event follows the record
        record.reason == Some(Reason::TwoBudgets) && !stage.said("TwoBudgets").is_empty()
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

pub(crate) async fn the_server_goes_when_the_pods_are_ready_elsewhere(
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

pub(crate) async fn pods_that_do_not_come_up_elsewhere_hold_the_server_for_a_while_only(
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

pub(crate) async fn load_balancers_hear_of_it_first_and_have_their_time(
    mut stage: Stage,
) -> Result<()> {
    stage
        .pool(json!({"timing": {"loadBalancers": 120}}))
        .await?;
    stage.start();
    stage.fall_sick().await?;
    let is_excluded = || {
        let node = stage.node(SICK);
        node.is_some_and(|node| node.labels().contains_key(EXCLUDED))
    };
    stage.until_in(Phase::Joining).await?;
    ensure!(!is_excluded(), "nothing is committed yet");
    stage.until_in(Phase::Draining).await?;
    ensure!(is_excluded(), "its pods leave, and it is still used");
    let over = stage.until_over().await?;
    ensure!(over.phase == Phase::Replaced, "{over:?}");
    let entered = |phase: Phase| {
        let step = over.steps.iter().find(|step| step.phase == phase);
        step.map(|step| step.at).context("it was never in it")
    };
    let had = entered(Phase::DeletingServer)?.duration_since(entered(Phase::Draining)?);
    ensure!((120..130).contains(&had.as_secs()), "they had {had}");
    ensure!(
        stage.said("LeavingBalancers").len() == 1,
        "it was told once"
    );
    Ok(())
}
