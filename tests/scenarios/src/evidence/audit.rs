//! The API server's audit log: who asked for what, of which object, and when.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::Timestamp;
use rectifier_bed::kubernetes::Record;
use serde_json::Value;

use super::{CONTROLLER, Mark, NPD, kubelet};
use crate::wait::text;
use crate::world::World;
use crate::{claim, unmet};

/// A kind of write. An empty name is any name.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// By whom.
    pub user: &'a str,
    /// `create`, `patch`, …
    pub verb: &'a str,
    /// `nodes`, or `nodes/status`.
    pub resource: &'a str,
    /// Of the object.
    pub name: &'a str,
}

/// NPD's report of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// When NPD found it so, by its own word, in whole seconds. On the node NPD is asked directly: what it found may be
    /// acted upon before it has told the API server.
    pub found: Timestamp,
    /// When the API server was told.
    pub told: Timestamp,
}

impl Sought<'_> {
    fn is(&self, record: &Record) -> bool {
        record.user == self.user
            && record.verb == self.verb
            && path(record) == self.resource
            && (self.name.is_empty() || record.object.name == self.name)
    }
}

fn path(record: &Record) -> String {
    match record.object.subresource.as_str() {
        "" => record.object.resource.clone(),
        sub => format!("{}/{sub}", record.object.resource),
    }
}

fn is_write(record: &Record) -> bool {
    !["get", "list", "watch"].contains(&record.verb.as_str())
}

impl World {
    /// All that was asked since the mark, whatever the answer, oldest first.
    fn asked(&self, since: &Mark) -> Result<Vec<Record>> {
        let mut records = self.kubernetes.audit().records()?;
        records.retain(|record| record.received >= since.at);
        records.sort_by_key(|record| record.received);
        Ok(records)
    }

    /// The successful writes of `user` since the mark, oldest first.
    ///
    /// # Errors
    /// If the audit log cannot be read.
    pub fn writes(&self, since: &Mark, user: &str) -> Result<Vec<Record>> {
        let mut records = self.asked(since)?;
        records.retain(|record| record.user == user && record.code < 300 && is_write(record));
        Ok(records)
    }

    /// When the first such write was made whose body is as `wanted`.
    ///
    /// # Errors
    /// If there was none, or the audit log cannot be read.
    pub fn first_that(
        &self,
        since: &Mark,
        sought: Sought<'_>,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Timestamp> {
        let writes = self.writes(since, sought.user)?;
        let found = writes
            .iter()
            .find(|record| sought.is(record) && wanted(&record.body));
        match found {
            Some(record) => Ok(record.received),
            None => Err(unmet!("the audit log has no such write: {sought:?}")),
        }
    }

    /// When the first write of this kind was made.
    ///
    /// # Errors
    /// As [`World::first_that`].
    pub fn first(
        &self,
        since: &Mark,
        user: &str,
        verb: &str,
        resource: &str,
        name: &str,
    ) -> Result<Timestamp> {
        let sought = Sought {
            user,
            verb,
            resource,
            name,
        };
        self.first_that(since, sought, |_| true)
    }

    /// No write of this kind was made.
    ///
    /// # Errors
    /// If one was, or the audit log cannot be read.
    pub fn none(&self, since: &Mark, sought: Sought<'_>) -> Result<()> {
        let writes = self.writes(since, sought.user)?;
        let found = writes.iter().find(|record| sought.is(record));
        claim!(
            found.is_none(),
            "the audit log has such a write, at {:?}: {sought:?}",
            found.map(|record| record.received)
        );
        Ok(())
    }

    /// NPD's first report, after that moment, that the node's condition has that status.
    ///
    /// # Errors
    /// If there was none, or the audit log cannot be read.
    pub fn reported(
        &self,
        since: &Mark,
        after: Timestamp,
        node: &str,
        (kind, status): (&str, &str),
    ) -> Result<Report> {
        let reports = self.writes(since, NPD)?.into_iter().filter(|record| {
            record.received >= after && path(record) == "nodes/status" && record.object.name == node
        });
        for record in reports {
            if let Some(condition) = condition(&record.body, kind, status) {
                return Ok(Report {
                    found: text(condition, "/lastTransitionTime").parse()?,
                    told: record.received,
                });
            }
        }
        Err(unmet!("NPD did not report {kind}={status} on {node}"))
    }

    /// When the node was registered, by its own kubelet; with that taint.
    ///
    /// # Errors
    /// If it was not, or without it, or the audit log cannot be read.
    pub fn registered_with(&self, since: &Mark, node: &str, taint: &str) -> Result<Timestamp> {
        let own = kubelet(node);
        let sought = Sought {
            user: &own,
            verb: "create",
            resource: "nodes",
            name: "",
        };
        self.first_that(since, sought, |body| {
            text(body, "/metadata/name") == node
                && list(body, "/spec/taints")
                    .iter()
                    .any(|one| text(one, "/key") == taint && text(one, "/effect") == "NoSchedule")
        })
    }

