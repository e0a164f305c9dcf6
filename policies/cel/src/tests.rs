//! What stands in the way of a rule. What rules do is in `cases/`.

use serde_json::json;

use super::*;

fn checked(rules: serde_json::Value) -> Result<(), String> {
    let settings: Settings = serde_json::from_value(json!({"rules": rules})).unwrap();
    settings.check()
}

#[test]
fn a_wrong_expression_is_told_with_its_place() {
    for (when, words) in [
        ("problem.kind ==", "settings.rules[0].when: line 1, column"),
        (
            "true &&\n  problm.kind == \"a\"",
            "line 2, column 3: there is no problm; there are id",
        ),
        ("", "settings.rules[0].when"),
        (
            "conditions.exists(c, d.kind == 'a')",
            "line 1, column 22: there is no d;",
        ),
        (
            "conditions.exists(c, true) && c.kind == 'a'",
            "column 19: there is no c;",
        ),
        ("{'a': x}.a", "column 7: there is no x;"),
    ] {
        let why = checked(json!([{"when": when, "then": "reboot"}])).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn what_a_comprehension_names_is_known_within_it() {
    for when in [
        "conditions.exists(c, c.kind == 'a' && events.all(e, e.reason != c.kind))",
        "size(episode.attempts.filter(a, a.remedy == 'reboot')) < 2",
        "has(site.node) && site.node.units.exists_one(u, u.name == 'kubelet.service')",
    ] {
        assert_eq!(
            checked(json!([{"when": when, "then": "reboot"}])),
            Ok(()),
            "{when}"
        );
    }
}

#[test]
fn a_wrong_remedy_is_told_with_its_place() {
    for (then, words) in [
        (
            json!("rebot"),
            "settings.rules[1].then: unknown variant `rebot`",
        ),
        (
            json!({"unit": {"name": "kubelet", "verb": "restart"}}),
            "settings.rules[1].then.unit.name",
        ),
    ] {
        let rules = json!([{"when": "true", "then": "escalate"}, {"when": "true", "then": then}]);
        let why = checked(rules).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
    assert!(checked(json!([])).is_err());
}

#[test]
fn the_rules_that_ship_are_good() {
    let sidecar: serde_json::Value = serde_saphyr::from_str(include_str!("../cel.yaml")).unwrap();
    let settings: Settings = serde_json::from_value(sidecar["settings"].clone()).unwrap();
    assert_eq!(settings.check(), Ok(()));
}
