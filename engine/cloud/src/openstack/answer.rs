//! From an answer's status to the kind of error: the one place where that is decided.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::transport::{Response, TransportError};
use crate::error::{Call, CloudError};

/// No more of a stranger's page than this is quoted.
const QUOTE: usize = 200;

/// The service's own words in an answer that is an error.
struct Words {
    /// Nova's name of the error (`itemNotFound`) or Neutron's type (`PortNotFound`); absent if the answer is
    /// not one of theirs.
    kind: Option<String>,
    message: String,
}

impl Words {
    fn of(response: &Response) -> Self {
        let parsed = serde_json::from_slice::<Value>(&response.body).ok();
        let entry = parsed
            .as_ref()
            .and_then(Value::as_object)
            .and_then(|map| map.iter().next());
        let known = entry.and_then(|(name, inner)| {
            let message = inner.get("message")?.as_str()?;
            let kind = inner.get("type").and_then(Value::as_str).unwrap_or(name);
            Some(Self {
                kind: Some(kind.to_owned()),
                message: message.to_owned(),
            })
        });
        known.unwrap_or_else(|| Self {
            kind: None,
            message: String::from_utf8_lossy(&response.body)
                .chars()
                .take(QUOTE)
                .collect(),
        })
    }
}

/// No answer at all.
pub(super) fn none(call: Call, error: TransportError) -> CloudError {
    match error {
        TransportError::NotSent(source) => CloudError::Unreachable { call, source },
        TransportError::Lost(source) => CloudError::Lost { call, source },
        TransportError::Resting(why) => CloudError::Unreachable {
            call,
            source: why.into(),
        },
        TransportError::Login(message) => CloudError::Login { call, message },
    }
}

/// The answer, if it says that the request was taken.
pub(super) fn accepted(call: Call, response: Response) -> Result<Response, CloudError> {
    let status = response.status;
    if (200..300).contains(&status) {
        return Ok(response);
    }
    let Words { kind, message } = Words::of(&response);
    Err(match (status, kind.as_deref()) {
        // The transport has already logged in anew.
        (401, _) => CloudError::Login { call, message },
        // Nova has no code for quota, only these words; a cloud that words it otherwise makes it `Forbidden`,
        // which asks a human rather than waits.
        (403, Some(_)) if message.starts_with("Quota exceeded") => {
            CloudError::Exhausted { call, message }
        }
        (403, _) => CloudError::Forbidden { call, message },
        (404, Some(kind)) if is_own_not_found(kind) => CloudError::NotFound { call, message },
        // A 404 in other words is a proxy's, or a wrong address: it says nothing about the thing.
        (404, _) => CloudError::Garbled {
            call,
            status,
            why: format!("a stranger's: {message}"),
        },
        (409, Some("OverQuota" | "IpAddressGenerationFailure")) => {
            CloudError::Exhausted { call, message }
        }
        (409, _) => CloudError::Busy { call, message },
        (413 | 429, _) => CloudError::RateLimited {
            call,
            after: retry_after(&response),
        },
        (400..=499, _) => CloudError::Refused {
            call,
            status,
            message,
        },
        (500..=599, _) => CloudError::Unavailable {
            call,
            status,
            message,
            after: retry_after(&response),
        },
        (_, _) => CloudError::Garbled {
            call,
            status,
            why: message,
        },
    })
}

/// Nova says `itemNotFound`, Neutron `PortNotFound` and the like; Neutron's `HTTPNotFound` is about the
/// address, not about the thing.
fn is_own_not_found(kind: &str) -> bool {
    kind == "itemNotFound" || (kind.ends_with("NotFound") && kind != "HTTPNotFound")
}

/// The body of an answer that was accepted.
pub(super) fn body<T: DeserializeOwned>(call: Call, response: &Response) -> Result<T, CloudError> {
    serde_json::from_slice(&response.body).map_err(|error| CloudError::Garbled {
        call,
        status: response.status,
        why: error.to_string(),
    })
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. A date counts from the answer's own `Date`,
/// so that no clock is read here, and a wrong one does not matter.
pub(super) fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| {
        jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(text.trim())
            .ok()
    };
    let wait = date(text)?.duration_since(date(response.header("date")?)?);
    // A date that has passed: at once.
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}
