//! `rectifier-engine node`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use rectifier_core::name::NodeName;
use rectifier_node::{Config, History, Options};
use rectifier_policy_host::Telemetry;

use crate::clock::SystemClock;
use crate::telemetry::Server;

/// How it is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file
    #[arg(long, default_value = "/etc/rectifier/node.yaml")]
    config: PathBuf,
    /// The node on which it runs (the pod's spec.nodeName)
    #[arg(long, env = "NODE_NAME")]
    node_name: String,
    /// Where /metrics, /healthz, /policies and /history are served
    #[arg(long, env = "RECTIFIER_LISTEN", default_value = "127.0.0.1:20258")]
    listen: SocketAddr,
}

/// Runs until it is told to stop.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let stop = crate::stopped()?;
    let config = Config::read(&arguments.config)?;
    let node = NodeName::parse(arguments.node_name).context("NODE_NAME")?;
    let switches = crate::switches::from_environment()?;
    let telemetry = Telemetry::default();
    let history = History::default();
    let server = Server::bind(arguments.listen, telemetry.clone(), |_| {}).await?;
    let server = server.with_history(history.clone());
    let options = Options {
        config,
        node,
        telemetry,
        history,
    };
    let engine = async {
        let parts = rectifier_node::open(options, Arc::new(SystemClock), switches).await?;
        rectifier_node::run(parts, stop).await
    };
    tokio::select! {
        ended = engine => Ok(ended?),
        never = server.run() => match never {},
    }
}
