//! Answers on the wire: objects, and the `Status` with which the API server refuses.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde::Serialize;
use serde_json::{Value, json};

use super::watch::Cut;

/// A body: whole, or one line after the other.
pub(super) type Body = UnsyncBoxBody<Bytes, Cut>;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    /// Empty for the few refusals that have none.
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) details: Value,
}

impl Refusal {
    pub(super) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: json!({}),
        }
    }

    pub(super) fn not_found(plural: &str, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{plural} \"{name}\" not found"))
    }

    /// No such path.
    pub(super) fn no_resource() -> Self {
        let why = "the server could not find the requested resource";
        Self::new(404, "NotFound", why)
    }

    pub(super) fn exists(plural: &str, name: &str) -> Self {
        let why = format!("{plural} \"{name}\" already exists");
        Self::new(409, "AlreadyExists", why)
    }

    pub(super) fn conflict(plural: &str, name: &str, why: &str) -> Self {
        let why = format!("Operation cannot be fulfilled on {plural} \"{name}\": {why}");
        Self::new(409, "Conflict", why)
    }

    /// The object that it is about was changed since it was read.
    pub(super) fn stale(plural: &str, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(plural, name, why)
    }

    pub(super) fn invalid(kind: &str, name: &str, why: &str) -> Self {
        let why = format!("{kind} \"{name}\" is invalid: {why}");
        Self::new(422, "Invalid", why)
    }

    pub(super) fn bad_request(why: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", why)
    }

    pub(super) fn method_not_allowed() -> Self {
        let why = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", why)
    }

    pub(super) fn expired(why: impl Into<String>) -> Self {
        Self::new(410, "Expired", why)
    }

    /// Nobody serves such a path at all: that is said in plain text.
    pub(super) fn no_page() -> Self {
        Self::new(404, "", "404 page not found\n")
    }

    pub(super) fn respond(&self) -> Response<Body> {
        if *self == Self::no_page() {
            return respond(404, full(self.message.clone()));
        }
        whole(self.code, &self.status())
    }

    /// The `Status` object.
    pub(super) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "details": self.details, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        status
    }
}

/// A `Status` that says that it was done.
pub(super) fn success(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code})
}

/// JSON in one piece.
pub(super) fn whole(code: u16, body: &Value) -> Response<Body> {
    respond(code, full(json_bytes(body)))
}

/// A JSON value has only keys that are texts: it can always be written.
pub(super) fn json_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::from(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

pub(super) fn respond(code: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    response
}
