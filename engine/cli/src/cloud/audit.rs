//! `rectifier cloud audit`.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use rectifier_cloud::openstack::OpenStackConfig;
use rectifier_controller::audit::{Audited, Finding, Kind, audit};
use serde_json::json;

use super::connect;
use crate::clock::now;
use crate::cluster::ClusterArguments;
use crate::output::{self, BAD, FAINT, GOOD, OutputArguments, Table, out, paint, plural};
use crate::progress::Progress;
use crate::verdict::Verdict;

/// How it is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The cluster's name: the engine's --cluster
    #[arg(long, value_name = "NAME")]
    cluster: String,
    /// How far back deleted servers are looked at: a machine that no host ended may still run
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=720))]
    hours: u32,
    #[command(flatten)]
    of: ClusterArguments,
    #[command(flatten)]
    cloud: OpenStackConfig,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let client = arguments.of.client().await?;
    let cloud = connect(arguments.cloud)?;
    let now = now();
    let back = Duration::from_secs(u64::from(arguments.hours) * 3600);
    let what = Audited {
        cluster: &arguments.cluster,
        since: now
            .checked_sub(back)
            .context("so many hours ago there was no time yet")?,
        now,
    };
    let shown = Progress::start("asking the cluster and its cloud");
    let findings = audit(&client, cloud.as_ref(), what).await?;
    drop(shown);
    match arguments.output.is_json() {
        true => output::json(&json!({"cluster": arguments.cluster, "findings": findings}))?,
        false => print(&findings)?,
    }
    Ok(Verdict::of(findings.is_empty()))
}

fn print(findings: &[Finding]) -> anyhow::Result<()> {
    let mut to = out();
    if findings.is_empty() {
        let well = paint(GOOD, "well:");
        writeln!(
            to,
            "{well} the cloud has what the cluster names, and nothing of ours beside it"
        )?;
        return Ok(());
    }
    let mut table = Table::with_head(&["WHAT", "ID", "NAME", "WHO DELETES IT"]);
    for finding in findings {
        let who = match (finding.collected, finding.due) {
            (true, true) => "the controller, now",
            (true, false) => "the controller, when it is two hours old",
            (false, _) => "nobody by itself",
        };
        table.row([&finding.kind.to_string(), &finding.id, &finding.name, who]);
        table.style(0, BAD);
    }
    table.print(&mut to)?;
    writeln!(to)?;
    for kind in Kind::ALL {
        if findings.iter().any(|finding| finding.kind == kind) {
            writeln!(to, "{}", paint(FAINT, format!("{kind}: {}", kind.text())))?;
        }
    }
    let count = plural(findings.len(), "finding", "findings");
    writeln!(to, "{}", paint(BAD, count))?;
    Ok(())
}
