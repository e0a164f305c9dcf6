//! Lists: page after page, complete or an error.

use std::collections::HashSet;

use rectifier_core::name::InvalidName;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::transport::Request;
use super::{OpenStack, answer};
use crate::error::{Call, CloudError};

/// Records a page; a service may give fewer, and says so by a link to the next page.
const PAGE: usize = 500;

/// How long a list may be before it is not believed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Longest {
    /// One that a tag or a name should have narrowed to a few: with so many its filter did not work.
    Narrowed = 10_000,
    /// All of a project: it never ends.
    Whole = 1_000_000,
}

impl OpenStack {
    /// What becomes of all records of a collection, which is also the last segment's name in the answer. Of a page no more
    /// than that is kept when the next is asked for.
    pub(super) async fn list<T: DeserializeOwned, U>(
        &self,
        call: Call,
        collection: &str,
        request: Request,
        longest: Longest,
        become_of: impl Fn(T) -> Result<U, InvalidName>,
    ) -> Result<Vec<U>, CloudError> {
        let incomplete = |why: String| CloudError::Incomplete { call, why };
        let mut records = Vec::new();
        let mut marker: Option<String> = None;
        let mut seen = HashSet::new();
        while records.len() <= longest as usize {
            let mut page = request.clone().query("limit", PAGE.to_string());
            if let Some(marker) = &marker {
                page = page.query("marker", marker.as_str());
            }
            let response = self.ask(call, page).await.map_err(|error| match error {
                // The record that the page was to follow has gone: what else has, nobody can say.
                CloudError::Refused { message, .. } if marker.is_some() => incomplete(message),
                other => other,
            })?;
            let mut page: Value = answer::body(call, &response)?;
            let Some(Value::Array(entries)) = page.get_mut(collection).map(Value::take) else {
                return Err(CloudError::Garbled {
                    call,
                    status: response.status,
                    why: format!("no list of {collection}"),
                });
            };
            marker = entries
                .last()
                .and_then(|entry| entry.get("id"))
                .and_then(Value::as_str)
                .map(str::to_owned);
            for entry in entries {
                let record = serde_json::from_value(entry)
                    .map_err(|error| incomplete(format!("a record cannot be read: {error}")))?;
                records.push(become_of(record).map_err(|error| incomplete(error.to_string()))?);
            }
            if !has_next(&page, collection) {
                return Ok(records);
            }
            // Whoever promises more and gives nothing, or the same again, has lost his place.
            match &marker {
                Some(last) if seen.insert(last.clone()) => {}
                Some(_) | None => return Err(incomplete("the next page never comes".to_owned())),
            }
        }
        Err(incomplete(format!(
            "more than {} records",
            longest as usize
        )))
    }
}

fn has_next(page: &Value, collection: &str) -> bool {
    let links = page
        .get(format!("{collection}_links"))
        .and_then(Value::as_array);
    links.is_some_and(|links| {
        links
            .iter()
            .any(|link| link.get("rel").and_then(Value::as_str) == Some("next"))
    })
}
