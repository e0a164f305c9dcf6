//! How a node gets in: bootstrap tokens, as `kubeadm token create` makes them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};

use super::{Credential, Kubernetes};

/// The group that `kubernetes/access.yaml` lets in.
const GROUP: &str = "system:bootstrappers:kubeadm:default-node-token";
/// The API server learns of a new token by a watch.
const LEARN: Duration = Duration::from_secs(30);

impl Kubernetes {
    /// A fresh bootstrap token (`id.secret`) that lives for `ttl`; the API server knows it when
    /// this returns.
    ///
    /// # Errors
    /// If the API server refuses, or has not learnt of it after 30 s.
    pub async fn bootstrap_token(&self, ttl: Duration) -> Result<String> {
        let (id, secret) = (random(6)?, random(16)?);
        let expires = Timestamp::now() + SignedDuration::try_from(ttl)?;
        // whole seconds: the token cleaner takes no fractions
        let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let data = [
            ("token-id", id.as_str()),
            ("token-secret", secret.as_str()),
            ("expiration", expires.as_str()),
            ("usage-bootstrap-authentication", "true"),
            ("auth-extra-groups", GROUP),
        ];
        let data = data.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let secrets: Api<Secret> = Api::namespaced(self.admin(), "kube-system");
        let made = Secret {
            metadata: ObjectMeta {
                name: Some(format!("bootstrap-token-{id}")),
                ..ObjectMeta::default()
            },
            type_: Some("bootstrap.kubernetes.io/token".to_owned()),
            string_data: Some(BTreeMap::from(data)),
            ..Secret::default()
        };
        secrets.create(&PostParams::default(), &made).await?;

        let token = format!("{id}.{secret}");
        let node = self.client_with_token(&token).await?;
        let known = async {
            while node.apiserver_version().await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LEARN, known)
            .await
            .context("the token is not accepted")?;
        Ok(token)
    }

    /// The kubeconfig that user data give to a new node: the API server, its authority, the token.
    #[must_use]
    pub fn bootstrap_kubeconfig(&self, token: &str) -> String {
        self.kubeconfig_text(&Credential::Token(token.to_owned()))
    }
}

/// Characters as a bootstrap token has them: `[a-z0-9]`.
fn random(length: usize) -> Result<String> {
    use std::io::Read;
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = vec![0; length];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect())
}
