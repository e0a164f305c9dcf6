//! Refuses what somebody outside the world wants refused, as an admission policy does: so that a moment can be held that is
//! too short to be hit otherwise.

use std::sync::Arc;

use http::request::Parts;
use serde_json::Value;

use super::ApiServer;
use super::answer::Refusal;
use crate::landing::lock;

/// A write that has landed and is not carried out yet.
#[derive(Debug)]
pub(crate) struct Write<'a> {
    pub(crate) who: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: Value,
}

/// Says whether a write is refused.
pub(crate) type Gate = Arc<dyn Fn(&Write<'_>) -> bool + Send + Sync>;

impl ApiServer {
    /// From now on writes must pass it; or, without one, need not.
    pub(crate) fn close(&self, gate: Option<Gate>) {
        *lock(&self.inner.gate) = gate;
    }

    /// From now on every request for this path is refused, as to somebody whom RBAC gives no right to it; or none is.
    pub fn forbid(&self, path: Option<&str>) {
        *lock(&self.inner.forbidden) = path.map(str::to_owned);
    }

    /// # Errors
    /// The gate holds.
    pub(super) fn pass(&self, who: &str, head: &Parts, body: &[u8]) -> Result<(), Refusal> {
        if lock(&self.inner.forbidden).as_deref() == Some(head.uri.path()) {
            let why = format!("{who} has no right to {}", head.uri.path());
            return Err(Refusal::new(403, "Forbidden", why));
        }
        // Its own lock is not held while it looks: it may look at this server.
        let Some(gate) = lock(&self.inner.gate).clone() else {
            return Ok(());
        };
        let write = Write {
            who,
            path: head.uri.path(),
            body: serde_json::from_slice(body).unwrap_or_default(),
        };
        match head.method != http::Method::GET && gate(&write) {
            true => Err(Refusal::new(403, "Forbidden", "the gate holds")),
            false => Ok(()),
        }
    }
}
