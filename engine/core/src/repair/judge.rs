//! What is to be done to the node: left to its own engine, rebooted, replaced, or shown to a person.

use jiff::Timestamp;

use super::next::{Act, Next};
use super::record::{Asks, Record, RequestedBy, Rung, Verdict};
use super::replace::ATTEMPTS;
use super::seen::{CloudSeen, Rules, Seen};
use super::{Phase, called_off, cleared, history, ours, preflight, sick_node};
use crate::clock::SignedDuration;
use crate::policy::{Advice, Decision, OnFailure, PolicyRef, Remedy};
use crate::reason::Reason;

/// The node's engine works on it; the control plane keeps away until it is asked, or until the deadline.
pub(super) fn healing_in_node(seen: &Seen) -> Next {
    if sick_node(seen).is_none() {
        return Next::enter(seen, Phase::Cancelled, Reason::NodeGone, "");
    }
    if seen.request.withdrawn {
        return Next::enter(seen, Phase::Recovered, Reason::Withdrawn, "");
    }
    match (seen.request.asks, seen.request.requested_by) {
        (Asks::Reboot, _) => Next::enter(seen, Phase::Judging, Reason::RebootAsked, ""),
        (Asks::Escalate, RequestedBy::NodeEngine) => {
            Next::enter(seen, Phase::Judging, Reason::Escalated, "")
        }
        (Asks::Escalate, RequestedBy::Conditions) => {
            Next::enter(seen, Phase::Judging, Reason::AgentSilent, "")
        }
        (Asks::Escalate, RequestedBy::Operator) => Next::enter(
            seen,
            Phase::Judging,
            Reason::PolicyDecided,
            "asked by a person",
        ),
        // Without a deadline of its own an agent may not hold a node for ever: its repair is judged at once.
        (Asks::InNode, _)
            if seen
                .request
                .deadline
                .is_none_or(|deadline| deadline <= seen.now) =>
        {
            Next::enter(seen, Phase::Judging, Reason::AgentOverdue, "")
        }
        (Asks::InNode, _) => Next::wait(seen, Reason::HealingInNode, ""),
    }
}

/// The policies are asked; nothing has been touched, or a rung has been tried in vain and our cordon still stands.
pub(super) fn judging(seen: &Seen) -> Next {
    let Some(node) = sick_node(seen) else {
        return Next::enter(seen, Phase::Cancelled, Reason::NodeGone, "");
    };
    if seen.request.withdrawn || cleared(seen) {
        let reason = if seen.request.withdrawn {
            Reason::Withdrawn
        } else {
            Reason::ProblemCleared
        };
        let next = if ours(seen, node) {
            Phase::Uncordoning
        } else {
            Phase::Recovered
        };
        return Next::enter(seen, next, reason, "");
    }
    // Remembered, so that the same mark is not taken for another try later.
    if let Some(mark) = new_mark(seen) {
        return Next::wait(seen, Reason::RetryAsked, "")
            .with(|record| follow_mark(record, mark, seen.now));
    }
    // A person who took our cordon away while a reboot was tried wants the node back: no other rung follows.
    if given_back(seen) {
        return Next::enter(seen, Phase::RollingBack, Reason::Uncordoned, "");
    }
    // Somebody's cordon is somebody's plan: it is never undone, and nothing is done under it.
    if node.unschedulable && !ours(seen, node) {
        return Next::wait(seen, Reason::CordonedByOther, "");
    }
    if let Some(until) = vetoed(seen) {
        return Next::wait(seen, Reason::Vetoed, format!("until {until}"));
    }
    let rules = match &seen.pool {
        Ok(rules) => rules,
        Err(none) => return Next::wait(seen, Reason::from(*none), ""),
    };
    // The node's own policy decided on the reboot; the control plane only keeps to its rails.
    if seen.request.asks == Asks::Reboot && history::may_reboot(seen) {
        return start(seen, rules, Rung::Reboot, "asked by the node's engine");
    }
    if seen.record.wait_until.is_some_and(|until| until > seen.now) {
        return Next::wait(
            seen,
            Reason::PolicyWaits,
            seen.record
                .verdict
                .as_ref()
                .map_or("", |verdict| &verdict.reason),
        );
    }
    match &seen.advice {
        Some(Advice::Decided { policy, decision }) => follow(seen, rules, policy, decision),
        Some(Advice::Unavailable {
            on_failure: OnFailure::Wait,
            message,
            ..
        }) => Next::wait(seen, Reason::PolicyFailed, message),
        Some(Advice::Unavailable {
            on_failure: OnFailure::Escalate,
            message,
            ..
        }) => Next::enter(seen, Phase::NeedsHuman, Reason::PolicyFailed, message),
        Some(Advice::None) | None => Next::wait(seen, Reason::NoPolicy, &seen.request.problem.kind),
    }
}

/// Our cordon was set, and somebody took it away.
fn given_back(seen: &Seen) -> bool {
    seen.record.rung.is_some() && sick_node(seen).is_some_and(|node| !node.unschedulable)
}

/// Until when a person's word forbids a repair of this node for this problem. Another word of a person's lifts it.
fn vetoed(seen: &Seen) -> Option<Timestamp> {
    if seen.request.requested_by == RequestedBy::Operator || seen.record.retried_at.is_some() {
        return None;
    }
    let request = &seen.request;
    history::veto(
        &seen.archive,
        &request.node_uid,
        &request.problem.kind,
        seen.now,
    )
}

