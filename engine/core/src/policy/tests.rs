use super::*;

fn in_json(of: impl Serialize) -> serde_json::Value {
    serde_json::to_value(of).unwrap()
}

/// Dashboards and policies know them by one name.
#[test]
fn a_label_is_the_name_in_the_contract() {
    for site in [SiteKind::Node, SiteKind::ControlPlane] {
        assert_eq!(in_json(site), site.label());
    }
    for class in [
        FailureClass::Load,
        FailureClass::Compile,
        FailureClass::Link,
        FailureClass::Settings,
        FailureClass::Trap,
        FailureClass::Timeout,
        FailureClass::Oom,
        FailureClass::Stack,
        FailureClass::Exit,
        FailureClass::InvalidOutput,
        FailureClass::GuestError,
        FailureClass::BreakerOpen,
    ] {
        assert_eq!(in_json(class), class.label());
    }
    for remedy in [
        Remedy::Decline,
        Remedy::Reboot,
        Remedy::Escalate,
        Remedy::Replace,
    ] {
        assert_eq!(in_json(&remedy), remedy.label());
    }
    let wait = Remedy::Wait(60);
    assert_eq!(in_json(&wait)[wait.label()], 60);
}

#[test]
fn a_name_that_stands_twice_in_an_answer_is_refused() {
    let answer = |notes: &str| {
        let json = format!(r#"{{"remedy": "reboot", "reason": "x", "notes": {notes}}}"#);
        serde_json::from_str::<Decision>(&json).map(|decision| decision.notes)
    };
    let notes = answer(r#"{"a": "1", "b": "2"}"#).unwrap();
    assert_eq!((notes["a"].as_str(), notes["b"].as_str()), ("1", "2"));
    assert_eq!(notes.len(), 2);
    assert!(answer(r#"{"a": "1", "a": "1"}"#).is_err());
}
