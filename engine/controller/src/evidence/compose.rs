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
mod tests;
