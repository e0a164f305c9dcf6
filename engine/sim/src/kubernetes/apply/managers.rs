//! Who says what of an object: its `managedFields`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::answer::Refusal;
use super::super::kind::Kind;
use super::super::verb::Part;
use super::fields::{Fields, Path, Step, told};
use super::merge::{Changes, compare, fields_of};
use super::shape::Shape;

/// How an object was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Operation {
    /// By an apply: what it says, and says no more, is his who wrote it.
    Apply,
    /// By any other write: what it changed.
    Update,
}

/// Whoever writes, as far as fields are managed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Writer {
    pub(in super::super) operation: Operation,
    pub(in super::super) manager: String,
    /// Empty, `status` or `approval`.
    pub(in super::super) subresource: &'static str,
}

impl Writer {
    pub(in super::super) fn new(operation: Operation, manager: &str, part: Part) -> Self {
        Self {
            operation,
            manager: manager.to_owned(),
            subresource: part.name(),
        }
    }

    fn told(&self, version: &str) -> String {
        let mut told = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            told = format!("{told} with subresource {:?}", self.subresource);
        }
        match self.operation {
            Operation::Apply => told,
            Operation::Update => format!("{told} using {version}"),
        }
    }
}

/// What one of them manages, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Own {
    fields: Fields,
    time: Value,
}

/// All of an object's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Managers(BTreeMap<Arc<Writer>, Own>);

impl Managers {
    pub(super) fn of(object: &Value) -> Self {
        let entries = object["metadata"]["managedFields"].as_array();
        let read = |entry: &Value| {
            let writer = Writer {
                operation: match entry["operation"].as_str()? {
                    "Apply" => Operation::Apply,
                    _ => Operation::Update,
                },
                manager: entry["manager"].as_str()?.to_owned(),
                subresource: match entry["subresource"].as_str() {
                    Some("status") => "status",
                    Some("approval") => "approval",
                    Some(_) | None => "",
                },
            };
            let fields = Fields::of_v1(&entry["fieldsV1"]);
            let time = entry["time"].clone();
            Some((Arc::new(writer), Own { fields, time }))
        };
        let entries = entries.into_iter().flatten();
        Self(entries.filter_map(read).collect())
    }

    /// As the object carries them.
    pub(super) fn to_value(&self, kind: &Kind) -> Value {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(writer, own)| {
            let time = own.time.as_str().unwrap_or_default();
            (writer.operation, time, &writer.manager, writer.subresource)
        });
        let entries = all.into_iter().map(|(writer, own)| {
            let mut entry = json!({
                "manager": writer.manager, "operation": format!("{:?}", writer.operation),
                "apiVersion": kind.api_version(), "time": own.time, "fieldsType": "FieldsV1",
                "fieldsV1": own.fields.to_v1(),
            });
            if !writer.subresource.is_empty() {
                entry["subresource"] = writer.subresource.into();
            }
            entry
        });
        entries.collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn fields_of(&self, writer: &Writer) -> Fields {
        let own = self.0.get(writer);
        own.map_or_else(Fields::default, |own| own.fields.clone())
    }

    /// What anybody manages.
    pub(super) fn all(&self) -> Fields {
        let all = self.0.values();
        all.fold(Fields::default(), |all, own| all.or(&own.fields))
    }

    pub(super) fn set(&mut self, writer: &Arc<Writer>, fields: Fields, time: &Value) {
        match self.0.get_mut(writer) {
            _ if fields.is_empty() => drop(self.0.remove(writer)),
            Some(own) if own.fields == fields => {}
            Some(_) | None => {
                let time = time.clone();
                self.0.insert(writer.clone(), Own { fields, time });
            }
        }
    }

    /// Somebody else has written these: they are no longer anybody's of before.
    pub(super) fn overwrite(&mut self, by: &Writer, changes: &Changes) {
        let gone = changes.changed.or(&changes.added).or(&changes.removed);
        for (writer, own) in &mut self.0 {
            if **writer != *by {
                own.fields = own.fields.but(&gone);
            }
        }
        self.0.retain(|_, own| !own.fields.is_empty());
    }

    /// Takes in a write that is no apply.
    pub(super) fn update(
        &mut self,
        by: &Arc<Writer>,
        [before, after]: [&Value; 2],
        kind: &Kind,
        time: &Value,
    ) {
        let changes = changes([before, after], kind, by);
        self.overwrite(by, &changes);
        let own = self.fields_of(by).but(&changes.removed);
        self.set(by, own.or(&changes.changed).or(&changes.added), time);
    }

    /// Whose fields an apply would change.
    pub(super) fn conflicts(&self, by: &Writer, changes: &Changes, kind: &Kind) -> Option<Refusal> {
        let touched = changes.changed.or(&changes.added);
        let mut causes = Vec::new();
        let mut lines = Vec::new();
        for (writer, own) in &self.0 {
            let theirs = own.fields.and(&touched);
            if **writer == *by || theirs.is_empty() {
                continue;
            }
            let who = writer.told(&kind.api_version());
            lines.push(format!("conflicts with {who}:"));
            for field in theirs.iter().map(told) {
                causes.push(json!({
                    "reason": "FieldManagerConflict", "message": format!("conflict with {who}"), "field": field,
                }));
                lines.push(format!("- {field}"));
            }
        }
        let why = match causes.as_slice() {
            [] => return None,
            [only] => {
                let text = |key: &str| only[key].as_str().unwrap_or_default().to_owned();
                format!("1 conflict: {}: {}", text("message"), text("field"))
            }
            all => format!("{} conflicts: {}", all.len(), lines.join("\n")),
        };
        let mut refusal = Refusal::new(409, "Conflict", format!("Apply failed with {why}"));
        refusal.details = json!({"causes": causes});
        Some(refusal)
    }
}

/// What a write changes, as far as it can be anybody's.
pub(super) fn changes([before, after]: [&Value; 2], kind: &Kind, by: &Writer) -> Changes {
    let mut changes = compare(before, after, Shape::of(kind));
    for fields in [
        &mut changes.added,
        &mut changes.changed,
        &mut changes.removed,
    ] {
        fields.keep(|path| is_manageable(path, kind, by));
    }
    changes
}

/// What an object says, as far as it can be the writer's.
///
/// # Errors
/// Two items of a list have the same key.
pub(super) fn says(object: &Value, kind: &Kind, by: &Writer) -> Result<Fields, String> {
    let mut fields = fields_of(object, Shape::of(kind))?;
    fields.keep(|path| is_manageable(path, kind, by));
    Ok(fields)
}

/// Neither what the API server itself keeps, nor the half that this way of writing does not reach.
fn is_manageable(path: &Path, kind: &Kind, by: &Writer) -> bool {
    const KEPT: [&str; 11] = [
        "name",
        "generateName",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
    ];
    let name = |at: usize| match path.get(at) {
        Some(Step::Field(name)) => name.as_str(),
        Some(Step::Key(_) | Step::Item(_)) | None => "",
    };
    let is_reached = match (by.subresource, name(0)) {
        ("", "status") => !kind.status,
        ("status", "spec") => false,
        ("status", half) if kind.is_custom() => half == "status",
        _ => true,
    };
    let is_kept = match name(0) {
        "" | "apiVersion" | "kind" => true,
        "metadata" => path.len() == 1 || KEPT.contains(&name(1)),
        _ => false,
    };
    is_reached && !is_kept
}
