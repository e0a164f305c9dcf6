//! What the verbs that change something mean.

mod delete;

use std::sync::Arc;

use rectifier_core::clock::Timestamp;
use serde_json::{Value, json};

use super::admission::Operation;
use super::answer::Refusal;
use super::identity::Identity;
use super::kind::{Kind, POD};
use super::object::{finalizers, is_being_deleted, map_of, meta, metadata, stamp};
use super::store::{Key, Store};
pub(super) use delete::told_of_deletion;

/// Which half of an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All but the status, where that is a subresource.
    Main,
    Status,
    /// Of a certificate signing request: the conditions of its status that say whether it is granted.
    Approval,
}

impl Part {
    /// The subresource by which it is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
            Self::Approval => "approval",
        }
    }
}

/// One request that changes something.
pub(super) struct Verb<'a> {
    pub(super) store: &'a mut Store,
    pub(super) kind: Arc<Kind>,
    pub(super) who: Arc<Identity>,
    pub(super) now: Timestamp,
    /// Nothing is stored.
    pub(super) dry: bool,
    /// Fields that are not known are refused, not pruned.
    pub(super) strict: bool,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    /// This is there now.
    Is(Arc<Value>),
    /// This was made.
    Made(Arc<Value>),
    /// This was there.
    Gone(Arc<Value>),
}

