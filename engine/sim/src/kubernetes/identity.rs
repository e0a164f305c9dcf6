//! Who asks, and how he proves it.
//!
//! The world believes whoever has a client of it, but for those who come with a bootstrap token: that is looked up at every
//! request. Nobody is asked whether he may (RBAC is the test bed's to prove); what admission refuses, it refuses by this.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;
use rectifier_core::clock::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::answer::Refusal;
use super::object::meta;
use super::store::{Key, Store};

/// Somebody, as the API server knows him.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// `system:serviceaccount:NAMESPACE:NAME`, `system:node:NAME`, …
    pub user: String,
    /// What he belongs to.
    pub groups: Vec<String>,
    /// What else his credentials say.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Identity {
    /// Somebody of this name, of no group.
    pub fn user(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            ..Self::default()
        }
    }

    /// A ServiceAccount.
    pub fn account(namespace: &str, name: &str) -> Self {
        let groups = [
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ];
        Self {
            user: format!("system:serviceaccount:{namespace}:{name}"),
            groups: groups.into(),
            extra: BTreeMap::new(),
        }
    }

    /// The same by the token of a pod on this node, as its claims say.
    #[must_use]
    pub fn on_node(mut self, name: &str, uid: &str) -> Self {
        for (key, value) in [("node-name", name), ("node-uid", uid)] {
            let key = format!("authentication.kubernetes.io/{key}");
            self.extra.insert(key, vec![value.to_owned()]);
        }
        self
    }
}

/// What a client shows at each request.
#[derive(Debug, Clone)]
pub(super) enum Credential {
    /// Believed.
    Identity(Arc<Identity>),
    /// `ID.SECRET`
    Token(String),
}

impl Credential {
    /// Whose it is, at this time.
    pub(super) fn identity(&self, store: &Store, now: Timestamp) -> Result<Arc<Identity>, Refusal> {
        match self {
            Self::Identity(identity) => Ok(identity.clone()),
            Self::Token(token) => bootstrapper(store, token, now)
                .map(Arc::new)
                .ok_or_else(|| Refusal::new(401, "Unauthorized", "Unauthorized")),
        }
    }
}

/// Who comes with this bootstrap token, if it is there, whole, and has not expired.
pub(super) fn bootstrapper(store: &Store, token: &str, now: Timestamp) -> Option<Identity> {
    let (id, secret) = token.split_once('.')?;
    let key = Key {
        stored_as: "secrets".to_owned(),
        namespace: "kube-system".to_owned(),
        name: format!("bootstrap-token-{id}"),
    };
    let known = store.get(&key)?;
    let decoded = |key: &str| {
        let value = ByteString::deserialize(&known["data"][key]).ok()?;
        String::from_utf8(value.0).ok()
    };
    let is = |key: &str, wanted: &str| decoded(key).as_deref() == Some(wanted);
    // One without a time lasts for ever.
    let lasts = match decoded("expiration") {
        Some(text) => text.parse::<Timestamp>().is_ok_and(|at| at > now),
        None => true,
    };
    let is_good = known["type"] == "bootstrap.kubernetes.io/token"
        && is("token-id", id)
        && is("token-secret", secret)
        && is("usage-bootstrap-authentication", "true")
        && !is_going(&known)
        && lasts;
    let others = decoded("auth-extra-groups").unwrap_or_default();
    let groups = ["system:bootstrappers"]
        .into_iter()
        .chain(others.split(',').filter(|group| !group.is_empty()))
        .chain(["system:authenticated"]);
    is_good.then(|| Identity {
        user: format!("system:bootstrap:{id}"),
        groups: groups.map(str::to_owned).collect(),
        extra: BTreeMap::new(),
    })
}

/// One that waits for a finalizer lets nobody in any more.
fn is_going(secret: &Value) -> bool {
    !meta(secret, "deletionTimestamp").is_empty()
}
