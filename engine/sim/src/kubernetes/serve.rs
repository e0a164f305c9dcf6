//! From a request to its answer.

use std::time::Duration;

use http::request::Parts;
use http::{Method, Response};
use serde_json::{Value, json};

use super::answer::{Body, Refusal, respond, success, whole};
use super::eviction;
use super::kind::Kind;
use super::label::Filter;
use super::store::{Key, Rest, Store};
use super::target::Target;
use super::verb::{Done, Part, Verb, told_of_deletion};
use super::watch::{self, Wish};
use super::{ApiServer, Request};
use crate::landing::lock;

/// What stands after the question mark.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(head: &Parts) -> Self {
        let text = head.uri.query().unwrap_or_default();
        Self(
            form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    fn get(&self, key: &str) -> Option<&str> {
        let found = self
            .0
            .iter()
            .find(|(name, value)| name == key && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    fn is(&self, key: &str, value: &str) -> bool {
        self.get(key)
            .is_some_and(|is| is.eq_ignore_ascii_case(value))
    }

    /// What a deletion without a body asks for.
    fn delete_options(&self) -> Result<Value, Refusal> {
        let mut options = json!({});
        if let Some(seconds) = self.get("gracePeriodSeconds") {
            let seconds: u64 = seconds
                .parse()
                .map_err(|_| Refusal::bad_request("gracePeriodSeconds is no number"))?;
            options["gracePeriodSeconds"] = seconds.into();
        }
        if let Some(policy) = self.get("propagationPolicy") {
            options["propagationPolicy"] = policy.into();
        }
        Ok(options)
    }

    fn filter(&self, kind: &Kind) -> Result<Filter, Refusal> {
        Filter::parse(kind, self.get("labelSelector"), self.get("fieldSelector"))
            .map_err(Refusal::bad_request)
    }
}

impl ApiServer {
    /// Carries out a request that has landed.
    pub(super) fn serve(&self, who: &str, head: &Parts, body: &[u8]) -> Response<Body> {
        self.inner.record.asked_by(who);
        let response = self
            .pass(who, head, body)
            .and_then(|()| self.answer(head, body))
            .unwrap_or_else(|refusal| refusal.respond());
        self.inner.record.asked_by("");
        let mut requests = lock(&self.inner.requests);
        if requests.len() >= self.inner.history {
            requests.pop_front();
        }
        requests.push_back(Request {
            who: who.to_owned(),
            method: head.method.to_string(),
            path: head
                .uri
                .path_and_query()
                .map_or(String::new(), ToString::to_string),
            code: response.status().as_u16(),
        });
        if let Some(Request {
            method, path, code, ..
        }) = requests.back()
        {
            let what = format_args!("{method} {path} {code}");
            self.inner
                .trace
                .note(self.inner.clock.now(), who, what, body);
        }
        drop(requests);
        self.inner.landed.send_modify(|count| *count += 1);
        response
    }

    fn answer(&self, head: &Parts, body: &[u8]) -> Result<Response<Body>, Refusal> {
        let target = Target::of(head.uri.path()).ok_or_else(Refusal::no_page)?;
        let answered = self.carry_out(&target, head, body);
        if head.method != Method::GET
            && let Some(namespace) = &target.namespace
        {
            eviction::settle(&mut lock(&self.inner.store), namespace);
        }
        answered
    }

    fn carry_out(
        &self,
        target: &Target,
        head: &Parts,
        body: &[u8],
    ) -> Result<Response<Body>, Refusal> {
        let query = Query::of(head);
        let mut store = lock(&self.inner.store);
        if !store.serves(&target.group, &target.version) {
            return Err(Refusal::no_page());
        }
        let kind = store
            .kind(&target.group, &target.version, &target.resource)
            .filter(|kind| kind.namespaced || target.namespace.is_none())
            .ok_or_else(Refusal::no_resource)?;
        let Target {
            namespace,
            name,
            subresource,
            ..
        } = target;
        if head.method == Method::GET && subresource.is_none() {
            return match name {
                Some(name) => get(&store, &kind, namespace.as_deref(), name),
                None if query.is("watch", "true") || query.is("watch", "1") => {
                    let wish = wish(&query, kind, namespace.clone())?;
                    Ok(respond(200, watch::begin(self, &mut store, wish)))
                }
                None => list(&mut store, &kind, namespace.as_deref(), &query),
            };
        }
        if kind.namespaced && namespace.is_none() {
            return Err(Refusal::method_not_allowed());
        }
        let mut verb = Verb {
            kind: kind.clone(),
            now: self.inner.clock.now(),
            dry: query.is("dryRun", "All"),
            strict: query.is("fieldValidation", "Strict"),
            store: &mut store,
        };
        let namespace = namespace.as_deref();
        let part = match subresource.as_deref() {
            None => Part::Main,
            Some("status") if kind.status => Part::Status,
            Some("eviction") if kind.is("Pod") && head.method == Method::POST => {
                let (namespace, name) = namespace
                    .zip(name.as_deref())
                    .ok_or_else(Refusal::no_resource)?;
                let eviction = parse(body)?;
                verb.dry |= eviction["deleteOptions"]["dryRun"] == json!(["All"]);
                verb.evict(namespace, name, &eviction)?;
                return Ok(whole(201, &success(201)));
            }
            Some(_) => return Err(Refusal::no_resource()),
        };
        let done = match (&head.method, name) {
            (&Method::GET, Some(name)) => return get(verb.store, &kind, namespace, name),
            (&Method::POST, None) => verb.create(namespace, parse(body)?)?,
            (&Method::PUT, Some(name)) => verb.replace(namespace, name, parse(body)?, part)?,
            (&Method::PATCH, Some(name)) => {
                let patch = patch(head, body)?;
                verb.patch(namespace, name, patch, part)?
            }
            (&Method::DELETE, Some(name)) if part == Part::Main => {
                let options = match body {
                    [] => query.delete_options()?,
                    body => parse(body)?,
                };
                verb.dry |= options["dryRun"] == json!(["All"]);
                let done = verb.delete(namespace, name, &options)?;
                return Ok(whole(200, &told_of_deletion(&kind, &done)));
            }
            _ => return Err(Refusal::method_not_allowed()),
        };
        Ok(match done {
            Done::Is(object) | Done::Gone(object) => whole(200, &object),
            Done::Made(object) => whole(201, &object),
        })
    }
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("the body is no JSON: {error}")))
}

