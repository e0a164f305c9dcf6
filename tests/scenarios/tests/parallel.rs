//! Many replacements at once, on a real API server and a real Nova: as many servers are made as are needed, and nothing is
//! left over; also when the controller is killed.

mod hold;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::watcher;
use rectifier_core::repair::Phase;
use rectifier_provision::Stderr;
use rectifier_scenarios::fewest::Fewest;
use rectifier_scenarios::site::{Build, Site, Size};
use rectifier_scenarios::wait::{until, within};
use rectifier_story::KILLED_AFTER;
use serde_json::json;

use hold::Hold;

/// A slow computer needs minutes.
const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
#[ignore = "minutes"]
async fn twenty_replacements_at_once_leave_nothing_over() -> Result<()> {
    let site = site(20, 0).await?;
    let sick = sick(20);
    try_join_all(sick.iter().map(|name| site.replace(name))).await?;
    each_has_one_successor(&site, &sick).await?;
    let together = side_by_side(&site).await?;
    println!("{together} of 20 were asked for before the first sick server went");
    ensure!(together > 1, "one after the other");
    site.is_well_by_audit().await
}

/// One node for each step of a replacement. Each stands where that step's effect is there and the next is not yet written,
/// when the controller is killed: once, for all of them.
#[tokio::test]
async fn a_controller_killed_after_every_step_at_once_makes_one_server_for_each_node() -> Result<()>
{
    // what the control plane opens itself is judged before anything is written
    let steps = KILLED_AFTER.into_iter();
    let kept: Vec<Phase> = steps.filter(|step| *step != Phase::Judging).collect();
    let steps = kept.len();
    let mut site = site(steps, 3).await?;
    let sick = sick(steps);
    spread_a_pod_to_each(&site, &sick).await?;
    let pods: Api<Pod> = Api::namespaced(site.kubernetes.admin(), "default");
    let fewest = Fewest::watch(pods, "app=web").await?;

    let held: Vec<_> = sick.iter().map(String::as_str).zip(kept).collect();
    let hold = Hold::on(&site.kubernetes, &held).await?;
    for name in &sick {
        site.report(name, true).await?;
    }
    within("each repair to have done its step", LONG, hold.all_done()).await?;
    site.controller.kill().await;
    hold.let_go().await?;
    site.controller.restart().await?;
    try_join_all(sick.iter().map(|name| site.is_replaced(name))).await?;

    each_has_one_successor(&site, &sick).await?;
    let fewest = fewest.so_far();
    ensure!(fewest + AWAY >= steps, "only {fewest} pods were ready");
    site.is_well_by_audit().await
}

/// Each sick node is in a pool of its own: in a pool one is in flight at a time.
async fn site(sick: usize, others: usize) -> Result<Site> {
    let size = Size {
        servers: sick,
        nodes: sick + others,
        pools: sick,
        crowds: 1,
        apart: false,
    };
    Site::start(size, Build::Tested, &mut Stderr::default()).await
}

fn sick(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("sick-{number}")).collect()
}

/// So many of the pods may be away.
const AWAY: usize = 2;

/// Makes as many pods of one Deployment as nodes are sick, each on a node of its own, and says how many may be away.
async fn spread_a_pod_to_each(site: &Site, sick: &[String]) -> Result<()> {
    let others = ["other-1", "other-2", "other-3"];
    for other in others {
        site.schedulable(other, false).await?;
    }
    let labels = json!({"app": "web"});
    let apart = json!([{"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}]);
    let template = json!({
        "metadata": {"labels": labels},
        "spec": {
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": apart}},
            "containers": [{"name": "web", "image": "fake"}],
        },
    });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": sick.len(), "selector": {"matchLabels": labels}, "template": template},
    });
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"maxUnavailable": AWAY, "selector": {"matchLabels": labels}},
    });
    site.kubernetes.apply(&deployment.to_string()).await?;
    site.kubernetes.apply(&budget.to_string()).await?;
    let pods: Api<Pod> = Api::namespaced(site.kubernetes.admin(), "default");
    let run = watcher::Config::default()
        .labels("app=web")
        .fields("status.phase=Running");
    let all = until(pods, run, |all| (all.len() == sick.len()).then_some(()));
    within("the pods to run", LONG, all).await?;
    for other in others {
        site.schedulable(other, true).await?;
    }
    Ok(())
}

/// The sick servers are gone, as many were made as those, and each has one port.
async fn each_has_one_successor(site: &Site, sick: &[String]) -> Result<()> {
    let servers = site.openstack.records.servers().await?;
    let (gone, left): (Vec<_>, Vec<_>) = servers
        .iter()
        .partition(|server| server.status == "DELETED");
    let count = sick.len();
    ensure!((gone.len(), left.len()) == (count, count), "{servers:#?}");
    let are_old = gone.iter().all(|server| sick.contains(&server.name));
    let are_new = left.iter().all(|server| !sick.contains(&server.name));
    ensure!(are_old && are_new, "{servers:#?}");
    let ports = site.openstack.records.ports().await?;
    ensure!(ports.len() == count, "{} ports", ports.len());
    Ok(())
}

/// How many replacements there were before the first sick server went.
async fn side_by_side(site: &Site) -> Result<usize> {
    let (mut made, mut went) = (Vec::new(), Vec::new());
    for server in site.openstack.records.servers().await? {
        for action in site.openstack.records.instance_actions(&server.id).await? {
            match action.action.as_str() {
                "create" if server.status != "DELETED" => made.push(action.start_time),
                "delete" => went.push(action.start_time),
                _ => {}
            }
        }
    }
    let first = went.into_iter().min().context("nothing was deleted")?;
    Ok(made.iter().filter(|at| **at < first).count())
}
