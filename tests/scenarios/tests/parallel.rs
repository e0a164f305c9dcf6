//! Many replacements at once, on a real API server and a real Nova: as many servers are made as are needed, and nothing is
//! left over.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use rectifier_provision::{Stderr, programs};
use rectifier_scenarios::site::{Build, Site, Size};
use serde_json::Value;
use tokio::process::Command;

/// Each in a pool of its own: in a pool one is in flight at a time.
const SICK: usize = 20;

#[tokio::test]
#[ignore = "minutes"]
async fn twenty_replacements_at_once_leave_nothing_over() -> Result<()> {
    let size = Size {
        servers: SICK,
        nodes: SICK,
        pools: SICK,
    };
    let site = Site::start(size, Build::Tested, &mut Stderr::default()).await?;
    let names: Vec<String> = (1..=SICK).map(|number| format!("sick-{number}")).collect();
    try_join_all(names.iter().map(|name| site.replace(name))).await?;

    let servers = site.openstack.records.servers().await?;
    let (gone, left): (Vec<_>, Vec<_>) = servers
        .iter()
        .partition(|server| server.status == "DELETED");
    ensure!((gone.len(), left.len()) == (SICK, SICK), "{servers:#?}");
    let are_old = gone.iter().all(|server| names.contains(&server.name));
    let are_new = left.iter().all(|server| !names.contains(&server.name));
    ensure!(are_old && are_new, "{servers:#?}");
    let ports = site.openstack.records.ports().await?;
    ensure!(ports.len() == SICK, "{} ports", ports.len());
    let together = side_by_side(&site).await?;
    println!("{together} of {SICK} were asked for before the first sick server went");
    ensure!(together > 1, "one after the other");
    is_well_by_audit(&site).await
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

/// By the command that an operator has, with an operator's own rights.
async fn is_well_by_audit(site: &Site) -> Result<()> {
    let operator = site
        .kubernetes
        .certificate_for("operator", &["system:masters"])?;
    let kubeconfig = site.bed.part("operator")?.join("kubeconfig");
    std::fs::write(&kubeconfig, site.kubernetes.kubeconfig_text(&operator))?;
    let mut audit = Command::new(programs(site.bed.cache()).join("rectifier"));
    audit
        .args(["cloud", "audit", "--cluster=scenario", "--output=json"])
        .args(["--cloud=demo", "--kubeconfig"])
        .arg(&kubeconfig)
        .env("OS_CLIENT_CONFIG_FILE", site.openstack.clouds_yaml())
        .stderr(Stdio::inherit());
    let told = audit.output().await.context("rectifier cloud audit")?;
    let said: Value = serde_json::from_slice(&told.stdout)?;
    ensure!(told.status.success(), "{said:#}");
    Ok(())
}
