//! `rectifier-engine node`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use rectifier_core::name::NodeName;
use rectifier_node::{Config, Options};

use crate::clock::SystemClock;

/// How it is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file
    #[arg(long, default_value = "/etc/rectifier/node.yaml")]
    config: PathBuf,
    /// The node on which it runs (the pod's spec.nodeName)
    #[arg(long, env = "NODE_NAME")]
    node_name: String,
}

/// Runs until it is told to stop.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let stop = crate::stopped()?;
    let config = Config::read(&arguments.config)?;
    let node = NodeName::parse(arguments.node_name).context("NODE_NAME")?;
    let switches = crate::switches::from_environment()?;
    Ok(rectifier_node::run(
        Options { config, node },
        Arc::new(SystemClock),
        switches,
        stop,
    )
    .await?)
}
