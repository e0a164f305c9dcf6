//! Says in the log how each file stands, once.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Status;
use crate::set::{Loaded, Set};

#[derive(Default)]
pub(super) struct Told {
    /// By file, what was said last.
    files: BTreeMap<String, String>,
    unreadable: bool,
    unsaved: bool,
}

impl Told {
    /// Says what is different in this set.
    pub(super) fn set(&mut self, set: &Set) {
        let policies = set.policies();
        self.files.retain(|file, _| {
            let stays = policies.iter().any(|loaded| loaded.file() == file);
            if !stays {
                tracing::info!(file, "policy unloaded: its file is gone");
            }
            stays
        });
        for loaded in policies {
            let (digest, settings) = (loaded.digest(), loaded.settings());
            let stands = format!("{digest:?} {settings:?} {:?}", loaded.status());
            let file = loaded.file().to_owned();
            if self.files.insert(file, stands.clone()) != Some(stands) {
                say(loaded);
            }
        }
    }

    pub(super) fn unreadable(&mut self, directory: &Path, error: &std::io::Error) {
        if !std::mem::replace(&mut self.unreadable, true) {
            let directory = directory.display();
            tracing::error!(%directory, %error, "policies cannot be read: the loaded ones are kept");
        }
    }

    pub(super) fn readable(&mut self, directory: &Path) {
        if std::mem::take(&mut self.unreadable) {
            tracing::info!(directory = %directory.display(), "policies can be read again");
        }
    }

    pub(super) fn saved(&mut self, result: &std::io::Result<()>) {
        match result {
            Ok(()) => self.unsaved = false,
            Err(error) if !std::mem::replace(&mut self.unsaved, true) => {
                tracing::warn!(%error, "the policies' rollout cannot be remembered: after a restart its last stage begins anew");
            }
            Err(_) => {}
        }
    }
}

fn say(loaded: &Loaded) {
    let (file, digest) = (loaded.file(), loaded.digest());
    let name = loaded.name().map(ToString::to_string);
    match loaded.status() {
        Status::Loaded => {
            let mode = loaded.mode();
            let version = loaded.version();
            tracing::info!(file, name, version, digest, ?mode, "policy loaded");
        }
        Status::Loading => tracing::info!(file, "policy is being loaded"),
        Status::RollingOut {
            digest: coming,
            stage,
            held: true,
            ..
        } => {
            let percent = stage.percent();
            tracing::warn!(
                file,
                name,
                coming,
                percent,
                "policy rolls out no further: the new version's last answer was a failure"
            );
        }
        Status::RollingOut {
            digest: coming,
            stage,
            here: false,
            held: false,
        } => {
            let percent = stage.percent();
            let enforcing = loaded.policy.as_ref().and(digest).unwrap_or("none");
            tracing::info!(
                file,
                name,
                coming,
                enforcing,
                percent,
                "policy rolls out: on this node the new version only monitors yet"
            );
        }
        Status::RollingOut {
            digest: coming,
            stage,
            here: true,
            held: false,
        } => {
            let percent = stage.percent();
            tracing::info!(
                file,
                name,
                coming,
                percent,
                "policy rolls out: on this node the new version enforces"
            );
        }
        Status::KeptLastGood(failure) => {
            tracing::warn!(file, digest, %failure, "policy unusable: its last good version is kept");
        }
        Status::Refused(failure) => {
            tracing::warn!(file, %failure, "policy unusable: it is not asked");
        }
    }
}