    /// When the node's kubelet first said that it is Ready.
    ///
    /// # Errors
    /// If it did not, or the audit log cannot be read.
    pub fn ready_since(&self, since: &Mark, node: &str) -> Result<Timestamp> {
        let writes = self.writes(since, &kubelet(node))?;
        let found = writes.iter().find(|record| {
            record.object.resource == "nodes" && condition(&record.body, "Ready", "True").is_some()
        });
        match found {
            Some(record) => Ok(record.received),
            None => Err(unmet!("the kubelet of {node} never said that it is Ready")),
        }
    }

    /// When the node's kubelet first told of another boot than that one.
    ///
    /// # Errors
    /// If it did not, or the audit log cannot be read.
    pub fn booted_again(&self, since: &Mark, node: &str, boot: &str) -> Result<Timestamp> {
        let writes = self.writes(since, &kubelet(node))?;
        let found = writes.iter().find(|record| {
            let told = text(&record.body, "/status/nodeInfo/bootID");
            !told.is_empty() && told != boot
        });
        match found {
            Some(record) => Ok(record.received),
            None => Err(unmet!("the kubelet of {node} told of no other boot")),
        }
    }

    /// When the node was cordoned (`true`), or uncordoned, by the controller.
    ///
    /// # Errors
    /// If it was not, or the audit log cannot be read.
    pub fn cordoned(&self, since: &Mark, node: &str, on: bool) -> Result<Timestamp> {
        let sought = Sought {
            user: CONTROLLER,
            verb: "patch",
            resource: "nodes",
            name: node,
        };
        self.first_that(since, sought, |body| {
            body.pointer("/spec/unschedulable")
                .is_some_and(|value| value.as_bool().unwrap_or(false) == on)
        })
    }

    /// When the first of these pods was evicted by the controller, and when the last had ended, by the node's kubelet.
    ///
    /// # Errors
    /// If one was not evicted, or has not ended after its eviction; or the audit log cannot be read.
    pub fn drained(
        &self,
        since: &Mark,
        node: &str,
        pods: &BTreeMap<String, String>,
    ) -> Result<(Timestamp, Timestamp)> {
        let own = kubelet(node);
        let (evictions, reports) = (self.writes(since, CONTROLLER)?, self.writes(since, &own)?);
        let (mut first, mut last) = (Timestamp::MAX, Timestamp::MIN);
        claim!(!pods.is_empty(), "there was no pod to drain from {node}");
        for name in pods.keys() {
            let of = |record: &&Record| record.object.name == *name;
            let evicted = evictions
                .iter()
                .filter(of)
                .find(|record| record.verb == "create" && path(record) == "pods/eviction");
            let Some(evicted) = evicted.map(|record| record.received) else {
                return Err(unmet!("the pod {name} was not evicted"));
            };
            let ended = reports
                .iter()
                .filter(of)
                .find(|record| record.received >= evicted && has_ended(record));
            let Some(ended) = ended.map(|record| record.received) else {
                return Err(unmet!(
                    "by the kubelet of {node} the pod {name} has not ended"
                ));
            };
            (first, last) = (first.min(evicted), last.max(ended));
        }
        Ok((first, last))
    }

    /// Nobody has evicted anything since the mark, or asked for it, nor deleted one of these pods.
    ///
    /// # Errors
    /// If somebody has, or the audit log cannot be read.
    pub fn nothing_was_evicted(&self, since: &Mark, pods: &BTreeMap<String, String>) -> Result<()> {
        for record in self.asked(since)? {
            let what = path(&record);
            let evicted = what == "pods/eviction" && record.verb == "create";
            let deleted = what == "pods"
                && record.code < 300
                && match record.verb.as_str() {
                    "delete" => pods.contains_key(&record.object.name),
                    // it does not say which
                    "deletecollection" => true,
                    _ => false,
                };
            claim!(
                !evicted && !deleted,
                "{} asked to {} {what} {} at {}",
                record.user,
                record.verb,
                record.object.name,
                record.received
            );
        }
        Ok(())
    }
}

fn list<'a>(body: &'a Value, pointer: &str) -> &'a [Value] {
    let found = body.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

/// Does a kubelet say by it that the pod's containers have ended, or that all of the pod is gone?
fn has_ended(record: &Record) -> bool {
    match path(record).as_str() {
        "pods" => record.verb == "delete",
        "pods/status" => ["Succeeded", "Failed"].contains(&text(&record.body, "/status/phase")),
        _ => false,
    }
}

/// What a write into a Node's status says of a condition, if it says that. A heartbeat names it without its status.
fn condition<'a>(body: &'a Value, kind: &str, status: &str) -> Option<&'a Value> {
    let mut conditions = list(body, "/status/conditions").iter();
    conditions.find(|one| text(one, "/type") == kind && text(one, "/status") == status)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_heartbeat_is_no_report() {
        let report =
            json!({"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "A"}]}});
        assert!(condition(&report, "Ready", "True").is_some());
        assert!(condition(&report, "Ready", "False").is_none());
        assert!(condition(&report, "A", "True").is_none());
        assert!(condition(&Value::Null, "Ready", "True").is_none());
    }
}
