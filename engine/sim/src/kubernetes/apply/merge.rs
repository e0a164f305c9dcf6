//! What two versions of an object differ in, and what becomes of them together: structured-merge-diff's rules.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::fields::{Fields, Path, Step, told};
use super::shape::{How, Shape, key_by_default};

/// What a version of an object has other than the one before.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) added: Fields,
    pub(super) changed: Fields,
    pub(super) removed: Fields,
}

/// The fields that an object says something of.
///
/// # Errors
/// Two items of a list have the same key.
pub(super) fn fields_of(object: &Value, shape: Shape<'_>) -> Result<Fields, String> {
    let mut fields = Fields::default();
    collect(object, shape, &mut Vec::new(), &mut fields)?;
    Ok(fields)
}

fn collect(
    value: &Value,
    shape: Shape<'_>,
    path: &mut Path,
    into: &mut Fields,
) -> Result<(), String> {
    match (shape.how(value), value) {
        (How::Fields, Value::Object(fields)) => {
            for (name, value) in fields {
                path.push(Step::field(name));
                collect(value, shape.field(name), path, into)?;
                let is_empty = value.as_object().is_some_and(Map::is_empty);
                if value.is_null() || is_empty || !shape.names(name) {
                    into.insert(path.clone());
                }
                path.pop();
            }
        }
        (how @ (How::Keyed(_) | How::Set), Value::Array(items)) => {
            let mut seen = BTreeSet::new();
            for item in items {
                let step = step_to(item, &how);
                path.push(step.clone());
                if !seen.insert(step.clone()) {
                    let list = told(&path[..path.len() - 1].to_vec());
                    let key = told(&vec![step]);
                    return Err(format!("{list}: duplicate entries for key {key}"));
                }
                collect(item, shape.item(), path, into)?;
                into.insert(path.clone());
                path.pop();
            }
        }
        _ => {
            into.insert(path.clone());
        }
    }
    Ok(())
}

/// How an item of a list is named.
fn step_to(item: &Value, how: &How<'_>) -> Step {
    let How::Keyed(keys) = how else {
        return Step::Item(item.to_string());
    };
    let mut keys: Vec<&str> = keys.clone();
    keys.sort_unstable();
    let key = |key: &str| {
        let is = item.get(key).cloned();
        format!("{key:?}:{}", is.unwrap_or_else(|| key_by_default(key)))
    };
    let keys: Vec<String> = keys.into_iter().map(key).collect();
    Step::Key(format!("{{{}}}", keys.join(",")))
}

/// What changed from one to the other.
pub(super) fn compare(old: &Value, new: &Value, shape: Shape<'_>) -> Changes {
    let mut changes = Changes::default();
    let mut path = Vec::new();
    compare_below(Some(old), Some(new), shape, &mut path, &mut changes);
    changes
}

fn compare_below(
    old: Option<&Value>,
    new: Option<&Value>,
    shape: Shape<'_>,
    path: &mut Path,
    into: &mut Changes,
) {
    let there = |value: Option<&Value>| value.filter(|value| !value.is_null()).is_some();
    if old == new || (!there(old) && !there(new)) {
        return;
    }
    let how = |value: &Value| shape.how(value);
    let (how_old, how_new) = (old.map(how), new.map(how));
    let is_empty = |value: Option<&Value>| match value {
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(value) => value.is_null(),
        None => true,
    };
    // Where both hold nothing, what is compared is which kind of nothing.
    let is_leaf = (is_empty(old) && is_empty(new))
        || [&how_old, &how_new].contains(&&Some(How::Whole))
        || (how_old.is_some() && how_new.is_some() && how_old != how_new);
    if !is_leaf {
        match how_new.or(how_old) {
            Some(How::Fields) => {
                let names = |value: Option<&Value>| -> Vec<String> {
                    let fields = value.and_then(Value::as_object);
                    fields
                        .into_iter()
                        .flatten()
                        .map(|(k, _)| k.clone())
                        .collect()
                };
                let names: BTreeSet<String> = names(old).into_iter().chain(names(new)).collect();
                for name in names {
                    let field =
                        |value: Option<&'_ Value>| value.and_then(|v| v.get(&name)).cloned();
                    let (old, new) = (field(old), field(new));
                    path.push(Step::field(&name));
                    compare_below(old.as_ref(), new.as_ref(), shape.field(&name), path, into);
                    path.pop();
                }
            }
            Some(how) => {
                let (old, new) = (items(old, &how), items(new, &how));
                let steps: BTreeSet<&Step> = old.iter().chain(&new).map(|(step, _)| step).collect();
                for step in steps {
                    let (old, new) = (find(&old, step), find(&new, step));
                    path.push(step.clone());
                    compare_below(old, new, shape.item(), path, into);
                    path.pop();
                }
            }
            None => {}
        }
    }
    match (there(old), there(new)) {
        (false, _) => drop(into.added.insert(path.clone())),
        (_, false) => drop(into.removed.insert(path.clone())),
        (true, true) if is_leaf => drop(into.changed.insert(path.clone())),
        (true, true) => {}
    }
}

