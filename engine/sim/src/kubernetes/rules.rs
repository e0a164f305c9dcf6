//! The CEL rules of our CRDs, each as one function. A rule that is not here is refused when its CRD is installed, so that none
//! is forgotten; that each says the same as the real server's is what the conformance suite compares.

use jiff::Timestamp;
use serde_json::Value;

/// `self` and `oldSelf` (`Null`, if there is none), that must be so.
pub(super) type Rule = fn(new: &Value, old: &Value) -> bool;

/// A CRD has a CEL rule for which there is no function here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the world has no function for the CEL rule {0:?}: add one to kubernetes/rules.rs")]
pub struct UnknownRule(pub String);

const RULES: [(&str, Rule); 7] = [
    (
        "self.nodeName == oldSelf.nodeName && self.nodeUid == oldSelf.nodeUid && self.requestedBy == oldSelf.requestedBy",
        |new, old| {
            let fields = ["nodeName", "nodeUid", "requestedBy"];
            fields.iter().all(|field| new[field] == old[field])
        },
    ),
    (
        "self.problem == oldSelf.problem || (self.requestedBy == 'NodeEngine' && oldSelf.asks == 'InNode' && self.asks != 'InNode')",
        |new, old| {
            let asks_more = old["asks"] == "InNode" && new["asks"] != "InNode";
            let of_engine = new["requestedBy"] == "NodeEngine";
            new["problem"] == old["problem"] || of_engine && asks_more
        },
    ),
    (
        "has(self.wants) == has(oldSelf.wants) && (!has(self.wants) || self.wants == oldSelf.wants) && has(self.by) == \
         has(oldSelf.by) && (!has(self.by) || self.by == oldSelf.by)",
        |new, old| {
            let fields = ["wants", "by"];
            fields.iter().all(|field| new[field] == old[field])
        },
    ),
    (
        "!has(self.wants) || (self.requestedBy == 'Operator' && self.asks == 'Escalate')",
        |new, _| {
            let is_persons = new["requestedBy"] == "Operator" && new["asks"] == "Escalate";
            new["wants"].is_null() || is_persons
        },
    ),
    (
        "self.asks == oldSelf.asks || self.asks == 'Escalate' || (self.asks == 'Reboot' && oldSelf.asks == 'InNode')",
        |new, old| {
            let (new, old) = (&new["asks"], &old["asks"]);
            new == old || new == "Escalate" || (new == "Reboot" && old == "InNode")
        },
    ),
    (
        "!has(oldSelf.deadline) || (has(self.deadline) && self.deadline >= oldSelf.deadline)",
        |new, old| {
            let of = |value: &Value| value["deadline"].as_str()?.parse::<Timestamp>().ok();
            of(old).is_none_or(|old| of(new).is_some_and(|new| new >= old))
        },
    ),
    ("self.withdrawn || !oldSelf.withdrawn", |new, old| {
        new["withdrawn"] == true || old["withdrawn"] != true
    }),
];

/// The function of a rule.
pub(super) fn rule(text: &str) -> Result<Rule, UnknownRule> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = words(text);
    let found = RULES.iter().find(|(known, _)| words(known) == wanted);
    found.map(|(_, rule)| *rule).ok_or(UnknownRule(wanted))
}
