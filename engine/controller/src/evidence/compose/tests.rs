use rectifier_core::repair::{Asks, Phase, Problem, RequestedBy, StepRecord};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn request() -> Request {
    Request {
        node: "worker-1".to_owned(),
        node_uid: "uid".to_owned(),
        problem: Problem {
            kind: "KernelDeadlock".to_owned(),
            reason: String::new(),
            message: String::new(),
            since: at(0),
            source: None,
        },
        asks: Asks::Escalate,
        deadline: None,
        withdrawn: false,
        accepted_grant: None,
        requested_by: RequestedBy::NodeEngine,
        retry: None,
        confirmed_dead: None,
        wants: None,
    }
}

fn record() -> Record {
    Record {
        verdict: Some(Verdict {
            policy: "p".to_owned(),
            digest: "sha256:1".to_owned(),
            remedy: "replace".to_owned(),
            reason: String::new(),
            at: at(7),
        }),
        ..Record::default()
    }
}

fn kept(second: i64, more: usize) -> Option<String> {
    let policy = json!({"name": "p", "digest": "sha256:1"});
    let decision = json!({"at": at(second), "policy": policy, "observation": "x".repeat(more)});
    Some(decision.to_string())
}

fn parts() -> Parts {
    Parts {
        decision: kept(7, 0),
        conditions: Ok(json!([{"type": "KernelDeadlock"}])),
        events: Ok(vec![json!({"reason": "new"}), json!({"reason": "old"})]),
        console: Ok("first line\nlast line\n".to_owned()),
    }
}

fn size(data: &BTreeMap<String, String>) -> usize {
    data.iter().map(|(key, text)| key.len() + text.len()).sum()
}

#[test]
fn what_was_collected_is_there_and_nothing_is_missing() {
    let data = compose(&request(), &record(), parts(), at(9));
    assert_eq!(missing(&data), Some(Vec::new()));
    assert_eq!(data.get(CONSOLE).unwrap(), "first line\nlast line\n");
    let events: Value = serde_json::from_str(&data[EVENTS]).unwrap();
    assert_eq!(events[0]["reason"], "new");
    assert_eq!(Some(&data[DECISION]), kept(7, 0).as_ref());
}

#[test]
fn half_of_it_is_not_taken_for_the_whole() {
    let mut data = compose(&request(), &record(), parts(), at(9));
    data.remove(REPAIR);
    assert_eq!(
        missing(&data),
        None,
        "a decision alone is kept from the verdict on"
    );
}

#[test]
fn the_console_is_cut_first_and_then_the_oldest_events() {
    let line = format!("{}\n", "c".repeat(99));
    let big = Parts {
        console: Ok(format!("{}the last line\n", line.repeat(1000))),
        ..parts()
    };
    let data = compose(&request(), &record(), big, at(9));
    assert!(size(&data) <= LIMIT, "{}", size(&data));
    assert!(size(&data) > LIMIT - 2 * LIST, "{}", size(&data));
    let console = &data[CONSOLE];
    assert!(console.ends_with("the last line\n") && console.starts_with("ccc"));
    assert_eq!(
        console.lines().next().map(str::len),
        Some(99),
        "whole lines"
    );
    assert!(missing(&data).unwrap()[0].starts_with("console.log: no room"));

    let event = |n: usize| json!({"n": n, "message": "e".repeat(1000)});
    let big = Parts {
        events: Ok((0..100).map(event).collect()),
        ..parts()
    };
    let data = compose(&request(), &record(), big, at(9));
    assert!(size(&data) <= LIMIT, "{}", size(&data));
    let events: Vec<Value> = serde_json::from_str(&data[EVENTS]).unwrap();
    assert_eq!(
        (events[0]["n"].clone(), events.len() > 40),
        (json!(0), true)
    );
    let missing = missing(&data).unwrap();
    assert!(
        missing[0].starts_with("events.json: no room for the "),
        "{missing:?}"
    );
    assert!(data.contains_key(CONDITIONS) && data.contains_key(DECISION));
}

#[test]
fn whatever_is_collected_stays_below_the_limit() {
    let step = StepRecord {
        phase: Phase::Judging,
        at: at(0),
        reason: rectifier_core::reason::Reason::Overdue,
        detail: "ü\"".repeat(5000),
    };
    let full = Record {
        steps: vec![step; 64],
        ..record()
    };
    let big = Parts {
        decision: kept(7, LIMIT),
        conditions: Err("x".repeat(9000)),
        events: Ok(vec![json!("e".repeat(LIMIT)); 3]),
        console: Ok("ß".repeat(LIMIT)),
    };
    let data = compose(&request(), &full, big, at(9));
    assert!(size(&data) <= LIMIT, "{}", size(&data));
    let missing = missing(&data).unwrap();
    let of = |key: &str| missing.iter().any(|one| one.starts_with(key));
    assert!(
        of(DECISION) && of(CONDITIONS) && of(EVENTS) && of(CONSOLE),
        "{missing:?}"
    );
}

#[test]
fn the_decision_of_another_verdict_is_not_shown_as_this_ones() {
    let other = Parts {
        decision: kept(8, 0),
        ..parts()
    };
    let data = compose(&request(), &record(), other, at(9));
    assert_eq!(
        missing(&data).unwrap(),
        ["decision.json: what was kept is another one"]
    );
    assert!(!data.contains_key(DECISION));
    let none = Parts {
        decision: None,
        ..parts()
    };
    let data = compose(&request(), &Record::default(), none, at(9));
    assert_eq!(
        missing(&data).unwrap(),
        ["decision.json: no policy was asked for this repair"]
    );
}

#[test]
fn nothing_that_looks_like_a_bootstrap_token_is_kept_wherever_it_stands() {
    let token = "abc123.0123456789abcdef";
    for (text, clean) in [
        (token.to_owned(), "[redacted]"),
        (format!("--token={token} x"), "--token=[redacted] x"),
        (format!("xy{token}.{token}"), "xy[redacted].[redacted]"),
        (
            "v1.2.3 1767225600.123456 host.example.com".to_owned(),
            "v1.2.3 1767225600.123456 host.example.com",
        ),
        (
            "ABC123.0123456789ABCDEF".to_owned(),
            "ABC123.0123456789ABCDEF",
        ),
        (
            "…abc12.0123456789abcdef".to_owned(),
            "…abc12.0123456789abcdef",
        ),
    ] {
        assert_eq!(redact(&text), clean, "{text}");
    }
    let leaky = Parts {
        decision: kept(7, 0).map(|kept| kept.replace("\"\"", &format!("\"{token}\""))),
        conditions: Ok(json!([{"message": token}])),
        events: Ok(vec![json!({"message": token})]),
        console: Ok(format!("kubeadm join --token {token}\n")),
    };
    let mut leaking = record();
    leaking.server_id = Some(token.to_owned());
    let data = compose(&request(), &leaking, leaky, at(9));
    assert!(
        data.values().all(|part| !part.contains("0123456789abcdef")),
        "{data:?}"
    );
    assert_eq!(data.len(), 5);
}
