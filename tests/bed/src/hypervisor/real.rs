//! A server that is a real machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::user_data::CloudConfig;
use super::{Event, Outcome, Stock};
use crate::machine::{File, Furnish, Machine};

/// Which server a machine's folder belongs to: two servers may have the same name.
const SERVER: &str = "server";

fn folder(bed: &Path, event: &Event) -> PathBuf {
    bed.join("machines").join(&event.name)
}

/// The machine of this server, if it has been made.
fn find(bed: &Path, event: &Event) -> Result<Option<Machine>> {
    let folder = folder(bed, event);
    match std::fs::read_to_string(folder.join(SERVER)) {
        Ok(uuid) if uuid == event.uuid => Machine::open(&folder).map(Some),
        _ => Ok(None),
    }
}

pub(super) async fn boot(bed: &Path, event: &Event) -> Result<Outcome> {
    let machine = match find(bed, event)? {
        Some(machine) => machine,
        None => make(bed, event)?,
    };
    machine.power_on().await?;
    Ok(Outcome::Done)
}

fn make(bed: &Path, event: &Event) -> Result<Machine> {
    let folder = folder(bed, event);
    ensure!(!folder.exists(), "there is another machine {}", event.name);
    let Stock {
        root,
        programs,
        images,
    } = Stock::read(bed)?;
    let config = CloudConfig::parse(&event.user_data()?)?;
    let mut furnish = Furnish {
        root,
        programs,
        images,
        address: event.address()?,
        files: vec![],
    };
    for file in config.write_files {
        let (mode, content) = (file.mode()?, file.content.into_bytes());
        furnish.files.push(File {
            path: file.path,
            content,
            mode,
        });
    }
    // what a metadata service would tell it
    let instance = format!("INSTANCE_ARGS=--provider-id={}\n", event.provider_id());
    let machine = Machine::make(&folder, furnish.file("/etc/default/instance", instance))?;
    std::fs::write(folder.join(SERVER), &event.uuid)?;
    Ok(machine)
}

pub(super) async fn shut_down(bed: &Path, event: &Event) -> Result<Outcome> {
    let Some(machine) = find(bed, event)? else {
        return Ok(Outcome::NothingThere);
    };
    machine.shutdown().await?;
    Ok(Outcome::Done)
}

pub(super) async fn pull_the_plug(bed: &Path, event: &Event) -> Result<Outcome> {
    let Some(machine) = find(bed, event)? else {
        return Ok(Outcome::NothingThere);
    };
    machine.kill().await?;
    Ok(Outcome::Done)
}

/// Its console and its journal stay, in the server's folder: they are evidence. Its disk goes.
pub(super) async fn destroy(bed: &Path, event: &Event) -> Result<Outcome> {
    let outcome = pull_the_plug(bed, event).await?;
    if outcome == Outcome::Done {
        let (from, to) = (folder(bed, event), bed.join("servers").join(&event.uuid));
        let journal = from.join("disk/upper/var/log/journal");
        std::fs::rename(from.join("console.log"), to.join("console.log"))?;
        if journal.exists() {
            std::fs::rename(journal, to.join("journal"))?;
        }
        crate::machine::cgroups::remove(&from.join(crate::machine::cgroups::LIST));
        std::fs::remove_dir_all(&from).with_context(|| format!("removing {}", from.display()))?;
    }
    Ok(outcome)
}