fn follow(seen: &Seen, rules: &Rules, policy: &PolicyRef, decision: &Decision) -> Next {
    let verdict = Verdict {
        policy: policy.name.to_string(),
        digest: policy.digest.clone(),
        remedy: decision.remedy.to_string(),
        reason: decision.reason.clone(),
        at: seen.now,
    };
    let next = match &decision.remedy {
        Remedy::Replace => replace(seen, rules, &decision.reason),
        Remedy::Escalate => Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::PolicyEscalated,
            &decision.reason,
        ),
        Remedy::Wait(seconds) => {
            let until = seen.now + SignedDuration::from_secs(i64::from(*seconds));
            Next::wait(seen, Reason::PolicyWaits, &decision.reason)
                .with(|record| record.wait_until = Some(until))
        }
        Remedy::Decline => Next::wait(seen, Reason::NoPolicy, &seen.request.problem.kind),
        // An out-of-band reboot is not built yet: its gate is shown closed, and a policy that asks all the same waits.
        Remedy::Reboot | Remedy::Unit(_) | Remedy::Fix(_) => {
            Next::wait(seen, Reason::RemedyNotForSite, decision.remedy.label())
        }
    };
    next.with(|record| record.verdict = Some(verdict))
}

fn replace(seen: &Seen, rules: &Rules, why: &str) -> Next {
    if !rules.provisions {
        return Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::PolicyDecided,
            "replace, but the pool has no `provisioning`",
        );
    }
    // Whatever a policy says: what failed so often will not succeed by itself.
    let failed = history::failed_replacements(seen);
    if failed >= ATTEMPTS {
        return Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::AttemptsUsedUp,
            format!("{failed} replacements of this node failed within a day"),
        );
    }
    // A node is replaced only when it is certain which server it is: nothing may be deleted on a guess.
    let certain = match &seen.cloud {
        CloudSeen::Fresh(view) => view.server.as_ref().filter(|server| {
            Some(&server.id) == sick_node(seen).and_then(|node| node.server.as_ref())
        }),
        CloudSeen::Unavailable(why) => return Next::wait(seen, Reason::CloudUnavailable, why),
        CloudSeen::NotAsked => return Next::wait(seen, Reason::CloudUnavailable, "not asked"),
    };
    let Some(server) = certain else {
        return Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::ServerUnknown,
            "the node's providerID names no server of this project",
        );
    };
    if server.name != seen.request.node {
        return Next::enter(
            seen,
            Phase::NeedsHuman,
            Reason::ServerUnknown,
            format!("its server is named {}", server.name),
        );
    }
    let id = server.id.to_string();
    if let Some(next) = preflight::refuse(seen, rules) {
        return next;
    }
    start(seen, rules, Rung::Replace, why).with(|record| record.server_id = Some(id))
}

/// The first intrusive step of a rung: the cordon. It is written down before it is done.
fn start(seen: &Seen, rules: &Rules, rung: Rung, why: &str) -> Next {
    if !rules.acts {
        return Next::wait(
            seen,
            Reason::PoolObserves,
            format!(
                "it would {}",
                match rung {
                    Rung::Reboot => "reboot it",
                    Rung::Replace => "replace it",
                }
            ),
        );
    }
    Next::enter(seen, Phase::Cordoning, Reason::PolicyDecided, why)
        .with(|record| record.rung = Some(rung))
        .then(Act::Cordon)
}

/// The cordon is being set.
pub(super) fn cordoning(seen: &Seen) -> Next {
    if let Some(reason) = called_off(seen) {
        return Next::enter(seen, Phase::RollingBack, reason, "");
    }
    match sick_node(seen) {
        // Between our look and our patch somebody else cordoned it: theirs it is.
        Some(node) if node.unschedulable && !ours(seen, node) => {
            Next::enter(seen, Phase::RollingBack, Reason::CordonedByOther, "")
        }
        Some(node) if node.unschedulable => match seen.record.rung {
            Some(Rung::Reboot) => Next::enter(seen, Phase::RebootDraining, Reason::Evicting, "")
                .with(|record| record.drain = None),
            Some(Rung::Replace) | None => super::replace::begin(seen),
        },
        Some(_) | None => Next::act(seen, Act::Cordon, Reason::Cordoning),
    }
}

/// Nothing is done until a person did something. Before the commit, if the problem goes away by itself or the person
/// uncordons the node, what is ours is taken back; after it only a person's word moves it on.
pub(super) fn needs_human(seen: &Seen) -> Next {
    let is_committed = seen.record.committed_at.is_some();
    if let Some(mark) = new_mark(seen) {
        // After the commit it goes through its steps again from the first: each ends at once if it is done.
        let phase = if is_committed {
            Phase::Committed
        } else {
            Phase::Judging
        };
        return Next::enter(seen, phase, Reason::RetryAsked, "")
            .with(|record| follow_mark(record, mark, seen.now));
    }
    if is_committed {
        return still(seen);
    }
    if sick_node(seen).is_none() {
        return Next::enter(seen, Phase::Cancelled, Reason::NodeGone, "");
    }
    if seen.request.withdrawn || cleared(seen) {
        return Next::enter(seen, Phase::RollingBack, Reason::ProblemCleared, "");
    }
    if given_back(seen) {
        return Next::enter(seen, Phase::RollingBack, Reason::Uncordoned, "");
    }
    still(seen)
}

/// A person's mark that was not followed yet.
fn new_mark(seen: &Seen) -> Option<&String> {
    let mark = seen.request.retry.as_ref()?;
    (seen.record.retried.as_ref() != Some(mark)).then_some(mark)
}

fn follow_mark(record: &mut Record, mark: &str, now: Timestamp) {
    record.retried = Some(mark.to_owned());
    record.retried_at = Some(now);
    record.wait_until = None;
}

fn still(seen: &Seen) -> Next {
    Next {
        record: seen.record.clone(),
        act: None,
        reason: seen.record.reason.unwrap_or(Reason::PolicyEscalated),
        detail: String::new(),
    }
}
