//! Selectors: of labels, and of fields.

use serde_json::Value;

use super::kind::Kind;
use super::object::meta;

/// What a list or a watch is limited to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    labels: Vec<Requirement>,
    fields: Vec<(Vec<String>, bool, String)>,
}

/// One condition on a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Requirement {
    /// It is one of these.
    In(String, Vec<String>),
    /// It is absent, or none of these.
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Filter {
    /// # Errors
    /// What cannot be read, or is no field that this kind can be selected by.
    pub(super) fn parse(
        kind: &Kind,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Self, String> {
        let labels = labels.map_or(Ok(Vec::new()), parse_labels)?;
        let fields = parts(fields.unwrap_or_default())
            .into_iter()
            .map(|part| {
                let (path, wanted, value) = match part.split_once("!=") {
                    Some((path, value)) => (path, false, value),
                    None => {
                        let (path, value) = part.split_once('=').ok_or_else(|| {
                            format!("invalid selector: {part:?}; can't understand it")
                        })?;
                        (path, true, value.trim_start_matches('='))
                    }
                };
                if !kind.can_be_selected_by(path) {
                    return Err(format!("field label not supported: {path}"));
                }
                let path = kind.stored_field(path);
                let path = path.split('.').map(str::to_owned).collect();
                Ok((path, wanted, value.to_owned()))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { labels, fields })
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        let fields = self.fields.iter().all(|(path, wanted, value)| {
            let field = path.iter().fold(object, |field, key| &field[key]);
            let is_it = match field {
                Value::String(text) => text == value,
                Value::Null if path.last().is_some_and(|last| last == "unschedulable") => {
                    value == "false"
                }
                Value::Null => value.is_empty(),
                Value::Bool(is) => value.parse() == Ok(*is),
                // No such field can be selected by.
                Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
            };
            is_it == *wanted
        });
        fields && matches_labels(&self.labels, object)
    }
}

pub(super) fn matches_labels(requirements: &[Requirement], object: &Value) -> bool {
    let label = |key: &str| object["metadata"]["labels"][key].as_str();
    requirements.iter().all(|requirement| match requirement {
        Requirement::In(key, values) => {
            label(key).is_some_and(|is| values.iter().any(|value| value == is))
        }
        Requirement::NotIn(key, values) => {
            !label(key).is_some_and(|is| values.iter().any(|value| value == is))
        }
        Requirement::Exists(key) => label(key).is_some(),
        Requirement::Absent(key) => label(key).is_none(),
    })
}

/// At commas, but for those in parentheses.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0_usize, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[begin..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    let list = |text: &str| -> Option<Vec<String>> {
        let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(
            inner
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect(),
        )
    };
    let one = |part: &str| -> Option<Requirement> {
        let owned = |text: &str| text.trim().to_owned();
        if let Some((key, values)) = part.split_once(" notin ") {
            return Some(Requirement::NotIn(owned(key), list(values)?));
        }
        if let Some((key, values)) = part.split_once(" in ") {
            return Some(Requirement::In(owned(key), list(values)?));
        }
        if let Some((key, value)) = part.split_once("!=") {
            return Some(Requirement::NotIn(owned(key), vec![owned(value)]));
        }
        if let Some((key, value)) = part.split_once('=') {
            let value = value.trim_start_matches('=');
            return Some(Requirement::In(owned(key), vec![owned(value)]));
        }
        let is_word = |text: &str| !text.is_empty() && !text.contains([' ', '(', ')']);
        match part.strip_prefix('!') {
            Some(key) if is_word(key.trim()) => Some(Requirement::Absent(owned(key))),
            None if is_word(part) => Some(Requirement::Exists(owned(part))),
            Some(_) | None => None,
        }
    };
    let told = |part: &str| format!("unable to parse requirement: {part:?}");
    parts(text)
        .into_iter()
        .map(|part| one(part).ok_or_else(|| told(part)))
        .collect()
}

/// A `LabelSelector`, as a PodDisruptionBudget has it. One without requirements selects everything.
pub(super) fn of_selector(selector: &Value) -> Vec<Requirement> {
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        list.filter_map(|value| value.as_str().map(str::to_owned))
            .collect()
    };
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut all: Vec<Requirement> = labels
        .map(|(key, value)| {
            let value = value.as_str().unwrap_or_default().to_owned();
            Requirement::In(key.clone(), vec![value])
        })
        .collect();
    for expression in selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let key = expression["key"].as_str().unwrap_or_default().to_owned();
        let values = texts(&expression["values"]);
        all.push(match expression["operator"].as_str().unwrap_or_default() {
            "In" => Requirement::In(key, values),
            "NotIn" => Requirement::NotIn(key, values),
            "DoesNotExist" => Requirement::Absent(key),
            _ => Requirement::Exists(key),
        });
    }
    all
}

/// Who is of this namespace; all, if none is named.
pub(super) fn is_in(object: &Value, namespace: Option<&str>) -> bool {
    namespace.is_none_or(|namespace| meta(object, "namespace") == namespace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_of_labels() {
        let object = json!({"metadata": {"labels": {"a": "1", "b": ""}}});
        for (text, expected) in [
            ("a=1", true),
            ("a==1,b", true),
            ("a!=1", false),
            ("c!=1", true),
            ("a in (1, 2),!c", true),
            ("a notin (1)", false),
            ("c notin (1)", true),
            ("!a", false),
            ("", true),
        ] {
            let requirements = parse_labels(text).unwrap();
            assert_eq!(matches_labels(&requirements, &object), expected, "{text}");
        }
        assert!(parse_labels("a in 1").is_err());
    }
}
