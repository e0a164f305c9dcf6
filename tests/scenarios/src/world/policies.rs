//! The policies' folder, as both engines see it: the controller reads it, the node engines get it as a ConfigMap.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use rectifier_bed::kubernetes::Kubernetes;
use sha2::{Digest, Sha256};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::deploy;

/// The one policy's file, without its ending. The operator replaces the file; its name stays.
const NAME: &str = "restart-then-replace";
const SIDECAR: &str = include_str!("../../fixtures/policy.yaml");

/// A policy's file and the settings beside it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The WebAssembly component.
    pub component: Vec<u8>,
    /// The sidecar, YAML.
    pub sidecar: String,
}

impl Policy {
    /// As the engines name it in what they record.
    #[must_use]
    pub fn digest(&self) -> String {
        let digest = Sha256::digest(&self.component);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }

    /// The same code, allowed so many restarts before it gives up.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        let sidecar = self
            .sidecar
            .replace("attempts: 2,", &format!("attempts: {attempts},"));
        self.sidecar = sidecar;
        self
    }

    /// Other code, which hands over at once, beside the same settings.
    ///
    /// # Errors
    /// If its text is no component.
    pub fn that_hands_over(mut self) -> Result<Self> {
        let mut module = wat::parse_str(include_str!("../../fixtures/hands-over.wat"))?;
        let mut resolve = Resolve::default();
        let wit = include_str!("../../../../sdk/wit/policy.wit");
        let package = resolve.push_str("policy.wit", wit)?;
        let world = resolve.select_world(&[package], Some("policy"))?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
        let mut encoder = ComponentEncoder::default().module(&module)?.validate(true);
        self.component = encoder.encode()?;
        Ok(self)
    }
}

/// The folder.
pub struct Policies {
    folder: PathBuf,
    shipped: Policy,
}

impl Policies {
    pub(super) fn new(folder: PathBuf, component: &Path) -> Result<Self> {
        let shipped = Policy {
            component: std::fs::read(component)?,
            sidecar: SIDECAR.to_owned(),
        };
        let policies = Self { folder, shipped };
        policies.write(&policies.shipped)?;
        Ok(policies)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The one that ships, with the scenarios' settings.
    #[must_use]
    pub fn shipped(&self) -> &Policy {
        &self.shipped
    }

    /// Replaces the policy's files, for both engines.
    ///
    /// # Errors
    /// If they cannot be written.
    pub async fn replace(&self, kubernetes: &Kubernetes, policy: &Policy) -> Result<()> {
        self.write(policy)?;
        self.publish(kubernetes).await
    }

    fn write(&self, policy: &Policy) -> Result<()> {
        // as an editor or a ConfigMap does: beside it, and then renamed over it
        for (name, content) in [
            (format!("{NAME}.wasm"), policy.component.as_slice()),
            (format!("{NAME}.yaml"), policy.sidecar.as_bytes()),
        ] {
            let new = self.folder.join(format!(".{name}"));
            std::fs::write(&new, content)?;
            std::fs::rename(new, self.folder.join(name))?;
        }
        Ok(())
    }

    pub(super) async fn publish(&self, kubernetes: &Kubernetes) -> Result<()> {
        let read = |suffix: &str| std::fs::read(self.folder.join(format!("{NAME}.{suffix}")));
        let map = ConfigMap {
            binary_data: Some(BTreeMap::from([(
                format!("{NAME}.wasm"),
                ByteString(read("wasm")?),
            )])),
            data: Some(BTreeMap::from([(
                format!("{NAME}.yaml"),
                String::from_utf8(read("yaml")?).context("the sidecar")?,
            )])),
            ..deploy::named("rectifier-policies")
        };
        deploy::config_map(kubernetes, map).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy {
            component: b"\0asm".to_vec(),
            sidecar: SIDECAR.to_owned(),
        }
    }

    #[test]
    fn another_mind_is_other_code_beside_the_same_settings() {
        let other = policy().that_hands_over().unwrap();
        assert_eq!(other.sidecar, policy().sidecar);
        assert_ne!(other.digest(), policy().digest());
        assert!(other.component.starts_with(b"\0asm"));
    }

    #[test]
    fn the_proxys_attempts_are_a_setting() {
        let stubborn = policy().with_attempts(90);
        assert!(stubborn.sidecar.contains("attempts: 90, reboot: false"));
        assert_ne!(stubborn.sidecar, policy().sidecar);
    }
}
