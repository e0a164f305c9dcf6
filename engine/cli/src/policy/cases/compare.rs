//! Whether a decision is the expected one. Only what was said is compared.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::policy::tree::{Node, Step};

/// The way to the first value that is not as it should be.
pub(super) fn differs(expected: &Node, actual: &Value) -> Option<Vec<Step>> {
    let Value::Object(said) = expected.value() else {
        return Some(Vec::new());
    };
    said.iter().find_map(|(key, value)| {
        let found = actual.get(key).unwrap_or(&Value::Null);
        let way = match (key.as_str(), value.as_str(), found.as_str()) {
            // Its exact words are the policy's own affair.
            ("reason", Some(part), Some(reason)) => (!reason.contains(part)).then(Vec::new),
            _ => below(value, found),
        }?;
        Some([vec![Step::Key(key.clone())], way].concat())
    })
}

fn below(expected: &Value, actual: &Value) -> Option<Vec<Step>> {
    match (expected, actual) {
        (Value::Object(said), Value::Object(found)) => said.iter().find_map(|(key, value)| {
            let way = below(value, found.get(key).unwrap_or(&Value::Null))?;
            Some([vec![Step::Key(key.clone())], way].concat())
        }),
        (Value::Array(said), Value::Array(found)) if said.len() == found.len() => said
            .iter()
            .zip(found)
            .enumerate()
            .find_map(|(at, (value, found))| {
                Some([vec![Step::Index(at)], below(value, found)?].concat())
            }),
        _ => (expected != actual).then(Vec::new),
    }
}

/// What was expected; for the rest, what there was.
pub(super) fn completed(expected: &Value, actual: &Value) -> Value {
    let (Value::Object(said), Value::Object(found)) = (expected, actual) else {
        return expected.clone();
    };
    let mut whole = found.clone();
    for (key, value) in said {
        let there = found.get(key).unwrap_or(&Value::Null);
        let value = match (key.as_str(), value.as_str(), there.as_str()) {
            ("reason", Some(part), Some(reason)) if reason.contains(part) => there.clone(),
            // Another remedy is another object, not one with two keys.
            ("remedy", _, _) if below(value, there).is_some() => value.clone(),
            _ => completed(value, there),
        };
        whole.insert(key.clone(), value);
    }
    Value::Object(whole)
}

/// Line by line: `-` what was expected, `+` what there is.
pub(crate) fn difference(expected: &Value, actual: &Value) -> String {
    let text = |value: &Value| serde_saphyr::to_string(value).unwrap_or_else(|_| value.to_string());
    let (expected, actual) = (text(expected), text(actual));
    let lines = TextDiff::from_lines(&expected, &actual);
    let mut shown = String::new();
    for change in lines.iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        shown.push_str(&format!("{sign} {}\n", change.value().trim_end()));
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::tree::{parse, path};

    fn compare(expected: &str) -> Option<String> {
        let decision = json!({
            "remedy": {"unit": {"name": "a.service", "verb": "restart"}},
            "reason": "it is failed: attempt 1 of 2", "settle": 30, "notes": {"seen": "x"},
        });
        let expected: Node = parse(expected).unwrap();
        differs(&expected, &decision).map(|way| path(&way))
    }

    #[test]
    fn only_what_was_said_is_compared() {
        for same in [
            "{}",
            "{settle: 30}",
            "{reason: attempt 1}",
            "{remedy: {unit: {verb: restart}}}",
        ] {
            assert_eq!(compare(same), None, "{same}");
        }
        for (other, at) in [
            ("{settle: 31}", "settle"),
            ("{reason: attempt 2}", "reason"),
            ("{remedy: escalate}", "remedy"),
            ("{remedy: {unit: {verb: start}}}", "remedy.unit.verb"),
            ("{remedy: {fix: {name: x}}}", "remedy.fix"),
            ("{notes: {other: x}}", "notes.other"),
        ] {
            assert_eq!(compare(other).as_deref(), Some(at), "{other}");
        }
    }

    #[test]
    fn a_difference_shows_what_was_expected_and_what_there_is() {
        let actual = json!({"reason": "sick", "remedy": {"unit": {"name": "a.service"}}});
        let expected = completed(&json!({"remedy": "escalate", "reason": "si"}), &actual);
        let shown = difference(&expected, &actual);
        assert!(
            shown.contains("  reason: sick\n") && shown.contains("- remedy: escalate\n"),
            "{shown}"
        );
        assert!(shown.contains("+ remedy:\n"), "{shown}");
    }
}
