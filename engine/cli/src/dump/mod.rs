//! `rectifier dump`: a cluster in one document, from which `rectifier simulate` makes a world. It can be mailed: what is
//! not on the allow-list in [`keep`] is not in it.

mod file;
mod keep;
mod read;

use std::path::PathBuf;

use rectifier_sim::dump::Dump;

use crate::cluster::ClusterArguments;
use crate::output::{self, plural};
use crate::progress::Progress;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Read are, by list alone: nodes, pods, PodDisruptionBudgets, ReplicaSets, StatefulSets, RepairPools, NodeRepairs. Secrets
and ConfigMaps are never asked for. Of what is read an allow-list is kept: names, labels, owners, taints, conditions,
phases, budgets. Left out are containers with their env, args and images, annotations (but for Rectifier's own), addresses,
managed fields; of a pool's user data only the {{ variables }} that it uses stay.

Examples:
  rectifier dump -o cluster.json
  rectifier dump --context staging > cluster.json
  rectifier dump | jq '.nodes[].metadata.name'";

/// How it is called.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    cluster: ClusterArguments,
    /// Where it is written, for you alone to read (0600); a file there is replaced when all is read [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output_file: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let client = arguments.cluster.client().await?;
    let shown = Progress::start("asking the API server");
    let dump = read::cluster(&client, &shown).await?;
    drop(shown);
    for kind in &dump.not_installed {
        eprintln!("rectifier: the cluster does not know {kind}: there are none in this dump");
    }
    let Some(file) = &arguments.output_file else {
        output::json(&dump)?;
        return Ok(Verdict::Well);
    };
    let mut text = serde_json::to_vec_pretty(&dump)?;
    text.push(b'\n');
    file::put(file, &text)?;
    eprintln!("{}: {}", file.display(), counts(&dump));
    Ok(Verdict::Well)
}

pub(crate) fn counts(dump: &Dump) -> String {
    [
        plural(dump.nodes.len(), "node", "nodes"),
        plural(dump.pods.len(), "pod", "pods"),
        plural(
            dump.pod_disruption_budgets.len(),
            "disruption budget",
            "disruption budgets",
        ),
        plural(dump.repair_pools.len(), "pool", "pools"),
        plural(dump.node_repairs.len(), "repair", "repairs"),
    ]
    .join(", ")
}
