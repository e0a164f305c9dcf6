//! What a server is told at its first boot, as cloud-init reads it: `#cloud-config`, `write_files`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Taint;
use serde::{Deserialize, Serialize};

/// Where the credential for joining stands.
pub const BOOTSTRAP: &str = "/etc/kubernetes/bootstrap-kubelet.conf";
/// Where the kubelet's further arguments stand, as `KUBELET_EXTRA_ARGS`.
pub const KUBELET: &str = "/etc/default/kubelet";

/// The part of a cloud-config that this hypervisor carries out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudConfig {
    /// Written before anything else starts.
    #[serde(default)]
    pub write_files: Vec<WrittenFile>,
}

/// One entry of `write_files`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenFile {
    /// Absolute.
    pub path: String,
    /// As it is: an encoding is not understood, and refused.
    #[serde(default)]
    pub content: String,
    /// Octal, as in `'0600'`; default 0644.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<String>,
}

/// What a kubelet registers its node with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Registration {
    /// `--node-labels`
    pub labels: BTreeMap<String, String>,
    /// `--register-with-taints`
    pub taints: Vec<Taint>,
}

impl CloudConfig {
    /// That of a server which joins the cluster of that bootstrap kubeconfig; `arguments` are the
    /// kubelet's: `--node-labels=…`, `--register-with-taints=…`.
    #[must_use]
    pub fn joining(bootstrap: &str, arguments: &str) -> Self {
        let file = |path: &str, content: String, permissions: &str| WrittenFile {
            path: path.to_owned(),
            content,
            permissions: Some(permissions.to_owned()),
        };
        let arguments = format!("KUBELET_EXTRA_ARGS={arguments}\n");
        let bootstrap = file(BOOTSTRAP, bootstrap.to_owned(), "0600");
        Self {
            write_files: vec![bootstrap, file(KUBELET, arguments, "0644")],
        }
    }

    /// As user data: JSON, which is YAML.
    ///
    /// # Errors
    /// None in practice.
    pub fn render(&self) -> Result<String> {
        Ok(format!("#cloud-config\n{}\n", serde_json::to_string(self)?))
    }

    /// Reads user data.
    ///
    /// # Errors
    /// If it is no cloud-config, or has what is not understood here.
    pub fn parse(text: &str) -> Result<Self> {
        ensure!(
            text.starts_with("#cloud-config"),
            "user data that is no #cloud-config"
        );
        serde_saphyr::from_str(text).context("reading the cloud-config")
    }

    /// The content of that file.
    ///
    /// # Errors
    /// If none is written there.
    pub fn file(&self, path: &str) -> Result<&str> {
        let file = self.write_files.iter().find(|file| file.path == path);
        Ok(&file
            .with_context(|| format!("user data write no {path}"))?
            .content)
    }

    /// What the kubelet's arguments say of its node.
    ///
    /// # Errors
    /// If they say it in a way that no kubelet would take.
    pub fn registration(&self) -> Result<Registration> {
        let mut registration = Registration::default();
        let Ok(defaults) = self.file(KUBELET) else {
            return Ok(registration);
        };
        let line = defaults
            .lines()
            .find_map(|line| line.trim().strip_prefix("KUBELET_EXTRA_ARGS="));
        let arguments = line.unwrap_or_default().trim_matches(['"', '\'']);
        for argument in arguments.split_whitespace() {
            if let Some(labels) = argument.strip_prefix("--node-labels=") {
                for label in labels.split(',') {
                    let (key, value) = label.split_once('=').context("a label without =")?;
                    registration.labels.insert(key.to_owned(), value.to_owned());
                }
            } else if let Some(taints) = argument.strip_prefix("--register-with-taints=") {
                registration.taints = taints
                    .split(',')
                    .map(parse_taint)
                    .collect::<Result<Vec<_>>>()?;
            }
        }
        Ok(registration)
    }
}

impl WrittenFile {
    /// Its permission bits.
    ///
    /// # Errors
    /// If they are no octal number.
    pub fn mode(&self) -> Result<u32> {
        let digits = self.permissions.as_deref().unwrap_or("0644");
        u32::from_str_radix(digits, 8).with_context(|| format!("the permissions {digits}"))
    }
}

/// `KEY=VALUE:EFFECT` or `KEY:EFFECT`.
fn parse_taint(text: &str) -> Result<Taint> {
    let (key, effect) = text
        .rsplit_once(':')
        .with_context(|| format!("the taint {text}"))?;
    let (key, value) = match key.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (key, None),
    };
    Ok(Taint {
        key: key.to_owned(),
        value,
        effect: effect.to_owned(),
        ..Taint::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "#cloud-config
write_files:
  - path: /etc/kubernetes/bootstrap-kubelet.conf
    permissions: '0600'
    content: |
      apiVersion: v1
      kind: Config
  - path: /etc/default/kubelet
    content: |
      KUBELET_EXTRA_ARGS=--node-labels=pool=a,zone=z1 --register-with-taints=x/y=:NoSchedule,b=c:NoExecute,d:NoSchedule
";

    #[test]
    fn files_are_read_with_their_permissions() {
        let config = CloudConfig::parse(TEXT).unwrap();
        assert_eq!(
            config.file(BOOTSTRAP).unwrap(),
            "apiVersion: v1\nkind: Config\n"
        );
        assert_eq!(config.write_files[0].mode().unwrap(), 0o600);
        assert_eq!(config.write_files[1].mode().unwrap(), 0o644);
    }

    #[test]
    fn labels_and_taints_are_those_that_the_kubelet_would_register() {
        let registration = CloudConfig::parse(TEXT).unwrap().registration().unwrap();
        assert_eq!(registration.labels["zone"], "z1");
        let taints = registration.taints.iter();
        let taints: Vec<_> = taints
            .map(|t| (&*t.key, t.value.as_deref(), &*t.effect))
            .collect();
        let expected = [
            ("x/y", Some(""), "NoSchedule"),
            ("b", Some("c"), "NoExecute"),
            ("d", None, "NoSchedule"),
        ];
        assert_eq!(taints, expected);
    }

    #[test]
    fn what_is_rendered_is_read_back() {
        let config = CloudConfig::joining("kind: Config\n", "--node-labels=a=b");
        assert_eq!(
            CloudConfig::parse(&config.render().unwrap()).unwrap(),
            config
        );
        assert_eq!(config.registration().unwrap().labels["a"], "b");
    }

    #[test]
    fn a_script_or_an_encoded_file_is_refused() {
        assert!(CloudConfig::parse("#!/bin/sh\n").is_err());
        let encoded = "#cloud-config\nwrite_files: [{path: /a, content: YQ==, encoding: b64}]\n";
        assert!(CloudConfig::parse(encoded).is_err());
    }
}
