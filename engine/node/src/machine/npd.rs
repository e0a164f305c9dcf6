//! A client of Node Problem Detector's own endpoint on the node.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::config::NpdConfig;

/// It answers from memory, on loopback: 2 s is a thousand times what it needs.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A condition is some hundred bytes; a node has some dozen.
const ANSWER_LIMIT: usize = 1 << 20;

/// Why it could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum NpdError {
    /// What is configured is none.
    #[error("{0:?} is no address")]
    Address(String),
    /// Nobody listens, or the connection broke.
    #[error("no connection")]
    Connect(#[from] hyper_util::client::legacy::Error),
    /// It took too long.
    #[error("no answer within {} s", ANSWER_WITHIN.as_secs())]
    Timeout,
    /// It answered with an error.
    #[error("HTTP status {0}")]
    Status(u16),
    /// The body did not come whole.
    #[error("the answer broke off, or is too long")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A client of NPD.
pub(super) struct Npd {
    conditions: String,
    counters: String,
    client: Client<HttpConnector, Empty<&'static [u8]>>,
}

impl Npd {
    /// Of the one at these addresses.
    pub(super) fn at(config: &NpdConfig) -> Self {
        let counters = config.counters.as_deref().unwrap_or_default();
        Self {
            conditions: format!("http://{}/conditions", config.address),
            counters: format!("http://{counters}/metrics"),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// All its conditions, as JSON.
    pub(super) async fn conditions(&self) -> Result<Vec<u8>, NpdError> {
        self.get(&self.conditions).await
    }

    /// All that it counts, in Prometheus' text format.
    pub(super) async fn counters(&self) -> Result<Vec<u8>, NpdError> {
        self.get(&self.counters).await
    }

    async fn get(&self, uri: &str) -> Result<Vec<u8>, NpdError> {
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.get_whole(uri)).await;
        answer.unwrap_or(Err(NpdError::Timeout))
    }

    async fn get_whole(&self, uri: &str) -> Result<Vec<u8>, NpdError> {
        let uri = uri.parse().map_err(|_| NpdError::Address(uri.to_owned()))?;
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