/// The change that a patch asks for.
#[expect(clippy::type_complexity, reason = "one closure, used at one place")]
fn patch<'a>(
    head: &Parts,
    body: &'a [u8],
) -> Result<Box<dyn FnOnce(&mut Value) -> Result<(), Refusal> + 'a>, Refusal> {
    let form = head.headers.get(http::header::CONTENT_TYPE);
    let form = form.and_then(|form| form.to_str().ok()).unwrap_or_default();
    match form.split(';').next().unwrap_or_default().trim() {
        "application/merge-patch+json" => {
            let patch = parse(body)?;
            Ok(Box::new(move |object| {
                json_patch::merge(object, &patch);
                Ok(())
            }))
        }
        "application/json-patch+json" => {
            let patch: json_patch::Patch = serde_json::from_slice(body).map_err(|error| {
                Refusal::bad_request(format!("the body is no JSON patch: {error}"))
            })?;
            Ok(Box::new(move |object| {
                json_patch::patch(object, &patch).map_err(|error| {
                    let why = "the server rejected our request due to an error in our request";
                    Refusal::new(422, "Invalid", format!("{why}: {error}"))
                })
            }))
        }
        other => {
            let why = format!("the world takes merge patches and JSON patches, not {other:?}");
            Err(Refusal::new(415, "UnsupportedMediaType", why))
        }
    }
}

fn get(
    store: &Store,
    kind: &Kind,
    namespace: Option<&str>,
    name: &str,
) -> Result<Response<Body>, Refusal> {
    let key = Key {
        stored_as: kind.qualified(),
        namespace: namespace.unwrap_or_default().to_owned(),
        name: name.to_owned(),
    };
    let found = store
        .get(&key)
        .ok_or_else(|| Refusal::not_found(&kind.qualified(), name))?;
    Ok(whole(200, &found))
}

fn list(
    store: &mut Store,
    kind: &Kind,
    namespace: Option<&str>,
    query: &Query,
) -> Result<Response<Body>, Refusal> {
    if query.is("resourceVersionMatch", "Exact") {
        return Err(Refusal::bad_request(
            "the world lists what is there now, not what was",
        ));
    }
    let Rest {
        revision,
        mut items,
    } = match query.get("continue") {
        Some(token) => store.rest(token).ok_or_else(|| {
            Refusal::expired(
                "The provided continue parameter is too old to display a consistent list result.",
            )
        })?,
        None => {
            let filter = query.filter(kind)?;
            let qualified = kind.qualified();
            let all = store.all(&qualified, namespace).map(|(_, object)| object);
            Rest {
                revision: store.revision(),
                items: all
                    .filter(|object| filter.matches(object))
                    .cloned()
                    .collect(),
            }
        }
    };
    let limit = query
        .get("limit")
        .and_then(|limit| limit.parse().ok())
        .filter(|limit| *limit > 0);
    let rest = items.split_off(limit.unwrap_or(items.len()).min(items.len()));
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if !rest.is_empty() {
        // With a selector the real server does not say how many are left.
        if query.get("labelSelector").is_none() && query.get("fieldSelector").is_none() {
            metadata["remainingItemCount"] = rest.len().into();
        }
        let items = rest;
        metadata["continue"] = store.keep_rest(Rest { revision, items }).into();
    }
    let shown = |object: &std::sync::Arc<Value>| {
        let mut object = object.as_ref().clone();
        if let (false, Some(fields)) = (kind.is_custom(), object.as_object_mut()) {
            fields.remove("kind");
            fields.remove("apiVersion");
        }
        object
    };
    let items: Vec<Value> = items.iter().map(shown).collect();
    let list = json!({
        "kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(), "metadata": metadata, "items": items,
    });
    Ok(whole(200, &list))
}

fn wish(
    query: &Query,
    kind: std::sync::Arc<Kind>,
    namespace: Option<String>,
) -> Result<Wish, Refusal> {
    let after = query
        .get("resourceVersion")
        .filter(|version| *version != "0");
    let lasts = query
        .get("timeoutSeconds")
        .and_then(|seconds| seconds.parse().ok());
    Ok(Wish {
        filter: query.filter(&kind)?,
        stored_as: kind.qualified(),
        kind,
        namespace,
        after: after.map(watch::revision).transpose()?,
        initial: query.is("sendInitialEvents", "true"),
        bookmarks: query.is("allowWatchBookmarks", "true"),
        lasts: lasts.map(Duration::from_secs),
    })
}
