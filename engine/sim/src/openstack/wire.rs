//! From a request to its answer.

use rectifier_cloud::openstack::transport::{Microversion, Request, Response, Service};
use serde_json::{Value, json};

use super::state::State;
use super::{compute, image, network};

/// An answer in the service's own words: its status, and JSON or nothing.
pub(super) type Answer = Result<(u16, Option<Value>), (u16, Value)>;

/// Carries out a request, and answers it.
pub(super) fn answer(state: &mut State, request: &Request) -> Response {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let id = state.request_id();
    let answer = match request.service {
        Service::Compute => compute::answer(state, request, &path, &id),
        Service::Network => network::answer(state, request, &path),
        Service::Image => image::answer(state, request, &path),
    };
    let (status, body) = match answer {
        Ok(answer) => answer,
        Err((status, words)) => (status, Some(words)),
    };
    Response {
        status,
        headers: vec![("x-openstack-request-id".to_owned(), id)],
        body: body.map_or(Vec::new(), |body| body.to_string().into_bytes()),
    }
}

/// Nova's words for an error of this name and code.
pub(super) fn nova(name: &str, code: u16, message: impl Into<String>) -> (u16, Value) {
    let message: String = message.into();
    (code, json!({name: {"code": code, "message": message}}))
}

/// Neutron's.
pub(super) fn neutron(kind: &str, code: u16, message: impl Into<String>) -> (u16, Value) {
    let message: String = message.into();
    let words = json!({"NeutronError": {"type": kind, "message": message, "detail": ""}});
    (code, words)
}

pub(super) fn query<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let found = request.query.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// One page of a list, with the link to the next.
///
/// # Errors
/// The record that it is to follow is not there.
pub(super) fn page(
    request: &Request,
    collection: &str,
    all: Vec<Value>,
    no_marker: impl FnOnce(&str) -> (u16, Value),
) -> Answer {
    let begin = match query(request, "marker") {
        None => 0,
        Some(marker) => {
            let found = all.iter().position(|record| record["id"] == marker);
            found.ok_or_else(|| no_marker(marker))? + 1
        }
    };
    let limit = query(request, "limit").and_then(|limit| limit.parse().ok());
    let end = limit.map_or(all.len(), |limit: usize| all.len().min(begin + limit));
    let mut answer = json!({collection: all[begin..end]});
    if end < all.len() {
        let next = json!([{"rel": "next", "href": "https://cloud/next"}]);
        answer[format!("{collection}_links")] = next;
    }
    Ok((200, Some(answer)))
}

/// Is it at least of this version?
pub(super) fn is_since(request: &Request, minor: u16) -> bool {
    request
        .microversion
        .is_some_and(|version| version >= Microversion(2, minor))
}