impl Verb<'_> {
    pub(super) fn key(&self, namespace: Option<&str>, name: &str) -> Key {
        Key {
            stored_as: self.kind.stored_as(),
            namespace: namespace.unwrap_or_default().to_owned(),
            name: name.to_owned(),
        }
    }

    fn found(&self, key: &Key) -> Result<Arc<Value>, Refusal> {
        let found = self.store.get(key);
        found.ok_or_else(|| Refusal::not_found(&self.kind.qualified(), &key.name))
    }

    fn invalid(&self, name: &str, why: &str) -> Refusal {
        let kind = match self.kind.group.as_str() {
            "" => self.kind.kind.clone(),
            group => format!("{}.{group}", self.kind.kind),
        };
        Refusal::invalid(&kind, name, why)
    }

    pub(super) fn create(
        &mut self,
        namespace: Option<&str>,
        object: Value,
    ) -> Result<Done, Refusal> {
        self.make(namespace, object, None)
    }

    /// `managed`: whose its fields are, where a book is kept.
    pub(super) fn make(
        &mut self,
        namespace: Option<&str>,
        mut object: Value,
        managed: Option<Value>,
    ) -> Result<Done, Refusal> {
        self.is_of_kind(&object)?;
        self.settle_namespace(namespace, &mut object)?;
        if meta(&object, "name").is_empty() {
            let prefix = meta(&object, "generateName").to_owned();
            if prefix.is_empty() {
                return Err(self.invalid(
                    "",
                    "metadata.name: Required value: name or generateName is required",
                ));
            }
            let name = format!("{prefix}{}", self.store.suffix());
            metadata(&mut object).insert("name".to_owned(), name.into());
        }
        let name = meta(&object, "name").to_owned();
        if !is_subdomain(&name) {
            return Err(self.invalid(&name, &format!("metadata.name: Invalid value: {name:?}")));
        }
        if !meta(&object, "resourceVersion").is_empty() {
            let why = "resourceVersion should not be set on objects to be created";
            return Err(Refusal::new(500, "", why));
        }
        let key = self.key(namespace, &name);
        if self.store.get(&key).is_some() {
            return Err(Refusal::exists(&self.kind.qualified(), &name));
        }
        if let Some(namespace) = namespace
            && self
                .store
                .all("namespaces", None)
                .all(|(key, _)| key.name != namespace)
        {
            return Err(Refusal::not_found("namespaces", namespace));
        }
        self.kind.to_stored(&mut object);
        self.kind.begin_request(&mut object, &self.who);
        let wrong = self.kind.wrong_with_event(&object, None);
        let wrong = wrong.or_else(|| self.kind.wrong_with_request(&object, None, Part::Main));
        if let Some(why) = wrong {
            return Err(self.invalid(&name, &why));
        }
        let uid = self.store.uid();
        let fields = metadata(&mut object);
        for key in [
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "managedFields",
            "selfLink",
        ] {
            fields.remove(key);
        }
        fields.insert("uid".to_owned(), uid.into());
        fields.insert("creationTimestamp".to_owned(), stamp(self.now));
        match self.kind.counts {
            true => fields.insert("generation".to_owned(), 1.into()),
            false => fields.remove("generation"),
        };
        // A Node brings its own status with it: its kubelet wrote both.
        if self.kind.status && !self.kind.is("Node") {
            map_of(&mut object).remove("status");
        }
        self.complete(&mut object);
        self.accept(&mut object, None)?;
        self.admit(Operation::Create, Part::Main, [&Value::Null, &object])?;
        if let Some(managed) = managed {
            metadata(&mut object).insert("managedFields".to_owned(), managed);
        }
        Ok(Done::Made(self.put(key, object)))
    }

    /// What the API server adds of itself.
    fn complete(&self, object: &mut Value) {
        if self.kind.is("Secret") {
            let texts = map_of(object).remove("stringData");
            for (key, text) in texts
                .as_ref()
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                let text = text.as_str().unwrap_or_default();
                object["data"][key] = json!(k8s_openapi::ByteString(text.as_bytes().to_vec()));
            }
            map_of(object)
                .entry("type")
                .or_insert_with(|| "Opaque".into());
        }
        if self.kind.is(POD) {
            if !object["spec"]["terminationGracePeriodSeconds"].is_u64() {
                object["spec"]["terminationGracePeriodSeconds"] = 30.into();
            }
            if let Some(priority) = self.priority(&object["spec"]["priorityClassName"]) {
                object["spec"]["priority"] = priority.into();
            }
            if !object["status"]["phase"].is_string() {
                object["status"]["phase"] = "Pending".into();
            }
        }
    }

    /// What a class of pods gives them; those of Kubernetes' own are always there. (The real server refuses a class that it does
    /// not know, and a priority without one.)
    fn priority(&self, class: &Value) -> Option<i64> {
        match class.as_str()? {
            "system-cluster-critical" => Some(2_000_000_000),
            "system-node-critical" => Some(2_000_001_000),
            name => {
                let mut classes = self.store.all("priorityclasses.scheduling.k8s.io", None);
                let (_, class) = classes.find(|(key, _)| key.name == name)?;
                class["value"].as_i64()
            }
        }
    }

    pub(super) fn is_of_kind(&self, object: &Value) -> Result<(), Refusal> {
        let is = |key: &str, wanted: &str| object[key].as_str().is_none_or(|is| is == wanted);
        let (version, kind) = (self.kind.api_version(), &self.kind.kind);
        let halves = ["metadata", "spec", "status", "data", "stringData"];
        if let Some(half) = halves
            .iter()
            .find(|half| !object[**half].is_null() && !object[**half].is_object())
        {
            return Err(Refusal::bad_request(format!(
                "json: cannot unmarshal into {kind}.{half}"
            )));
        }
        if object.is_object() && is("apiVersion", &version) && is("kind", kind) {
            return Ok(());
        }
        let why =
            format!("the object provided is unrecognized: it must be of {version}, kind {kind}");
        Err(Refusal::bad_request(why))
    }

    pub(super) fn settle_namespace(
        &self,
        namespace: Option<&str>,
        object: &mut Value,
    ) -> Result<(), Refusal> {
        let own = meta(object, "namespace");
        if !own.is_empty() && Some(own) != namespace {
            let why = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Refusal::bad_request(why));
        }
        if let Some(namespace) = namespace {
            metadata(object).insert("namespace".to_owned(), namespace.into());
        }
        Ok(())
    }

    pub(super) fn replace(
        &mut self,
        namespace: Option<&str>,
        name: &str,
        mut object: Value,
        part: Part,
    ) -> Result<Done, Refusal> {
        self.is_of_kind(&object)?;
        self.settle_namespace(namespace, &mut object)?;
        self.is_named(&object, name)?;
        let key = self.key(namespace, name);
        if self.kind.made_by_replacing && self.store.get(&key).is_none() {
            // One that says which it was is not to be made anew.
            let uid = meta(&object, "uid");
            if !uid.is_empty() {
                let why = format!(
                    "Precondition failed: UID in precondition: {uid}, UID in object meta: "
                );
                return Err(Refusal::conflict(&self.kind.qualified(), name, &why));
            }
            return self.create(namespace, object);
        }
        let before = self.found(&key)?;
        if meta(&object, "resourceVersion").is_empty() && !self.kind.unconditional {
            let why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
            return Err(self.invalid(name, why));
        }
        self.write(key, &before, object, part, None)
    }

    pub(super) fn is_named(&self, object: &Value, name: &str) -> Result<(), Refusal> {
        let own = meta(object, "name");
        if own == name {
            return Ok(());
        }
        let why =
            format!("the name of the object ({own}) does not match the name on the URL ({name})");
        Err(Refusal::bad_request(why))
    }

    pub(super) fn patch(
        &mut self,
        namespace: Option<&str>,
        name: &str,
        patch: impl FnOnce(&mut Value) -> Result<(), Refusal>,
        part: Part,
    ) -> Result<Done, Refusal> {
        let key = self.key(namespace, name);
        let before = self.found(&key)?;
        let mut object = self.kind.shown(&before).into_owned();
        patch(&mut object)?;
        if self.is_of_kind(&object).is_err() {
            let why = "apiVersion, kind: Invalid value: a patch cannot change them";
            return Err(self.invalid(name, why));
        }
        self.is_named(&object, name)?;
        self.write(key, &before, object, part, None)
    }

    /// Replaces `before` by `object`, as far as `part` goes. `managed`: whose its fields are then, if that is known already.
    pub(super) fn write(
        &mut self,
        key: Key,
        before: &Arc<Value>,
        mut object: Value,
        part: Part,
        managed: Option<Value>,
    ) -> Result<Done, Refusal> {
        let (plural, name) = (self.kind.qualified(), key.name.clone());
        let (uid, own) = (meta(&object, "uid"), meta(before, "uid"));
        if !uid.is_empty() && uid != own {
            let why = format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {own}"
            );
            return Err(Refusal::conflict(&plural, &name, &why));
        }
        let seen = meta(&object, "resourceVersion");
        if !seen.is_empty() && seen != meta(before, "resourceVersion") {
            return Err(Refusal::stale(&plural, &name));
        }
        self.kind.to_stored(&mut object);
        if let Some(why) = self.kind.wrong_with_event(&object, Some(before)) {
            return Err(self.invalid(&name, &why));
        }
        let mut after = self.merged(before, object, part);
        self.kind.keep_request(&mut after, before, part);
        if let Some(why) = self.kind.wrong_with_request(&after, Some(before), part) {
            return Err(self.invalid(&name, &why));
        }
        for field in [
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "resourceVersion",
        ] {
            match &before["metadata"][field] {
                Value::Null => metadata(&mut after).remove(field),
                value => metadata(&mut after).insert(field.to_owned(), value.clone()),
            };
        }
        if is_being_deleted(before) {
            let had = finalizers(before);
            if finalizers(&after)
                .iter()
                .any(|finalizer| !had.contains(finalizer))
            {
                let why = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted";
                return Err(self.invalid(&name, why));
            }
        }
        self.complete(&mut after);
        self.accept(&mut after, Some(before))?;
        self.admit(Operation::Update, part, [before, &after])?;
        match managed.or_else(|| self.book(before, &after)) {
            Some(managed) => metadata(&mut after).insert("managedFields".to_owned(), managed),
            None => metadata(&mut after).remove("managedFields"),
        };
        if after == **before {
            return Ok(Done::Is(before.clone()));
        }
        if self.kind.counts && !is_same_but_for_status(&after, before) {
            let generation = before["metadata"]["generation"]
                .as_u64()
                .unwrap_or_default()
                + 1;
            metadata(&mut after).insert("generation".to_owned(), generation.into());
        }
        let is_over = is_being_deleted(&after) && finalizers(&after).is_empty();
        if is_over
            && after["metadata"]["deletionGracePeriodSeconds"]
                .as_u64()
                .unwrap_or_default()
                == 0
        {
            // It waited for its last finalizer alone. What is told is what was written.
            if !self.dry {
                self.put(key.clone(), after.clone());
                self.store.remove(&key);
            }
            return Ok(Done::Is(Arc::new(after)));
        }
        Ok(Done::Is(self.put(key, after)))
    }

    fn merged(&self, before: &Value, mut object: Value, part: Part) -> Value {
        if !self.kind.status {
            return object;
        }
        let (mut base, other) = match part {
            Part::Main => (object, before),
            Part::Status | Part::Approval => {
                let mut base = before.clone();
                if !self.kind.is_custom() {
                    // Labels and annotations, too.
                    base["metadata"] = object["metadata"].take();
                }
                map_of(&mut base).remove("status");
                (base, &object)
            }
        };
        match &other["status"] {
            Value::Null => map_of(&mut base).remove("status"),
            status => map_of(&mut base).insert("status".to_owned(), status.clone()),
        };
        base
    }

    fn accept(&self, object: &mut Value, old: Option<&Value>) -> Result<(), Refusal> {
        let Some(schema) = &self.kind.schema else {
            return Ok(());
        };
        let name = meta(object, "name").to_owned();
        let unknown = schema
            .accept(object, old)
            .map_err(|why| self.invalid(&name, &why))?;
        if self.strict && !unknown.is_empty() {
            let why = format!(
                "strict decoding error: unknown field \"{}\"",
                unknown.join("\", \"")
            );
            return Err(Refusal::bad_request(why));
        }
        Ok(())
    }

    fn put(&mut self, key: Key, object: Value) -> Arc<Value> {
        match self.dry {
            true => Arc::new(object),
            false => self.store.put(key, object),
        }
    }
}

/// What a generation counts the changes of is the same.
fn is_same_but_for_status(one: &Value, other: &Value) -> bool {
    let counted = |object: &Value| {
        let fields = object.as_object().into_iter().flatten();
        fields
            .filter(|(key, _)| !["status", "metadata"].contains(&key.as_str()))
            .count()
    };
    let has = |(key, value): (&String, &Value)| {
        ["status", "metadata"].contains(&key.as_str()) || other.get(key) == Some(value)
    };
    counted(one) == counted(other) && one.as_object().into_iter().flatten().all(has)
}

fn is_subdomain(name: &str) -> bool {
    let is_end = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let is_label = |label: &str| {
        label.starts_with(is_end)
            && label.ends_with(is_end)
            && label.chars().all(|letter| is_end(letter) || letter == '-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}
