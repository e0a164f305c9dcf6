//! 50 pods behind a budget leave a node: by the engine, and by kubectl.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::watcher;
use rectifier_bed::kubernetes::Record;
use rectifier_provision::Report;
use rectifier_scenarios::evidence::CONTROLLER;
use rectifier_scenarios::wait::{until, within};
use serde_json::json;

use crate::load;
use rectifier_scenarios::site::{Build, Site, Size};

const PODS: usize = 50;
/// So many of them may be away at a time.
const AWAY: usize = 5;
const LIMIT: Duration = Duration::from_secs(300);
/// The nodes that are drained; two more take the pods.
const OURS: &str = "sick-1";
const KUBECTLS: &str = "other-1";
const OTHERS: [&str; 2] = ["other-2", "other-3"];

pub(crate) async fn run(report: &mut (dyn Report + Send)) -> Result<()> {
    let site = Site::start(
        Size {
            servers: 1,
            nodes: 4,
            pools: 1,
            crowds: 1,
            apart: false,
        },
        Build::Released,
        report,
    )
    .await?;
    report.step(&format!("{PODS} pods for each of two nodes"));
    for node in [OURS, KUBECTLS].iter().chain(&OTHERS) {
        site.schedulable(node, false).await?;
    }
    for (node, app) in [(OURS, "ours"), (KUBECTLS, "kubectls")] {
        site.schedulable(node, true).await?;
        fill(&site, node, app).await?;
        site.schedulable(node, false).await?;
    }
    for node in OTHERS {
        site.schedulable(node, true).await?;
    }

    report.step("kubectl drains one");
    let began = Timestamp::now();
    let mut kubectl = tokio::process::Command::new(site.bed.cache().program("kubectl")?);
    kubectl
        .arg("--kubeconfig")
        .arg(site.kubernetes.kubeconfig("admin"))
        .args(["drain", KUBECTLS, "--ignore-daemonsets", "--timeout=300s"])
        .kill_on_drop(true);
    let output = kubectl.output().await.context("kubectl")?;
    ensure!(
        output.status.success(),
        "kubectl drain: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let kubectls = Drained::of(&site, began, |record| record.user != CONTROLLER)?;

    report.step("the engine replaces the other");
    let began = Timestamp::now();
    site.schedulable(OURS, true).await?;
    site.replace(OURS).await?;
    let ours = Drained::of(&site, began, |record| record.user == CONTROLLER)?;
    println!(
        "drain: {PODS} pods, of which {AWAY} may be away, load {}: {:.1} s by the engine ({} evictions refused), {:.1} s by \
         kubectl ({} refused), from the first request to the last: {:.2} times as long",
        load(),
        ours.seconds,
        ours.refused,
        kubectls.seconds,
        kubectls.refused,
        ours.seconds / kubectls.seconds,
    );
    Ok(())
}

/// Makes the pods, all on the one node to which any may go now.
async fn fill(site: &Site, node: &str, app: &str) -> Result<()> {
    let labels = json!({"app": app});
    let template = json!({
        "metadata": {"labels": labels},
        "spec": {"nodeSelector": {"pool": "web"}, "containers": [{"name": "web", "image": "fake"}]},
    });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": app, "namespace": "default"},
        "spec": {"replicas": PODS, "selector": {"matchLabels": labels}, "template": template},
    });
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": app, "namespace": "default"},
        "spec": {"maxUnavailable": AWAY, "selector": {"matchLabels": labels}},
    });
    site.kubernetes.apply(&deployment.to_string()).await?;
    site.kubernetes.apply(&budget.to_string()).await?;
    let pods: Api<Pod> = Api::namespaced(site.kubernetes.admin(), "default");
    let here = watcher::Config::default()
        .labels(&format!("app={app}"))
        .fields(&format!("spec.nodeName={node},status.phase=Running"));
    let all = until(pods, here, |all| (all.len() == PODS).then_some(()));
    within("the pods to run", LIMIT, all).await
}

/// How the evictions went.
struct Drained {
    seconds: f64,
    refused: usize,
}

impl Drained {
    fn of(site: &Site, began: Timestamp, by: impl Fn(&Record) -> bool) -> Result<Self> {
        let mut records = site.kubernetes.audit().records()?;
        records.retain(|record| {
            record.received >= began && by(record) && record.object.subresource == "eviction"
        });
        records.sort_by_key(|record| record.received);
        let done: Vec<_> = records.iter().filter(|record| record.code < 300).collect();
        ensure!(done.len() == PODS, "{} evictions", done.len());
        let first = records.first().context("no eviction")?.received;
        let last = done.last().context("no eviction")?.answered;
        Ok(Self {
            seconds: last.duration_since(first).as_secs_f64(),
            refused: records.iter().filter(|record| record.code == 429).count(),
        })
    }
}
