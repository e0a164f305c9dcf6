//! The logs' format.

use tracing_subscriber::EnvFilter;

/// For people or for machines.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// A line of text.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// What is logged unless RUST_LOG says otherwise. kube's client shouts at every request that fails; its callers know, and
/// say it once.
const DEFAULT: &str = "info,kube_client::client::builder=off";

/// To standard error; as much as RUST_LOG says.
pub(crate) fn start(format: Format) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        Format::Text => logs.with_ansi(false).init(),
        Format::Json => logs.json().init(),
    }
}