/// The items of a list, by how they are named.
fn items<'a>(list: Option<&'a Value>, how: &How<'_>) -> Vec<(Step, &'a Value)> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.map(|item| (step_to(item, how), item)).collect()
}

fn find<'a>(items: &[(Step, &'a Value)], step: &Step) -> Option<&'a Value> {
    let found = items.iter().find(|(known, _)| known == step);
    found.map(|(_, item)| *item)
}

/// `old`, and `new` over it.
pub(super) fn merge(old: &Value, new: &Value, shape: Shape<'_>) -> Value {
    let how = shape.how(new);
    if shape.how(old) != how {
        return new.clone();
    }
    match (how, old, new) {
        (How::Fields, Value::Object(old), Value::Object(new)) => {
            let mut merged = old.clone();
            for (name, value) in new {
                let value = match old.get(name) {
                    Some(old) => merge(old, value, shape.field(name)),
                    None => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (how @ (How::Keyed(_) | How::Set), _, _) => {
            merge_lists(&items(Some(old), &how), &items(Some(new), &how), shape)
        }
        _ => new.clone(),
    }
}

/// The new one's items come in its order, the old one's others where they stood between those.
fn merge_lists(old: &[(Step, &Value)], new: &[(Step, &Value)], shape: Shape<'_>) -> Value {
    let mut shared = new
        .iter()
        .map(|(step, _)| step)
        .filter(|step| find(old, step).is_some())
        .peekable();
    let (mut olds, mut news) = (old.iter().peekable(), new.iter().peekable());
    let mut merged = Vec::new();
    loop {
        match (olds.peek(), news.peek()) {
            (None, None) => return Value::Array(merged),
            (Some((step, _)), Some((other, _))) if step == other => {
                olds.next();
            }
            (Some((step, value)), rest) => {
                let is_new = find(new, step).is_some();
                if !is_new {
                    merged.push((*value).clone());
                }
                // Another's turn comes first, or it was put where the new list has it.
                if !is_new || rest.is_none() || shared.peek() != Some(&step) {
                    olds.next();
                    continue;
                }
            }
            (None, Some(_)) => {}
        }
        if let Some((step, value)) = news.next() {
            merged.push(match find(old, step) {
                Some(old) => merge(old, value, shape.item()),
                None => (*value).clone(),
            });
            shared.next_if(|next| *next == step);
        }
    }
}

/// What is left without these. What holds nothing any more goes, too.
pub(super) fn without(object: &Value, gone: &Fields, shape: Shape<'_>) -> Value {
    cut(object, gone, shape, &mut Vec::new()).unwrap_or_default()
}

fn cut(value: &Value, gone: &Fields, shape: Shape<'_>, path: &mut Path) -> Option<Value> {
    if gone.has(path) {
        return None;
    }
    if !gone.has_below(path) {
        return Some(value.clone());
    }
    match (shape.how(value), value) {
        (How::Fields, Value::Object(fields)) => {
            let mut left = Map::new();
            for (name, value) in fields {
                path.push(Step::field(name));
                if let Some(value) = cut(value, gone, shape.field(name), path) {
                    left.insert(name.clone(), value);
                }
                path.pop();
            }
            (!left.is_empty()).then_some(Value::Object(left))
        }
        (how @ (How::Keyed(_) | How::Set), Value::Array(_)) => {
            let mut left = Vec::new();
            for (step, item) in items(Some(value), &how) {
                path.push(step);
                left.extend(cut(item, gone, shape.item(), path));
                path.pop();
            }
            (!left.is_empty()).then_some(Value::Array(left))
        }
        _ => Some(value.clone()),
    }
}

/// These, and the named fields that lie above them.
pub(super) fn with_named(fields: &Fields, shape: Shape<'_>) -> Fields {
    let mut all = fields.clone();
    for path in fields.iter() {
        let mut shape = shape;
        for (at, step) in path.iter().enumerate().take(path.len().saturating_sub(1)) {
            shape = match step {
                Step::Field(name) => {
                    if shape.names(name) {
                        all.insert(path[..=at].to_vec());
                    }
                    shape.field(name)
                }
                Step::Key(_) | Step::Item(_) => shape.item(),
            };
        }
    }
    all
}
