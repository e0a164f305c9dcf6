//! What Nova's servers run on: the physical world's part, played by the hook that Nova calls.
//!
//! A server of flavor `m1.large` is booted as a real machine ([`Machine`]); one of flavor `m1.small`
//! joins the cluster by the kubelet's own steps and is then a KWOK node. Others, and those without
//! user data, are records only. All of them hear the same events:
//!
//! | event | machine | KWOK node |
//! |---|---|---|
//! | `spawn` | | |
//! | `boot` | switched on; the first time made, with the user data's files | joins; later: a new boot id, and its heartbeat again |
//! | `reboot` soft | shut down in order | its heartbeat stops |
//! | `reboot` hard, `power_off` | its plug is pulled | its heartbeat stops |
//! | `power_on` | | |
//! | `destroy` | its plug is pulled, its disk removed | its heartbeat stops, for ever |
//!
//! Nova follows a reboot and a power-on by `boot`, so that is where a guest comes up, always.
//!
//! Guaranteed: events of one server happen one after the other, and nothing boots after `destroy`.
//! The Node object of a destroyed server stays, as it does in a cloud: to delete it is somebody's
//! decision. Each event is in the [journal], with what came of it.
//!
//! The hook is a process that lives for one event; what it must remember is in the bed's folder:
//!
//! ```text
//! BED/hypervisor.jsonl        the journal
//! BED/hypervisor.json         what machines are made of (Stock)
//! BED/hypervisor.kubeconfig   a credential that takes a Node's KWOK label away and puts it back
//! BED/servers/UUID/           lock, destroyed, and a KWOK node's certificate
//! BED/machines/NAME/          the machine
//! ```
//!
//! [`Machine`]: crate::machine::Machine

mod event;
pub mod join;
pub mod journal;
mod kwok;
mod real;
mod server;
mod setup;
pub mod user_data;

use std::path::Path;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

pub use event::{Event, Kind};
pub use setup::{Stock, connect, hook};

use server::ServerFolder;

/// The variable that tells the hook its bed's folder.
pub const BED: &str = "RECTIFIER_BED";
/// The credential of the hypervisor itself, in the bed's folder.
pub const KUBECONFIG: &str = "hypervisor.kubeconfig";

/// What became of an event; it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It had its effect; or has none, as `spawn`.
    Done,
    /// The server is no node: another flavor, or no user data.
    NotANode,
    /// The server had been destroyed, or had never come up.
    NothingThere,
    /// The cause.
    Failed(String),
}

/// Lets an event have its effect in the bed in `bed`, and journals it.
///
/// # Errors
/// If the effect could not be had. The cause is in the journal too.
pub async fn handle(bed: &Path, event: &Event) -> Result<()> {
    let result = perform(bed, event).await;
    let outcome = match &result {
        Ok(outcome) => outcome.clone(),
        Err(error) => Outcome::Failed(format!("{error:#}")),
    };
    journal::append(bed, event, outcome)?;
    result.map(drop)
}

/// The kinds of guest that a server may hold.
enum Guest {
    Machine,
    Kwok,
}

async fn perform(bed: &Path, event: &Event) -> Result<Outcome> {
    let folder = ServerFolder::lock(bed, &event.uuid).await?;
    let Some(guest) = guest(event) else {
        return Ok(Outcome::NotANode);
    };
    if folder.is_destroyed() {
        return Ok(Outcome::NothingThere);
    }
    match (event.kind, guest) {
        (Kind::Spawn | Kind::PowerOn, _) => Ok(Outcome::Done),
        (Kind::Boot, Guest::Machine) => real::boot(bed, event).await,
        (Kind::Boot, Guest::Kwok) => kwok::boot(bed, &folder, event).await,
        (Kind::Reboot, Guest::Machine) => match event.reboot.as_deref() {
            Some("SOFT") => real::shut_down(bed, event).await,
            Some("HARD") => real::pull_the_plug(bed, event).await,
            other => bail!("a reboot of type {other:?}"),
        },
        (Kind::PowerOff, Guest::Machine) => real::pull_the_plug(bed, event).await,
        (Kind::Reboot | Kind::PowerOff, Guest::Kwok) => kwok::silence(bed, &folder, event).await,
        (Kind::Destroy, guest) => {
            let outcome = match guest {
                Guest::Machine => real::destroy(bed, event).await?,
                Guest::Kwok => kwok::silence(bed, &folder, event).await?,
            };
            folder.mark_destroyed()?;
            Ok(outcome)
        }
    }
}

fn guest(event: &Event) -> Option<Guest> {
    // without user data it was not told of any cluster
    event.user_data.as_ref()?;
    match event.flavor.name.as_str() {
        "m1.large" => Some(Guest::Machine),
        "m1.small" => Some(Guest::Kwok),
        _ => None,
    }
}
