//! Which cluster is asked, and as whom: the flags that every command has that asks one.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use crate::verdict::usage;

/// A cluster.
#[derive(Debug, clap::Args)]
pub(crate) struct ClusterArguments {
    /// A context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, or ~/.kube/config, or the pod's own credentials]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

impl ClusterArguments {
    /// # Errors
    /// The file or the context is not there (wrong usage), or is no good.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = match (&self.kubeconfig, &self.context) {
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
}
