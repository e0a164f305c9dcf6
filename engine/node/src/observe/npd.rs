//! Node Problem Detector's own endpoint on the node: every condition with its reason, without the API server.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rectifier_core::clock::Timestamp;
use rectifier_core::episode::SeenCondition;
use rectifier_core::name::ConditionKind;
use rectifier_core::policy::Status;
use serde::Deserialize;

use crate::trouble::{Trouble, chain};

/// It answers from memory, on loopback: 2 s is a thousand times what it needs.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A condition is some hundred bytes; a node has some dozen.
const ANSWER_LIMIT: usize = 1 << 20;

/// Why it could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NpdError {
    #[error("{0:?} is no address")]
    Address(String),
    #[error("no connection")]
    Connect(#[from] hyper_util::client::legacy::Error),
    #[error("no answer within {} s", ANSWER_WITHIN.as_secs())]
    Timeout,
    #[error("HTTP status {0}")]
    Status(u16),
    #[error("the answer broke off, or is too long")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer is no list of conditions")]
    Json(#[from] serde_json::Error),
}

/// `types.Condition` of node-problem-detector, pkg/types/types.go.
#[derive(Debug, Deserialize)]
struct Condition {
    r#type: String,
    status: String,
    #[serde(default)]
    transition: Option<Timestamp>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

/// A client of NPD.
pub(crate) struct Npd {
    address: String,
    client: Client<HttpConnector, Empty<&'static [u8]>>,
    trouble: Trouble,
}

impl Npd {
    /// Of the one at `HOST:PORT`.
    pub(crate) fn at(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            trouble: Trouble::default(),
        }
    }

    /// All its conditions.
    pub(crate) async fn conditions(&self) -> Result<Vec<SeenCondition>, NpdError> {
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.get()).await;
        let conditions = answer
            .unwrap_or(Err(NpdError::Timeout))
            .and_then(|body| parse(&body));
        match &conditions {
            Ok(_) if self.trouble.ends() => tracing::info!("Node Problem Detector answers again"),
            Err(error) if self.trouble.begins() => {
                tracing::warn!(error = %chain(error), "Node Problem Detector cannot be asked");
            }
            Ok(_) | Err(_) => {}
        }
        conditions
    }

    async fn get(&self) -> Result<Vec<u8>, NpdError> {
        let uri = format!("http://{}/conditions", self.address);
        let uri = uri
            .parse()
            .map_err(|_| NpdError::Address(self.address.clone()))?;
        let answer = self.client.get(uri).await?;
        if !answer.status().is_success() {
            return Err(NpdError::Status(answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT)
            .collect()
            .await
            .map_err(NpdError::Body)?;
        Ok(body.to_bytes().to_vec())
    }
}

/// An NPD without conditions answers `null`, as Go does for an empty list.
pub(super) fn parse(answer: &[u8]) -> Result<Vec<SeenCondition>, NpdError> {
    let conditions: Option<Vec<Condition>> = serde_json::from_slice(answer)?;
    let seen = |condition: Condition| {
        let Condition {
            r#type,
            status,
            transition,
            reason,
            message,
        } = condition;
        let kind = match ConditionKind::parse(r#type) {
            Ok(kind) => kind,
            Err(error) => {
                tracing::warn!(%error, "Node Problem Detector reports a condition that no node can have");
                return None;
            }
        };
        let status = self::status(&status);
        Some(SeenCondition {
            kind,
            status,
            reason,
            message,
            transition,
            source: "npd".to_owned(),
        })
    };
    Ok(conditions
        .unwrap_or_default()
        .into_iter()
        .filter_map(seen)
        .collect())
}

/// A word that is none of the three is no statement.
pub(super) fn status(word: &str) -> Status {
    match word {
        "True" => Status::Yes,
        "False" => Status::No,
        _ => Status::Unknown,
    }
}
