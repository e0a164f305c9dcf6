//! What the front door was asked: by what fills the clouds while they start, and then by the user's programs alone, since the
//! bed goes around it.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;

use super::OpenStack;

/// One request that has had its answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Request {
    /// When the front door had read its head.
    pub received: Timestamp,
    /// When the answer was sent.
    pub answered: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// The path with its query; its first part is the service's type in the catalogue.
    pub path: String,
    /// The HTTP status; 0: the connection was closed instead.
    pub status: u16,
}

impl Request {
    /// The same for all requests of its kind: `GET compute/servers/ID/action`, and the names of what
    /// the query asks for, without their values.
    #[must_use]
    pub fn shape(&self) -> String {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let parts = path.split('/').filter(|part| !part.is_empty());
        let parts: Vec<&str> = parts
            .map(|part| if is_id(part) { "ID" } else { part })
            .collect();
        let mut names: Vec<&str> = query
            .split('&')
            .filter_map(|one| one.split('=').next())
            .collect();
        names.retain(|name| !name.is_empty());
        let query = match names.is_empty() {
            true => String::new(),
            false => format!("?{}", names.join("&")),
        };
        format!("{} {}{query}", self.method, parts.join("/"))
    }
}

/// A UUID, with its dashes or without, or `req-` and one.
fn is_id(part: &str) -> bool {
    let hex = part.trim_start_matches("req-").replace('-', "");
    hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl OpenStack {
    /// Every request to the front door that has had its answer, in the order of the answers.
    ///
    /// # Errors
    /// If its log cannot be read.
    pub fn requests(&self) -> Result<Vec<Request>> {
        let file = self.logs().join("requests.jsonl");
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("reading {}", file.display()))?;
        // what comes after the last line's end is still being written
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let line = |line: &str| {
            serde_json::from_str(line).with_context(|| format!("a request of the log: {line}"))
        };
        whole.lines().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_one_kind_have_one_shape() {
        let shape = |path: &str| {
            let request = Request {
                received: Timestamp::UNIX_EPOCH,
                answered: Timestamp::UNIX_EPOCH,
                method: "GET".to_owned(),
                path: path.to_owned(),
                status: 200,
            };
            request.shape()
        };
        let id = "5d2c3a0e-1f4b-4c7d-9e8f-0a1b2c3d4e5f";
        assert_eq!(
            shape(&format!(
                "/compute/v2.1/servers/{id}/os-instance-actions/req-{id}"
            )),
            "GET compute/v2.1/servers/ID/os-instance-actions/ID"
        );
        assert_eq!(
            shape(&format!("/network/v2.0/ports?device_id={id}&limit=200")),
            "GET network/v2.0/ports?device_id&limit"
        );
    }
}
