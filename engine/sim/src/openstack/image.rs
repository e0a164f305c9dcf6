//! Glance's wire: the one image.

use rectifier_cloud::openstack::transport::{Method, Request};
use serde_json::{Value, json};

use super::state::State;
use super::wire::Answer;

pub(super) fn answer(state: &State, request: &Request, path: &[&str]) -> Answer {
    match (request.method, path) {
        (Method::Get, ["images", id]) if *id == state.image && !state.image_is_gone => {
            let image =
                json!({"id": id, "name": "demo", "status": "active", "visibility": "public"});
            Ok((200, Some(image)))
        }
        // a web page, as Glance has it
        _ => Err((404, Value::String("<html>404 Not Found</html>".to_owned()))),
    }
}
