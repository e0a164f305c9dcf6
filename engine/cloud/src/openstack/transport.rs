//! The wire: one request to one service, one answer.
//!
//! Everything that decides anything stands above this trait, so that a cloud in memory, which speaks the same
//! wire, exercises the same code as a real one.

use std::fmt;

use async_trait::async_trait;
use serde_json::Value;

use crate::error::Cause;

/// An OpenStack service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Nova.
    Compute,
    /// Neutron.
    Network,
    /// Glance.
    Image,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Make, or act.
    Post,
    /// Set.
    Put,
    /// Delete.
    Delete,
}

/// A version of the compute API, e.g. 2.79.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Microversion(pub u16, pub u16);

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Who is asked.
    pub service: Service,
    /// What to do.
    pub method: Method,
    /// The path below the service's versioned root, as segments that are not encoded yet.
    pub path: Vec<String>,
    /// Names and values that are not encoded yet.
    pub query: Vec<(String, String)>,
    /// Compute only.
    pub microversion: Option<Microversion>,
    /// JSON.
    pub body: Option<Value>,
}

impl Request {
    pub(super) fn new<const N: usize>(service: Service, method: Method, path: [&str; N]) -> Self {
        Self {
            service,
            method,
            path: path.map(str::to_owned).into(),
            query: Vec::new(),
            microversion: None,
            body: None,
        }
    }

    pub(super) fn at(self, version: Microversion) -> Self {
        Self {
            microversion: Some(version),
            ..self
        }
    }

    pub(super) fn json(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    pub(super) fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }
}

/// One answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nothing of the request reached the service.
    #[error("not sent")]
    NotSent(#[source] Cause),
    /// The identity service does not take the credentials; the request was not sent.
    #[error("no login: {0}")]
    Login(String),
    /// The API has failed several times in a row, or asked for a pause: nothing is sent for a while.
    #[error("{0}")]
    Resting(String),
    /// The request was sent, at least in part, and no whole answer came back in time.
    #[error("answer lost")]
    Lost(#[source] Cause),
}

/// The way to a cloud.
#[async_trait]
pub trait Transport: Send + Sync {
    /// The region whose services are asked, if it was said.
    fn region(&self) -> Option<&str> {
        None
    }

    /// Sends one request and returns the answer, whatever its status, within a bounded time.
    ///
    /// A request is sent again only after a 401, which says that it was not begun.
    ///
    /// # Errors
    /// There is no answer; the error says whether the request may have been done.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;
}
