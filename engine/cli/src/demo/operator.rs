//! Whoever supplies the policies in a demonstration: edits the settings beside the policy for a story, and puts back what was
//! there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rectifier_policy_host::Advisor;
use rectifier_sim::story::CONDITION;
use rectifier_story::Rule;

/// So many steps of the world, each of which takes a moment of the watch on the wall, until the engines have another policy.
const FRAMES: u32 = 300;

/// The folder, as both engines see it.
pub(super) struct Policies {
    folder: PathBuf,
    advisor: Arc<dyn Advisor>,
    /// A step of the world's.
    step: Duration,
    edit: Mutex<Option<Edit>>,
}

/// What stands in the sidecar, and what did.
struct Edit {
    file: PathBuf,
    before: String,
    ours: String,
}

impl Policies {
    pub(super) fn new(folder: PathBuf, advisor: Arc<dyn Advisor>, step: Duration) -> Self {
        Self {
            folder,
            advisor,
            step,
            edit: Mutex::default(),
        }
    }

    /// Do its settings say for the stories' condition what a story's rule says?
    pub(super) fn takes_rules(&self) -> bool {
        self.sidecar()
            .is_ok_and(|(_, text)| text.contains("rules:"))
    }

    /// The sidecar that names the stories' condition.
    fn sidecar(&self) -> Result<(PathBuf, String)> {
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "yaml") {
                let text = std::fs::read_to_string(&path)?;
                if text.contains(CONDITION) {
                    return Ok((path, text));
                }
            }
        }
        bail!("no sidecar in the folder of policies names {CONDITION}")
    }

    /// Edits the settings, and waits until the engines have them.
    pub(super) async fn put(&self, rule: Rule) -> Result<()> {
        let (file, text) = self.sidecar()?;
        let ours = edited(&text, rule);
        if ours == text {
            return Ok(());
        }
        let changed = self.advisor.changed();
        let seen = *changed.borrow();
        replace(&file, &ours)?;
        {
            let mut edit = self.edit.lock().unwrap_or_else(PoisonError::into_inner);
            match edit.as_mut().filter(|edit| edit.ours == text) {
                Some(edit) => edit.ours = ours,
                None => {
                    *edit = Some(Edit {
                        file,
                        before: text,
                        ours,
                    });
                }
            }
        }
        for _ in 0..FRAMES {
            if *changed.borrow() != seen {
                return Ok(());
            }
            tokio::time::sleep(self.step).await;
        }
        bail!("the engines do not take the edited settings of the policy")
    }

    /// Puts back what was there; unless somebody else has edited it since.
    pub(super) fn restore(&self) -> Result<()> {
        let mut edit = self.edit.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Edit { file, before, ours }) = edit.take() else {
            return Ok(());
        };
        match std::fs::read_to_string(&file)? == ours {
            true => replace(&file, &before),
            false => Ok(()),
        }
    }
}

/// All but the settings stays: these are the last key of the sidecars that the demo is given.
fn edited(sidecar: &str, Rule { attempts, reboot }: Rule) -> String {
    let head = sidecar.split("settings:").next().unwrap_or_default();
    format!(
        "{head}settings:\n  rules:\n  - {{condition: {CONDITION}, unit: {}, attempts: {attempts}, reboot: {reboot}}}\n",
        rectifier_sim::story::UNIT
    )
}

/// As an editor does: beside it, and then renamed over it.
fn replace(file: &Path, text: &str) -> Result<()> {
    let aside = file.with_extension("yaml.aside");
    std::fs::write(&aside, text)?;
    std::fs::rename(aside, file).with_context(|| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_leaves_all_but_the_settings() {
        let before = "# ours\nhandles: [{conditions: [ProxyUnhealthy]}]\nsettings:\n  rules: []\n";
        let rule = Rule {
            attempts: 90,
            reboot: false,
        };
        let after = edited(before, rule);
        assert!(after.starts_with("# ours\nhandles: [{conditions: [ProxyUnhealthy]}]\nsettings:"));
        assert!(after.contains("attempts: 90, reboot: false"));
        assert_eq!(edited(&after, rule), after);
    }
}
