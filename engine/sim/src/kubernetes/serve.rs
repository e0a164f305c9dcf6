//! From a request to its answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::request::Parts;
use http::{Method, Response};
use serde_json::{Value, json};

use super::answer::{Body, Refusal, respond, success, whole};
use super::apply::{self, Operation, Writer};
use super::csr::{self, CSR};
use super::eviction;
use super::identity::Credential;
use super::kind::Kind;
use super::label::Filter;
use super::object::meta;
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
    pub(super) fn serve(
        &self,
        who: &str,
        credential: &Credential,
        head: &Parts,
        body: &[u8],
    ) -> Response<Body> {
        self.inner.record.asked_by(who);
        let response = self
            .pass(who, head, body)
            .and_then(|()| self.answer(credential, head, body))
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
        self.inner.landed.fetch_add(1, Ordering::SeqCst);
        response
    }

    fn answer(
        &self,
        credential: &Credential,
        head: &Parts,
        body: &[u8],
    ) -> Result<Response<Body>, Refusal> {
        let target = Target::of(head.uri.path());
        let answered = self.carry_out(credential, target.as_ref(), head, body);
        let namespace = target.and_then(|target| target.namespace);
        if let Some(namespace) = namespace.filter(|_| head.method != Method::GET) {
            eviction::settle(&mut lock(&self.inner.store), &namespace);
        }
        answered
    }

    fn carry_out(
        &self,
        credential: &Credential,
        target: Option<&Target>,
        head: &Parts,
        body: &[u8],
    ) -> Result<Response<Body>, Refusal> {
        let mut store = lock(&self.inner.store);
        let who = credential.identity(&store, self.inner.clock.now())?;
        let target = target.ok_or_else(Refusal::no_page)?;
        let query = Query::of(head);
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
            who,
            now: self.inner.clock.now(),
            dry: query.is("dryRun", "All"),
            strict: query.is("fieldValidation", "Strict"),
            store: &mut store,
        };
        let namespace = namespace.as_deref();
        let manager = manager(head, &query)?;
        let part = match subresource.as_deref() {
            None => Part::Main,
            Some("status") if kind.status => Part::Status,
            Some("approval") if kind.is(CSR) => Part::Approval,
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
        verb.store.by = Some(Arc::new(Writer::new(Operation::Update, manager, part)));
        let done = match (&head.method, name) {
            (&Method::GET, Some(name)) => return get(verb.store, &kind, namespace, name),
            (&Method::POST, None) => verb.create(namespace, parse(body)?)?,
            (&Method::PUT, Some(name)) => verb.replace(namespace, name, parse(body)?, part)?,
            (&Method::PATCH, Some(name)) if form(head) == "application/apply-patch+yaml" => {
                let wish = apply::Wish::of(query.get("fieldManager"), query.get("force"))?;
                verb.apply(namespace, name, apply::configuration(body)?, &wish, part)?
            }
            (&Method::PATCH, Some(_)) if query.get("force").is_some() => {
                return Err(apply::Wish::is_no_apply());
            }
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
        if kind.is(CSR) && !verb.dry {
            let (Done::Is(object) | Done::Made(object) | Done::Gone(object)) = &done;
            csr::settle(verb.store, meta(object, "name"), verb.now);
        }
        Ok(match done {
            Done::Is(object) | Done::Gone(object) => whole(200, &kind.shown(&object)),
            Done::Made(object) => whole(201, &kind.shown(&object)),
        })
    }
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("the body is no JSON: {error}")))
}

/// What a body is.
fn form(head: &Parts) -> &str {
    let form = head.headers.get(http::header::CONTENT_TYPE);
    let form = form.and_then(|form| form.to_str().ok()).unwrap_or_default();
    form.split(';').next().unwrap_or_default().trim()
}

/// As whom it writes: as it says itself, or what its program is called.
fn manager<'a>(head: &'a Parts, query: &'a Query) -> Result<&'a str, Refusal> {
    if let Some(manager) = query.get("fieldManager") {
        return apply::Wish::checked(manager);
    }
    let agent = head.headers.get(http::header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    Ok(agent
        .and_then(|agent| agent.split('/').next())
        .unwrap_or("unknown"))
}

/// The change that a patch asks for.
#[expect(clippy::type_complexity, reason = "one closure, used at one place")]
fn patch<'a>(
    head: &Parts,
    body: &'a [u8],
) -> Result<Box<dyn FnOnce(&mut Value) -> Result<(), Refusal> + 'a>, Refusal> {
    match form(head) {
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
            let why = format!("the world takes apply, merge and JSON patches, not {other:?}");
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
        stored_as: kind.stored_as(),
        namespace: namespace.unwrap_or_default().to_owned(),
        name: name.to_owned(),
    };
    let found = store
        .get(&key)
        .ok_or_else(|| Refusal::not_found(&kind.qualified(), name))?;
    Ok(whole(200, &kind.shown(&found)))
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
            let stored_as = kind.stored_as();
            let all = store.all(&stored_as, namespace).map(|(_, object)| object);
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
    let shown = |object: &Arc<Value>| {
        let mut object = kind.shown(object).into_owned();
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

fn wish(query: &Query, kind: Arc<Kind>, namespace: Option<String>) -> Result<Wish, Refusal> {
    let after = query
        .get("resourceVersion")
        .filter(|version| *version != "0");
    let lasts = query
        .get("timeoutSeconds")
        .and_then(|seconds| seconds.parse().ok());
    Ok(Wish {
        filter: query.filter(&kind)?,
        stored_as: kind.stored_as(),
        kind,
        namespace,
        after: after.map(watch::revision).transpose()?,
        initial: query.is("sendInitialEvents", "true"),
        bookmarks: query.is("allowWatchBookmarks", "true"),
        lasts: lasts.map(Duration::from_secs),
    })
}
