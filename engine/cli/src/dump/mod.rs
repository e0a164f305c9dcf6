//! `rectifier dump`: a cluster in one document, from which `rectifier simulate` makes a world. It can be mailed: what is
//! not on the allow-list in [`keep`] is not in it.

mod file;
mod keep;
mod read;

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use rectifier_sim::dump::Dump;

use crate::output::{self, plural};
use crate::progress::Progress;
use crate::verdict::{Verdict, usage};

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
    /// A context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, or ~/.kube/config, or the pod's own credentials]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Where it is written, for you alone to read (0600); a file there is replaced when all is read [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output_file: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let client = client(&arguments).await?;
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

/// # Errors
/// The file or the context is not there (wrong usage), or is no good.
async fn client(arguments: &Arguments) -> anyhow::Result<Client> {
    let options = KubeConfigOptions {
        context: arguments.context.clone(),
        ..KubeConfigOptions::default()
    };
    let config = match (&arguments.kubeconfig, &arguments.context) {
        (Some(file), _) if !file.exists() => {
            return Err(usage(format!("there is no {}", file.display())));
        }
        (Some(file), _) => match Kubeconfig::read_from(file) {
            Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
            Err(error) => Err(error),
        },
        (None, Some(_)) => Config::from_kubeconfig(&options).await,
        (None, None) => {
            // Its text names its causes already.
            let config = Config::infer().await.map_err(|error| {
                anyhow!("no credentials for an API server: give --kubeconfig FILE, or set KUBECONFIG ({error})")
            })?;
            return Ok(Client::try_from(config)?);
        }
    };
    let config = match config {
        Err(KubeconfigError::LoadContext(name)) => {
            return Err(usage(format!(
                "there is no context {name} in the kubeconfig: `kubectl config get-contexts` lists them"
            )));
        }
        other => other.context("the kubeconfig cannot be used")?,
    };
    Client::try_from(config).context("the kubeconfig's credentials cannot be used")
}
