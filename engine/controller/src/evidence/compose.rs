//! The evidence as one ConfigMap: what goes into it, what is left out when it is too much, and what never is in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rectifier_core::policy::{Decision, Observation, PolicyRef};
use rectifier_core::repair::{Record, Request, Verdict};
use serde_json::{Value, json};

/// The most that the parts have together, in bytes: with names, owner and the like the object stays below 64 KiB.
const LIMIT: usize = 62 * 1024;
/// Kept free for the list of what is missing.
const LIST: usize = 2048;
/// The longest detail of one step, in characters: 64 steps stay far below the limit.
const DETAIL: usize = 160;

/// The part that says of which repair it is. It is written together with all others, and stands for the whole.
pub(super) const REPAIR: &str = "repair.json";
/// The observation, the policy and its decision, as `rectifier policy replay` takes them.
pub(super) const DECISION: &str = "decision.json";
const CONDITIONS: &str = "conditions.json";
const EVENTS: &str = "events.json";
const CONSOLE: &str = "console.log";

/// What a policy saw and said: all that is needed to ask it again.
pub(super) fn decision(
    verdict: &Verdict,
    observation: &Observation,
    settings: &str,
    policy: &PolicyRef,
    decision: &Decision,
) -> String {
    let mut kept = json!({
        "at": verdict.at, "policy": policy, "observation": observation, "decision": decision,
    });
    if let Ok(settings) = serde_json::from_str::<Value>(settings) {
        kept["settings"] = settings;
    }
    redact(&kept.to_string())
}

/// Is what was kept the decision that the repair follows?
fn is_of(kept: &str, verdict: &Verdict) -> bool {
    let kept: Value = serde_json::from_str(kept).unwrap_or(Value::Null);
    kept["at"] == json!(verdict.at) && kept["policy"]["digest"] == json!(verdict.digest)
}

/// What was collected; each part, or why there is none.
#[derive(Debug)]
pub(super) struct Parts {
    /// [`decision`], as it was kept.
    pub(super) decision: Option<String>,
    pub(super) conditions: Result<Value, String>,
    /// Newest first.
    pub(super) events: Result<Vec<Value>, String>,
    /// The last lines.
    pub(super) console: Result<String, String>,
}

/// If it is too much, the console is cut first (its oldest lines), then Events go (the oldest first), then the conditions,
/// then the decision. What is cut or absent is listed, and nothing that looks like a bootstrap token is in it.
pub(super) fn compose(
    request: &Request,
    record: &Record,
    parts: Parts,
    now: Timestamp,
) -> BTreeMap<String, String> {
    let bare = about(request, record, &[], now).len() + REPAIR.len();
    let mut kept = Kept {
        data: BTreeMap::new(),
        room: LIMIT.saturating_sub(LIST + bare),
        missing: Vec::new(),
    };
    match (parts.decision, &record.verdict) {
        (Some(decision), Some(verdict)) if is_of(&decision, verdict) => {
            kept.whole(DECISION, Ok(decision));
        }
        (Some(_), Some(_)) => kept.lacks(DECISION, "what was kept is another one"),
        (None, Some(_)) => kept.lacks(DECISION, "it was not kept"),
        (_, None) => kept.lacks(DECISION, "no policy was asked for this repair"),
    }
    let conditions = parts.conditions.map(|conditions| conditions.to_string());
    kept.whole(CONDITIONS, conditions);
    match parts.events {
        Ok(events) => kept.newest(EVENTS, &events),
        Err(why) => kept.lacks(EVENTS, &why),
    }
    match parts.console {
        Ok(console) => kept.tail(CONSOLE, &console),
        Err(why) => kept.lacks(CONSOLE, &why),
    }
    let missing = std::mem::take(&mut kept.missing);
    let about = about(request, record, &missing, now);
    kept.data.insert(REPAIR.to_owned(), about);
    kept.data
}

struct Kept {
    data: BTreeMap<String, String>,
    room: usize,
    missing: Vec<String>,
}

impl Kept {
    fn lacks(&mut self, key: &str, why: &str) {
        // six of them fit into the room that is kept for them
        let why: String = redact(why).chars().take(160).collect();
        self.missing.push(format!("{key}: {why}"));
    }

    fn put(&mut self, key: &str, text: String) {
        self.room = self.room.saturating_sub(key.len() + text.len());
        self.data.insert(key.to_owned(), text);
    }

    fn whole(&mut self, key: &str, text: Result<String, String>) {
        match text.map(|text| redact(&text)) {
            Ok(text) if key.len() + text.len() <= self.room => self.put(key, text),
            Ok(text) => self.lacks(key, &format!("its {} bytes are too many", text.len())),
            Err(why) => self.lacks(key, &why),
        }
    }

    /// A list of as many as there is room for.
    fn newest(&mut self, key: &str, all: &[Value]) {
        let mut free = self.room.saturating_sub(key.len() + 2);
        let mut fitting: Vec<String> = Vec::new();
        for one in all {
            let text = redact(&one.to_string());
            let Some(left) = free.checked_sub(text.len() + 2) else {
                break;
            };
            free = left;
            fitting.push(text);
        }
        if fitting.len() < all.len() {
            let cut = all.len() - fitting.len();
            self.lacks(key, &format!("no room for the {cut} oldest"));
        }
        self.put(key, format!("[{}]", fitting.join(",\n")));
    }

    /// The last lines for which there is room.
    fn tail(&mut self, key: &str, text: &str) {
        let text = redact(text);
        let most = self.room.saturating_sub(key.len());
        let mut from = text.len().saturating_sub(most);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        if from > 0 {
            from += text[from..].find('\n').map_or(0, |end| end + 1);
            self.lacks(key, &format!("no room for the first {from} bytes"));
        }
        self.put(key, text[from..].to_owned());
    }
}

/// What is missing in a ConfigMap with these data; `None` if it is not whole.
pub(super) fn missing(data: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let about: Value = serde_json::from_str(data.get(REPAIR)?).ok()?;
    serde_json::from_value(about.get("missing")?.clone()).ok()
}

fn about(request: &Request, record: &Record, missing: &[String], now: Timestamp) -> String {
    let steps = record.steps.iter().map(|step| {
        let detail: String = step.detail.chars().take(DETAIL).collect();
        json!({"phase": step.phase, "at": step.at, "reason": step.reason, "detail": detail})
    });
    let about = json!({
        "node": request.node, "nodeUid": request.node_uid, "problem": request.problem,
        "server": record.server_id, "verdict": record.verdict, "attempts": record.tried,
        "steps": steps.collect::<Vec<_>>(), "collectedAt": now, "missing": missing,
    });
    redact(&about.to_string())
}

/// Takes out what looks like a bootstrap token, `[a-z0-9]{6}\.[a-z0-9]{16}`: cloud-init prints what it runs.
fn redact(text: &str) -> String {
    let is_letter = |byte: &&u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    for (dot, _) in text.match_indices('.') {
        // the end of what was taken out last belongs to that
        let Some(before) = bytes.get(from..dot) else {
            continue;
        };
        let before = before.iter().rev().take_while(is_letter).count();
        let after = bytes[dot + 1..].iter().take_while(is_letter).count();
        if before < 6 || after < 16 {
            continue;
        }
        clean.push_str(&text[from..dot - 6]);
        clean.push_str("[redacted]");
        from = dot + 1 + after;
    }
    clean.push_str(&text[from..]);
    clean
}

#[cfg(test)]
mod tests {
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
            },
            asks: Asks::Escalate,
            deadline: None,
            withdrawn: false,
            accepted_grant: None,
            requested_by: RequestedBy::NodeEngine,
            retry: None,
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
}
