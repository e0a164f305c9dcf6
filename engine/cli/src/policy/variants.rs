//! One policy with different settings: each case may bring its own. The sidecar beside the policy holds for all the
//! rest, pin and limits included.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Context;
use rectifier_policy_host::{Failure, Host, Policy};
use serde_json::Value;
use tempfile::TempDir;

use super::files::beside;
use super::host;
use super::tree::parse;

/// A policy, or why there is none.
pub(crate) type Loaded = Result<Rc<Policy>, Failure>;

/// Loads each variant once.
pub(crate) struct Variants {
    host: Host,
    file: PathBuf,
    loaded: HashMap<Option<String>, Loaded>,
}

impl Variants {
    pub(crate) fn new(host: Host, file: &Path) -> Self {
        Self {
            host,
            file: file.to_owned(),
            loaded: HashMap::new(),
        }
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// With these settings; without any, with those of the sidecar.
    ///
    /// # Errors
    /// The files cannot be read. That the policy is refused is no error.
    pub(crate) async fn with(&mut self, settings: Option<&Value>) -> anyhow::Result<Loaded> {
        let key = settings.map(Value::to_string);
        if let Some(loaded) = self.loaded.get(&key) {
            return Ok(loaded.clone());
        }
        let loaded = match settings {
            None => host::load(&self.host, &self.file).await,
            Some(settings) => {
                let copy = self.copy(settings)?;
                host::load(&self.host, &copy.path().join(self.name()?)).await
            }
        };
        let loaded = loaded.map(Rc::new);
        self.loaded.insert(key, loaded.clone());
        Ok(loaded)
    }

    /// The policy with another sidecar, in a folder of its own.
    fn copy(&self, settings: &Value) -> anyhow::Result<TempDir> {
        let folder = tempfile::tempdir().context("no folder for a copy of the policy")?;
        let copy = folder.path().join(self.name()?);
        std::fs::copy(&self.file, &copy)
            .with_context(|| format!("cannot read {}", self.file.display()))?;
        let names = (beside(&self.file, ".yaml"), beside(&copy, ".yaml"));
        if let (Some(original), Some(sidecar)) = names {
            let mut said = match std::fs::read_to_string(&original) {
                Ok(text) => parse::<Option<Value>>(&text)
                    .map_err(|error| anyhow::anyhow!("{}: {error}", original.display()))?
                    .unwrap_or_default(),
                Err(_) => Value::Null,
            };
            if !said.is_object() {
                said = Value::Object(serde_json::Map::new());
            }
            said["settings"] = settings.clone();
            // JSON is YAML.
            std::fs::write(sidecar, said.to_string())?;
        }
        Ok(folder)
    }

    fn name(&self) -> anyhow::Result<&str> {
        let name = self.file.file_name().and_then(|name| name.to_str());
        name.with_context(|| format!("{} is no file's name", self.file.display()))
    }
}
