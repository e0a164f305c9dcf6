//! Who somebody is to the API server: client certificates, tokens, kubeconfigs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::json;

use super::{Kubernetes, Layout};
use crate::pki::Identity;

/// How somebody proves who they are.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A client certificate of the bed's authority.
    Certificate(Identity),
    /// A bearer token: a ServiceAccount's, or a bootstrap token.
    Token(String),
}

/// What a token is asked to last. The API server gives no less than ten minutes.
const TOKEN_SECONDS: i64 = 3600;

impl Kubernetes {
    /// The bed itself: `system:masters`. For the test's own hands, never for the code under test.
    #[must_use]
    pub fn admin(&self) -> Client {
        self.admin.clone()
    }

    /// The same, but what the server refuses for now (429, 503) is heard, not tried again.
    ///
    /// # Errors
    /// If no client can be made.
    pub async fn admin_who_asks_once(&self) -> Result<Client> {
        let credential = self.layout.admin()?;
        self.layout.client_that_asks_once(&credential).await
    }

    /// Somebody with a client certificate and whatever RBAC gives to these names.
    ///
    /// # Errors
    /// If there are more than two groups.
    pub async fn client_for(&self, user: &str, groups: &[&str]) -> Result<Client> {
        let identity = self.layout.authority.client(user, groups)?;
        self.client_with(&Credential::Certificate(identity)).await
    }

    /// Somebody with a bearer token.
    ///
    /// # Errors
    /// If no client can be made of it; whether it is any good shows at its first use.
    pub async fn client_with_token(&self, token: &str) -> Result<Client> {
        self.client_with(&Credential::Token(token.to_owned())).await
    }

    /// Somebody with that credential.
    ///
    /// # Errors
    /// If no client can be made of it.
    pub async fn client_with(&self, credential: &Credential) -> Result<Client> {
        self.layout.client(credential).await
    }

    /// A client certificate for a user; see [`Kubernetes::client_for`].
    ///
    /// # Errors
    /// If there are more than two groups.
    pub fn certificate_for(&self, user: &str, groups: &[&str]) -> Result<Credential> {
        Ok(Credential::Certificate(
            self.layout.authority.client(user, groups)?,
        ))
    }

    /// A token of a ServiceAccount by TokenRequest, as the kubelet gets them; bound to `pod`, if
    /// there is one, it names that pod's node in its claims.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn service_account_token(
        &self,
        namespace: &str,
        name: &str,
        pod: Option<&Pod>,
    ) -> Result<String> {
        let bound = pod.map(|pod| BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.name_any()),
            uid: pod.uid(),
        });
        let spec = TokenRequestSpec {
            audiences: Vec::new(),
            bound_object_ref: bound,
            expiration_seconds: Some(TOKEN_SECONDS),
        };
        let request = TokenRequest {
            spec,
            ..TokenRequest::default()
        };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin(), namespace);
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await?;
        Ok(answer
            .status
            .context("a TokenRequest without an answer")?
            .token)
    }

    /// A kubeconfig for that credential, everything embedded (JSON, which is YAML).
    #[must_use]
    pub fn kubeconfig_text(&self, credential: &Credential) -> String {
        self.layout.kubeconfig_text(&self.layout.url(), credential)
    }

    /// Writes a kubeconfig with a bearer token.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn kubeconfig_with_token(&self, path: &Path, token: &str) -> Result<()> {
        self.layout
            .write_kubeconfig(path, &Credential::Token(token.to_owned()))
    }
}

impl Layout {
    pub(super) fn admin(&self) -> Result<Credential> {
        Ok(Credential::Certificate(
            self.authority.client("bed:admin", &["system:masters"])?,
        ))
    }

    pub(super) fn kubeconfig(&self, role: &str) -> PathBuf {
        self.dir.join(format!("{role}.kubeconfig"))
    }

    pub(super) fn write_kubeconfig(&self, file: &Path, credential: &Credential) -> Result<()> {
        std::fs::write(file, self.kubeconfig_text(&self.url(), credential))
            .with_context(|| format!("writing {}", file.display()))
    }

    fn kubeconfig_text(&self, url: &str, credential: &Credential) -> String {
        let embed = |pem: &str| BASE64_STANDARD.encode(pem);
        let user = match credential {
            Credential::Token(token) => json!({ "token": token }),
            Credential::Certificate(identity) => json!({
                "client-certificate-data": embed(&identity.certificate),
                "client-key-data": embed(&identity.key),
            }),
        };
        let cluster = json!({
            "server": url,
            "certificate-authority-data": embed(&self.authority.certificate()),
        });
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "bed",
            "contexts": [{ "name": "bed", "context": { "cluster": "bed", "user": "bed" } }],
            "clusters": [{ "name": "bed", "cluster": cluster }],
            "users": [{ "name": "bed", "user": user }],
        });
        format!("{config:#}\n")
    }

    pub(super) async fn client(&self, credential: &Credential) -> Result<Client> {
        self.client_at(&self.url(), credential).await
    }

    pub(super) async fn client_that_asks_once(&self, credential: &Credential) -> Result<Client> {
        let file = Kubeconfig::from_yaml(&self.kubeconfig_text(&self.url(), credential))?;
        let mut config =
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        config.default_retry = false;
        Ok(Client::try_from(config)?)
    }

    pub(super) async fn client_at(&self, url: &str, credential: &Credential) -> Result<Client> {
        let file = Kubeconfig::from_yaml(&self.kubeconfig_text(url, credential))?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }
}
