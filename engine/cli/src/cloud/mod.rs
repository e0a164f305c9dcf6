//! `rectifier cloud …`: what is asked of OpenStack, before it is asked, and what is left of it.

mod access;
mod audit;
mod show;

use std::sync::Arc;

use clap::Subcommand;
use rectifier_cloud::openstack::{OpenStack, OpenStackConfig};

use crate::policy::asking;
use crate::verdict::{Verdict, usage};

const EXAMPLES: &str = "\
The credentials are those of any OpenStack client: --clouds, OS_CLIENT_CONFIG_FILE, OS_CLOUD, or OS_AUTH_URL and the like.
Give it the engine's own, and what it says is what the engine would be told.

Examples:
  rectifier cloud show worker-1                 what would take its place, as a diff; exit code 1 if nothing would
  rectifier cloud show worker-1 --user-data     what the new machine would read at its first boot
  rectifier cloud audit --cluster prod          is anything left over, or at odds with the cluster?
  rectifier cloud audit --cluster prod --output json | jq '.findings[].id'
  rectifier cloud access-rules > rules.json
  openstack application credential create rectifier --role member --access-rules rules.json";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What would be made for a node if it were replaced now, beside what it is. Nothing is made
    Show(show::Arguments),
    /// Compares servers, ports and marks in the cloud with the cluster. Nothing is deleted
    Audit(audit::Arguments),
    /// The access rules for the engine's application credential: all that it ever asks of the cloud, and nothing else
    AccessRules,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    match arguments.command {
        Command::Show(arguments) => asking(show::run(arguments)),
        Command::Audit(arguments) => asking(audit::run(arguments)),
        Command::AccessRules => access::run(),
    }
}

/// Nothing is sent yet; a configuration that cannot be used is wrong usage.
fn connect(config: OpenStackConfig) -> anyhow::Result<Arc<OpenStack>> {
    match OpenStack::new(config) {
        Ok(cloud) => Ok(Arc::new(cloud)),
        Err(error) => Err(usage(format!("{:#}", anyhow::Error::from(error)))),
    }
}
